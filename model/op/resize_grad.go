//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ResizeGrad(dy, x, the other inputs of Resize or Upsample; their attributes, operator, opset): the transpose of the plan by which they go from x to y.
// Scales, sizes and region have no gradient.
func init() {
	register(&Spec{
		Domain: Private, Name: "ResizeGrad", Since: 1, In: Arity{2, 5}, Out: Arity{1, 1}, Half: true, HalfLike: []int{0}, Infer: inferAs(1),
		Attrs: []string{
			"antialias", "axes", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside", "extrapolation_value", "height_scale", "keep_aspect_ratio_policy", "mode",
			"nearest_mode", "operator", "opset", "scales", "width_scale",
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			old, at := *n, *site
			old.Op, old.Inputs, at.Opset = n.Str("operator", "Resize"), n.Inputs[1:], n.Int("opset", graph.OpsetVersion)
			r, err := resizerOf(&old, &at)
			if err != nil {
				return nil, err
			}
			return byFloat(n, site, resizeGrad[float32](r, site.Threads), resizeGrad[float64](r, site.Threads))
		},
		Cases: []Case{
			{Attrs: []graph.Attr{graph.StringAttr("mode", "linear")}, In: in(f64v(1, 2, 3, 4), f64v(0, 0), nil, f32v(2)), Out: in(f64v(3.25, 6.75))},
			{Name: "planes", In: in(f64s([]int{2, 2, 4}, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 1, 1, 0, 0, 0, 0), f64s([]int{2, 1, 2}, 0, 0, 0, 0), nil, f32v(1, 2, 2)), Out: in(f64s([]int{2, 1, 2}, 14, 22, 2, 2))},
			{Name: "misfit", In: in(f64v(1, 2, 3), f64v(0, 0), nil, f32v(2)), Err: "shapes"},
		},
	})
}

func gradResize(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	opset := int64(11) // what the inputs tell of the version is all that matters
	switch {
	case n.Op == "Resize" && len(n.Inputs) == 2:
		opset = 10
	case n.Op == "Upsample" && len(n.Inputs) == 2:
		opset = 9
	case n.Op == "Upsample" && n.Attr("scales") != nil:
		opset = 7
	case n.Op == "Upsample":
		opset = 1
	}
	attrs := append([]graph.Attr{graph.StringAttr("operator", n.Op), graph.IntAttr("opset", opset)}, n.Attrs...)
	dx := make([]graph.Value, len(n.Inputs))
	dx[0] = b.Node(Private, "ResizeGrad", append([]graph.Value{dy[0]}, n.Inputs...), 1, attrs...)[0]
	return dx, nil
}

func resizeGrad[T float](r *resizer, threads int) Kernel {
	add := sumOf[T]().take
	var plans reuse.Pool[resizePlan]
	var runs kept[resizeBack[T]]
	var buffers scratch[T]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		dy, x := in[0], in[1]
		rank := x.Rank()
		d, err := r.dimensions(x.Shape(), in[1:])
		if err != nil {
			return err
		}
		fits := dy.Rank() == rank
		for i := range rank {
			fits = fits && dy.Shape()[i] == d[i].out
		}
		if !fits {
			return misfit("ResizeGrad", "shapes do not fit")
		}
		if err := Reset(ctx, out[0], dy.DType(), x.Shape()...); err != nil {
			return err
		}
		dst, src := tensor.Data[T](out[0]), tensor.Data[T](dy)
		if len(dst) == 0 || len(src) == 0 {
			clear(dst)
			return nil
		}
		p := plans.Take()
		defer plans.Put(p)
		if p.rank != rank || p.dimensions != d {
			if err := p.build(ctx, r, dy.DType(), rank, d); err != nil {
				p.rank = -1
				return err
			}
		}
		if len(p.axes) == 0 {
			copy(dst, src)
			return nil
		}
		planes, _ := around(x.Shape(), p.axes[0].axis)
		b := runs.take()
		defer runs.put(b)
		*b = resizeBack[T]{ctx: ctx, buffers: &buffers, p: p, dst: dst, src: src, to: len(dst) / planes, from: len(src) / planes, add: add}
		n := b.from
		for i := len(p.order) - 1; i > 0; i-- {
			n = n / p.order[i].out * p.order[i].in
			b.size = max(b.size, n)
		}
		spread(ctx, threads, planes, 1, b)
		return ctx.Err()
	}
}

// resizeBack is one call: planes of dx (to elements) from planes of dy (from elements), with buffers of size elements between.
type resizeBack[T float] struct {
	ctx            context.Context
	buffers        *scratch[T]
	p              *resizePlan
	dst, src       []T
	to, from, size int
	add            func(dst, src []T)
}

func (r *resizeBack[T]) Do(lo, hi int) {
	s := r.buffers.take(2 * r.size)
	defer r.buffers.put(s)
	for plane := lo; plane < hi && r.ctx.Err() == nil; plane++ {
		r.plane(r.dst[plane*r.to:][:r.to], r.src[plane*r.from:][:r.from], (*s)[:r.size], (*s)[r.size:])
	}
}

// plane undoes the axes in the reverse order.
func (r *resizeBack[T]) plane(dst, src, here, there []T) {
	var done [MaxRank]bool
	for step := len(r.p.order) - 1; step >= 0; step-- {
		a, to := r.p.order[step], dst
		if step > 0 {
			to = here
			here, there = there, here
		}
		outer, inner := 1, 1
		for d := r.p.axes[0].axis; d < r.p.rank; d++ {
			n := r.p.dimensions[d].out
			if done[d] {
				n = r.p.dimensions[d].in
			}
			if d < a.axis {
				outer *= n
			} else if d > a.axis {
				inner *= n
			}
		}
		clear(to[:outer*a.in*inner])
		for o := range outer {
			if inner == 1 {
				resizeRowBack(to[o*a.in:][:a.in], src[o*a.out:][:a.out], a)
			} else {
				r.rows(to[o*a.in*inner:], src[o*a.out*inner:], inner, a)
			}
		}
		done[a.axis] = true
		src = to
	}
}

// resizeRowBack adds src (out) to dst (in).
func resizeRowBack[T float](dst, src []T, a *resizeAxis) {
	for j, g := range src {
		if a.outside != nil && a.outside[j] {
			continue
		}
		if a.weight == nil {
			dst[a.from[j]] += g
			continue
		}
		weight := a.weight[j*a.taps:][:a.taps]
		for k, at := range a.from[j*a.taps:][:a.taps] {
			dst[at] += T(weight[k]) * g
		}
	}
}

// rows is resizeRowBack for rows of n elements.
func (r *resizeBack[T]) rows(dst, src []T, n int, a *resizeAxis) {
	for j := range a.out {
		if a.outside != nil && a.outside[j] {
			continue
		}
		row := src[j*n:][:n]
		for k := j * a.taps; k < (j+1)*a.taps; k++ {
			to := dst[a.from[k]*n:][:n]
			switch {
			case a.weight == nil || a.weight[k] == 1:
				r.add(to, row)
			case a.weight[k] != 0:
				blendAdd(to, row, T(a.weight[k]))
			}
		}
	}
}
