//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// GroupNormGrad(dy, x, scale; epsilon, num_groups, by_group): the gradients of x, scale and bias for y = z·scale + bias, z being x normalised over
// groups of neighbouring channels; without num_groups over each channel. scale is by channel, or by_group.
func init() {
	x := f64s([]int{1, 2, 2}, 1, 3, 2, 6)
	register(&Spec{
		Domain: Private, Name: "GroupNormGrad", Since: 1, Half: true, Attrs: []string{"epsilon", "num_groups", "by_group"}, In: Arity{3, 3}, Out: Arity{1, 3},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			t := site.Types
			return []tensor.Type{t[1], t[2], t[2]}[:len(n.Outputs)], oneOf(n, t[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, groupNormGrad(n, site, tensor.Data[float32]), groupNormGrad(n, site, tensor.Data[float64]))
		},
		Cases: []Case{{Attrs: []graph.Attr{graph.FloatAttr("epsilon", 0)}, In: in(x, x, f64v(1, 1)), Out: in(f64s([]int{1, 2, 2}, 0, 0, 0, 0), f64v(2, 4), f64v(4, 8))}},
	})
}

func gradGroupNorm(byGroup int64) Gradient {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		attrs := []graph.Attr{graph.FloatAttr("epsilon", n.Float("epsilon", 1e-5)), graph.IntAttr("num_groups", n.Int("num_groups", 0)), graph.IntAttr("by_group", byGroup)}
		return b.Node(Private, "GroupNormGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 3, attrs...), nil
	}
}

// groupGrad is one call: dx, dy and x (rows, channels, inner), a row being a group.
type groupGrad[T float] struct {
	ctx              context.Context
	dx, dy, x, scale []T
	sums             []float64 // (rows, channels, 2): Σdy·z and Σdy
	channels, inner  int
	groups, each     int // as in groupNorm
	epsilon          float64
}

func groupNormGrad[T float](node *graph.Node, site *Site, data lane[T]) Kernel {
	epsilon, threads, count, byGroup := normEpsilon(node), site.Threads, node.Int("num_groups", 0), node.Int("by_group", 0) != 0
	var runs kept[groupGrad[T]]
	var reals scratch[float64]
	var spare scratch[T]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[1].Shape()
		if len(shape) < 2 || in[0].Len() != in[1].Len() {
			return misfit(node.Op, "shapes do not fit")
		}
		groups, channels, err := groupsOf(node.Op, shape[1], count)
		if err != nil {
			return err
		}
		g := runs.take()
		defer runs.put(g)
		*g = groupGrad[T]{ctx: ctx, dy: data(in[0]), x: data(in[1]), scale: data(in[2]), channels: channels, inner: normSize(shape[2:]), groups: groups, each: 1, epsilon: epsilon}
		params := shape[1]
		if byGroup {
			params, g.each = groups, max(channels, 1)
		}
		if err := normVector(node.Op, "scale", in[2], params); err != nil {
			return err
		}
		for i, t := range out {
			if t != nil {
				if err := Reset(ctx, t, in[0].DType(), in[1+min(i, 1)].Shape()...); err != nil {
					return err
				}
				clear(t.Bytes())
			}
		}
		if len(g.x) == 0 {
			return nil
		}
		if out[0] != nil {
			g.dx = data(out[0])
		} else {
			held := spare.take(len(g.x))
			defer spare.put(held)
			g.dx = *held
		}
		rows := shape[0] * groups
		sums := reals.take(2 * rows * g.channels)
		defer reals.put(sums)
		g.sums = *sums
		if threads < 2 || len(g.x) < 2*normGrain {
			g.Do(0, rows)
		} else {
			spread(ctx, threads, rows, 1+normGrain/(g.channels*g.inner), g)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := 1; i < len(out); i++ {
			if out[i] != nil {
				g.total(data(out[i]), i-1)
			}
		}
		return nil
	}
}

// Do does some groups.
func (g *groupGrad[T]) Do(lo, hi int) {
	size := g.channels * g.inner
	count := float64(size)
	for r := lo; r < hi && g.ctx.Err() == nil; r++ {
		x, dy, dx := g.x[r*size:][:size], g.dy[r*size:][:size], g.dx[r*size:][:size]
		mean, inverse := normMoments(x, g.epsilon)
		var all, with float64 // Σ dy·scale and Σ dy·scale·(x - mean)
		for k := range g.channels {
			s, w := backMoments(dy[k*g.inner:], x[k*g.inner:][:g.inner], nil, T(mean))
			at := 2 * (r*g.channels + k)
			g.sums[at], g.sums[at+1] = w*inverse, s
			scale := float64(g.scale[g.param(r, k)])
			all, with = all+s*scale, with+w*scale
		}
		b := -inverse * inverse * inverse * with / count
		c := -inverse*all/count - b*mean
		for k := range g.channels {
			backBlend(dx[k*g.inner:], dy[k*g.inner:], x[k*g.inner:][:g.inner], T(float64(g.scale[g.param(r, k)])*inverse), T(b), T(c))
		}
	}
}

// param is the place of the scale of channel k of group r.
func (g *groupGrad[T]) param(r, k int) int { return (r%g.groups*g.channels + k) / g.each }

// total adds up what the images give to scale or bias.
func (g *groupGrad[T]) total(dst []T, which int) {
	images := len(g.sums) / (2 * g.channels * g.groups)
	per := g.channels * g.groups
	for k := range dst {
		var sum float64
		for i := range images {
			for e := range g.each {
				sum += g.sums[2*(i*per+k*g.each+e)+which]
			}
		}
		dst[k] = T(sum)
	}
}
