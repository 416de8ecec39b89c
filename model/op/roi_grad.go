//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// RoiAlignGrad(dy, x, rois, batch_indices; the attributes of RoiAlign, half): the gradients of x and of the regions.
// MaxRoiPoolGrad(dy, x, rois; the attributes of MaxRoiPool): that of x; the borders of the cells are rounded, so that the regions have none.
func init() {
	register(&Spec{
		Domain: Private, Name: "RoiAlignGrad", Since: 1, In: Arity{4, 4}, Out: Arity{1, 2}, Half: true, HalfLike: []int{0, 0},
		Attrs: []string{"coordinate_transformation_mode", "half", "mode", "output_height", "output_width", "sampling_ratio", "spatial_scale"},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			return site.Types[1:][:len(n.Outputs)], oneOf(n, site.Types[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			r, err := roiAlignOf(n, site, n.Int("half", 1) != 0)
			if err != nil {
				return nil, err
			}
			return byFloat(n, site, roiAlignGrad[float32](r), roiAlignGrad[float64](r))
		},
		Cases: []Case{{
			In:  in(f64s([]int{1, 1, 1, 1}, 4), f64s([]int{1, 1, 2, 2}, 1, 2, 3, 5), f64s([]int{1, 4}, 0, 0, 2, 2), i64v(0)),
			Out: in(f64s([]int{1, 1, 2, 2}, 1, 1, 1, 1), nil),
		}},
	})
	register(&Spec{
		Domain: Private, Name: "MaxRoiPoolGrad", Since: 1, Attrs: []string{"pooled_shape", "spatial_scale"}, In: Arity{3, 3}, Out: Arity{1, 1}, Half: true, HalfLike: []int{0}, Infer: inferAs(1),
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			old := *n
			old.Op = "MaxRoiPool"
			h, w, err := roiSize(&old)
			if err != nil {
				return nil, err
			}
			scale := float64(n.Float("spatial_scale", 1))
			return byFloat(n, site, maxRoiGrad[float32](h, w, scale), maxRoiGrad[float64](h, w, scale))
		},
		Cases: []Case{{
			Attrs: []graph.Attr{graph.IntsAttr("pooled_shape", 1, 1)},
			In:    in(f64s([]int{1, 1, 1, 1}, 4), f64s([]int{1, 1, 2, 2}, 1, 2, 3, 5), f64s([]int{1, 5}, 0, 0, 0, 1, 1)), Out: in(f64s([]int{1, 1, 2, 2}, 0, 0, 0, 4)),
		}},
	})
}

func gradMaxRoi(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return []graph.Value{b.Node(Private, "MaxRoiPoolGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 1, n.Attrs...)[0], ""}, nil
}

// gradRoiAlign is for a version whose corners lie at the middle of elements, where half is set and no attribute says otherwise.
func gradRoiAlign(half int64) Gradient {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		attrs := append([]graph.Attr{graph.IntAttr("half", half)}, n.Attrs...)
		grads := b.Node(Private, "RoiAlignGrad", append([]graph.Value{dy[0]}, n.Inputs...), 2, attrs...)
		return append(grads, ""), nil
	}
}

// roiBack is one call.
type roiBack[T float] struct {
	ctx             context.Context
	r               *roiAlign
	dy, x, dx       []T
	region, dregion []T
	batch           []int64
	channels, h, w  int
	walks           *kept[roiWalk[T]]
}

func roiAlignGrad[T float](r roiAlign) Kernel {
	var images kept[roiBackX[T]]
	var corners kept[roiBackCorners[T]]
	var walks kept[roiWalk[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		dy, x, rois, batch := in[0], in[1], in[2], in[3]
		if err := roiAlignFits(&r, x, rois, batch, tensor.Data[T](rois)); err != nil {
			return err
		}
		s, regions := x.Shape(), rois.Shape()[0]
		if dy.Len() != regions*s[1]*r.h*r.w {
			return misfit("RoiAlignGrad", "shapes do not fit")
		}
		b := roiBack[T]{ctx: ctx, r: &r, dy: tensor.Data[T](dy), x: tensor.Data[T](x), region: tensor.Data[T](rois), batch: batch.I64(), channels: s[1], h: s[2], w: s[3], walks: &walks}
		for i, t := range []*tensor.Tensor{x, rois} {
			if i < len(out) && out[i] != nil {
				if err := Reset(ctx, out[i], t.DType(), t.Shape()...); err != nil {
					return err
				}
				clear(out[i].Bytes())
			}
		}
		if x.Len() == 0 || dy.Len() == 0 {
			return nil
		}
		if out[0] != nil {
			b.dx = tensor.Data[T](out[0])
			run := images.take()
			run.roiBack = b
			spread(ctx, r.threads, s[1], 1, run)
			images.put(run)
		}
		if len(out) > 1 && out[1] != nil {
			b.dregion = tensor.Data[T](out[1])
			run := corners.take()
			run.roiBack = b
			spread(ctx, r.threads, regions, 1, run)
			corners.put(run)
		}
		return ctx.Err()
	}
}

// roiBackX: a goroutine has the planes of some channels, of all pictures, to itself.
type roiBackX[T float] struct{ roiBack[T] }

func (b *roiBackX[T]) Do(lo, hi int) {
	w := b.walks.take()
	defer b.walks.put(w)
	size, plane := b.r.h*b.r.w, b.h*b.w
	for k := range b.batch {
		for c := lo; c < hi && b.ctx.Err() == nil; c++ {
			at := (int(b.batch[k])*b.channels + c) * plane
			*w = roiWalk[T]{roiBack: b.roiBack, x: b.x[at:][:plane], dx: b.dx[at:][:plane]}
			w.plane(b.dy[(k*b.channels+c)*size:][:size], b.region[k*4:][:4])
		}
	}
}

// roiBackCorners moves the corners of regions.
type roiBackCorners[T float] struct{ roiBack[T] }

func (b *roiBackCorners[T]) Do(lo, hi int) {
	w := b.walks.take()
	defer b.walks.put(w)
	size, plane := b.r.h*b.r.w, b.h*b.w
	for k := lo; k < hi; k++ {
		*w = roiWalk[T]{roiBack: b.roiBack}
		for c := 0; c < b.channels && b.ctx.Err() == nil; c++ {
			w.x = b.x[(int(b.batch[k])*b.channels+c)*plane:][:plane]
			w.plane(b.dy[(k*b.channels+c)*size:][:size], b.region[k*4:][:4])
		}
		v, _, _ := roiCorners(b.r, b.region[k*4:][:4])
		sums := &w.sums
		for i := range 2 {
			if !b.r.half && v[i+2]-v[i] < 1 { // a side of at least 1, which moves with its start
				sums[i], sums[i+2] = sums[i]+sums[i+2], 0
			}
		}
		for i, sum := range sums {
			b.dregion[k*4+i] = T(sum * b.r.scale)
		}
	}
}

// roiWalk goes through the points of a region.
type roiWalk[T float] struct {
	roiBack[T]
	x    []T        // a plane
	dx   []T        // its gradient; nil where that of the corners is wanted
	sums [4]float64 // x1, y1, x2, y2
	q    roiQuad
}

// at moves to a point of cell i, and says how far it lies from the region's start to its end, down and to the right.
func (w *roiWalk[T]) at(i int, v *[4]float64, cw, ch, iy, ix float64) (ty, tx float64, inside bool) {
	ty, tx = float64(i/w.r.w)+iy, float64(i%w.r.w)+ix
	return ty / float64(w.r.h), tx / float64(w.r.w), w.q.set(w.h, w.w, v[1]+ty*ch, v[0]+tx*cw)
}

// take adds the gradient g of the point, through its element only, or through all where that is -1.
func (w *roiWalk[T]) take(g, ty, tx float64, only int) {
	var down, right float64
	for i, place := range w.q.place {
		switch {
		case only >= 0 && only != i:
		case w.dx != nil:
			w.dx[place] += T(g * w.q.weight[i])
		default:
			down += float64(w.x[place]) * w.q.down[i]
			right += float64(w.x[place]) * w.q.right[i]
		}
	}
	for i, part := range [4]float64{right * (1 - tx), down * (1 - ty), right * tx, down * ty} {
		w.sums[i] += g * part
	}
}

// plane takes the gradients dy of the cells of a region.
func (w *roiWalk[T]) plane(dy, region []T) {
	v, cw, ch := roiCorners(w.r, region)
	nx, ny := w.r.points(cw), w.r.points(ch)
	for i, d := range dy {
		if w.ctx.Err() != nil || nx*ny == 0 {
			return
		}
		top, best, only := math.Inf(-1), [2]float64{}, -1
		for iy := range ny {
			for ix := range nx {
				y, x := (float64(iy)+.5)/float64(ny), (float64(ix)+.5)/float64(nx)
				ty, tx, inside := w.at(i, &v, cw, ch, y, x)
				switch {
				case inside && !w.r.greatest:
					w.take(float64(d)/float64(nx*ny), ty, tx, -1)
				case inside:
					for k, place := range w.q.place {
						if e := w.q.weight[k] * float64(w.x[place]); e > top {
							top, best, only = e, [2]float64{y, x}, k
						}
					}
				case top < 0: // outside there are zeros
					top, only = 0, -1
				}
			}
		}
		if only >= 0 {
			ty, tx, _ := w.at(i, &v, cw, ch, best[0], best[1])
			w.take(float64(d), ty, tx, only)
		}
	}
}

// roiQuad is a point as the weighted sum of four elements; down and right are what the weights change with its place.
type roiQuad struct {
	place               [4]int
	weight, down, right [4]float64
}

// set reports false for a point outside of the plane.
func (q *roiQuad) set(h, w int, y, x float64) bool {
	if !(y >= -1 && y <= float64(h) && x >= -1 && x <= float64(w)) {
		return false
	}
	sy, sx := 1., 1.
	if y <= 0 {
		y, sy = 0, 0
	}
	if x <= 0 {
		x, sx = 0, 0
	}
	y0, x0 := int(y), int(x)
	y1, x1 := y0+1, x0+1
	if y0 >= h-1 {
		y0, y1, sy = h-1, h-1, 0
		y = float64(y0)
	}
	if x0 >= w-1 {
		x0, x1, sx = w-1, w-1, 0
		x = float64(x0)
	}
	dy, dx := y-float64(y0), x-float64(x0)
	q.place = [4]int{y0*w + x0, y0*w + x1, y1*w + x0, y1*w + x1}
	q.weight = [4]float64{(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx}
	q.down = [4]float64{-sy * (1 - dx), -sy * dx, sy * (1 - dx), sy * dx}
	q.right = [4]float64{-sx * (1 - dy), sx * (1 - dy), -sx * dy, sx * dy}
	return true
}

func maxRoiGrad[T float](h, w int, scale float64) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, rois := in[1], in[2]
		if err := roiShapes("MaxRoiPoolGrad", x, rois, 5); err != nil {
			return err
		}
		s := x.Shape()
		if in[0].Len() != rois.Shape()[0]*s[1]*h*w {
			return misfit("MaxRoiPoolGrad", "shapes do not fit")
		}
		if err := Reset(ctx, out[0], in[0].DType(), s...); err != nil {
			return err
		}
		dx, dy, src := tensor.Data[T](out[0]), tensor.Data[T](in[0]), tensor.Data[T](x)
		clear(dx)
		for k := range rois.Shape()[0] {
			b, cells, err := maxRoiCells(tensor.Data[T](rois)[k*5:][:5], s, h, w, scale)
			if err != nil {
				return err
			}
			for c := range s[1] {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				at := (b*s[1] + c) * s[2] * s[3]
				for i, g := range dy[(k*s[1]+c)*h*w:][:h*w] {
					if place := cells.greatest(i, src[at:]); place >= 0 {
						dx[at+place] += g
					}
				}
			}
		}
		return nil
	}
}
