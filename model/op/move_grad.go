//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// The ways back of operators that repeat, crop or spread:
//
//	TileGrad(dy, x): the sum of the repeats of x in dy.
//	CropGrad(dy, x): dy cropped or padded to the shape of x, about the centre.
//	OneHotGrad(dy, indices, depth, values; axis, wrap): the sums of dy where off and where on stand.
func init() {
	register(&Spec{
		Domain: Private, Name: "TileGrad", Since: 1, In: Arity{2, 2}, Out: Arity{1, 1}, Half: true, HalfLike: []int{0}, Infer: inferAs(1),
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, tileGrad[float32], tileGrad[float64])
		},
		Cases: []Case{
			{In: in(f64s([]int{2, 4}, 1, 2, 3, 4, 5, 6, 7, 8), f64s([]int{1, 2}, 0, 0)), Out: in(f64s([]int{1, 2}, 16, 20))},
			{Name: "misfit", In: in(f64v(1, 2, 3), f64v(1, 2)), Err: "repeats"},
		},
	})
	register(&Spec{
		Domain: Private, Name: "CropGrad", Since: 1, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferAs(1),
		Compile: func(*graph.Node, *Site) (Kernel, error) {
			return func(ctx context.Context, in, out []*tensor.Tensor) error {
				return cropTo(ctx, out[0], in[0], in[1].Shape())
			}, nil
		},
		Cases: []Case{{In: in(f64v(1, 2), f64v(0, 0, 0, 0, 0)), Out: in(f64v(0, 1, 2, 0, 0))}},
	})
	register(&Spec{
		Domain: Private, Name: "OneHotGrad", Since: 1, Attrs: []string{"axis", "wrap"}, In: Arity{4, 4}, Out: Arity{1, 1}, Half: true, HalfLike: []int{0}, Infer: inferAs(3),
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, oneHotGrad[float32](n), oneHotGrad[float64](n))
		},
		Cases: []Case{{In: in(f64s([]int{2, 2}, 1, 2, 3, 4), i64v(0, -1), i64s(nil, 2), f64v(0, 0)), Out: in(f64v(5, 5))}},
	})
}

func gradTile(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := make([]graph.Value, len(n.Inputs))
	dx[0] = b.Node(Private, "TileGrad", []graph.Value{dy[0], n.Inputs[0]}, 1)[0]
	return dx, nil
}

func tileGrad[T float](ctx context.Context, in, out []*tensor.Tensor) error {
	dy, x := in[0].Shape(), in[1].Shape()
	fits := len(dy) == len(x)
	for i := range x {
		fits = fits && (x[i] == 0 && dy[i] == 0 || x[i] > 0 && dy[i]%x[i] == 0)
	}
	if !fits {
		return misfit("TileGrad", shapeText(dy)+" has no whole repeats of "+shapeText(x))
	}
	if err := Reset(ctx, out[0], in[0].DType(), x...); err != nil {
		return err
	}
	var buf [2][MaxRank]int
	from, to := buf[0][:0], buf[1][:0] // dy as (repeats, length) of each dimension, and x beside it
	for i, n := range x {
		if n > 0 && dy[i] != n {
			from, to = append(from, dy[i]/n), append(to, 1)
		}
		from, to = append(from, n), append(to, n)
	}
	if len(from) > MaxRank {
		return fault.New(fault.Unsupported, "TileGrad: too many dimensions")
	}
	dst := tensor.Data[T](out[0])
	if in[0].Len() == 0 {
		clear(dst)
		return nil
	}
	sumInto(dst, to, tensor.Data[T](in[0]), from)
	return nil
}

func gradCrop(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return []graph.Value{b.Node(Private, "CropGrad", []graph.Value{dy[0], n.Inputs[0]}, 1)[0], ""}, nil
}

// gradDepth is the operator that moves the other way.
func gradDepth(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	other := "DepthToSpace"
	if n.Op == other {
		other = "SpaceToDepth"
	}
	return []graph.Value{b.OpWith(other, n.Attrs, dy[0])}, nil
}

// gradSelf is that of a linear operator which is its own transpose: n with dy in the place of x.
func gradSelf(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := make([]graph.Value, len(n.Inputs))
	dx[0] = b.Node("", n.Op, append([]graph.Value{dy[0]}, n.Inputs[1:]...), 1, n.Attrs...)[0]
	return dx, nil
}

// gradRange: y = start + i·delta; the limit changes the number of elements alone.
func gradRange(b *graph.Builder, _ *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	whole := []graph.Attr{graph.IntAttr("keepdims", 0)}
	places := b.Op("Range", b.Init("zero", i64s(nil, 0)), b.Op("Size", dy[0]), b.Init("one", i64s(nil, 1)))
	steps := b.Op("Mul", dy[0], b.Op("CastLike", places, dy[0]))
	return []graph.Value{b.OpWith("ReduceSum", whole, dy[0]), "", b.OpWith("ReduceSum", whole, steps)}, nil
}

func gradOneHot(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	wrap := int64(1)
	if v, own := n.Opsets[""]; own && v < 11 {
		wrap = 0
	}
	ins := append([]graph.Value{dy[0]}, n.Inputs...)
	dv := b.Node(Private, "OneHotGrad", ins, 1, graph.IntAttr("axis", n.Int("axis", -1)), graph.IntAttr("wrap", wrap))
	return []graph.Value{"", "", dv[0]}, nil
}

func oneHotGrad[T float](n *graph.Node) Kernel {
	wanted, wrap := n.Int("axis", -1), n.Int("wrap", 1) != 0
	var slots scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		dy, idx := tensor.Data[T](in[0]), in[1]
		depth, err := oneHotDepth(in[2])
		if err != nil {
			return err
		}
		axis, err := axisOf("OneHotGrad", wanted, idx.Rank()+1)
		if err != nil {
			return err
		}
		if in[3].Len() != 2 || len(dy) != idx.Len()*depth {
			return misfit("OneHotGrad", "shapes do not fit")
		}
		if err := Reset(ctx, out[0], in[0].DType(), in[3].Shape()...); err != nil {
			return err
		}
		places, held, err := oneHotPlaces(ctx, &slots, idx, depth, wrap)
		if err != nil {
			return err
		}
		defer slots.put(held)
		inner := 1
		for _, d := range idx.Shape()[axis:] {
			inner *= d
		}
		var sums [2]float64
		for i, at := range places {
			for k := range depth {
				on := 0
				if int64(k) == at {
					on = 1
				}
				sums[on] += float64(dy[(i/inner*depth+k)*inner+i%inner])
			}
		}
		dv := tensor.Data[T](out[0])
		dv[0], dv[1] = T(sums[0]), T(sums[1])
		return nil
	}
}
