package exec

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestGradients checks every Grad by central differences at the inputs of the operator's own float64 cases, in every version that has one.
func TestGradients(t *testing.T) {
	checked := map[*op.Spec]bool{}
	for _, s := range op.All() {
		if s.Grad == nil {
			continue
		}
		for i := range s.Cases {
			c := &s.Cases[i]
			if c.Err != "" || c.NoGrad || !slices.ContainsFunc(c.In, differentiable) || !slices.ContainsFunc(c.Out, differentiable) {
				continue
			}
			checked[s] = true
			t.Run(s.Name+"/"+c.Name, func(t *testing.T) { checkGradient(t, s, c) })
		}
		if op.Lookup(s.Domain, s.Name, graph.OpsetVersion) == s && !checked[s] {
			t.Errorf("%s of opset %d has a gradient but no float64 case that checks it", s.Name, s.Since)
		}
	}
}

func differentiable(t *tensor.Tensor) bool { return t != nil && t.DType() == tensor.Float64 }

// checkGradient builds loss = Σ weight·op(x) and compares its gradient with differences.
func checkGradient(t *testing.T, s *op.Spec, c *op.Case) {
	b := graph.NewBuilder("case")
	var inputs []*tensor.Tensor
	var wrt []graph.Value
	n := s.Node(c)
	for i, x := range c.In {
		switch {
		case x == nil:
		case differentiable(x):
			b.Input(string(n.Inputs[i]), x.Type())
			inputs, wrt = append(inputs, x.Clone()), append(wrt, n.Inputs[i])
		default:
			b.Graph().Initializers[n.Inputs[i]] = x
		}
	}
	ys := b.Node(n.Domain, n.Op, n.Inputs, len(c.Out), n.Attrs...)
	b.Graph().Nodes[0].Opsets = map[string]int64{s.Domain: s.Version(c)}
	var loss graph.Value
	for i, y := range ys {
		if !differentiable(c.Out[i]) {
			continue
		}
		w := tensor.New(tensor.Float64, c.Out[i].Shape()...)
		for k := range tensor.Data[float64](w) {
			tensor.Data[float64](w)[k] = 1 + .7*float64(k%5) - .3*float64(k%3)
		}
		part := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, b.Op("Mul", y, b.Init("weight", w)))
		if loss == "" {
			loss = part
		} else {
			loss = b.Op("Add", loss, part)
		}
	}
	grads, err := Gradient(b, loss, wrt)
	if err != nil {
		t.Fatal(err)
	}
	b.Output("loss", loss, tensor.TypeOf(tensor.Float64))
	for i, g := range grads {
		b.Output("d_"+string(wrt[i]), g, inputs[i].Type())
	}
	p, err := Compile(b.Model(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	run := func() []*tensor.Tensor {
		out, err := p.Run(context.Background(), inputs)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	exact := run()
	for i, x := range inputs {
		if !slices.Equal(exact[i+1].Shape(), x.Shape()) {
			t.Fatalf("gradient of %s has the shape %v, not %v", wrt[i], exact[i+1].Shape(), x.Shape())
		}
		for k := range tensor.Data[float64](x) {
			at := &tensor.Data[float64](x)[k]
			v, h := *at, 1e-6*math.Max(1, math.Abs(*at))
			*at = v + h
			up := tensor.Data[float64](run()[0])[0]
			*at = v - h
			down := tensor.Data[float64](run()[0])[0]
			*at = v
			want, got := (up-down)/(2*h), tensor.Data[float64](exact[i+1])[k]
			if !(math.Abs(got-want) <= 1e-5*math.Max(1, math.Abs(want))) {
				t.Errorf("d/d%s[%d]: got %v, differences give %v", wrt[i], k, got, want)
			}
		}
	}
}

// TestGradientSums: a value that is used twice gets both gradients, one that is not used gets zeros, a constant path none.
func TestGradientSums(t *testing.T) {
	b := graph.NewBuilder("g")
	x := b.Input("x", tensor.TypeOf(tensor.Float32, 2))
	u := b.Input("unused", tensor.TypeOf(tensor.Float32, 3))
	loss := b.Op("ReduceSum", b.Op("Add", b.Op("Mul", x, x), b.Op("Mul", x, b.Scalar("three", 3)))) // x² + 3x
	grads, err := Gradient(b, loss, []graph.Value{x, u})
	if err != nil {
		t.Fatal(err)
	}
	b.Output("dx", grads[0], tensor.TypeOf(tensor.Float32, 2))
	b.Output("du", grads[1], tensor.TypeOf(tensor.Float32, 3))
	p, err := Compile(b.Model(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(context.Background(), []*tensor.Tensor{tensor.Floats([]float32{1, -2}), tensor.Floats([]float32{1, 2, 3})})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out[0].F32(), []float32{5, -1}) || !slices.Equal(out[1].F32(), []float32{0, 0, 0}) {
		t.Error(out[0].F32(), out[1].F32())
	}
}

// TestGradientMissing: an operator without gradient is named with its path to the loss.
func TestGradientMissing(t *testing.T) {
	b := graph.NewBuilder("g")
	x := b.Input("x", tensor.TypeOf(tensor.Float32, 2))
	loss := b.Op("ReduceSum", b.Op("Exp", b.Op("Mod", x, b.Scalar("m", 2))))
	_, err := Gradient(b, loss, []graph.Value{x})
	if !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "Mod") || !strings.Contains(fault.HintOf(err), "Mod → Exp → ReduceSum") {
		t.Error(err, fault.HintOf(err))
	}
	if _, err := Gradient(b, "nowhere", nil); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}
