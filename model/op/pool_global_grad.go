//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// The way back of pools over whole planes, and of MaxUnpool.
//
//	GlobalMaxPoolGrad(dy, x, y): the first element of each plane that is y gets dy.
//	GlobalAveragePoolGrad(dy, x): all elements of a plane get equal parts of dy.
//	GlobalLpPoolGrad(dy, x, y): dx = dy·(|x|/y)^(p-1)·sign x.
//	MaxUnpoolGrad(dy, x, places): the elements of dy that x went to.
func init() {
	dy, x := f32s([]int{1, 2, 1}, 6, 9), f32s([]int{1, 2, 3}, 1, 2, 2, -3, 4, 0)
	back := func(name string, inputs int, attrs []string, compile compileFunc, list func() []Case) {
		register(&Spec{
			Domain: Private, Name: name, Since: 1, Attrs: attrs, In: Arity{inputs, inputs}, Out: Arity{1, 1}, Half: true, Infer: inferPoolGrad, Compile: compile, Cases: tested(list),
		})
	}
	back("GlobalMaxPoolGrad", 3, nil, func(n *graph.Node, site *Site) (Kernel, error) {
		return byFloat(n, site, globalPoolGrad(tensor.Data[float32], n, site, planeMaxGrad[float32]), globalPoolGrad(tensor.Data[float64], n, site, planeMaxGrad[float64]))
	}, func() []Case {
		return []Case{
			{In: in(dy, x, f32s([]int{1, 2, 1}, 2, 4)), Out: in(f32s([]int{1, 2, 3}, 0, 6, 0, 0, 9, 0))},
			{Name: "misfit", In: in(x, x, x), Err: "gradient"},
		}
	})
	back("GlobalAveragePoolGrad", 2, nil, func(n *graph.Node, site *Site) (Kernel, error) {
		return byFloat(n, site, globalPoolGrad(tensor.Data[float32], n, site, planeMeanGrad[float32]), globalPoolGrad(tensor.Data[float64], n, site, planeMeanGrad[float64]))
	}, func() []Case {
		return []Case{{In: in(dy, x), Out: in(f32s([]int{1, 2, 3}, 2, 2, 2, 3, 3, 3))}}
	})
	back("GlobalLpPoolGrad", 3, []string{"p"}, func(n *graph.Node, site *Site) (Kernel, error) {
		p, err := normOf(n)
		if err != nil {
			return nil, err
		}
		return byFloat(n, site, globalPoolGrad(tensor.Data[float32], n, site, planeNormGrad[float32](p)), globalPoolGrad(tensor.Data[float64], n, site, planeNormGrad[float64](p)))
	}, func() []Case {
		return []Case{{In: in(dy, x, f32s([]int{1, 2, 1}, 3, 5)), Out: in(f32s([]int{1, 2, 3}, 2, 4, 4, -5.4, 7.2, 0))}}
	})
	register(&Spec{
		Domain: Private, Name: "MaxUnpoolGrad", Since: 1, Attrs: []string{"kernel_shape", "strides", "pads"}, In: Arity{3, 3}, Out: Arity{1, 1}, Half: true,
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			return site.Types[1:2], oneOf(n, site.Types[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			w, err := windowOf(n)
			if err != nil {
				return nil, err
			}
			return byFloat(n, site, maxUnpoolGrad(tensor.Data[float32], w), maxUnpoolGrad(tensor.Data[float64], w))
		},
		Cases: tested(func() []Case {
			attrs := []graph.Attr{graph.IntsAttr("kernel_shape", 2), graph.IntsAttr("strides", 2)}
			dy, x := f32s([]int{1, 1, 5}, 1, 2, 3, 4, 5), f32s([]int{1, 1, 2}, 0, 0)
			return []Case{
				{Attrs: attrs, In: in(dy, x, i64s([]int{1, 1, 2}, 1, 2)), Out: in(f32s([]int{1, 1, 2}, 2, 3))},
				{Name: "outside", Attrs: attrs, In: in(dy, x, i64s([]int{1, 1, 2}, 1, 4)), Err: "place 4"},
			}
		}),
	})
}

// globalPoolGrad does each plane by f: dy and y are those of a plane, 0 where there is no y.
func globalPoolGrad[T float](data lane[T], n *graph.Node, site *Site, f func(dx, x []T, dy, y T)) Kernel {
	threads := site.Threads
	var runs kept[globalGradRun[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[1].Shape()
		if len(shape) < 3 || in[0].Len() != shape[0]*shape[1] || len(in) > 2 && in[2].Len() != in[0].Len() {
			return misfit(n.Op, "a gradient of another shape than the output")
		}
		if err := Reset(ctx, out[0], in[1].DType(), shape...); err != nil || out[0].Len() == 0 {
			return err
		}
		r := runs.take()
		defer runs.put(r)
		*r = globalGradRun[T]{ctx: ctx, dy: data(in[0]), x: data(in[1]), dx: data(out[0]), f: f}
		if len(in) > 2 {
			r.y = data(in[2])
		}
		spread(ctx, threads, len(r.dy), max(1, (1<<14)*len(r.dy)/len(r.x)), r)
		return ctx.Err()
	}
}

// globalGradRun is a run of globalPoolGrad.
type globalGradRun[T float] struct {
	ctx          context.Context
	dy, x, y, dx []T
	f            func(dx, x []T, dy, y T)
}

// Do does some planes.
func (r *globalGradRun[T]) Do(lo, hi int) {
	size := len(r.x) / len(r.dy)
	var y T
	for p := lo; p < hi && r.ctx.Err() == nil; p++ {
		if r.y != nil {
			y = r.y[p]
		}
		r.f(r.dx[p*size:][:size], r.x[p*size:][:size], r.dy[p], y)
	}
}

func planeMaxGrad[T float](dx, x []T, dy, y T) {
	clear(dx)
	for i, v := range x {
		if v == y {
			dx[i] = dy
			return
		}
	}
}

func planeMeanGrad[T float](dx, _ []T, dy, _ T) { fill(dx, dy/T(len(dx))) }

func planeNormGrad[T float](p float64) func(dx, x []T, dy, y T) {
	return func(dx, x []T, dy, y T) {
		for i, v := range x {
			dx[i] = dy * normSlope(v, y, p)
		}
	}
}

func maxUnpoolGrad[T float](data lane[T], w window) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, shape := in[1].Shape(), in[0].Shape()
		if len(x) != len(w.kernel)+2 || in[2].Len() != in[1].Len() || len(shape) != len(x) {
			return misfit(w.op, "kernel_shape or places do not fit the input")
		}
		var ib [MaxRank]int
		inner := append(ib[:0], x...)
		for i, n := range x[2:] {
			inner[2+i] = w.unpooled(i, n)
		}
		for i, n := range inner {
			if shape[i] < n {
				return misfit(w.op, "a gradient of another shape than the output")
			}
		}
		size, err := tensor.Elements(inner)
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), x...); err != nil {
			return err
		}
		dx, dy := data(out[0]), data(in[0])
		for i, place := range in[2].I64() {
			if place < 0 || place >= int64(size) {
				return misfit(w.op, "place "+itoa(place)+" of "+itoa(int64(size)))
			}
			dx[i] = dy[moved(int(place), inner, shape)]
		}
		return nil
	}
}

// gradMaxUnpool leads to MaxUnpoolGrad.
func gradMaxUnpool(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	if dy[0] == "" {
		return make([]graph.Value, len(n.Inputs)), nil
	}
	return b.Node(Private, "MaxUnpoolGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 1, n.Attrs...), nil
}
