//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// DeformConvGrad(dy, x, w, offset, mask): the gradients of x, w, offset, bias and mask for y = DeformConv(x, w, offset, bias, mask). That of the columns,
// wᵀ·dy, goes to the elements around each place by their nearness, and to the place itself by how they differ.
func init() {
	register(&Spec{
		Domain: Private, Name: "DeformConvGrad", Since: 1, Attrs: []string{"dilations", "group", "kernel_shape", "offset_group", "pads", "strides"}, In: Arity{4, 5}, Out: Arity{1, 5}, Half: true,
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			bias := tensor.Type{DType: site.Types[0].DType, Dims: []tensor.Dim{free}}
			return []tensor.Type{site.Types[1], site.Types[2], site.Types[3], bias, site.typ(4)}[:len(n.Outputs)], oneOf(n, site.Types[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			win, group, err := convWindow(n)
			if err != nil {
				return nil, err
			}
			offsets := int(n.Int("offset_group", 1))
			return byFloat(n, site, deformGradKernel(tensor.Data[float32], win, group, offsets, site), deformGradKernel(tensor.Data[float64], win, group, offsets, site))
		},
		Cases: tested(func() []Case {
			return []Case{{
				In:  in(f32s([]int{1, 1, 1, 2}, 1, 1), f32s([]int{1, 1, 1, 2}, 1, 3), f32s([]int{1, 1, 1, 1}, 10), f32s([]int{1, 2, 1, 2}, 0, 0, .5, 0)),
				Out: in(f32s([]int{1, 1, 1, 2}, 5, 15), f32s([]int{1, 1, 1, 1}, 5), f32s([]int{1, 2, 1, 2}, -20, -30, 20, -30), f32v(2)),
			}}
		}),
	})
}

func gradDeformConv(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := make([]graph.Value, len(n.Inputs))
	if dy[0] == "" {
		return dx, nil
	}
	inputs, outputs := append([]graph.Value{dy[0]}, n.Inputs[:3]...), 4
	if len(n.Inputs) > 4 && n.Inputs[4] != "" {
		inputs, outputs = append(inputs, n.Inputs[4]), 5
	}
	copy(dx, b.Node(Private, "DeformConvGrad", inputs, outputs, n.Attrs...))
	return dx, nil
}

func deformGradKernel[T float](data lane[T], win window, group, offsetGroups int, site *Site) Kernel {
	c := newConvBack[T](win, group, site)
	var images kept[deformBack[T]]
	var rows kept[deformFilters[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		v, s, err := c.over.shape(in[1].Shape(), in[2].Shape())
		if err != nil {
			return err
		}
		taps, pixels := volume(v.kernel), volume(v.out)
		if in[0].Len() != s.batch*s.m*pixels || s.cg*group%offsetGroups != 0 || in[3].Len() != s.batch*offsetGroups*taps*v.rank*pixels {
			return misfit(win.op, "a gradient or an offset that does not fit")
		}
		r := images.take()
		defer images.put(r)
		r.deformSite = deformSite[T]{c: c, ctx: ctx, v: v, s: s, dy: data(in[0]), x: data(in[1]), w: data(in[2]), offset: data(in[3]), offsetGroups: offsetGroups}
		if len(in) > 4 && in[4] != nil {
			if r.mask = data(in[4]); len(r.mask) != s.batch*offsetGroups*taps*pixels {
				return misfit(win.op, "a mask that does not fit")
			}
		}
		var grads [5][]T
		for i, like := range [5]int{1, 2, 3, 0, 4} {
			if i >= len(out) || out[i] == nil {
				continue
			}
			var one [1]int
			shape := append(one[:0], s.m)
			if i != 3 {
				shape = in[like].Shape()
			}
			if err := Reset(ctx, out[i], in[0].DType(), shape...); err != nil {
				return err
			}
			grads[i] = data(out[i])
			clear(grads[i])
		}
		r.dx, r.dOffset, r.dMask = grads[0], grads[2], grads[4]
		if len(r.dy) == 0 {
			return nil
		}
		if r.dx != nil || r.dOffset != nil || r.dMask != nil {
			spread(ctx, c.threads, s.batch, 1, r)
		}
		if grads[1] != nil {
			f := rows.take()
			*f = deformFilters[T]{deformSite: r.deformSite, dw: grads[1]}
			spread(ctx, c.threads, s.cg*group, 1, f)
			rows.put(f)
		}
		if grads[3] != nil {
			c.bias(ctx, r.dy, grads[3], pixels)
		}
		return ctx.Err()
	}
}

// deformSite is what both ways back of a DeformConv read.
type deformSite[T float] struct {
	c                      *convBack[T]
	ctx                    context.Context
	v                      view
	s                      convSize
	dy, x, w, offset, mask []T
	offsetGroups           int
}

// set is where offset and mask of a channel's tap lie in an image.
func (r *deformSite[T]) set(image, channel, tap int) int {
	each := r.s.cg * r.c.group / r.offsetGroups
	return (image*r.offsetGroups+channel/each)*volume(r.v.kernel) + tap
}

// move is the offset of pixel p along spatial dimension d.
func (r *deformSite[T]) move(set, d, p int) float64 {
	return float64(r.offset[(set*r.v.rank+d)*volume(r.v.out)+p])
}

// deformBack goes back to x, offset and mask: a task is an image.
type deformBack[T float] struct {
	deformSite[T]
	dx, dOffset, dMask []T // nil where not wanted
}

// Do does some images.
func (r *deformBack[T]) Do(lo, hi int) {
	c, cg, mg := r.c, r.s.cg, r.s.m/r.c.group
	pixels, taps, plane := volume(r.v.out), volume(r.v.kernel), volume(r.v.in)
	turned, columns := c.columns.take(taps*mg), c.columns.take(taps*pixels)
	panels := c.panels.take(kernel.PackedLen(mg, pixels))
	defer c.columns.put(turned)
	defer c.columns.put(columns)
	defer c.panels.put(panels)
	for image := lo; image < hi; image++ {
		for g := range c.group {
			dy := kernel.Pack(r.dy[(image*c.group+g)*mg*pixels:], mg, pixels, pixels, false, *panels)
			for i := range cg {
				if r.ctx.Err() != nil {
					return
				}
				kernel.Transpose(*turned, r.w[(g*mg*cg+i)*taps:], mg, taps, cg*taps)
				clear(*columns)
				kernel.Gemm(taps, *turned, mg, &dy, *columns, pixels)
				channel := g*cg + i
				var dx []T
				if r.dx != nil {
					dx = r.dx[(image*c.group*cg+channel)*plane:][:plane]
				}
				for tap := range taps {
					r.tap(image, channel, tap, dx, (*columns)[tap*pixels:][:pixels])
				}
			}
		}
	}
}

// tap carries the gradient of what a tap reads of a channel back.
func (r *deformBack[T]) tap(image, channel, tap int, dx, grad []T) {
	v, pixels, set := &r.v, volume(r.v.out), r.set(image, channel, tap)
	x := r.x[(image*r.s.cg*r.c.group+channel)*volume(v.in):][:volume(v.in)]
	for p, of := range grad {
		low, part, inside := v.moved(p, tap, func(d, p int) float64 { return r.move(set, d, p) })
		if !inside {
			continue
		}
		weight := 1.0
		if r.mask != nil {
			weight = float64(r.mask[set*pixels+p])
		}
		value, slope := 0.0, [spatial]float64{}
		for corner := range 1 << v.rank {
			at, near, in := 0, 1.0, true
			var slopes [spatial]float64
			for d := range spatial {
				i, up := low[d], d >= spatial-v.rank && corner>>(d-(spatial-v.rank))&1 == 1
				factor, by := 1-part[d], -1.0
				if up {
					i, factor, by = i+1, part[d], 1
				}
				for e := range slopes {
					if e != d {
						slopes[e] *= factor
					}
				}
				slopes[d] = by * near
				near *= factor
				in = in && i >= 0 && i < v.in[d]
				at = at*v.in[d] + i
			}
			if !in {
				continue
			}
			seen := float64(x[at])
			value += near * seen
			for d := range slope {
				slope[d] += slopes[d] * seen
			}
			if dx != nil {
				dx[at] += T(near * weight * float64(of))
			}
		}
		if r.dOffset != nil {
			for d := range v.rank {
				r.dOffset[(set*v.rank+d)*pixels+p] += T(slope[spatial-v.rank+d] * weight * float64(of))
			}
		}
		if r.dMask != nil {
			r.dMask[set*pixels+p] += T(value * float64(of))
		}
	}
}

// deformFilters goes back to the weights: a task is an input channel.
type deformFilters[T float] struct {
	deformSite[T]
	dw []T
}

// Do does some channels.
func (r *deformFilters[T]) Do(lo, hi int) {
	c, cg, mg := r.c, r.s.cg, r.s.m/r.c.group
	pixels, taps, plane := volume(r.v.out), volume(r.v.kernel), volume(r.v.in)
	columns, panels := c.columns.take(taps*pixels), c.panels.take(kernel.PackedLen(pixels, taps))
	defer c.columns.put(columns)
	defer c.panels.put(panels)
	for channel := lo; channel < hi; channel++ {
		g := channel / cg
		for image := range r.s.batch {
			if r.ctx.Err() != nil {
				return
			}
			for tap := range taps {
				set, row := r.set(image, channel, tap), (*columns)[tap*pixels:][:pixels]
				sample(&r.v, row, r.x[(image*cg*c.group+channel)*plane:][:plane], tap, 0, func(d, p int) float64 { return r.move(set, d, p) })
				if r.mask != nil {
					for p, weight := range r.mask[set*pixels:][:pixels] {
						row[p] *= weight
					}
				}
			}
			b := kernel.Pack(*columns, pixels, taps, pixels, true, *panels)
			kernel.Gemm(mg, r.dy[(image*c.group+g)*mg*pixels:], pixels, &b, r.dw[(g*mg*cg+channel%cg)*taps:], cg*taps)
		}
	}
}
