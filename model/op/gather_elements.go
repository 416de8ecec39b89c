//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// GatherElements: y[i…] = x[i…] with the index along axis replaced by indices[i…]. https://onnx.ai/onnx/operators/onnx__GatherElements.html
// GatherND: y = the parts of x that tuples of indices name, for each of batch_dims. https://onnx.ai/onnx/operators/onnx__GatherND.html
func init() {
	square := f64s([]int{2, 2}, 1, 2, 3, 4)
	register(&Spec{Name: "GatherElements", Since: 11, Attrs: []string{"axis"}, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferGatherElements, Compile: compileGatherElements, Grad: gradTaking("axis"), Cases: []Case{
		{In: in(f64s([]int{3, 2}, 1, 2, 3, 4, 5, 6), i64s([]int{2, 2}, 1, -1, 0, 2)), Out: in(f64s([]int{2, 2}, 3, 6, 1, 6))},
		{Name: "axis", Attrs: []graph.Attr{graph.IntAttr("axis", 1)}, In: in(square, i64s([]int{2, 3}, 0, 0, 1, 1, 0, 1)), Out: in(f64s([]int{2, 3}, 1, 1, 2, 4, 3, 4))},
		{Name: "strings", In: in(strv("a", "b"), i32v(1, 0, 1)), Out: in(strv("b", "a", "b"))},
		{Name: "outside", In: in(f64v(1, 2), i64v(2)), Err: "index 2"},
		{Name: "shape", In: in(square, i64s([]int{1, 3}, 0, 0, 0)), Err: "shape"},
	}})
	register(&Spec{Name: "GatherND", Since: 11, Attrs: []string{"batch_dims"}, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferGatherND, Compile: compileGatherND, Grad: gradTaking("batch_dims"), Cases: []Case{
		{In: in(square, i64s([]int{2, 2}, 0, 0, 1, -1)), Out: in(f64v(1, 4))},
		{Name: "rows", In: in(square, i64s([]int{2, 1}, 1, 0)), Out: in(f64s([]int{2, 2}, 3, 4, 1, 2))},
		{Name: "batches", Attrs: []graph.Attr{graph.IntAttr("batch_dims", 1)}, In: in(square, i64s([]int{2, 1}, 1, 0)), Out: in(f64v(2, 3))},
		{Name: "outside", In: in(square, i64s([]int{1, 2}, 0, 2)), Err: "index 2"},
		{Name: "deep", In: in(square, i64s([]int{1, 3}, 0, 0, 0)), Err: "rank"},
	}})
}

func inferGatherElements(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "axis", graph.AttrInt); err != nil {
		return nil, err
	}
	x, idx := site.Types[0], site.Types[1]
	if err := oneOf(n, idx, indexTypes...); err != nil {
		return nil, err
	}
	if !x.Unranked {
		if _, err := axisOf(n.Op, n.Int("axis", 0), len(x.Dims)); err != nil {
			return nil, err
		}
		if !idx.Unranked && len(idx.Dims) != len(x.Dims) {
			return nil, bad(n, "indices of another rank than the input")
		}
	}
	idx.DType = x.DType
	return []tensor.Type{idx}, nil
}

// elementGrid walks indices (operand 0, dense) together with the tensor that they point into (operand 1), in which axis stands still.
// Errors: fault.Invalid when a dimension of indices passes that of shape.
func elementGrid(op string, shape, indices []int, axis int) (g grid, step int, err error) {
	if len(shape) != len(indices) {
		return g, 0, misfit(op, "indices of another rank than the input: shapes "+shapeText(indices)+" and "+shapeText(shape))
	}
	width, at := 1, 1
	for i := len(shape) - 1; i >= 0; i-- {
		s := at
		if i == axis {
			step, s = at, 0
		} else if indices[i] > shape[i] {
			return g, 0, misfit(op, "indices of the shape "+shapeText(indices)+" for a tensor of the shape "+shapeText(shape))
		}
		if indices[i] != 1 {
			g.push(indices[i], [3]int{width, s})
		}
		width *= indices[i]
		at *= shape[i]
	}
	g.finish()
	return g, step, nil
}

// elementChunk is how many places elementPlaces hands on at a time.
const elementChunk = 256

var elementMemory scratch[int]

// elementPlaces calls f with the places in a tensor (shape) of the elements that idx names along axis: those of idx from at on.
func elementPlaces(ctx context.Context, op string, shape []int, idx *tensor.Tensor, axis int, f func(at int, places []int)) error {
	g, step, err := elementGrid(op, shape, idx.Shape(), axis)
	if err != nil {
		return err
	}
	buf := elementMemory.take(elementChunk)
	defer elementMemory.put(buf)
	runs := 0
	g.each(func(at int, o [3]int) {
		if runs++; runs%64 == 0 && err == nil {
			err = ctx.Err()
		}
		for lo := 0; lo < g.inner && err == nil; lo += elementChunk {
			places := (*buf)[:min(elementChunk, g.inner-lo)]
			for i := range places {
				var v int
				if v, err = indexAt(op, idx, at+lo+i, shape[axis]); err != nil {
					return
				}
				places[i] = o[1] + (lo+i)*g.unit[1] + v*step
			}
			f(at+lo, places)
		}
	})
	return err
}

func compileGatherElements(n *graph.Node, _ *Site) (Kernel, error) {
	wanted := n.Int("axis", 0)
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, idx := in[0], in[1]
		axis, err := axisOf("GatherElements", wanted, x.Rank())
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], x.DType(), idx.Shape()...); err != nil {
			return err
		}
		return elementPlaces(ctx, "GatherElements", x.Shape(), idx, axis, func(at int, places []int) { moveAt(out[0], at, x, 0, places) })
	}, nil
}

func inferGatherND(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "batch_dims", graph.AttrInt); err != nil {
		return nil, err
	}
	x, idx, b := site.Types[0], site.Types[1], n.Int("batch_dims", 0)
	if idx.DType != tensor.Int64 {
		return nil, bad(n, "indices that are not int64")
	}
	if b < 0 || b >= MaxRank {
		return nil, bad(n, "batch_dims out of range")
	}
	if x.Unranked || idx.Unranked {
		return []tensor.Type{unranked(x.DType)}, nil
	}
	last := len(idx.Dims) - 1
	if last < int(b) {
		return nil, bad(n, "indices of a rank below batch_dims")
	}
	k := idx.Dims[last].Size
	if k == tensor.Free {
		return []tensor.Type{unranked(x.DType)}, nil
	}
	if k+int(b) > len(x.Dims) {
		return nil, bad(n, "indices that are longer than the rank of the input")
	}
	return []tensor.Type{{DType: x.DType, Dims: append(append([]tensor.Dim{}, idx.Dims[:last]...), x.Dims[int(b)+k:]...)}}, nil
}

// tuples describes the places that tuples of indices (…, depth) name in a tensor of a shape: blocks of inner elements.
type tuples struct {
	op      string
	depth   int
	inner   int
	dims    []int // the dimensions that a tuple goes through
	indices []int64
}

// tuplesOf checks indices against the shape that remains behind the batches.
func tuplesOf(op string, shape []int, idx *tensor.Tensor, batch int) (t tuples, err error) {
	s := idx.Shape()
	if len(s) == 0 || len(s)-1 < batch || s[len(s)-1]+batch > len(shape) {
		return t, misfit(op, "indices of the shape "+shapeText(s)+" for a tensor of the rank "+itoa(int64(len(shape))))
	}
	t = tuples{op: op, depth: s[len(s)-1], inner: 1, indices: idx.I64()}
	t.dims = shape[batch : batch+t.depth]
	for _, d := range shape[batch+t.depth:] {
		t.inner *= d
	}
	return t, nil
}

// place is where the block of tuple i begins.
func (t *tuples) place(i int) (int, error) {
	at := 0
	for k, v := range t.indices[i*t.depth : (i+1)*t.depth] {
		d := int64(t.dims[k])
		p := v
		if p < 0 {
			p += d
		}
		if p < 0 || p >= d {
			return 0, misfit(t.op, "index "+itoa(v)+" on an axis of length "+itoa(d))
		}
		at = at*t.dims[k] + int(p)
	}
	return at * t.inner, nil
}

func compileGatherND(n *graph.Node, _ *Site) (Kernel, error) {
	batch := int(n.Int("batch_dims", 0))
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, idx := in[0], in[1]
		shape, is := x.Shape(), idx.Shape()
		t, err := tuplesOf("GatherND", shape, idx, batch)
		if err != nil {
			return err
		}
		batches, step := 1, t.inner
		for i, d := range shape[:batch+t.depth] {
			if i >= batch {
				step *= d
			} else if batches *= d; is[i] != d {
				return misfit("GatherND", "batches of different length: shapes "+shapeText(shape)+" and "+shapeText(is))
			}
		}
		var buf [2 * MaxRank]int
		to := append(append(buf[:0], is[:len(is)-1]...), shape[batch+t.depth:]...)
		if err := Reset(ctx, out[0], x.DType(), to...); err != nil {
			return err
		}
		if out[0].Len() == 0 {
			return nil
		}
		each := out[0].Len() / t.inner / batches
		for b := range batches {
			if err := ctx.Err(); err != nil {
				return err
			}
			for i := b * each; i < (b+1)*each; i++ {
				at, err := t.place(i)
				if err != nil {
					return err
				}
				moveBlock(out[0], i*t.inner, x, b*step+at, t.inner)
			}
		}
		return nil
	}, nil
}
