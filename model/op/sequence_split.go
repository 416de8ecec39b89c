//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// SplitToSequence: parts of x along axis, of the lengths in split (a number: all but the last of that length), of length 1 without it and then
// without the axis where keepdims is 0. ConcatFromSequence: a sequence's elements behind each other along axis, or stacked along a new one.
// https://onnx.ai/onnx/operators/onnx__SplitToSequence.html, https://onnx.ai/onnx/operators/onnx__ConcatFromSequence.html
func init() {
	x := f32s([]int{3, 2}, 1, 2, 3, 4, 5, 6)
	seq := tensor.SequenceOf
	axis := func(v int64) graph.Attr { return graph.IntAttr("axis", v) }
	register(&Spec{
		Name: "SplitToSequence", Since: 11, Attrs: []string{"axis", "keepdims"}, In: Arity{1, 2}, Out: Arity{1, 1}, Infer: inferSplitToSequence, Compile: compileSplitToSequence, Grad: gradSplitToSequence,
		Cases: []Case{
			{In: in(x, i64s(nil, 2)), Out: in(seq(f32s([]int{2, 2}, 1, 2, 3, 4), f32s([]int{1, 2}, 5, 6)))},
			{Name: "lengths", Attrs: []graph.Attr{axis(-1)}, In: in(x, i64v(0, 2)), Out: in(seq(f32s([]int{3, 0}), x))},
			{Name: "singles", Attrs: []graph.Attr{axis(1), graph.IntAttr("keepdims", 0)}, In: in(x), Out: in(seq(f32v(1, 3, 5), f32v(2, 4, 6)))},
			{Name: "wrong sum", In: in(x, i64v(2, 2)), Err: "split"},
			{Name: "bytes", In: in(x, boolv(true)), Err: "bool"},
		},
	})
	register(&Spec{
		Name: "ConcatFromSequence", Since: 11, Attrs: []string{"axis", "new_axis"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferConcatFromSequence, Compile: compileConcatFromSequence, Grad: gradConcatFromSequence,
		Cases: []Case{
			{Attrs: []graph.Attr{axis(0)}, In: in(seq(f32v(1, 2), f32v(3))), Out: in(f32v(1, 2, 3))},
			{Name: "new axis", Attrs: []graph.Attr{axis(-1), graph.IntAttr("new_axis", 1)}, In: in(seq(f32v(1, 2), f32v(3, 4))), Out: in(f32s([]int{2, 2}, 1, 3, 2, 4))},
			{Name: "misfit", Attrs: []graph.Attr{axis(0)}, In: in(seq(x, f32v(3))), Err: "shape"},
		},
	})
}

func inferSplitToSequence(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "axis", "keepdims"); err != nil {
		return nil, err
	}
	if err := optionalIndex(n, site, 1); err != nil {
		return nil, err
	}
	return []tensor.Type{sequenceOf(unranked(site.Types[0].DType))}, oneOf(n, site.Types[0], anyDType...)
}

func compileSplitToSequence(n *graph.Node, _ *Site) (Kernel, error) {
	wanted, keep := n.Int("axis", 0), n.Int("keepdims", 1) != 0
	var borrowed scratch[int64]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		axis, err := axisOf("SplitToSequence", wanted, len(shape))
		if err != nil {
			return err
		}
		var split *tensor.Tensor
		if len(in) > 1 {
			split = in[1]
		}
		lengths := borrowed.take(0)
		defer borrowed.put(lengths)
		if *lengths, err = splitLengths(*lengths, split, shape[axis]); err != nil {
			return err
		}
		list := out[0].ResetList(tensor.Sequence, len(*lengths))
		start := 0
		for i := range *lengths {
			length := int((*lengths)[i])
			var buf [MaxRank]int
			to := append(buf[:0], shape...)
			to[axis] = length
			if split == nil && !keep {
				to = append(to[:axis], to[axis+1:]...)
			}
			if err := Reset(ctx, list[i], in[0].DType(), to...); err != nil {
				return err
			}
			copyAlong(list[i], 0, length, in[0], start, shape[axis], length, shape, axis)
			start += length
		}
		return nil
	}, nil
}

// splitLengths appends the lengths of the parts of an axis of length n.
func splitLengths(lengths []int64, split *tensor.Tensor, n int) ([]int64, error) {
	if split == nil {
		for range n {
			lengths = append(lengths, 1)
		}
		return lengths, nil
	}
	if split.Rank() == 0 {
		var buf [1]int64
		step := intsOf(buf[:0], split)[0]
		if step <= 0 {
			return lengths, misfit("SplitToSequence", "split is not positive")
		}
		for at := int64(0); at < int64(n); at += min(step, int64(n)) {
			lengths = append(lengths, min(step, int64(n)-at))
		}
		return lengths, nil
	}
	lengths = intsOf(lengths, split)
	sum := int64(0)
	for _, v := range lengths {
		if v < 0 || v > int64(n) {
			return lengths, misfit("SplitToSequence", "split has a length that does not fit")
		}
		sum += v
	}
	if sum != int64(n) {
		return lengths, misfit("SplitToSequence", "the lengths in split do not add up to the axis")
	}
	return lengths, nil
}

// copyAlong copies count slices of an axis from src, which has lengthSrc of them, to dst, which has lengthDst. shape is that of either
// but for the axis.
func copyAlong(dst *tensor.Tensor, to, lengthDst int, src *tensor.Tensor, from, lengthSrc, count int, shape []int, axis int) {
	outer, inner := around(shape, axis)
	if src.DType() == tensor.String {
		for o := range outer {
			copy(dst.Str()[(o*lengthDst+to)*inner:][:count*inner], src.Str()[(o*lengthSrc+from)*inner:][:count*inner])
		}
		return
	}
	inner *= src.DType().Size()
	for o := range outer {
		copy(dst.Bytes()[(o*lengthDst+to)*inner:][:count*inner], src.Bytes()[(o*lengthSrc+from)*inner:][:count*inner])
	}
}

func inferConcatFromSequence(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "axis", "new_axis"); err != nil {
		return nil, err
	}
	if n.Attr("axis") == nil {
		return nil, bad(n, "the attribute axis is missing")
	}
	elem, ok := elementType(site.Types[0])
	if !ok {
		return nil, refuse(n, site.Types[0].DType)
	}
	return []tensor.Type{unranked(elem.DType)}, oneOf(n, elem, anyDType...)
}

func compileConcatFromSequence(n *graph.Node, _ *Site) (Kernel, error) {
	wanted, fresh := n.Int("axis", 0), n.Int("new_axis", 0) != 0
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		list := in[0].List()
		if len(list) == 0 {
			return misfit("ConcatFromSequence", "the sequence is empty")
		}
		first := list[0].Shape()
		rank := len(first)
		if fresh {
			rank++
		}
		axis, err := axisOf("ConcatFromSequence", wanted, rank)
		if err != nil {
			return err
		}
		var bufs [2][MaxRank + 1]int
		whole := stacking(bufs[0][:0], first, axis, fresh) // the result's shape
		total := 0
		for _, t := range list {
			s := stacking(bufs[1][:0], t.Shape(), axis, fresh)
			if t.DType() != list[0].DType() || len(s) != rank || !sameBut(s, whole, axis) {
				return misfit("ConcatFromSequence", "elements whose shapes do not go together")
			}
			total += s[axis]
		}
		whole[axis] = total
		if err := Reset(ctx, out[0], list[0].DType(), whole...); err != nil {
			return err
		}
		at := 0
		for _, t := range list {
			s := stacking(bufs[1][:0], t.Shape(), axis, fresh)
			copyAlong(out[0], at, total, t, 0, s[axis], s[axis], s, axis)
			at += s[axis]
		}
		return nil
	}, nil
}

// stacking appends a shape to buf, with an axis of length 1 more where that is fresh.
func stacking(buf, shape []int, axis int, fresh bool) []int {
	if !fresh || axis > len(shape) {
		return append(buf, shape...)
	}
	return append(append(append(buf, shape[:axis]...), 1), shape[axis:]...)
}

// sameBut tells whether two shapes of one rank are equal in all axes but one.
func sameBut(a, b []int, axis int) bool {
	for i := range a {
		if i != axis && a[i] != b[i] {
			return false
		}
	}
	return true
}
