//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// gradLp: dx = (dy - t·Σ(dy·y))/‖x‖, where t is y (p=2) or the sign of x (p=1); 0 where the norm is 0.
func gradLp(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	x, y, axis := n.Inputs[0], n.Outputs[0], n.Int("axis", -1)
	norm, t := "ReduceL2", y
	if n.Int("p", 2) == 1 {
		norm, t = "ReduceL1", b.Op("Sign", x)
	}
	length := b.OpWith(norm, []graph.Attr{graph.IntsAttr("axes", axis)}, x)
	along := b.Op("ReduceSum", b.Op("Mul", dy[0], y), b.Ints("axis", []int64{axis}))
	dx := b.Op("Div", b.Op("Sub", dy[0], b.Op("Mul", t, along)), length)
	zero := scalarLike(b, 0, x)
	return []graph.Value{b.Op("Where", b.Op("Equal", length, zero), zero, dx)}, nil
}

// gradMVN: dx = (dy - mean dy)/(s + 1e-9) - c·mean(dy·c)/(s·(s + 1e-9)²) with c = x - mean x and s = √(mean c²).
func gradMVN(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	axes := []int64{0, 2, 3}
	if n.Attr("axes") != nil {
		axes = n.Ints("axes")
	}
	mean := func(v graph.Value) graph.Value {
		return b.OpWith("ReduceMean", []graph.Attr{graph.IntsAttr("axes", axes...)}, v)
	}
	x, zero := n.Inputs[0], scalarLike(b, 0, n.Inputs[0])
	c := b.Op("Sub", x, mean(x))
	s := b.Op("Sqrt", mean(b.Op("Mul", c, c)))
	near := b.Op("Add", s, scalarLike(b, 1e-9, x))
	first := b.Op("Div", b.Op("Sub", dy[0], mean(dy[0])), near)
	slope := b.Op("Div", mean(b.Op("Mul", dy[0], c)), b.Op("Mul", s, b.Op("Mul", near, near)))
	slope = b.Op("Where", b.Op("Equal", s, zero), zero, slope)
	return []graph.Value{b.Op("Sub", first, b.Op("Mul", c, slope))}, nil
}

func gradLRN(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return b.Node(Private, "LRNGrad", []graph.Value{dy[0], n.Inputs[0]}, 1, n.Attrs...), nil
}

// LRNGrad(dy, x; alpha, beta, bias, size): dx = dy·u^-beta - 2·alpha·beta/size·x·Σ dy·x·u^(-beta-1), with u = bias + alpha/size·Σx² over size
// neighbouring channels, and the outer sum over the channels that have this one among theirs.
func init() {
	register(&Spec{
		Domain: Private, Name: "LRNGrad", Since: 1, Half: true, Attrs: []string{"alpha", "beta", "bias", "size"}, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferAs(1),
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, lrnGrad(n, site, tensor.Data[float32]), lrnGrad(n, site, tensor.Data[float64]))
		},
		Cases: []Case{{
			Attrs: []graph.Attr{graph.IntAttr("size", 1), graph.FloatAttr("alpha", 1), graph.FloatAttr("beta", 1)},
			In:    in(f64s([]int{1, 1, 1}, 25), f64s([]int{1, 1, 1}, 2)), Out: in(f64s([]int{1, 1, 1}, -3)),
		}},
	})
}

// lrnBack is one call: dx, dy and x (n, c, inner); rest holds dy·x·u^(-beta-1).
type lrnBack[T float] struct {
	ctx                context.Context
	dx, dy, x, rest    []T
	c, inner, size     int
	factor, beta, bias float64
}

func lrnGrad[T float](node *graph.Node, site *Site, data lane[T]) Kernel {
	size, threads := int(node.Int("size", 1)), site.Threads
	factor, beta, bias := float64(node.Float("alpha", 1e-4))/float64(size), float64(node.Float("beta", .75)), float64(node.Float("bias", 1))
	var runs kept[lrnBack[T]]
	var pool scratch[T]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[1].Shape()
		if len(shape) < 2 || in[0].Len() != in[1].Len() {
			return misfit(node.Op, "shapes do not fit")
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		r := runs.take()
		defer runs.put(r)
		rest := pool.take(in[1].Len())
		defer pool.put(rest)
		*r = lrnBack[T]{ctx, data(out[0]), data(in[0]), data(in[1]), *rest, shape[1], normSize(shape[2:]), size, factor, beta, bias}
		if len(r.x) > 0 {
			spread(ctx, threads, shape[0], 1+normGrain/(r.inner*r.c*min(size, r.c)), r)
		}
		return ctx.Err()
	}
}

// Do does some images.
func (l *lrnBack[T]) Do(lo, hi int) {
	for i := lo; i < hi && l.ctx.Err() == nil; i++ {
		at, size := i*l.c*l.inner, l.c*l.inner
		dx, dy, x, rest := l.dx[at:at+size], l.dy[at:at+size], l.x[at:at+size], l.rest[at:at+size]
		for k := range l.c {
			row := k * l.inner
			u := dx[row : row+l.inner]
			lrnWindow(u, x, max(0, k-(l.size-1)/2), min(l.c-1, k+l.size/2))
			for p, sum := range u {
				base := l.bias + l.factor*float64(sum)
				d := float64(dy[row+p]) * math.Pow(base, -l.beta)
				dx[row+p], rest[row+p] = T(d), T(d*float64(x[row+p])/base)
			}
		}
		scale := 2 * l.factor * l.beta
		for k := range l.c {
			row := k * l.inner
			for j := max(0, k-l.size/2); j <= min(l.c-1, k+(l.size-1)/2); j++ {
				for p, v := range rest[j*l.inner:][:l.inner] {
					dx[row+p] -= T(scale) * x[row+p] * v
				}
			}
		}
	}
}

// lrnWindow adds up the squares of the channels from to to of x.
func lrnWindow[T float](sum, x []T, from, to int) {
	clear(sum)
	for j := from; j <= to; j++ {
		for p, v := range x[j*len(sum):][:len(sum)] {
			sum[p] += v * v
		}
	}
}
