//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// OneHot: a new dimension of the length depth at axis, on where the index is, off elsewhere. From opset 11 negative indices count from the end.
// https://onnx.ai/onnx/operators/onnx__OneHot.html
func init() {
	values := f64v(5, 9)
	register(&Spec{Name: "OneHot", Since: 9, Attrs: []string{"axis"}, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: inferOneHotDepth, Compile: compileOneHotDepth, Grad: gradOneHot, Cases: []Case{
		{In: in(i64v(0, -1, 7), i64s(nil, 3), values), Out: in(f64s([]int{3, 3}, 9, 5, 5, 5, 5, 9, 5, 5, 5))},
		{Name: "opset 9", Opset: 9, In: in(i64v(0, -1), i64v(2), values), Out: in(f64s([]int{2, 2}, 9, 5, 5, 5))},
		{Name: "axis 0", Attrs: []graph.Attr{graph.IntAttr("axis", 0)}, In: in(f32v(1, 0), f32s(nil, 2), strv("", "x")), Out: in(strs([]int{2, 2}, "", "x", "x", ""))},
		{Name: "beyond the last", In: in(i64v(2, 3), i64s(nil, 3), values), Out: in(f64s([]int{2, 3}, 5, 5, 9, 5, 5, 5))},
		{Name: "negative depth", In: in(i64v(0), i64s(nil, -1), values), Err: "depth"},
	}})
}

var oneHotTypes = []tensor.DType{
	tensor.Int64, tensor.Int32, tensor.Float32, tensor.Float64, tensor.Int8, tensor.Int16, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Float16,
}

func inferOneHotDepth(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "axis", graph.AttrInt); err != nil {
		return nil, err
	}
	for i := range 2 {
		if err := oneOf(n, site.Types[i], oneHotTypes...); err != nil {
			return nil, err
		}
	}
	t, d := site.Types[0], site.Types[2].DType
	if t.Unranked {
		return []tensor.Type{unranked(d)}, nil
	}
	axis, err := axisOf(n.Op, n.Int("axis", -1), len(t.Dims)+1)
	if err != nil {
		return nil, err
	}
	depth := free
	if c := site.constant(1); c != nil {
		if depth.Size, err = oneHotDepth(c); err != nil {
			return nil, err
		}
	}
	dims := append(append([]tensor.Dim{}, t.Dims[:axis]...), depth)
	return []tensor.Type{{DType: d, Dims: append(dims, t.Dims[axis:]...)}}, nil
}

func oneHotDepth(t *tensor.Tensor) (int, error) {
	v, err := oneInt("OneHot", t)
	if err == nil && (v < 0 || v > 1<<40) {
		err = misfit("OneHot", "a depth of "+itoa(v))
	}
	return int(v), err
}

func compileOneHotDepth(n *graph.Node, site *Site) (Kernel, error) {
	wanted, wrap := n.Int("axis", -1), site.Opset >= 11
	var slots scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		idx, values := in[0], in[2]
		depth, err := oneHotDepth(in[1])
		if err != nil {
			return err
		}
		if values.Len() != 2 {
			return misfit("OneHot", "values are off and on: two elements")
		}
		axis, err := axisOf("OneHot", wanted, idx.Rank()+1)
		if err != nil {
			return err
		}
		var buf [MaxRank + 1]int
		shape := append(append(append(buf[:0], idx.Shape()[:axis]...), depth), idx.Shape()[axis:]...)
		if err := Reset(ctx, out[0], values.DType(), shape...); err != nil {
			return err
		}
		fillFrom(out[0], 0, out[0].Len(), values)
		if idx.Len() == 0 {
			return nil
		}
		places, held, err := oneHotPlaces(ctx, &slots, idx, depth, wrap)
		if err != nil {
			return err
		}
		defer slots.put(held)
		_, inner := around(shape, axis)
		for i, at := range places {
			if at >= 0 {
				moveBlock(out[0], (i/inner*depth+int(at))*inner+i%inner, values, 1, 1)
			}
		}
		return nil
	}, nil
}

// oneHotPlaces gives for each index the place that is on, -1 where none is, in memory that goes back into slots.
func oneHotPlaces(ctx context.Context, slots *scratch[tensor.Tensor], idx *tensor.Tensor, depth int, wrap bool) (places []int64, held *[]tensor.Tensor, err error) {
	held = slots.take(1)
	t := &(*held)[0]
	if err = Reset(ctx, t, tensor.Int64, idx.Len()); err == nil {
		err = castInto(t, idx)
	}
	if err != nil {
		slots.put(held)
		return nil, nil, err
	}
	places = t.I64()
	for i, at := range places {
		if at < 0 && wrap {
			at += int64(depth)
		}
		if places[i] = at; at < 0 || at >= int64(depth) {
			places[i] = -1
		}
	}
	return places, held, nil
}

// Compress: the parts of x along axis (without one, the elements) for which the condition holds; those beyond its end do not count.
// https://onnx.ai/onnx/operators/onnx__Compress.html
func init() {
	x := f64s([]int{3, 2}, 1, 2, 3, 4, 5, 6)
	register(&Spec{Name: "Compress", Since: 9, Attrs: []string{"axis"}, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferCompress, Compile: compileCompress, Grad: gradTaking("axis"), Cases: []Case{
		{In: in(x, boolv(false, true, false, false, true)), Out: in(f64v(2, 5))},
		{Name: "rows", Attrs: []graph.Attr{graph.IntAttr("axis", 0)}, In: in(x, boolv(false, true, true)), Out: in(f64s([]int{2, 2}, 3, 4, 5, 6))},
		{Name: "columns", Attrs: []graph.Attr{graph.IntAttr("axis", -1)}, In: in(x, boolv(true)), Out: in(f64s([]int{3, 1}, 1, 3, 5))},
		{Name: "beyond", Attrs: []graph.Attr{graph.IntAttr("axis", 1)}, In: in(x, boolv(false, true, true)), Err: "condition"},
	}})
}

func inferCompress(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "axis", graph.AttrInt); err != nil {
		return nil, err
	}
	if site.Types[1].DType != tensor.Bool {
		return nil, bad(n, "a condition that is not bool")
	}
	t := site.Types[0]
	if n.Attr("axis") == nil {
		return []tensor.Type{tensor.TypeOf(t.DType, tensor.Free)}, nil
	}
	if !t.Unranked {
		axis, err := axisOf(n.Op, n.Int("axis", 0), len(t.Dims))
		if err != nil {
			return nil, err
		}
		t.Dims = append([]tensor.Dim{}, t.Dims...)
		t.Dims[axis] = free
	}
	return []tensor.Type{t}, nil
}

func compileCompress(n *graph.Node, _ *Site) (Kernel, error) {
	along, wanted := n.Attr("axis") != nil, n.Int("axis", 0)
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, keep := in[0], tensor.Data[bool](in[1])
		outer, length, inner := 1, x.Len(), 1
		var buf [MaxRank]int
		shape, axis := append(buf[:0], length), 0
		if along {
			var err error
			if axis, err = axisOf("Compress", wanted, x.Rank()); err != nil {
				return err
			}
			shape = append(buf[:0], x.Shape()...)
			outer, inner = around(shape, axis)
			length = shape[axis]
		}
		kept := 0
		for i, k := range keep {
			if k && i >= length {
				return misfit("Compress", "the condition takes more than there is")
			}
			if k {
				kept++
			}
		}
		shape[axis] = kept
		if err := Reset(ctx, out[0], x.DType(), shape...); err != nil {
			return err
		}
		to := 0
		for o := range outer {
			for i, k := range keep {
				if k {
					moveBlock(out[0], to, x, (o*length+i)*inner, inner)
					to += inner
				}
			}
		}
		return nil
	}, nil
}
