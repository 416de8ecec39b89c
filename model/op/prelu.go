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
			return byFloat(n, site, preluGrad(n, site.Threads, tensor.Data[float32]), preluGrad(n, site.Threads, tensor.Data[float64]))
		},
		Cases: []Case{{In: in(f64s([]int{2, 2}, 1, 2, 3, 4), f64s([]int{2, 2}, -1, 5, -2, -3), f64v(10, 20)), Out: in(f64s([]int{2, 2}, 10, 2, 30, 80), f64v(-7, -12))}},
	})
}

func preluGrad[T float](n *graph.Node, threads int, data lane[T]) Kernel {
	channels := n.Int("channels", 0) != 0
	var runs kept[preluBack[T]]
	var memory scratch[T]
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
		r := runs.take()
		defer runs.put(r)
		*r = preluBack[T]{ctx: ctx, dy: data(in[0]), x: data(in[1]), slope: data(in[2])}
		var grads [2][]T
		for i := range out {
			if out[i] != nil {
				if err := Reset(ctx, out[i], in[0].DType(), in[i+1].Shape()...); err != nil {
					return err
				}
				grads[i] = data(out[i])
			}
		}
		r.dx = grads[0]
		clear(grads[1])
		if len(r.x) == 0 {
			return nil
		}
		r.grid.set(x, x, along)
		outer := r.grid.dims[r.grid.rank-1]
		r.parts = max(1, min(outer, preluParts, len(r.x)/max(cheapGrain, 4*len(r.slope))))
		if grads[1] != nil {
			sums := memory.take(r.parts * len(r.slope))
			defer memory.put(sums)
			clear(*sums)
			r.sums = *sums
		}
		spread(ctx, threads, r.parts, 1, r)
		for i, v := range r.sums {
			grads[1][i%len(r.slope)] += v
		}
		return ctx.Err()
	}
}

// preluParts is into how many parts x is cut at most. It does not depend on the number of goroutines, so that the sums do not.
const preluParts = 16

// preluBack is one call. Each part of x, along the outermost dimension of the grid, sums up gradients of the slopes of its own.
type preluBack[T float] struct {
	ctx          context.Context
	grid         grid
	dy, x, slope []T
	dx, sums     []T // dx (x), or nil; sums (parts, slope), or nil
	parts        int
}

func (r *preluBack[T]) Do(lo, hi int) {
	outer := r.grid.dims[r.grid.rank-1]
	for part := lo; part < hi && r.ctx.Err() == nil; part++ {
		g, first := r.grid.part(part*outer/r.parts, (part+1)*outer/r.parts)
		var sums []T
		if r.sums != nil {
			sums = r.sums[part*len(r.slope):][:len(r.slope)]
		}
		g.each(func(_ int, o [3]int) {
			at, k := first[0]+o[0], first[1]+o[1]
			x, dy := r.x[at:at+g.inner], r.dy[at:at+g.inner]
			if r.dx != nil {
				preluSlopes(r.dx[at:at+g.inner], x, dy, r.slope[k:], g.unit[1])
			}
			if sums != nil {
				preluSum(sums[k:], x, dy, g.unit[1])
			}
		})
	}
}

// preluSlopes writes a run of dx; the slopes lie step apart.
func preluSlopes[T float](dx, x, dy, slope []T, step int) {
	dx, dy = dx[:len(x)], dy[:len(x)]
	if step == 0 {
		factors := [2]T{1, slope[0]}
		for i, v := range x {
			negative := 0 // no branch, which would be wrong half of the time
			if v < 0 {
				negative = 1
			}
			dx[i] = dy[i] * factors[negative&1]
		}
		return
	}
	for i, v := range x {
		d := dy[i]
		s := d * slope[i*step]
		if v < 0 {
			d = s
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
			sum += min(v, 0) * dy[i]
		}
		dslope[0] += sum
		return
	}
	dslope = dslope[:(len(x)-1)*step+1]
	for i, v := range x {
		dslope[i*step] += min(v, 0) * dy[i]
	}
}
