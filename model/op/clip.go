package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Clip: y = min(max(x, low), high); the bounds are scalars and optional. high wins where low > high; NaN stays.
// https://onnx.ai/onnx/operators/onnx__Clip.html
func init() {
	register(&Spec{
		Name: "Clip", Since: 11, In: Arity{1, 3}, Out: Arity{1, 1},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			if err := sameDType(n, site, 0); err != nil {
				return nil, err
			}
			return like(signed...)(n, site)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			switch d := site.Types[0].DType; d {
			case tensor.Float32:
				return clipKernel(tensor.Data[float32], d, float32(math.Inf(-1)), float32(math.Inf(1))), nil
			case tensor.Float64:
				return clipKernel(tensor.Data[float64], d, math.Inf(-1), math.Inf(1)), nil
			case tensor.Int32:
				return clipKernel[int32](tensor.Data[int32], d, math.MinInt32, math.MaxInt32), nil
			case tensor.Int64:
				return clipKernel[int64](tensor.Data[int64], d, math.MinInt64, math.MaxInt64), nil
			default:
				return nil, refuse(n, d)
			}
		},
		Grad: gradClip,
		Cases: []Case{
			{In: in(f64v(-2, 0, 2), f64s(nil, -1), f64s(nil, 1)), Out: in(f64v(-1, 0, 1))},
			{Name: "only high", In: in(f64v(-2, 0, 2), nil, f64s(nil, 1)), Out: in(f64v(-2, 0, 1))},
			{Name: "crossed", In: in(f64v(-2, 3, 2), f64s(nil, 2.5), f64s(nil, 1)), Out: in(f64v(1, 1, 1))},
			{Name: "a vector as bound", In: in(f64v(-2, 0, 2), f64v(-1, 0)), Err: "scalar"},
		},
	})
}

func clipKernel[T number](data lane[T], d tensor.DType, lowest, highest T) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		low, high := lowest, highest
		for i, bound := range []*T{&low, &high} {
			if i+1 >= len(in) || in[i+1] == nil {
				continue
			}
			if in[i+1].Len() != 1 {
				return misfit("Clip", "a bound that is not a scalar")
			}
			*bound = data(in[i+1])[0]
		}
		if err := Reset(ctx, out[0], d, in[0].Shape()...); err != nil {
			return err
		}
		dst, src := data(out[0]), data(in[0])
		for i, x := range src {
			if x < low {
				x = low
			}
			if x > high {
				x = high
			}
			dst[i] = x
		}
		return nil
	}
}

// dx = dy where y = x; the bounds get the rest, each where y is it.
func gradClip(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	x, y, zero := n.Inputs[0], n.Outputs[0], scalarLike(b, 0, dy[0])
	kept := b.Op("Equal", x, y)
	dx := []graph.Value{b.Op("Where", kept, dy[0], zero)}
	for _, bound := range n.Inputs[1:] {
		if bound == "" {
			dx = append(dx, "")
			continue
		}
		at := b.Op("And", b.Op("Equal", y, bound), b.Op("Not", kept))
		dx = append(dx, b.Op("Where", at, dy[0], zero))
	}
	return dx, nil
}
