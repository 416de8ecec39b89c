//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// InstanceNormalization: y = scale·(x - mean)/√(var + epsilon) + B over each channel of each image of x (n, c, …).
// https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html
// GroupNormalization: the same over groups of c/num_groups neighbouring channels; scale and bias are by channel from opset 21 on, by
// group before. https://onnx.ai/onnx/operators/onnx__GroupNormalization.html
func init() {
	eps := graph.FloatAttr("epsilon", 0)
	x := f64s([]int{1, 2, 2}, 1, 3, 2, 6)
	instance := Case{Attrs: []graph.Attr{eps}, In: in(x, f64v(1, 2), f64v(0, 1)), Out: in(f64s([]int{1, 2, 2}, -1, 1, -1, 3))}
	register(&Spec{Name: "InstanceNormalization", Since: 6, Half: true, Grad: gradGroupNorm(0), Attrs: []string{"epsilon"}, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: inferGroupNorm, Compile: compileGroupNorm, Cases: []Case{
		instance,
		{Name: "images", Attrs: []graph.Attr{graph.FloatAttr("epsilon", .5)}, In: in(f64s([]int{2, 4, 2}, 1, 3, 8, 2, 6, 4, 5, 9, 7, 2, 1, 3, 4, 4, 6, 8), f64v(1, 2, -1, 3), f64v(0, 1, 2, 3)), Out: in(f64s([]int{2, 4, 2}, -0.816496580928, 0.816496580928, 2.94665705357, -0.946657053569, 1.18350341907, 2.81649658093, 0.171572875254, 5.82842712475, 0.962250448649, -0.962250448649, -0.632993161855, 2.63299316186, 2, 2, 0.550510257217, 5.44948974278))},
		{Name: "misfit", In: in(x, f64v(1), f64v(0, 1)), Err: "scale"},
	}})
	instance.Opset = 5
	register(&Spec{Name: "InstanceNormalization", Since: 1, Half: true, Grad: gradGroupNorm(0), Attrs: []string{"epsilon", "consumed_inputs"}, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: inferGroupNorm, Compile: compileGroupNorm, Cases: []Case{instance}})

	attrs := []graph.Attr{eps, graph.IntAttr("num_groups", 1)}
	flat := f64s([]int{2, 2, 1}, 1, 3, 2, 6)
	register(&Spec{Name: "GroupNormalization", Since: 21, Half: true, Grad: gradGroupNorm(0), Attrs: []string{"epsilon", "num_groups", "stash_type"}, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: inferGroupNorm, Compile: compileGroupNorm, Cases: []Case{
		{Opset: 21, Attrs: attrs, In: in(flat, f64v(1, 2), f64v(0, 1)), Out: in(f64s([]int{2, 2, 1}, -1, 3, -1, 3))},
		{Name: "groups", Opset: 21, Attrs: []graph.Attr{graph.FloatAttr("epsilon", .5), graph.IntAttr("num_groups", 2)}, In: in(f64s([]int{2, 4, 2}, 1, 3, 8, 2, 6, 4, 5, 9, 7, 2, 1, 3, 4, 4, 6, 8), f64v(1, 2, -1, 3), f64v(0, 1, 2, 3)), Out: in(f64s([]int{2, 4, 2}, -0.898026510134, -0.179605302027, 4.23289543648, -0.0776318121606, 2, 3, 1.5, 7.5, 1.57242725508, -0.524142418361, -0.886912706099, 0.790343032656, 2.83205029434, 2.83205029434, 3.83205029434, 7.16025147169))},
		{Name: "not divisible", Attrs: []graph.Attr{graph.IntAttr("num_groups", 3)}, In: in(flat, f64v(1, 2), f64v(0, 1)), Err: "groups"},
	}})
	register(&Spec{Name: "GroupNormalization", Since: 18, Half: true, Grad: gradGroupNorm(1), Attrs: []string{"epsilon", "num_groups"}, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: inferGroupNorm, Compile: compileGroupNorm, Cases: []Case{
		{Name: "groups", Opset: 18, Attrs: []graph.Attr{graph.FloatAttr("epsilon", .5), graph.IntAttr("num_groups", 2)}, In: in(f64s([]int{2, 4, 2}, 1, 3, 8, 2, 6, 4, 5, 9, 7, 2, 1, 3, 4, 4, 6, 8), f64v(1, -2), f64v(0, 1)), Out: in(f64s([]int{2, 4, 2}, -0.898026510134, -0.179605302027, 1.61644771824, -0.53881590608, 1, 3, 2, -2, 1.57242725508, -0.524142418361, -0.94345635305, -0.104828483672, 2.66410058868, 2.66410058868, 0.445299803775, -1.77350098113))},
		{Opset: 18, Attrs: attrs, In: in(flat, f64v(2), f64v(1)), Out: in(f64s([]int{2, 2, 1}, -1, 3, -1, 3))},
	}})
}

func inferGroupNorm(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "epsilon", graph.AttrFloat); err != nil {
		return nil, err
	}
	if err := kinds(n, graph.AttrInt, "num_groups", "stash_type"); err != nil {
		return nil, err
	}
	if n.Op == "GroupNormalization" && n.Int("num_groups", 0) < 1 {
		return nil, bad(n, "num_groups is missing or not positive")
	}
	if t := site.Types[0]; !t.Unranked && len(t.Dims) < 2 {
		return nil, bad(n, "an input without channels: "+t.String())
	}
	switch stash := n.Int("stash_type", 1); stash {
	case 1, 10, 11, 16:
	default:
		return nil, refuseAttr(n, "stash_type", itoa(stash))
	}
	return inferNorm(n, site)
}

func compileGroupNorm(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return groupNormKernel(tensor.Data[float32], n, site), nil
	}
	return groupNormKernel(tensor.Data[float64], n, site), nil
}

// groupNorm is one call: x (rows, channels, inner), a row being a group.
type groupNorm[T float] struct {
	ctx               context.Context
	y, x, scale, bias []T
	channels, inner   int
	groups            int // of an image
	each              int // channels that share an element of scale and bias
	epsilon           float64
}

func groupNormKernel[T float](data lane[T], node *graph.Node, site *Site) Kernel {
	epsilon, threads, count := normEpsilon(node), site.Threads, node.Int("num_groups", 0)
	byGroup := node.Op == "GroupNormalization" && site.Opset < 21
	var runs kept[groupNorm[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		if len(shape) < 2 {
			return misfit(node.Op, "an input without channels: "+shapeText(shape))
		}
		groups, channels, err := groupsOf(node.Op, shape[1], count)
		if err != nil {
			return err
		}
		g := runs.take()
		defer runs.put(g)
		*g = groupNorm[T]{ctx: ctx, x: data(in[0]), scale: data(in[1]), bias: data(in[2]), channels: channels, inner: normSize(shape[2:]), groups: groups, each: 1, epsilon: epsilon}
		params := shape[1]
		if byGroup {
			params, g.each = groups, max(channels, 1)
		}
		for i, name := range []string{"scale", "bias"} {
			if err := normVector(node.Op, name, in[i+1], params); err != nil {
				return err
			}
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		if g.y = data(out[0]); len(g.y) == 0 {
			return nil
		}
		if rows := shape[0] * groups; threads < 2 || len(g.x) < 2*normGrain {
			g.Do(0, rows)
		} else {
			spread(ctx, threads, rows, 1+normGrain/(g.channels*g.inner), g)
		}
		return ctx.Err()
	}
}

// groupsOf is into how many groups, count or one for each (0), all channels are divided, and how many each has.
func groupsOf(op string, all int, count int64) (groups, channels int, err error) {
	if count <= 0 {
		return all, min(all, 1), nil
	}
	if int64(all)%count != 0 {
		return 0, 0, misfit(op, itoa(int64(all))+" channels are not divisible into "+itoa(count)+" groups")
	}
	return int(count), all / int(count), nil
}

func (g *groupNorm[T]) Do(lo, hi int) {
	size := g.channels * g.inner
	for r := lo; r < hi && g.ctx.Err() == nil; r++ {
		mean, inverse := normMoments(g.x[r*size:][:size], g.epsilon)
		for k := range g.channels {
			at := (r%g.groups*g.channels + k) / g.each
			row := r*size + k*g.inner
			slope := float64(g.scale[at]) * inverse
			rest := mean - float64(T(mean)) // what rounding took from the mean
			centerLine(g.y[row:], g.x[row:][:g.inner], T(mean), T(slope), T(float64(g.bias[at])-rest*slope))
		}
	}
}
