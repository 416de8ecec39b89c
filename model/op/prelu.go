//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// PRelu: y = x where x >= 0, slope·x elsewhere; slope is broadcast to the shape of x. https://onnx.ai/onnx/operators/onnx__PRelu.html
func init() {
	register(&Spec{
		Name: "PRelu", Since: 7, Half: true, In: Arity{2, 2}, Out: Arity{1, 1}, Compile: compilePRelu, Grad: differentiable(gradPRelu),
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			if err := sameDType(n, site, 0); err != nil {
				return nil, err
			}
			x, slope := site.Types[0], site.Types[1]
			if !x.Unranked && !slope.Unranked && len(slope.Dims) > len(x.Dims) {
				return nil, bad(n, "a slope of more dimensions than x")
			}
			if _, err := broadcastTypes(n, x.DType, x, slope); err != nil {
				return nil, err
			}
			return []tensor.Type{x}, oneOf(n, x, sumTypes...)
		},
		Cases: []Case{
			{In: in(f64s([]int{2, 2}, 1, -2, -3, 4), f64v(.5, .25)), Out: in(f64s([]int{2, 2}, 1, -.5, -1.5, 4))},
			{Name: "channel", In: in(f64s([]int{1, 2, 2}, -1, -2, -3, 4), f64s([]int{2, 1}, .5, 2)), Out: in(f64s([]int{1, 2, 2}, -.5, -1, -6, 4))},
			{Name: "ints", In: in(i64v(-3, 3), i64v(2)), Out: in(i64v(-6, 3))},
			{Name: "wider slope", In: in(f64v(-1), f64v(1, 2)), Err: "slope"},
		},
	})
}

func compilePRelu(n *graph.Node, site *Site) (Kernel, error) {
	var kernel Kernel
	var err error
	switch d := site.Types[0].DType; d {
	case tensor.Uint32:
		kernel = pairKernel("PRelu", site.Threads, tensor.Data[uint32], tensor.Data[uint32], d, prelu[uint32])
	case tensor.Uint64:
		kernel = pairKernel("PRelu", site.Threads, tensor.Data[uint64], tensor.Data[uint64], d, prelu[uint64])
	default:
		kernel, err = arithmetic("PRelu", prelu[float32], prelu[float64], prelu[int32], prelu[int64])(n, site)
	}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, slope := in[0].Shape(), in[1].Shape()
		var buf [MaxRank]int
		if joint, err := broadcastShape("PRelu", buf[:0], x, slope); err != nil || !slices.Equal(joint, x) {
			return misfit("PRelu", "a slope "+shapeText(slope)+" that does not broadcast to x "+shapeText(x))
		}
		return kernel(ctx, in, out)
	}, err
}

func prelu[T number](dst, a, b []T) {
	switch {
	case len(b) == 1:
		slope := b[0]
		if len(a) == 1 {
			x := a[0]
			if x < 0 {
				x *= slope
			}
			fill(dst, x)
			return
		}
		for i, x := range a[:len(dst)] {
			if x < 0 {
				x *= slope
			}
			dst[i] = x
		}
	case len(a) == 1:
		x := a[0]
		for i, slope := range b[:len(dst)] {
			if dst[i] = x; x < 0 {
				dst[i] = x * slope
			}
		}
	default:
		b = b[:len(dst)]
		for i, x := range a[:len(dst)] {
			if x < 0 {
				x *= b[i]
			}
			dst[i] = x
		}
	}
}

// dx = dy where x >= 0, slope·dy elsewhere; dslope = x·dy where x < 0.
func gradPRelu(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	x, slope, zero := n.Inputs[0], n.Inputs[1], scalarLike(b, 0, n.Inputs[0])
	below := b.Op("Less", x, zero)
	return []graph.Value{
		b.Op("Where", below, b.Op("Mul", dy[0], slope), dy[0]),
		b.Op("Where", below, b.Op("Mul", dy[0], x), zero),
	}, nil
}
