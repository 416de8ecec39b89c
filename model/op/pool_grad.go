//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// The way back of pools. They look again at what a window saw, so that the way forth keeps nothing for them.
//
//	MaxPoolGrad(dy, x, y): each element of dy goes to the first element under its window that is y.
//	AveragePoolGrad(dy, x): each element of dy goes to all elements under its window, in equal parts. x counts by its shape only.
//	LpPoolGrad(dy, x, y): dx = dy·(|x|/y)^(p-1)·sign x, summed over the windows that see x.
func init() {
	base := []string{"kernel_shape", "strides", "pads", "auto_pad", "dilations", "ceil_mode"}
	back := func(name string, inputs int, compile compileFunc, more []string, list func() []Case) {
		register(&Spec{
			Domain: Private, Name: name, Since: 1, Attrs: append(more, base...), In: Arity{inputs, inputs}, Out: Arity{1, 1}, Half: true,
			Infer: inferPoolGrad, Compile: compile, Cases: tested(list),
		})
	}
	x := f32s([]int{1, 1, 4}, 1, -5, 2, -4)
	attrs := []graph.Attr{graph.IntsAttr("kernel_shape", 2), graph.IntsAttr("strides", 2)}
	dy := f32s([]int{1, 1, 2}, 1, 2)
	back("MaxPoolGrad", 3, compilePoolGrad(maxPoolGrad[float32], maxPoolGrad[float64]), []string{"storage_order"}, func() []Case {
		return []Case{
			{Attrs: attrs, In: in(dy, x, f32s([]int{1, 1, 2}, 1, 2)), Out: in(f32s([]int{1, 1, 4}, 1, 0, 2, 0))},
			{Name: "misfit", Attrs: attrs, In: in(x, x, dy), Err: "gradient"},
		}
	})
	back("AveragePoolGrad", 2, compilePoolGrad(averagePoolGrad[float32], averagePoolGrad[float64]), []string{"count_include_pad"}, func() []Case {
		return []Case{{Attrs: attrs, In: in(dy, x), Out: in(f32s([]int{1, 1, 4}, .5, .5, 1, 1))}}
	})
	back("LpPoolGrad", 3, compilePoolGrad(normPoolGrad[float32], normPoolGrad[float64]), []string{"p"}, func() []Case {
		return []Case{{Attrs: append([]graph.Attr{graph.FloatAttr("p", 1)}, attrs...), In: in(dy, x, dy), Out: in(f32s([]int{1, 1, 4}, 1, -1, 2, -2))}}
	})
}

// gradPool leads to the private operator of the way back, which reads dy, x and, where wanted, y.
func gradPool(name string, y bool) Gradient {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		if dy[0] == "" {
			return []graph.Value{""}, nil
		}
		inputs := []graph.Value{dy[0], n.Inputs[0]}
		if y {
			inputs = append(inputs, n.Outputs[0])
		}
		return b.Node(Private, name, inputs, 1, n.Attrs...), nil
	}
}

func inferPoolGrad(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	return []tensor.Type{site.Types[1]}, oneOf(n, site.Types[0], floats...)
}

// windowBack carries dy over the windows of a plane: x and y may be nil, dx is added to.
type windowBack[T float] func(v *view, dx, dy, x, y []T)

// compilePoolGrad compiles a pool's way back; f makes what goes over a plane.
func compilePoolGrad(f32 func(n *graph.Node) (windowBack[float32], error), f64 func(n *graph.Node) (windowBack[float64], error)) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		w, err := windowOf(n)
		if err != nil {
			return nil, err
		}
		if len(w.kernel) == 0 {
			return nil, bad(n, "without kernel_shape")
		}
		if site.Types[0].DType == tensor.Float64 {
			f, err := f64(n)
			return poolGradKernel(tensor.Data[float64], w, site.Threads, f), err
		}
		f, err := f32(n)
		return poolGradKernel(tensor.Data[float32], w, site.Threads, f), err
	}
}

func poolGradKernel[T float](data lane[T], w window, threads int, f windowBack[T]) Kernel {
	var runs kept[poolGradRun[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[1].Shape()
		if len(shape) < 3 {
			return misfit(w.op, "an input without spatial dimensions")
		}
		r := runs.take()
		defer runs.put(r)
		var err error
		if r.v, err = w.fit(shape[2:], nil); err != nil {
			return err
		}
		planes := shape[0] * shape[1]
		if in[0].Len() != planes*volume(r.v.out) || len(in) > 2 && in[2].Len() != in[0].Len() {
			return misfit(w.op, "a gradient of another shape than the output")
		}
		if err := Reset(ctx, out[0], in[1].DType(), shape...); err != nil {
			return err
		}
		r.ctx, r.f, r.dy, r.x, r.dx = ctx, f, data(in[0]), data(in[1]), data(out[0])
		if len(in) > 2 {
			r.y = data(in[2])
		}
		spread(ctx, threads, planes, max(1, (1<<14)/max(1, volume(r.v.out)*volume(r.v.kernel))), r)
		return ctx.Err()
	}
}

// poolGradRun is a run over all planes.
type poolGradRun[T float] struct {
	ctx          context.Context
	v            view
	f            windowBack[T]
	dy, x, y, dx []T
}

// Do does some planes.
func (r *poolGradRun[T]) Do(lo, hi int) {
	from, to := volume(r.v.in), volume(r.v.out)
	var y []T
	for p := lo; p < hi && r.ctx.Err() == nil; p++ {
		dx := r.dx[p*from:][:from]
		clear(dx)
		if r.y != nil {
			y = r.y[p*to:][:to]
		}
		r.f(&r.v, dx, r.dy[p*to:][:to], r.x[p*from:][:from], y)
	}
}

// each calls f for each window o of a plane and each row of it: count elements from at on, step apart. It goes on with the next window when f says so.
func (v *view) each(f func(o, at, count, step int) (next bool)) {
	o, step := -1, v.dilation[2]
	for a := range v.out[0] {
		a0, a1, from0 := v.taps(0, a)
		for b := range v.out[1] {
			b0, b1, from1 := v.taps(1, b)
			for c := range v.out[2] {
				o++
				c0, c1, from2 := v.taps(2, c)
				if c0 >= c1 {
					continue
				}
			window:
				for i := a0; i < a1; i++ {
					for j := b0; j < b1; j++ {
						at := ((from0+i*v.dilation[0])*v.in[1]+from1+j*v.dilation[1])*v.in[2] + from2 + c0*step
						if f(o, at, c1-c0, step) {
							break window
						}
					}
				}
			}
		}
	}
}

func maxPoolGrad[T float](*graph.Node) (windowBack[T], error) {
	return func(v *view, dx, dy, x, y []T) {
		if v.pairs() {
			pairsBack(v, dx, dy, x, y)
			return
		}
		v.each(func(o, at, count, step int) bool {
			for range count {
				if x[at] == y[o] {
					dx[at] += dy[o]
					return true
				}
				at += step
			}
			return false
		})
	}, nil
}

// pairs reports whether windows are 2×2 elements side by side, none of them in padding.
func (v *view) pairs() bool {
	return v.rank == 2 && v.kernel == [spatial]int{1, 2, 2} && v.stride == v.kernel && volume(v.dilation) == 1 && v.before == [spatial]int{} &&
		2*v.out[1] <= v.in[1] && 2*v.out[2] <= v.in[2]
}

// pairsBack is that of MaxPool for such windows.
func pairsBack[T float](v *view, dx, dy, x, y []T) {
	wide, n := v.in[2], v.out[2]
	for i := range v.out[1] {
		at := 2 * i * wide
		x0, x1 := x[at:][:2*n], x[at+wide:][:2*n]
		d0, d1 := dx[at:][:2*n], dx[at+wide:][:2*n]
		y, dy := y[i*n:][:n], dy[i*n:][:n]
		for j, most := range y {
			p, q := (*[2]T)(x0[2*j:]), (*[2]T)(x1[2*j:])
			a, b, c, d := takes(p[0] == most), takes(p[1] == most), takes(q[0] == most), takes(q[1] == most)
			r := &shares[a|b<<1|c<<2|d<<3]
			to, under, g := (*[2]T)(d0[2*j:]), (*[2]T)(d1[2*j:]), dy[j]
			to[0], to[1], under[0], under[1] = g*T(r[0]), g*T(r[1]), g*T(r[2]), g*T(r[3])
		}
	}
}

// takes is 1 where an element is the greatest: no branch, which nobody could foretell.
func takes(is bool) uint {
	var u uint
	if is {
		u = 1
	}
	return u
}

// shares are the parts of four elements by which of them are the greatest: the first takes all.
var shares = func() (s [16][4]float32) {
	for i := range s {
		for j := range 4 {
			if i>>j&1 == 1 {
				s[i][j] = 1
				break
			}
		}
	}
	return s
}()

func averagePoolGrad[T float](n *graph.Node) (windowBack[T], error) {
	p := pooling[T]{countPads: n.Int("count_include_pad", 0) != 0}
	return func(v *view, dx, dy, _, _ []T) {
		last, part := -1, T(0)
		v.each(func(o, at, count, step int) bool {
			if o != last {
				a, b, c := o/(v.out[1]*v.out[2]), o/v.out[2]%v.out[1], o%v.out[2]
				last, part = o, dy[o]/T(p.elements(v, 0, a)*p.elements(v, 1, b)*p.elements(v, 2, c))
			}
			for range count {
				dx[at] += part
				at += step
			}
			return false
		})
	}, nil
}

func normPoolGrad[T float](n *graph.Node) (windowBack[T], error) {
	p, err := normOf(n)
	if err != nil {
		return nil, err
	}
	return func(v *view, dx, dy, x, y []T) {
		v.each(func(o, at, count, step int) bool {
			for range count {
				dx[at] += dy[o] * normSlope(x[at], y[o], p)
				at += step
			}
			return false
		})
	}, nil
}

// normSlope is ∂y/∂x of the p-norm y of elements like x: (|x|/y)^(p-1)·sign x, and 0 where x is.
func normSlope[T float](x, y T, p float64) T {
	switch {
	case x == 0 || y == 0:
		return 0
	case p == 2:
		return x / y
	}
	slope := T(1)
	if p != 1 {
		slope = T(math.Pow(math.Abs(float64(x))/float64(y), p-1))
	}
	if x < 0 {
		return -slope
	}
	return slope
}
