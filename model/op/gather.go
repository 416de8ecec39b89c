package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Gather: y = x taken at indices along axis; the axis is replaced by the dimensions of indices.
// https://onnx.ai/onnx/operators/onnx__Gather.html
// ai.onnx.ml ArrayFeatureExtractor: columns of the last axis. https://onnx.ai/onnx/operators/onnx_aionnxml_ArrayFeatureExtractor.html
func init() {
	register(&Spec{Name: "Gather", Since: 1, Attrs: []string{"axis"}, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferGather, Compile: compileGather, Grad: differentiable(gradGather), Cases: tested(func() []Case {
		return []Case{
			{In: in(f64s([]int{3, 2}, 1, 2, 3, 4, 5, 6), i64s([]int{2, 1}, 2, 0)), Out: in(f64s([]int{2, 1, 2}, 5, 6, 1, 2))},
			{Name: "axis 1", Attrs: []graph.Attr{graph.IntAttr("axis", 1)}, In: in(f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), i32v(-1, 0, 0)), Out: in(f64s([]int{2, 3}, 3, 1, 1, 6, 4, 4))},
			{Name: "scalar", In: in(f64v(1, 2, 3), i64s(nil, 1)), Out: in(f64s(nil, 2))},
			{Name: "strings", In: in(strv("a", "b"), i64v(1)), Out: in(strv("b"))},
			{Name: "outside", In: in(f64v(1, 2), i64v(2)), Err: "index 2"},
		}
	})})
	register(&Spec{Domain: graph.ML, Name: "ArrayFeatureExtractor", Since: 1, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferExtract, Compile: compileExtract, Grad: differentiable(gradExtract), Cases: tested(func() []Case {
		return []Case{
			{In: in(f32s([]int{2, 3}, 1, 2, 3, 4, 5, 6), i64v(2, 0)), Out: in(f32s([]int{2, 2}, 3, 1, 6, 4))},
			{Name: "float64", In: in(f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), i64v(2, 2)), Out: in(f64s([]int{2, 2}, 3, 3, 6, 6))},
			{Name: "vector", In: in(strv("a", "b", "c"), i64v(1, 1)), Out: in(strs([]int{1, 2}, "b", "b"))},
			{Name: "outside", In: in(f32v(1, 2), i64v(-1)), Err: "index -1"},
		}
	})})
}

func inferGather(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "axis", graph.AttrInt); err != nil {
		return nil, err
	}
	x, idx := site.Types[0], site.Types[1]
	if err := oneOf(n, idx, indexTypes...); err != nil {
		return nil, err
	}
	if x.Unranked || idx.Unranked {
		return []tensor.Type{unranked(x.DType)}, nil
	}
	axis, err := axisOf("Gather", n.Int("axis", 0), len(x.Dims))
	if err != nil {
		return nil, err
	}
	dims := append([]tensor.Dim{}, x.Dims[:axis]...)
	dims = append(append(dims, idx.Dims...), x.Dims[axis+1:]...)
	return []tensor.Type{{DType: x.DType, Dims: dims}}, nil
}

// indexAt reads element i of an index tensor and brings it into [0, n).
func indexAt(op string, t *tensor.Tensor, i, n int) (int, error) {
	var v int64
	if t.DType() == tensor.Int64 {
		v = t.I64()[i]
	} else {
		v = int64(tensor.Data[int32](t)[i])
	}
	at := v
	if at < 0 {
		at += int64(n)
	}
	if at < 0 || at >= int64(n) {
		return 0, misfit(op, "index "+itoa(v)+" on an axis of length "+itoa(int64(n)))
	}
	return int(at), nil
}

func compileGather(n *graph.Node, _ *Site) (Kernel, error) {
	wanted := n.Int("axis", 0)
	var borrowed scratch[int]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, idx := in[0], in[1]
		shape := x.Shape()
		axis, err := axisOf("Gather", wanted, len(shape))
		if err != nil {
			return err
		}
		var buf [2 * MaxRank]int
		to := append(append(append(buf[:0], shape[:axis]...), idx.Shape()...), shape[axis+1:]...)
		if err := Reset(ctx, out[0], x.DType(), to...); err != nil {
			return err
		}
		outer, inner := around(shape, axis)
		if p := singles(x.DType().Size(), inner); p != nil && outer > 1 {
			places := borrowed.take(idx.Len())
			defer borrowed.put(places)
			for i := range *places {
				if (*places)[i], err = indexAt("Gather", idx, i, shape[axis]); err != nil {
					return err
				}
			}
			p(out[0], x, *places, shape[axis])
			return nil
		}
		for i := range idx.Len() {
			at, err := indexAt("Gather", idx, i, shape[axis])
			if err != nil {
				return err
			}
			for o := range outer {
				moveBlock(out[0], (o*idx.Len()+i)*inner, x, (o*shape[axis]+at)*inner, inner)
			}
		}
		return nil
	}, nil
}

// singles is what takes single elements of that size from rows; nil where there are blocks of them, or they are of another size.
func singles(size, inner int) func(dst, src *tensor.Tensor, places []int, width int) {
	switch {
	case inner != 1:
	case size == 8:
		return takeSingles[uint64]
	case size == 4:
		return takeSingles[uint32]
	}
	return nil
}

// takeSingles takes the elements at places from each row of src, (rows, width).
func takeSingles[T tensor.Element](dst, src *tensor.Tensor, places []int, width int) {
	to, from := tensor.Data[T](dst), tensor.Data[T](src)
	for len(to) > 0 && len(places) > 0 {
		for i, at := range places {
			to[i] = from[at]
		}
		to, from = to[len(places):], from[width:]
	}
}

// dx = dy added up at the indices.
func gradGather(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := b.Node(Private, "GatherGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 1, graph.IntAttr("axis", n.Int("axis", 0)))
	return []graph.Value{dx[0], ""}, nil
}

func inferExtract(n *graph.Node, site *Site) ([]tensor.Type, error) {
	x := site.Types[0]
	if err := oneOf(n, x, tensor.Float32, tensor.Float64, tensor.Int32, tensor.Int64, tensor.String); err != nil {
		return nil, err
	}
	if site.Types[1].DType != tensor.Int64 {
		return nil, bad(n, "indices that are not int64")
	}
	if x.Unranked {
		return []tensor.Type{x}, nil
	}
	if len(x.Dims) == 0 {
		return nil, bad(n, "an input without dimensions")
	}
	dims := append([]tensor.Dim{}, x.Dims...)
	if len(dims) == 1 {
		dims = []tensor.Dim{{Size: 1}, free}
	}
	dims[len(dims)-1] = free
	if sizes, ok := fixed(site.Types[1]); ok {
		size, err := tensor.Elements(sizes)
		if err != nil {
			return nil, err
		}
		dims[len(dims)-1].Size = size
	}
	return []tensor.Type{{DType: x.DType, Dims: dims}}, nil
}

func compileExtract(n *graph.Node, _ *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, idx := in[0], in[1]
		if x.Rank() == 0 || idx.Len() == 0 {
			return misfit(n.Op, "an input without elements")
		}
		var buf [MaxRank + 1]int
		to := buf[:0]
		if x.Rank() == 1 {
			to = append(to, 1)
		}
		to = append(to, x.Shape()...)
		width := to[len(to)-1]
		to[len(to)-1] = idx.Len()
		if err := Reset(ctx, out[0], x.DType(), to...); err != nil {
			return err
		}
		rows := out[0].Len() / idx.Len()
		for i, at := range idx.I64() {
			if at < 0 || at >= int64(width) {
				return misfit(n.Op, "index "+itoa(at)+" on an axis of length "+itoa(int64(width)))
			}
			for r := range rows {
				moveBlock(out[0], r*idx.Len()+i, x, r*width+int(at), 1)
			}
		}
		return nil
	}, nil
}
