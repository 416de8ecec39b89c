package op

import (
	"context"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestCases runs every operator's own cases: values, and that the inferred types hold, with and without known shapes.
func TestCases(t *testing.T) {
	for _, s := range All() {
		if len(s.Cases) == 0 && s.Domain != Private {
			t.Logf("%s since %d has no cases", s.Name, s.Since)
		}
		for i := range s.Cases {
			c := &s.Cases[i]
			t.Run(s.Name+"/"+c.Name, func(t *testing.T) {
				if got := Lookup(s.Domain, s.Name, s.Version(c)); got != s {
					t.Fatalf("opset %d is another entry", s.Version(c))
				}
				for _, know := range []string{"all", "types", "nothing"} {
					runCase(t, s, c, know)
				}
			})
		}
	}
}

// siteOf describes the inputs of a case: all that is known, only types with their rank, or only element types.
func siteOf(s *Spec, c *Case, know string) *Site {
	site := &Site{Opset: s.Version(c), Threads: 2, Own: len(c.In)}
	for _, in := range c.In {
		var typ tensor.Type
		var constant *tensor.Tensor
		if in != nil {
			switch {
			case know == "all":
				typ, constant = in.Type(), in
			case in.DType().Container():
				typ = in.Type()
			case know == "types":
				typ = in.Type()
				for k := range typ.Dims {
					typ.Dims[k].Size = tensor.Free
				}
			default:
				typ = unranked(in.DType())
			}
		}
		site.Types, site.Constant = append(site.Types, typ), append(site.Constant, constant)
	}
	return site
}

func runCase(t *testing.T, s *Spec, c *Case, know string) {
	t.Helper()
	n, site := s.Node(c), siteOf(s, c, know)
	out, types, err := evaluate(s, n, site, c.In)
	if c.Err != "" {
		if err == nil || !strings.Contains(err.Error(), c.Err) {
			t.Fatalf("%s: error %v does not say %q", know, err, c.Err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", know, err)
	}
	for k, want := range c.Out {
		if !types[k].Accepts(out[k].DType(), out[k].Shape()) {
			t.Errorf("%s: inferred %v, got %v", know, types[k], out[k].Type())
		}
		if want != nil {
			if diff := Compare(out[k], want, tolerance(c), tolerance(c)); diff != "" {
				t.Errorf("%s: output %d: %s", know, k, diff)
			}
		}
	}
}

func evaluate(s *Spec, n *graph.Node, site *Site, in []*tensor.Tensor) (out []*tensor.Tensor, types []tensor.Type, err error) {
	if err := s.Check(n); err != nil {
		return nil, nil, err
	}
	if types, err = s.Infer(n, site); err != nil {
		return nil, nil, err
	}
	kernel, err := s.Compile(n, site)
	if err != nil {
		return nil, nil, err
	}
	for range n.Outputs {
		out = append(out, new(tensor.Tensor))
	}
	return out, types, kernel(context.Background(), in, out)
}

func tolerance(c *Case) float64 {
	if c.Tol == 0 {
		return 1e-6
	}
	return c.Tol
}
