package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Dropout: y = x and a mask that is all true when predicting. With training_mode, an input from opset 12 on, each element is 0 with the
// probability ratio and x/(1-ratio) otherwise: dropout_train.go. https://onnx.ai/onnx/operators/onnx__Dropout.html
func init() {
	version := func(since int64, attr string, inputs int, cases ...Case) {
		register(&Spec{
			Name: "Dropout", Since: since, View: true, Attrs: []string{attr}, In: Arity{1, inputs}, Out: Arity{1, 2}, Simplify: simplifyDropout,
			Infer: inferDropout, Compile: compileDropout, Grad: differentiable(gradDropout), Cases: cases,
		})
	}
	x := f64v(1, 2)
	version(12, "seed", 3,
		tested(func() []Case {
			return []Case{
				{In: in(x), Out: in(f64v(1, 2))},
				{Name: "mask", In: in(x), Out: in(f64v(1, 2), boolv(true, true))},
				{Name: "not training", In: in(f32v(1, 2), f32s(nil, .5), boolv(false)), Out: in(f32v(1, 2)), NoGrad: true},
			}
		})...)
	version(10, "ratio", 1, tested(func() []Case {
		return []Case{{Opset: 10, Attrs: []graph.Attr{graph.FloatAttr("ratio", .5)}, In: in(x), Out: in(f64v(1, 2), boolv(true, true))}}
	})...)
	version(7, "ratio", 1, tested(func() []Case { return []Case{{Opset: 7, In: in(x), Out: in(f64v(1, 2), f64v(1, 1))}} })...)
}

func inferDropout(n *graph.Node, site *Site) ([]tensor.Type, error) {
	mask := site.Types[0]
	if site.Opset >= 10 {
		mask.DType = tensor.Bool
	}
	return []tensor.Type{site.Types[0], mask}[:len(n.Outputs)], oneOf(n, site.Types[0], append(halfTypes[:2:2], nanTypes...)...)
}

// predicting tells that training_mode is absent or known to be false.
func predicting(n *graph.Node, site *Site) bool {
	if n.In(2) == "" {
		return true
	}
	t := site.constant(2)
	return t != nil && t.DType() == tensor.Bool && t.Len() == 1 && !tensor.Data[bool](t)[0]
}

// simplifyDropout hands a node that may train to an operator of its own, which is no view.
func simplifyDropout(n *graph.Node, site *Site) *graph.Node {
	if predicting(n, site) {
		return nil
	}
	return &graph.Node{Name: n.Name, Domain: Private, Op: "DropoutTraining", Attrs: n.Attrs, Inputs: n.Inputs, Outputs: n.Outputs}
}

func compileDropout(n *graph.Node, site *Site) (Kernel, error) {
	var slots scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if len(in) > 2 && in[2] != nil && !slices.Equal(in[2].Bytes(), []byte{0}) {
			return fault.New(fault.Unsupported, "Dropout: training_mode is not built here")
		}
		if out[0] != nil {
			out[0].Alias(in[0], in[0].Shape()...)
		}
		if len(out) > 1 && out[1] != nil {
			return allKept(ctx, &slots, out[1], in[0], site.Opset)
		}
		return nil
	}, nil
}

// allKept makes the mask of a run that drops nothing.
func allKept(ctx context.Context, slots *scratch[tensor.Tensor], mask, x *tensor.Tensor, opset int64) error {
	if opset >= 10 {
		if err := Reset(ctx, mask, tensor.Bool, x.Shape()...); err != nil {
			return err
		}
		fill(tensor.Data[bool](mask), true)
		return nil
	}
	if err := Reset(ctx, mask, x.DType(), x.Shape()...); err != nil {
		return err
	}
	held := slots.take(1)
	defer slots.put(held)
	ones := &(*held)[0]
	if err := Reset(ctx, ones, tensor.Bool, x.Len()); err != nil {
		return err
	}
	fill(tensor.Data[bool](ones), true)
	return castInto(mask, ones)
}

// dx = dy, times mask/(1-ratio) when training.
func gradDropout(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := make([]graph.Value, len(n.Inputs))
	if dx[0] = dy[0]; n.In(2) == "" {
		return dx, nil
	}
	if len(n.Outputs) < 2 || n.Outputs[1] == "" {
		return nil, fault.New(fault.Unsupported, "Dropout: the gradient in training mode needs the output mask")
	}
	one, ratio := scalarLike(b, 1, dy[0]), scalarLike(b, .5, dy[0])
	if n.In(1) != "" {
		ratio = b.Op("CastLike", n.Inputs[1], dy[0])
	}
	factor := b.Op("Where", n.Inputs[2], b.Op("Reciprocal", b.Op("Sub", one, ratio)), one)
	dx[0] = b.Op("Mul", b.Op("Mul", dy[0], b.Op("CastLike", n.Outputs[1], dy[0])), factor)
	return dx, nil
}
