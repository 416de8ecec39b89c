//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// The gradient of a sequence is the sequence of the gradients of its elements; that of an optional value, the value's.
//
//	SequenceAtGrad(dy, x, position): zeros like the elements of x, dy at the position.
//	SequenceSplit(dy, x; axis, new_axis): dy cut into the parts that ConcatFromSequence joined from x.
//	SequenceSum(a, b): the sums of their elements.
func init() {
	seq := tensor.SequenceOf
	axis := graph.IntAttr("axis", 0)
	like := func(i int) func(*graph.Node, *Site) ([]tensor.Type, error) {
		return func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			if site.Types[i].DType != tensor.Sequence {
				return nil, refuse(n, site.Types[i].DType)
			}
			return site.Types[i : i+1], nil
		}
	}
	register(&Spec{
		Domain: Private, Name: "SequenceAtGrad", Since: 1, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: like(1), Compile: compileSequenceAtGrad,
		Cases: []Case{{In: in(f64v(7), seq(f64v(1, 2), f64v(3)), i64s(nil, -1)), Out: in(seq(f64v(0, 0), f64v(7)))}},
	})
	register(&Spec{
		Domain: Private, Name: "SequenceSplit", Since: 1, Attrs: []string{"axis", "new_axis"}, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: like(1), Compile: compileSequenceSplit,
		Cases: []Case{
			{Attrs: []graph.Attr{axis}, In: in(f64v(7, 8, 9), seq(f64v(1, 2), f64v(3))), Out: in(seq(f64v(7, 8), f64v(9)))},
			{Name: "new axis", Attrs: []graph.Attr{graph.IntAttr("axis", -1), graph.IntAttr("new_axis", 1)}, In: in(f64s([]int{2, 2}, 1, 2, 3, 4), seq(f64v(0, 0), f64v(0, 0))), Out: in(seq(f64v(1, 3), f64v(2, 4)))},
		},
	})
	register(&Spec{
		Domain: Private, Name: "SequenceSum", Since: 1, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: like(0), Compile: compileSequenceSum,
		Cases: []Case{{In: in(seq(f64v(1, 2), f64v(3)), seq(f64v(4, 5), f64v(6))), Out: in(seq(f64v(5, 7), f64v(9)))}},
	})
}

func compileSequenceAtGrad(*graph.Node, *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		list := in[1].List()
		at, err := position("SequenceAtGrad", in, 2, 0, len(list))
		if err != nil {
			return err
		}
		for i, e := range out[0].ResetList(tensor.Sequence, len(list)) {
			if i == at {
				if err := Copy(ctx, e, in[0]); err != nil {
					return err
				}
				continue
			}
			if err := Reset(ctx, e, list[i].DType(), list[i].Shape()...); err != nil {
				return err
			}
			fillFrom(e, 0, e.Len(), nil)
		}
		return nil
	}, nil
}

func compileSequenceSplit(n *graph.Node, _ *Site) (Kernel, error) {
	wanted, fresh := n.Int("axis", 0), n.Int("new_axis", 0) != 0
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		list, whole := in[1].List(), in[0].Shape()
		axis, err := axisOf("SequenceSplit", wanted, len(whole))
		if err != nil {
			return err
		}
		start := 0
		for i, e := range out[0].ResetList(tensor.Sequence, len(list)) {
			var buf [MaxRank + 1]int
			s := stacking(buf[:0], list[i].Shape(), axis, fresh)
			if len(s) != len(whole) || !sameBut(s, whole, axis) || start+s[axis] > whole[axis] {
				return misfit("SequenceSplit", "shapes do not fit")
			}
			if err := Reset(ctx, e, in[0].DType(), list[i].Shape()...); err != nil {
				return err
			}
			copyAlong(e, 0, s[axis], in[0], start, whole[axis], s[axis], s, axis)
			start += s[axis]
		}
		return nil
	}, nil
}

func compileSequenceSum(n *graph.Node, _ *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		a, b := in[0].List(), in[1].List()
		if len(a) != len(b) {
			return misfit("SequenceSum", "sequences of different length")
		}
		for i, e := range out[0].ResetList(tensor.Sequence, len(a)) {
			if a[i].DType() != b[i].DType() || a[i].Len() != b[i].Len() {
				return misfit("SequenceSum", "elements of different types or shapes")
			}
			if err := Copy(ctx, e, a[i]); err != nil {
				return err
			}
			switch e.DType() {
			case tensor.Float32:
				add(e.F32(), e.F32(), b[i].F32())
			case tensor.Float64:
				add(tensor.Data[float64](e), tensor.Data[float64](e), tensor.Data[float64](b[i]))
			default:
				return refuse(n, e.DType())
			}
		}
		return nil
	}, nil
}

func gradSequenceConstruct(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := make([]graph.Value, len(n.Inputs))
	for i := range dx {
		dx[i] = b.Op("SequenceAt", dy[0], b.Init("position", i64s(nil, int64(i))))
	}
	return dx, nil
}

func gradSequenceAt(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return []graph.Value{b.Node(Private, "SequenceAtGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 1)[0], ""}, nil
}

// place is a position in the sequence x, counted from the start; that of the given distance from the end where it is absent.
func place(b *graph.Builder, x, position graph.Value, fromEnd int64) graph.Value {
	length := b.Op("SequenceLength", x)
	if position == "" {
		return b.Op("Sub", length, b.Init("back", i64s(nil, fromEnd)))
	}
	wide := b.Op("CastLike", position, length)
	return b.Op("Where", b.Op("Less", wide, b.Init("start", i64s(nil, 0))), b.Op("Add", wide, length), wide)
}

func gradSequenceInsert(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	at := place(b, n.Inputs[0], n.In(2), 0)
	return []graph.Value{b.Op("SequenceErase", dy[0], at), b.Op("SequenceAt", dy[0], at), ""}[:len(n.Inputs)], nil
}

func gradSequenceErase(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	at := place(b, n.Inputs[0], n.In(1), 1)
	gone := b.Op("SequenceAt", n.Inputs[0], at)
	none := b.Op("Expand", scalarLike(b, 0, gone), b.Op("Shape", gone))
	return []graph.Value{b.Op("SequenceInsert", dy[0], none, at), ""}[:len(n.Inputs)], nil
}

func gradSplitToSequence(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	attrs := []graph.Attr{graph.IntAttr("axis", n.Int("axis", 0))}
	if n.In(1) == "" && n.Int("keepdims", 1) == 0 {
		attrs = append(attrs, graph.IntAttr("new_axis", 1))
	}
	dx := make([]graph.Value, len(n.Inputs))
	dx[0] = b.OpWith("ConcatFromSequence", attrs, dy[0])
	return dx, nil
}

func gradConcatFromSequence(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return b.Node(Private, "SequenceSplit", []graph.Value{dy[0], n.Inputs[0]}, 1, n.Attrs...), nil
}

// gradOptional is for what packs and unpacks an optional value.
func gradOptional(_ *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return dy[:len(n.Inputs)], nil
}
