//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// GridSampleGrad(dy, x, grid; the attributes of GridSample): the gradients of x and of the grid.
// AffineGridGrad(dy, theta, size; align_corners): that of theta.
func init() {
	register(&Spec{
		Domain: Private, Name: "GridSampleGrad", Since: 1, Attrs: []string{"align_corners", "mode", "padding_mode"}, In: Arity{3, 3}, Out: Arity{1, 2}, Half: true, HalfLike: []int{1, 2},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			return site.Types[1:][:len(n.Outputs)], oneOf(n, site.Types[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			g := gridSamplerOf(n, site)
			g.slopes = true
			switch wide := site.Types[2].DType == tensor.Float64; {
			case site.Types[0].DType == tensor.Float32 && !wide:
				return gridGrad[float32, float32](g), nil
			case site.Types[0].DType == tensor.Float32:
				return gridGrad[float32, float64](g), nil
			case !wide:
				return gridGrad[float64, float32](g), nil
			}
			return gridGrad[float64, float64](g), nil
		},
		Cases: []Case{{
			In:  in(f64s([]int{1, 1, 1, 2}, 1, 2), f64s([]int{1, 1, 1, 4}, 1, 2, 3, 5), f64s([]int{1, 1, 2, 2}, 0, 0, 1, 0)),
			Out: in(f64s([]int{1, 1, 1, 4}, 0, .5, .5, 1), f64s([]int{1, 1, 2, 2}, 2, -1.25, -20, -2.5)),
		}},
	})
	register(&Spec{
		Domain: Private, Name: "AffineGridGrad", Since: 1, Attrs: []string{"align_corners"}, In: Arity{3, 3}, Out: Arity{1, 1}, Half: true, HalfLike: []int{0}, Infer: inferAs(1),
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			corners := n.Int("align_corners", 0) != 0
			return byFloat(n, site, affineGrad[float32](corners), affineGrad[float64](corners))
		},
		Cases: []Case{{In: in(f64s([]int{1, 1, 2, 2}, 1, 2, 3, 4), f64s([]int{1, 2, 3}, 0, 0, 0, 0, 0, 0), i64v(1, 1, 1, 2)), Out: in(f64s([]int{1, 2, 3}, 1, 0, 4, 1, 0, 6))}},
	})
}

func gradGridSample(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return b.Node(Private, "GridSampleGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 2, n.Attrs...), nil
}

func gradAffineGrid(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return []graph.Value{b.Node(Private, "AffineGridGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 1, n.Attrs...)[0], ""}, nil
}

// gridBack is one call: dy (n, channels, points), x (n, channels, plane), grid (n, points, rank).
type gridBack[T, G float] struct {
	ctx           context.Context
	g             *gridSampler
	dims          []int // of a plane
	channels      int
	group         int // channels that are done together, for the gradient of x
	plane, points int
	dy, x, dx     []T
	at, dat       []G
}

func gridGrad[T, G float](g gridSampler) Kernel {
	var images kept[gridBackX[T, G]]
	var grids kept[gridBackGrid[T, G]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		dy, x, grid := in[0], in[1], in[2]
		xs, gs := x.Shape(), grid.Shape()
		rank := len(xs) - 2
		fits := rank >= 1 && rank <= 3 && len(gs) == len(xs) && gs[0] == xs[0] && gs[rank+1] == rank
		if !fits || dy.Len()*rank != grid.Len()*xs[1] {
			return misfit("GridSampleGrad", "shapes do not fit")
		}
		b := gridBack[T, G]{ctx: ctx, g: &g, dims: xs[2:], channels: xs[1], dy: tensor.Data[T](dy), x: tensor.Data[T](x), at: tensor.Data[G](grid)}
		for i, t := range []*tensor.Tensor{x, grid} {
			if i < len(out) && out[i] != nil {
				if err := Reset(ctx, out[i], t.DType(), t.Shape()...); err != nil {
					return err
				}
				clear(out[i].Bytes())
			}
		}
		if len(b.x) == 0 || len(b.dy) == 0 {
			return nil
		}
		b.plane, b.points = len(b.x)/(xs[0]*xs[1]), len(b.dy)/(xs[0]*xs[1])
		if out[0] != nil {
			b.dx = tensor.Data[T](out[0])
			b.group = xs[1] // the places are found anew for each group
			for b.group > 1 && xs[0]*((xs[1]+b.group-1)/b.group) < 2*g.threads {
				b.group = (b.group + 1) / 2
			}
			r := images.take()
			r.gridBack = b
			spread(ctx, g.threads, xs[0]*((xs[1]+b.group-1)/b.group), 1, r)
			images.put(r)
		}
		if len(out) > 1 && out[1] != nil && g.taps > 1 {
			b.dat = tensor.Data[G](out[1])
			r := grids.take()
			r.gridBack = b
			spread(ctx, g.threads, xs[0]*b.points, 1+(1<<12)/xs[1], r)
			grids.put(r)
		}
		return ctx.Err()
	}
}

// gridBackX adds dy to the elements of x that made up y: a goroutine has the planes of some channels to itself.
type gridBackX[T, G float] struct{ gridBack[T, G] }

func (r *gridBackX[T, G]) Do(lo, hi int) {
	var p gridPoint[T]
	groups := (r.channels + r.group - 1) / r.group
	for i := lo; i < hi; i++ {
		n, first := i/groups, i%groups*r.group
		last := min(first+r.group, r.channels)
		for point := range r.points {
			if point%256 == 0 && r.ctx.Err() != nil {
				return
			}
			gridPlace(r.g, &p, r.dims, r.at[(n*r.points+point)*len(r.dims):][:len(r.dims)])
			for c := first; c < last; c++ {
				d, to := r.dy[(n*r.channels+c)*r.points+point], r.dx[(n*r.channels+c)*r.plane:][:r.plane]
				for k, place := range p.place[:p.count] {
					to[place] += p.weight[k] * d
				}
			}
		}
	}
}

// gridBackGrid sums, for each point, what its place does to the weights.
type gridBackGrid[T, G float] struct{ gridBack[T, G] }

func (r *gridBackGrid[T, G]) Do(lo, hi int) {
	var p gridSlopes[T]
	rank := len(r.dims)
	for i := lo; i < hi; i++ {
		if i%256 == 0 && r.ctx.Err() != nil {
			return
		}
		n, point := i/r.points, i%r.points
		gridSlope(r.g, &p, r.dims, r.at[i*rank:][:rank])
		var sums [3]T
		for k, place := range p.place[:p.count] {
			var dot T
			for c := range r.channels {
				dot += r.dy[(n*r.channels+c)*r.points+point] * r.x[(n*r.channels+c)*r.plane+place]
			}
			for d := range rank {
				sums[d] += p.slope[d][k] * dot
			}
		}
		for d := range rank {
			r.dat[i*rank+rank-1-d] = G(sums[d])
		}
	}
}

// gridSlopes is a gridPoint with what each weight changes with the point's place in each dimension.
type gridSlopes[T float] struct {
	gridPoint[T]
	slope [3][64]T
}

func gridSlope[T, G float](g *gridSampler, p *gridSlopes[T], dims []int, v []G) {
	p.count, p.place[0], p.weight[0] = 1, 0, 1
	for d, n := range dims {
		var place [4]int
		var weight, change [4]T
		r, slope := gridAxis(g, n, v[len(v)-1-d], &place, &weight)
		switch g.taps {
		case 2:
			change[0], change[1] = -1, 1
		case 4:
			change = gridCubicSlope(r)
		}
		old := *p
		count := 0
		for i := range old.count {
			for k := range g.taps {
				if place[k] < 0 {
					continue
				}
				p.place[count], p.weight[count] = old.place[i]*n+place[k], old.weight[i]*weight[k]
				for e := range d {
					p.slope[e][count] = old.slope[e][i] * weight[k]
				}
				p.slope[d][count] = old.weight[i] * change[k] * T(slope)
				count++
			}
		}
		p.count = count
	}
}

// gridCubicSlope is the derivative of gridCubic.
func gridCubicSlope[T float](x T) [4]T {
	const a = -.75
	near := func(d T) T { return (3*(a+2)*d - 2*(a+3)) * d }
	far := func(d T) T { return (3*a*d-10*a)*d + 8*a }
	return [4]T{far(x + 1), near(x), -near(1 - x), -far(2 - x)}
}

// gridReflectSlope is the derivative of gridReflect outside of [lo, hi].
func gridReflectSlope[G float](x, lo, hi G) G {
	width := hi - lo
	if width <= 0 {
		return 0
	}
	d, slope, out := x-hi, G(1), x < lo
	if out {
		d, slope = lo-x, -1
	}
	if (math.Mod(math.Floor(float64(d/width)), 2) == 0) == out {
		return slope
	}
	return -slope
}

func affineGrad[T float](corners bool) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		var buf [MaxRank]int
		size, err := affineSize(buf[:0], in[2])
		if err != nil {
			return err
		}
		rank := size[len(size)-1]
		points := 1
		for _, d := range size[1 : rank+1] {
			points *= d
		}
		if in[1].Len() != size[0]*rank*(rank+1) || in[0].Len() != size[0]*points*rank {
			return misfit("AffineGridGrad", "shapes do not fit")
		}
		if err := Reset(ctx, out[0], in[0].DType(), in[1].Shape()...); err != nil {
			return err
		}
		dst, dy := tensor.Data[T](out[0]), tensor.Data[T](in[0])
		for n := range size[0] {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			var sums [12]float64 // (rank, rank+1)
			for point := range points {
				var base [4]float64 // last dimension first, then 1
				base[rank] = 1
				k := point
				for d := rank - 1; d >= 0; d-- {
					base[rank-1-d] = affinePlace(k%size[1+d], size[1+d], corners)
					k /= size[1+d]
				}
				for r, g := range dy[(n*points+point)*rank:][:rank] {
					for j := range rank + 1 {
						sums[r*(rank+1)+j] += float64(g) * base[j]
					}
				}
			}
			for i := range rank * (rank + 1) {
				dst[n*rank*(rank+1)+i] = T(sums[i])
			}
		}
		return nil
	}
}
