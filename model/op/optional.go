//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Optional: a value, or nothing of a type. OptionalHasElement: whether there is a value; from opset 18 on also of what is no optional, or
// absent. OptionalGetElement: the value. https://onnx.ai/onnx/operators/onnx__Optional.html and so on.
func init() {
	x := f32v(1, 2)
	yes, no := shaped(tensor.Bool, nil, []bool{true}), tensor.New(tensor.Bool)
	register(&Spec{
		Name: "Optional", Since: 15, Attrs: []string{"type"}, In: Arity{0, 1}, Out: Arity{1, 1}, Infer: inferOptional, Compile: compileOptional, Grad: gradOptional,
		Cases: []Case{{In: in(x), Out: in(tensor.OptionalOf(x))}},
	})
	register(&Spec{
		Name: "OptionalHasElement", Since: 15, In: Arity{0, 1}, Out: Arity{1, 1}, Infer: inferOptionalHas, Compile: compileOptionalHas,
		Cases: []Case{
			{In: in(tensor.OptionalOf(x)), Out: in(yes)},
			{Name: "nothing", In: in(tensor.OptionalOf(nil)), Out: in(no)},
			{Name: "tensor", Opset: 18, In: in(x), Out: in(yes)},
			{Name: "absent", Opset: 18, Out: in(no)},
		},
	})
	register(&Spec{
		Name: "OptionalGetElement", Since: 15, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferOptionalGet, Compile: compileOptionalGet, Grad: gradOptional,
		Cases: []Case{{In: in(tensor.OptionalOf(x)), Out: in(x)}, {Name: "tensor", Opset: 18, In: in(x), Out: in(x)}},
	})
}

func inferOptional(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "type", graph.AttrType); err != nil {
		return nil, err
	}
	t := tensor.Type{DType: tensor.Optional, Unranked: true}
	switch given := site.typ(0); {
	case given.DType == tensor.Optional:
		return nil, refuse(n, given.DType)
	case given.DType != tensor.Undefined:
		t.Elem = &given
	default:
		a := n.Attr("type")
		if a == nil || a.Type == nil {
			return nil, bad(n, "neither an input nor the attribute type")
		}
		elem := a.Type.Type()
		t.Elem = &elem
	}
	return []tensor.Type{t}, nil
}

func compileOptional(*graph.Node, *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if len(in) == 0 || in[0] == nil {
			out[0].ResetList(tensor.Optional, 0)
			return nil
		}
		return Copy(ctx, out[0].ResetList(tensor.Optional, 1)[0], in[0])
	}, nil
}

func inferOptionalHas(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if d := site.typ(0).DType; site.Opset < 18 && d != tensor.Optional {
		return nil, refuse(n, d)
	}
	return []tensor.Type{tensor.TypeOf(tensor.Bool)}, nil
}

func compileOptionalHas(*graph.Node, *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if err := Reset(ctx, out[0], tensor.Bool); err != nil {
			return err
		}
		has := len(in) > 0 && in[0] != nil && (in[0].DType() != tensor.Optional || len(in[0].List()) > 0)
		tensor.Data[bool](out[0])[0] = has
		return nil
	}, nil
}

func inferOptionalGet(n *graph.Node, site *Site) ([]tensor.Type, error) {
	t := site.Types[0]
	if t.DType != tensor.Optional {
		if site.Opset < 18 {
			return nil, refuse(n, t.DType)
		}
		return []tensor.Type{t}, nil
	}
	if t.Elem == nil {
		return nil, bad(n, "the type of the optional's value is not known")
	}
	return []tensor.Type{*t.Elem}, nil
}

func compileOptionalGet(*graph.Node, *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		from := in[0]
		if from.DType() == tensor.Optional {
			if len(from.List()) == 0 {
				return misfit("OptionalGetElement", "the optional is empty")
			}
			from = from.List()[0]
		}
		return Copy(ctx, out[0], from)
	}, nil
}
