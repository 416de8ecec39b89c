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
	return b.Node(Private, "PReluGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 2), nil
}

// gradOldPRelu is that of versions before 7, where a vector of slopes lies along the channels.
func gradOldPRelu(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return b.Node(Private, "PReluGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 2, graph.IntAttr("channels", 1)), nil
}

// PReluGrad(dy, x, slope): the gradients of x and slope; with channels=1 a vector of slopes lies along the dimension 1 of x.
func init() {
	register(&Spec{
		Domain: Private, Name: "PReluGrad", Since: 1, Half: true, Attrs: []string{"channels"}, In: Arity{3, 3}, Out: Arity{1, 2},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			return []tensor.Type{site.Types[1], site.Types[2]}[:len(n.Outputs)], oneOf(n, site.Types[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, preluGrad(n, tensor.Data[float32]), preluGrad(n, tensor.Data[float64]))
		},
		Cases: []Case{{In: in(f64s([]int{2, 2}, 1, 2, 3, 4), f64s([]int{2, 2}, -1, 5, -2, -3), f64v(10, 20)), Out: in(f64s([]int{2, 2}, 10, 2, 30, 80), f64v(-7, -12))}},
	})
}

func preluGrad[T float](n *graph.Node, data lane[T]) Kernel {
	channels := n.Int("channels", 0) != 0
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, slope := in[1].Shape(), in[2].Shape()
		var buf, joint [MaxRank]int
		along := append(buf[:0], slope...)
		if channels && len(slope) == 1 && slope[0] > 1 {
			for len(along) < len(x)-1 {
				along = append(along, 1)
			}
		}
		if to, err := broadcastShape("PReluGrad", joint[:0], x, along); err != nil || !slices.Equal(to, x) || in[0].Len() != in[1].Len() {
			return misfit("PReluGrad", "shapes do not fit")
		}
		var grads [2][]T
		for i := range out {
			if out[i] != nil {
				if err := Reset(ctx, out[i], in[0].DType(), in[i+1].Shape()...); err != nil {
					return err
				}
				grads[i] = data(out[i])
				clear(grads[i])
			}
		}
		if len(data(in[1])) == 0 {
			return nil
		}
		dy, v, factors := data(in[0]), data(in[1]), data(in[2])
		var g grid
		g.set(x, x, along)
		g.each(func(at int, o [3]int) {
			if grads[0] != nil {
				preluBack(grads[0][at:at+g.inner], v[at:at+g.inner], dy[at:], factors[o[1]:], g.unit[1])
			}
			if grads[1] != nil {
				preluSum(grads[1][o[1]:], v[at:at+g.inner], dy[at:], g.unit[1])
			}
		})
		return ctx.Err()
	}
}

// preluBack writes a run of dx; the slopes lie step apart.
func preluBack[T float](dx, x, dy, slope []T, step int) {
	dy = dy[:len(x)]
	for i, v := range x {
		d := dy[i]
		if v < 0 {
			d *= slope[i*step]
		}
		dx[i] = d
	}
}

// preluSum adds a run to dslope.
func preluSum[T float](dslope, x, dy []T, step int) {
	dy = dy[:len(x)]
	if step == 0 {
		var sum T
		for i, v := range x {
			if v < 0 {
				sum += v * dy[i]
			}
		}
		dslope[0] += sum
		return
	}
	for i, v := range x {
		if v < 0 {
			dslope[i*step] += v * dy[i]
		}
	}
}
