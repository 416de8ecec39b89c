package op

import (
	"context"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// If: the outputs of then_branch where cond is true, of else_branch where not. The branches have no inputs; they see outer values.
// https://onnx.ai/onnx/operators/onnx__If.html
func init() {
	register(&Spec{
		Name: "If", Since: 1, Attrs: []string{"then_branch", "else_branch"}, In: Arity{1, 1}, Out: Arity{1, Many},
		Infer: inferIf, Compile: compileIf,
	})
}

func branches(n *graph.Node, site *Site) (yes, no Body, err error) {
	if err := kinds(n, graph.AttrGraph, "then_branch", "else_branch"); err != nil {
		return nil, nil, err
	}
	if yes, err = site.Body("then_branch", nil); err != nil {
		return nil, nil, err
	}
	no, err = site.Body("else_branch", nil)
	return yes, no, err
}

func inferIf(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := oneOf(n, site.Types[0], tensor.Bool); err != nil {
		return nil, err
	}
	yes, no, err := branches(n, site)
	if err != nil {
		return nil, err
	}
	a, b := yes.Outputs(), no.Outputs()
	if len(a) != len(b) || len(a) != len(n.Outputs) {
		return nil, bad(n, "the branches have "+strconv.Itoa(len(a))+" and "+strconv.Itoa(len(b))+" outputs, the node "+strconv.Itoa(len(n.Outputs)))
	}
	types := make([]tensor.Type, len(a))
	for i := range a {
		t, ok := common(a[i], b[i])
		if !ok {
			return nil, bad(n, "the branches give "+a[i].String()+" and "+b[i].String())
		}
		types[i] = t
	}
	return types, nil
}

// common is the most exact type that values of both types have; not ok where the element types differ.
func common(a, b tensor.Type) (tensor.Type, bool) {
	if a.DType != b.DType {
		return tensor.Type{}, false
	}
	if a.DType.Container() {
		if a.Elem != nil && b.Elem != nil {
			elem, ok := common(*a.Elem, *b.Elem)
			a.Elem = &elem
			return a, ok
		}
		a.Elem = nil
		return a, true
	}
	if a.Unranked || b.Unranked || len(a.Dims) != len(b.Dims) {
		return unranked(a.DType), true
	}
	dims := make([]tensor.Dim, len(a.Dims))
	for i := range dims {
		if dims[i] = a.Dims[i]; a.Dims[i] != b.Dims[i] {
			dims[i] = free
		}
	}
	return tensor.Type{DType: a.DType, Dims: dims}, true
}

func compileIf(n *graph.Node, site *Site) (Kernel, error) {
	yes, no, err := branches(n, site)
	if err != nil {
		return nil, err
	}
	own := site.Own
	var spares scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		cond, err := truth("If", in[0])
		if err != nil {
			return err
		}
		body := no
		if cond {
			body = yes
		}
		held := spares.take(len(out))
		defer spares.put(held)
		for i, t := range out {
			if t == nil { // nobody wants it, but the body makes it
				out[i] = &(*held)[i]
			}
		}
		return body.Run(ctx, nil, in[own:], out)
	}, nil
}

// truth reads a condition of one element.
func truth(op string, t *tensor.Tensor) (bool, error) {
	if t.DType() != tensor.Bool || t.Len() != 1 {
		return false, misfit(op, "the condition is not one bool but "+t.Type().String())
	}
	return tensor.Data[bool](t)[0], nil
}

// loopBody compiles the body of a Loop or Scan: formals are the types of its inputs, of which those from first to last+1 are carried from
// one iteration to the next. Where an iteration changes the shape of what it carries, the shape is left open.
func loopBody(n *graph.Node, site *Site, formals []tensor.Type, first, carried, firstOut int) (Body, []tensor.Type, error) {
	if err := kind(n, "body", graph.AttrGraph); err != nil {
		return nil, nil, err
	}
	formals = append([]tensor.Type(nil), formals...)
	for try := 0; ; try++ {
		body, err := site.Body("body", formals)
		if err != nil {
			return nil, nil, err
		}
		made := body.Outputs()
		if len(made) < firstOut+carried {
			return nil, nil, bad(n, "the body has "+strconv.Itoa(len(made))+" outputs and carries "+strconv.Itoa(carried)+" values")
		}
		stable := true
		for i := range carried {
			was, is := formals[first+i], made[firstOut+i]
			if was.DType == tensor.Sequence && was.Elem == nil && is.DType == tensor.Sequence && is.Elem != nil {
				formals[first+i], stable = is, false
				continue
			}
			if was.DType == tensor.Optional && was.Elem != nil && is.DType == was.Elem.DType { // the body tells values from optionals as it runs
				continue
			}
			t, ok := common(was, is)
			if !ok {
				return nil, nil, bad(n, "the body carries "+was.String()+" on as "+is.String())
			}
			if t.String() != was.String() {
				formals[first+i], stable = t, false
			}
		}
		if stable {
			return body, formals, nil
		}
		if try == 8 {
			return nil, nil, fault.New(fault.Internal, n.Op+": the types of what the body carries do not settle")
		}
	}
}
