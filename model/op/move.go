package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// moveBlock copies n neighbouring elements of src from s on to dst from d on; both have one element type.
func moveBlock(dst *tensor.Tensor, d int, src *tensor.Tensor, s, n int) {
	if size := dst.DType().Size(); size > 0 {
		copy(dst.Bytes()[d*size:(d+n)*size], src.Bytes()[s*size:])
		return
	}
	copy(dst.Str()[d:d+n], src.Str()[s:])
}

// moveGrid copies element by element: operand 0 of g is dst, which starts at d, operand 1 is src, which starts at s.
func moveGrid(dst *tensor.Tensor, d int, src *tensor.Tensor, s int, g *grid) {
	switch dst.DType().Size() {
	case 0:
		moveElements(dst.Str(), d, src.Str(), s, g)
	case 1:
		moveElements(tensor.Data[uint8](dst), d, tensor.Data[uint8](src), s, g)
	case 2:
		moveElements(tensor.Data[uint16](dst), d, tensor.Data[uint16](src), s, g)
	case 4:
		moveElements(tensor.Data[uint32](dst), d, tensor.Data[uint32](src), s, g)
	case 8:
		moveElements(tensor.Data[uint64](dst), d, tensor.Data[uint64](src), s, g)
	default:
		moveElements(tensor.Data[complex128](dst), d, tensor.Data[complex128](src), s, g)
	}
}

func moveElements[T any](dst []T, d int, src []T, s int, g *grid) {
	n, du, su := g.inner, g.unit[0], g.unit[1]
	g.each(func(_ int, o [3]int) {
		i, j := d+o[0], s+o[1]
		switch {
		case du == 1 && su == 1:
			copy(dst[i:i+n], src[j:j+n])
		case du == 1 && su == 0:
			fill(dst[i:i+n], src[j])
		case du == 1:
			for k := range dst[i : i+n] {
				dst[i+k] = src[j]
				j += su
			}
		default:
			for range n {
				dst[i] = src[j]
				i += du
				j += su
			}
		}
	})
}

// strides appends the row-major strides of a shape to dst.
func strides(dst, shape []int) []int {
	at := len(dst)
	for range shape {
		dst = append(dst, 1)
	}
	for i := len(shape) - 2; i >= 0; i-- {
		dst[at+i] = dst[at+i+1] * shape[i+1]
	}
	return dst
}

// intsOf reads an int32 or int64 tensor of indices, axes or sizes into buf.
func intsOf(buf []int64, t *tensor.Tensor) []int64 {
	if t.DType() == tensor.Int64 {
		return append(buf, t.I64()...)
	}
	for _, v := range tensor.Data[int32](t) {
		buf = append(buf, int64(v))
	}
	return buf
}

var indexTypes = []tensor.DType{tensor.Int64, tensor.Int32}

// Transpose: y[i…] = x[i permuted]; perm defaults to reversing the dimensions.
// https://onnx.ai/onnx/operators/onnx__Transpose.html
func init() {
	register(&Spec{
		Name: "Transpose", Since: 1, Attrs: []string{"perm"}, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: inferTranspose, Compile: compileTranspose, Grad: differentiable(gradTranspose), Cases: tested(func() []Case {
			return []Case{
				{In: in(f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6)), Out: in(f64s([]int{3, 2}, 1, 4, 2, 5, 3, 6))},
				{Name: "perm", Attrs: []graph.Attr{graph.IntsAttr("perm", 1, 0, 2)}, In: in(f64s([]int{2, 2, 2}, 1, 2, 3, 4, 5, 6, 7, 8)), Out: in(f64s([]int{2, 2, 2}, 1, 2, 5, 6, 3, 4, 7, 8))},
				{Name: "strings", In: in(strs([]int{1, 2}, "a", "b")), Out: in(strs([]int{2, 1}, "a", "b"))},
				{Name: "cycle", Attrs: []graph.Attr{graph.IntsAttr("perm", 1, 2, 0)}, In: in(f64s([]int{1, 2, 3}, 1, 2, 3, 4, 5, 6)), Out: in(f64s([]int{2, 3, 1}, 1, 2, 3, 4, 5, 6))},
				{Name: "no permutation", Attrs: []graph.Attr{graph.IntsAttr("perm", 0, 0)}, In: in(f64s([]int{2, 2}, 1, 2, 3, 4)), Err: "perm"},
			}
		}),
	})
}

// checkPerm reports whether perm holds each of 0…len-1 once.
func checkPerm(perm []int64) bool {
	var seen [MaxRank]bool
	for _, p := range perm {
		if p < 0 || p >= int64(len(perm)) || p >= MaxRank || seen[p] {
			return false
		}
		seen[p] = true
	}
	return true
}

func inferTranspose(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "perm", graph.AttrInts); err != nil {
		return nil, err
	}
	t, perm := site.Types[0], n.Ints("perm")
	if !checkPerm(perm) {
		return nil, bad(n, "perm is not a permutation")
	}
	if t.Unranked {
		return []tensor.Type{t}, nil
	}
	if perm != nil && len(perm) != len(t.Dims) {
		return nil, bad(n, "perm has not the rank of the input")
	}
	dims := make([]tensor.Dim, len(t.Dims))
	for i := range dims {
		if perm == nil {
			dims[i] = t.Dims[len(dims)-1-i]
		} else {
			dims[i] = t.Dims[perm[i]]
		}
	}
	return []tensor.Type{{DType: t.DType, Dims: dims}}, nil
}

func compileTranspose(n *graph.Node, _ *Site) (Kernel, error) {
	perm := n.Ints("perm")
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		rank := len(shape)
		if perm != nil && len(perm) != rank {
			return misfit("Transpose", "perm has not the rank of the input")
		}
		var sb, tb, db [MaxRank]int
		steps := strides(sb[:0], shape)
		to := tb[:rank]
		from := db[:rank]
		for i := range rank {
			p := rank - 1 - i
			if perm != nil {
				p = int(perm[i])
			}
			to[i], from[i] = shape[p], steps[p]
		}
		if err := Reset(ctx, out[0], in[0].DType(), to...); err != nil {
			return err
		}
		var g grid
		width := 1
		for i := rank - 1; i >= 0; i-- {
			if to[i] != 1 {
				g.push(to[i], [3]int{width, from[i]})
				width *= to[i]
			}
		}
		g.finish()
		moveGrid(out[0], 0, in[0], 0, &g)
		return nil
	}, nil
}

// dx = dy transposed back.
func gradTranspose(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	perm := n.Ints("perm")
	if perm == nil {
		return []graph.Value{b.Op("Transpose", dy[0])}, nil
	}
	back := make([]int64, len(perm))
	for i, p := range perm {
		back[p] = int64(i)
	}
	return []graph.Value{b.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", back...)}, dy[0])}, nil
}
