//go:build !lean

package op

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Unique: the different elements, or the different parts along axis, in order of value (sorted=0: of appearance); with the place where each
// stood first, for every element which it is, and how often each stands. NaN equals NaN and comes last.
// https://onnx.ai/onnx/operators/onnx__Unique.html
func init() {
	x := f64v(2, 1, 1, 3, 4, 3)
	unsorted := []graph.Attr{graph.IntAttr("sorted", 0)}
	register(&Spec{Name: "Unique", Since: 11, Attrs: []string{"axis", "sorted"}, In: Arity{1, 1}, Out: Arity{1, 4}, Infer: inferUnique, Compile: compileUnique, Half: true, Grad: gradUnique, Cases: []Case{
		{Name: "all different", In: in(f64s([]int{2, 2}, 2, 1, 5, 3)), Out: in(f64v(1, 2, 3, 5))},
		{In: in(x), Out: in(f64v(1, 2, 3, 4), i64v(1, 0, 3, 4), i64v(1, 0, 0, 2, 3, 2), i64v(2, 1, 2, 1)), NoGrad: true},
		{Name: "as they come", Attrs: unsorted, In: in(x), Out: in(f64v(2, 1, 3, 4), i64v(0, 1, 3, 4), i64v(0, 1, 1, 2, 3, 2), i64v(1, 2, 2, 1)), NoGrad: true},
		{Name: "strings", In: in(strs([]int{2, 2}, "b", "a", "b", "")), Out: in(strv("", "a", "b"))},
		{Name: "strings as they come", Attrs: unsorted, In: in(strs([]int{2, 2}, "b", "a", "b", "")), Out: in(strv("b", "a", ""), i64v(0, 1, 3), i64v(0, 1, 0, 2), i64v(2, 1, 1))},
		{
			Name: "columns", Attrs: []graph.Attr{graph.IntAttr("axis", -1)}, In: in(f64s([]int{2, 3}, 1, 0, 1, 2, 3, 2)),
			Out: in(f64s([]int{2, 2}, 0, 1, 3, 2), i64v(1, 0), i64v(1, 0, 1), i64v(1, 2)), NoGrad: true,
		},
		{Name: "different columns", Attrs: []graph.Attr{graph.IntAttr("axis", 1)}, In: in(f64s([]int{2, 2}, 1, 0, 2, 3)), Out: in(f64s([]int{2, 2}, 0, 1, 3, 2))},
		{Name: "nothing", In: in(f64s([]int{0})), Out: in(f64s([]int{0}), i64s([]int{0}))},
	}})
}

func inferUnique(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "axis", "sorted"); err != nil {
		return nil, err
	}
	t := site.Types[0]
	y := tensor.TypeOf(t.DType, tensor.Free)
	if n.Attr("axis") != nil {
		if y = unranked(t.DType); !t.Unranked {
			axis, err := axisOf(n.Op, n.Int("axis", 0), len(t.Dims))
			if err != nil {
				return nil, err
			}
			y = tensor.Type{DType: t.DType, Dims: append([]tensor.Dim{}, t.Dims...)}
			y.Dims[axis] = free
		}
	}
	list := tensor.TypeOf(tensor.Int64, tensor.Free)
	return []tensor.Type{y, list, list, list}[:len(n.Outputs)], nil
}

func compileUnique(n *graph.Node, site *Site) (Kernel, error) {
	switch d := site.Types[0].DType; d {
	case tensor.Float32:
		return uniqueKernel(n, tensor.Data[float32]), nil
	case tensor.Float64:
		return uniqueKernel(n, tensor.Data[float64]), nil
	case tensor.Int8:
		return uniqueKernel(n, tensor.Data[int8]), nil
	case tensor.Int16:
		return uniqueKernel(n, tensor.Data[int16]), nil
	case tensor.Int32:
		return uniqueKernel(n, tensor.Data[int32]), nil
	case tensor.Int64:
		return uniqueKernel(n, tensor.Data[int64]), nil
	case tensor.Uint8, tensor.Bool:
		return uniqueKernel(n, tensor.Data[uint8]), nil
	case tensor.Uint16:
		return uniqueKernel(n, tensor.Data[uint16]), nil
	case tensor.Uint32:
		return uniqueKernel(n, tensor.Data[uint32]), nil
	case tensor.Uint64:
		return uniqueKernel(n, tensor.Data[uint64]), nil
	case tensor.String:
		if n.Attr("axis") == nil && n.Int("sorted", 1) == 0 {
			return uniqueTexts, nil
		}
		return uniqueKernel(n, texts), nil
	default:
		return nil, refuse(n, d)
	}
}

// uniqueOrder compares two elements; NaN is the greatest.
func uniqueOrder[T cmp.Ordered](a, b T) int {
	if a != a || b != b {
		return -cmp.Compare(a, b)
	}
	return cmp.Compare(a, b)
}

func uniqueKernel[T cmp.Ordered](n *graph.Node, data lane[T]) Kernel {
	along, wanted, sorted := n.Attr("axis") != nil, n.Int("axis", 0), n.Int("sorted", 1) != 0
	var borrowed scratch[int]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x := in[0]
		outer, length, inner := 1, x.Len(), 1
		var buf [MaxRank]int
		shape, axis := append(buf[:0], length), 0
		if along {
			var err error
			if axis, err = axisOf("Unique", wanted, x.Rank()); err != nil {
				return err
			}
			shape = append(buf[:0], x.Shape()...)
			outer, inner = around(shape, axis)
			length = shape[axis]
		}
		src := data(x)
		order := func(a, b int) int { // parts a and b along the axis, element by element
			for o := range outer {
				at := o * length * inner
				for i := range inner {
					if c := uniqueOrder(src[at+a*inner+i], src[at+b*inner+i]); c != 0 {
						return c
					}
				}
			}
			return 0
		}
		p := borrowed.take(4 * length)
		defer borrowed.put(p)
		place, first, group := (*p)[:length], (*p)[length:2*length], (*p)[2*length:3*length]
		for i := range place {
			place[i] = i
		}
		slices.SortFunc(place, func(a, b int) int {
			if c := order(a, b); c != 0 {
				return c
			}
			return a - b
		})
		found := 0
		for i, at := range place { // the first of equals comes first
			if i == 0 || order(place[i-1], at) != 0 {
				first[found] = at
				found++
			}
			group[at] = found - 1
		}
		if first = first[:found]; !sorted {
			rank, to := place[:found], (*p)[3*length:][:found]
			for i := range rank {
				rank[i] = i
			}
			slices.SortFunc(rank, func(a, b int) int { return first[a] - first[b] })
			for i := range group { // group still counts by value
				group[i] = -1 - group[i]
			}
			uniqueRegroup(group, first, rank, to)
		}
		return uniqueOutputs(ctx, x, out, shape, axis, inner, first, group)
	}
}

// uniqueRegroup numbers groups in the order of rank: group holds -1-(number by value) and gets the new numbers, first is sorted. to is memory as
// long as rank.
func uniqueRegroup(group, first, rank, to []int) {
	for number, old := range rank {
		to[old] = number
	}
	for i, g := range group {
		group[i] = to[-1-g]
	}
	slices.Sort(first)
}

// NonZero: the places of the elements that are not 0 (false, ""), one column each. https://onnx.ai/onnx/operators/onnx__NonZero.html
func init() {
	register(&Spec{Name: "NonZero", Since: 9, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferNonZero, Compile: compileNonZero, Cases: []Case{
		{In: in(f32s([]int{2, 2}, 1, 0, 3, float32(math.Copysign(0, -1)))), Out: in(i64s([]int{2, 2}, 0, 1, 0, 0))},
		{Name: "bools", In: in(boolv(false, true, true)), Out: in(i64s([]int{1, 2}, 1, 2))},
		{Name: "scalar", In: in(i32v(5)), Out: in(i64s([]int{1, 1}, 0))},
		{Name: "strings", In: in(strv("", "a")), Out: in(i64s([]int{1, 1}, 1))},
	}})
}

func inferNonZero(_ *graph.Node, site *Site) ([]tensor.Type, error) {
	if site.Types[0].Unranked {
		return []tensor.Type{tensor.TypeOf(tensor.Int64, tensor.Free, tensor.Free)}, nil
	}
	return []tensor.Type{tensor.TypeOf(tensor.Int64, max(1, len(site.Types[0].Dims)), tensor.Free)}, nil
}

func compileNonZero(_ *graph.Node, site *Site) (Kernel, error) {
	isFloat := slices.Contains([]tensor.DType{tensor.Float16, tensor.BFloat16, tensor.Float32, tensor.Float64}, site.Types[0].DType)
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x := in[0]
		count := 0
		eachNonZero(x, isFloat, func(int) { count++ })
		rank := max(1, x.Rank())
		if err := Reset(ctx, out[0], tensor.Int64, rank, count); err != nil {
			return err
		}
		y, k := out[0].I64(), 0
		shape := x.Shape()
		eachNonZero(x, isFloat, func(at int) {
			y[k] = 0 // of a scalar
			for d := len(shape) - 1; d >= 0; d-- {
				y[d*count+k] = int64(at % shape[d])
				at /= shape[d]
			}
			k++
		})
		return nil
	}, nil
}

// eachNonZero calls f with the places that are not 0; the sign of a float does not count.
func eachNonZero(x *tensor.Tensor, isFloat bool, f func(at int)) {
	size, shift := x.DType().Size(), 0
	if isFloat {
		shift = 1
	}
	switch size {
	case 0:
		for i, s := range x.Str() {
			if s != "" {
				f(i)
			}
		}
	case 1:
		nonZeros(tensor.Data[uint8](x), 0, f)
	case 2:
		nonZeros(tensor.Data[uint16](x), shift, f)
	case 4:
		nonZeros(tensor.Data[uint32](x), shift, f)
	case 8:
		if x.DType() == tensor.Complex64 {
			for i, v := range tensor.Data[complex64](x) {
				if v != 0 {
					f(i)
				}
			}
			return
		}
		nonZeros(tensor.Data[uint64](x), shift, f)
	default:
		for i, v := range tensor.Data[complex128](x) {
			if v != 0 {
				f(i)
			}
		}
	}
}

func nonZeros[T ~uint8 | ~uint16 | ~uint32 | ~uint64](v []T, shift int, f func(at int)) {
	for i, x := range v {
		if x<<shift != 0 {
			f(i)
		}
	}
}
