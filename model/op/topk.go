//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TopK: the k greatest (largest=0: least) elements along axis in order, and where they stood; of equal ones the first come first. NaN counts as the
// greatest of all. With sorted=0 any order will do, so it is the same. https://onnx.ai/onnx/operators/onnx__TopK.html
func init() {
	x := f64s([]int{2, 3}, 1, 5, 5, 7, 2, 4)
	newest := Spec{Name: "TopK", Since: 11, Attrs: []string{"axis", "largest", "sorted"}, In: Arity{2, 2}, Out: Arity{1, 2}, Infer: inferTopK, Compile: compileTopK, Half: true, Grad: gradTopK, Cases: []Case{
		{In: in(x, i64v(2)), Out: in(f64s([]int{2, 2}, 5, 5, 7, 4), i64s([]int{2, 2}, 1, 2, 0, 2)), NoGrad: true},
		{Name: "values alone", In: in(f64s([]int{2, 3}, 1, 5, 3, 7, 2, 4), i64v(2)), Out: in(f64s([]int{2, 2}, 5, 3, 7, 4))},
		{Name: "least", Attrs: []graph.Attr{graph.IntAttr("largest", 0), graph.IntAttr("axis", 0)}, In: in(x, i64v(1)), Out: in(f64s([]int{1, 3}, 1, 2, 4), i64s([]int{1, 3}, 0, 1, 1))},
		{Name: "all", In: in(tensor.FromSlice(tensor.Uint8, []uint8{3, 200, 3, 9}), i64v(4)), Out: in(tensor.FromSlice(tensor.Uint8, []uint8{200, 9, 3, 3}), i64v(1, 3, 0, 2))},
		{Name: "none", In: in(x, i64v(0)), Out: in(f64s([]int{2, 0}), i64s([]int{2, 0}))},
		{Name: "few of many", In: in(f32v(0, 9, 1, 8, 2, 7, 3, 6, 4, 5, 0, 0, 0, 9), i64v(3)), Out: in(f32v(9, 9, 8), i64v(1, 13, 3))},
		{Name: "too many", In: in(x, i64v(4)), Err: "4 of 3"},
	}}
	register(&newest)
	register(&Spec{Name: "TopK", Since: 10, Attrs: []string{"axis"}, In: Arity{2, 2}, Out: Arity{1, 2}, Infer: inferTopK, Compile: compileTopK, Half: true, Grad: gradTopK, Cases: []Case{
		{Name: "different", Opset: 10, Attrs: []graph.Attr{graph.IntAttr("axis", 0)}, In: in(x, i64v(1)), Out: in(f64s([]int{1, 3}, 7, 5, 5), i64s([]int{1, 3}, 1, 0, 0))},
		{Opset: 10, In: in(x, i64v(1)), Out: in(f64s([]int{2, 1}, 5, 7), i64s([]int{2, 1}, 1, 0)), NoGrad: true},
	}})
	register(&Spec{Name: "TopK", Since: 1, Attrs: []string{"axis", "k"}, In: Arity{1, 1}, Out: Arity{1, 2}, Infer: inferTopK, Compile: compileTopK, Half: true, Grad: gradTopK, Cases: []Case{
		{Name: "different", Opset: 9, Attrs: []graph.Attr{graph.IntAttr("axis", 0), graph.IntAttr("k", 1)}, In: in(x), Out: in(f64s([]int{1, 3}, 7, 5, 5), i64s([]int{1, 3}, 1, 0, 0))},
		{Opset: 9, Attrs: []graph.Attr{graph.IntAttr("k", 1)}, In: in(x), Out: in(f64s([]int{2, 1}, 5, 7), i64s([]int{2, 1}, 1, 0)), NoGrad: true},
	}})
}

func inferTopK(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "axis", "largest", "sorted", "k"); err != nil {
		return nil, err
	}
	t, k := site.Types[0], int64(tensor.Free)
	if site.Opset < 10 {
		if k = n.Int("k", -1); k < 0 {
			return nil, bad(n, "attribute k is missing or negative")
		}
	} else if c := site.constant(1); site.Types[1].DType != tensor.Int64 {
		return nil, bad(n, "a k that is not int64")
	} else if c != nil && c.Len() == 1 && c.I64()[0] >= 0 {
		k = c.I64()[0]
	}
	values, places := t, t
	if !t.Unranked {
		axis, err := axisOf(n.Op, n.Int("axis", -1), len(t.Dims))
		if err != nil {
			return nil, err
		}
		values.Dims = append([]tensor.Dim{}, t.Dims...)
		if values.Dims[axis] = free; k <= 1<<40 {
			values.Dims[axis].Size = int(k)
		}
		places.Dims = values.Dims
	}
	places.DType = tensor.Int64
	return []tensor.Type{values, places}[:len(n.Outputs)], nil
}

func compileTopK(n *graph.Node, site *Site) (Kernel, error) {
	switch d := site.Types[0].DType; d {
	case tensor.Float32:
		return topKKernel[float32](n, site), nil
	case tensor.Float64:
		return topKKernel[float64](n, site), nil
	case tensor.Int8:
		return topKKernel[int8](n, site), nil
	case tensor.Int16:
		return topKKernel[int16](n, site), nil
	case tensor.Int32:
		return topKKernel[int32](n, site), nil
	case tensor.Int64:
		return topKKernel[int64](n, site), nil
	case tensor.Uint8:
		return topKKernel[uint8](n, site), nil
	case tensor.Uint16:
		return topKKernel[uint16](n, site), nil
	case tensor.Uint32:
		return topKKernel[uint32](n, site), nil
	case tensor.Uint64:
		return topKKernel[uint64](n, site), nil
	default:
		return nil, refuse(n, d)
	}
}

// ranked is an element and where it stood.
type ranked[T numeric] struct {
	v  T
	at int
}

// before tells which of two elements comes first; NaN is the greatest.
func (a ranked[T]) before(b ranked[T], largest bool) bool {
	if a.v == b.v || a.v != a.v && b.v != b.v {
		return a.at < b.at
	}
	greater := a.v > b.v || a.v != a.v
	return greater == largest
}

func topKKernel[T numeric](n *graph.Node, site *Site) Kernel {
	wanted, largest, fixedK, threads := n.Int("axis", -1), n.Int("largest", 1) != 0, n.Int("k", 0), site.Threads
	var borrowed scratch[ranked[T]]
	var runs kept[topLanes[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x := in[0]
		axis, err := axisOf("TopK", wanted, x.Rank())
		if err != nil {
			return err
		}
		k := fixedK
		if len(in) > 1 {
			if k, err = oneInt("TopK", in[1]); err != nil {
				return err
			}
		}
		length := x.Shape()[axis]
		if k < 0 || k > int64(length) {
			return misfit("TopK", "the first "+itoa(k)+" of "+itoa(int64(length)))
		}
		var buf [MaxRank]int
		shape := append(buf[:0], x.Shape()...)
		shape[axis] = int(k)
		var values []T
		var places []int64
		for i, o := range out {
			d := x.DType()
			if i == 1 {
				d = tensor.Int64
			}
			if o == nil {
				continue
			}
			if err := Reset(ctx, o, d, shape...); err != nil {
				return err
			}
			if i == 1 {
				places = o.I64()
			} else {
				values = tensor.Data[T](o)
			}
		}
		outer, inner := around(shape, axis)
		if k == 0 || outer*inner == 0 {
			return nil
		}
		src := tensor.Data[T](x)
		run := runs.take()
		*run = topLanes[T]{ctx, &borrowed, src, values, places, length, inner, int(k), largest}
		spread(ctx, threads, outer*inner, 1+(1<<14)/length, run)
		runs.put(run)
		return ctx.Err()
	}
}

// topLanes is a run over the lanes of src, length elements that lie inner apart.
type topLanes[T numeric] struct {
	ctx              context.Context
	borrowed         *scratch[ranked[T]]
	src, values      []T
	places           []int64
	length, inner, k int
	largest          bool
}

func (t *topLanes[T]) Do(lo, hi int) {
	p := t.borrowed.take(t.length)
	defer t.borrowed.put(p)
	for lane := lo; lane < hi && t.ctx.Err() == nil; lane++ {
		o, i := lane/t.inner, lane%t.inner
		best := topK(*p, t.src[o*t.length*t.inner+i:], t.length, t.inner, t.k, t.largest)
		for j, r := range best {
			at := (o*t.k+j)*t.inner + i
			if t.values != nil {
				t.values[at] = r.v
			}
			if t.places != nil {
				t.places[at] = int64(r.at)
			}
		}
	}
}

// topK orders the first k of n elements that lie step apart; buf (n) is its memory.
func topK[T numeric](buf []ranked[T], src []T, n, step, k int, largest bool) []ranked[T] {
	order := func(a, b ranked[T]) int {
		if a.before(b, largest) {
			return -1
		}
		return 1
	}
	if k > n/8 && k > 8 {
		for i := range n {
			buf[i] = ranked[T]{src[i*step], i}
		}
		slices.SortFunc(buf[:n], order)
		return buf[:k]
	}
	heap := buf[:0] // the last of the k best on top
	for i := range n {
		r := ranked[T]{src[i*step], i}
		if len(heap) < k {
			heap = append(heap, r)
			for c := len(heap) - 1; c > 0 && heap[(c-1)/2].before(heap[c], largest); c = (c - 1) / 2 {
				heap[c], heap[(c-1)/2] = heap[(c-1)/2], heap[c]
			}
		} else if r.before(heap[0], largest) {
			heap[0] = r
			topKDown(heap, largest)
		}
	}
	slices.SortFunc(heap, order)
	return heap
}

// topKDown lets the top of the heap sink to its place.
func topKDown[T numeric](heap []ranked[T], largest bool) {
	for at := 0; ; {
		last := at
		for c := 2*at + 1; c <= 2*at+2 && c < len(heap); c++ {
			if heap[last].before(heap[c], largest) {
				last = c
			}
		}
		if last == at {
			return
		}
		heap[at], heap[last] = heap[last], heap[at]
		at = last
	}
}
