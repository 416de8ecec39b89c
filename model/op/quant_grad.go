//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ScaleSum(t, scale; axis, block_size): t summed over what a scale of QuantizeLinear is for: all of t, one place along axis, or a block of places
// along it. In the shape of scale.
func init() {
	register(&Spec{
		Domain: Private, Name: "ScaleSum", Since: 1, Attrs: []string{"axis", "block_size"}, In: Arity{2, 2}, Out: Arity{1, 1}, Half: true, HalfLike: []int{1},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) { return site.Types[1:2], nil },
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, scaleSum[float32](n), scaleSum[float64](n))
		},
		Cases: []Case{
			{In: in(f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), f64s(nil, 0)), Out: in(f64s(nil, 21))},
			{Name: "axis", In: in(f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), f64v(0, 0, 0)), Out: in(f64v(5, 7, 9))},
			{
				Name: "blocks", Attrs: []graph.Attr{graph.IntAttr("axis", 1), graph.IntAttr("block_size", 2)},
				In: in(f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), f64s([]int{2, 2}, 0, 0, 0, 0)), Out: in(f64s([]int{2, 2}, 3, 3, 9, 6)),
			},
			{Name: "misfit", In: in(f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), f64v(0, 0)), Err: "scale"},
		},
	})
}

func scaleSum[T float](n *graph.Node) Kernel {
	wanted, block := n.Int("axis", 1), int(n.Int("block_size", 0))
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		t, scale := in[0], in[1]
		if err := Reset(ctx, out[0], t.DType(), scale.Shape()...); err != nil {
			return err
		}
		dst, src := tensor.Data[T](out[0]), tensor.Data[T](t)
		clear(dst)
		if len(dst) == 1 && block == 0 {
			sum := 0.
			for _, v := range src {
				sum += float64(v)
			}
			dst[0] = T(sum)
			return nil
		}
		axis, err := axisOf("ScaleSum", wanted, t.Rank())
		if err != nil {
			return err
		}
		outer, inner := around(t.Shape(), axis)
		length := t.Shape()[axis]
		places := length
		if block > 0 {
			places = (length + block - 1) / block
			if len(dst) != outer*places*inner {
				return misfit("ScaleSum", "a scale that is not one for each block")
			}
		} else if len(dst) != length {
			return misfit("ScaleSum", "a scale that is not one for each place along the axis")
		}
		for o := range outer {
			for k := range length {
				row := src[(o*length+k)*inner:][:inner]
				if block > 0 {
					add(dst[(o*places+k/block)*inner:][:inner], dst[(o*places+k/block)*inner:][:inner], row)
					continue
				}
				for _, v := range row {
					dst[k] += v
				}
			}
		}
		return nil
	}
}
