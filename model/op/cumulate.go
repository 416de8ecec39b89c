//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// CumSum, CumProd: sums (products) of the elements up to each along axis; exclusive=1 leaves the element itself out, reverse=1 goes
// from the end. https://onnx.ai/onnx/operators/onnx__CumSum.html
func init() {
	flags := func(exclusive, reverse int64) []graph.Attr {
		return []graph.Attr{graph.IntAttr("exclusive", exclusive), graph.IntAttr("reverse", reverse)}
	}
	x := f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	cumulate := func(name string, since int64, compile compileFunc, grad Gradient, cases ...Case) {
		register(&Spec{
			Name: name, Since: since, Half: true, Attrs: []string{"exclusive", "reverse"}, In: Arity{2, 2}, Out: Arity{1, 1},
			Infer: inferCumulate, Compile: compile, Grad: grad, Cases: cases,
		})
	}
	cumulate("CumSum", 11, cumulating(0, add[float32], add[float64], add[int32], add[int64], add[uint32], add[uint64]), gradCumSum,
		Case{In: in(x, i64s(nil, 1)), Out: in(f64s([]int{2, 3}, 1, 3, 6, 4, 9, 15))},
		Case{Name: "axis 0", In: in(x, i32v(-2)), Out: in(f64s([]int{2, 3}, 1, 2, 3, 5, 7, 9))},
		Case{Name: "exclusive", Attrs: flags(1, 0), In: in(x, i64s(nil, 1)), Out: in(f64s([]int{2, 3}, 0, 1, 3, 0, 4, 9))},
		Case{Name: "reverse", Attrs: flags(0, 1), In: in(x, i64s(nil, 0)), Out: in(f64s([]int{2, 3}, 5, 7, 9, 4, 5, 6))},
		Case{Name: "both, real", Attrs: flags(1, 1), In: in(f64v(1, 2, 3), i64s(nil, 0)), Out: in(f64v(5, 3, 0))},
		Case{Name: "both", Attrs: flags(1, 1), In: in(i64v(1, 2, 3), i64s(nil, 0)), Out: in(i64v(5, 3, 0))},
		Case{Name: "outside", In: in(x, i64s(nil, 2)), Err: "axis 2"})
	cumulate("CumProd", 26, cumulating(1, mul[float32], mul[float64], mul[int32], mul[int64], mul[uint32], mul[uint64]), gradCumProd,
		Case{In: in(x, i64s(nil, 1)), Out: in(f64s([]int{2, 3}, 1, 2, 6, 4, 20, 120))},
		Case{Name: "zero", Attrs: flags(0, 1), In: in(f64s([]int{4, 2}, 2, 3, 0, 5, 7, 0, 11, 0), i64s(nil, 0)), Out: in(f64s([]int{4, 2}, 0, 0, 0, 0, 77, 0, 11, 0))},
		Case{Name: "exclusive", Attrs: flags(1, 0), In: in(x, i64s(nil, 1)), Out: in(f64s([]int{2, 3}, 1, 1, 2, 1, 4, 20))},
		Case{Name: "both, real", Attrs: flags(1, 1), In: in(x, i64s(nil, 1)), Out: in(f64s([]int{2, 3}, 6, 3, 1, 30, 6, 1))},
		Case{Name: "both", Attrs: flags(1, 1), In: in(i64v(4, 2, 3), i64s(nil, 0)), Out: in(i64v(6, 3, 1))})
}

func inferCumulate(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "exclusive", "reverse"); err != nil {
		return nil, err
	}
	if err := oneOf(n, site.Types[1], indexTypes...); err != nil {
		return nil, err
	}
	return []tensor.Type{site.Types[0]}, oneOf(n, site.Types[0], sumTypes...)
}

// cumulating compiles a running reduction that begins with start.
func cumulating(
	start float64, f32 pair[float32, float32], f64 pair[float64, float64], i32 pair[int32, int32], i64 pair[int64, int64],
	u32 pair[uint32, uint32], u64 pair[uint64, uint64],
) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d {
		case tensor.Float32:
			return cumulateKernel(n, site, tensor.Data[float32], float32(start), f32), nil
		case tensor.Float64:
			return cumulateKernel(n, site, tensor.Data[float64], start, f64), nil
		case tensor.Int32:
			return cumulateKernel(n, site, tensor.Data[int32], int32(start), i32), nil
		case tensor.Int64:
			return cumulateKernel(n, site, tensor.Data[int64], int64(start), i64), nil
		case tensor.Uint32:
			return cumulateKernel(n, site, tensor.Data[uint32], uint32(start), u32), nil
		case tensor.Uint64:
			return cumulateKernel(n, site, tensor.Data[uint64], uint64(start), u64), nil
		default:
			return nil, refuse(n, d)
		}
	}
}

// scalarIndex reads an int32 or int64 tensor of one element.
func scalarIndex(op, what string, t *tensor.Tensor) (int64, error) {
	if t.Len() != 1 {
		return 0, misfit(op, what+" that is not a scalar")
	}
	var buf [1]int64
	return intsOf(buf[:0], t)[0], nil
}

func cumulateKernel[T number](n *graph.Node, site *Site, data lane[T], start T, f pair[T, T]) Kernel {
	op, threads := n.Op, site.Threads
	exclusive, reverse := n.Int("exclusive", 0) != 0, n.Int("reverse", 0) != 0
	var runs kept[cumulation[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		wanted, err := scalarIndex(op, "an axis", in[1])
		if err != nil {
			return err
		}
		axis, err := axisOf(op, wanted, len(shape))
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		dst, src := data(out[0]), data(in[0])
		if len(dst) == 0 {
			return nil
		}
		outer, inner := around(shape, axis)
		block := shape[axis] * inner
		r := runs.take()
		defer runs.put(r)
		*r = cumulation[T]{dst, src, block, inner, start, exclusive, reverse, f}
		return sweep(ctx, threads, outer, max(cheapGrain/block, 1), r)
	}
}

// cumulation is one call, over blocks of rows of inner elements.
type cumulation[T number] struct {
	dst, src           []T
	block, inner       int
	start              T
	exclusive, reverse bool
	f                  pair[T, T]
}

func (r *cumulation[T]) Do(lo, hi int) {
	for at := lo * r.block; at < hi*r.block; at += r.block {
		cumulateBlock(r.dst[at:at+r.block], r.src[at:at+r.block], r.inner, r.start, r.exclusive, r.reverse, r.f)
	}
}

// cumulateBlock goes over rows of inner elements: each is the one before it joined with one of src.
func cumulateBlock[T number](dst, src []T, inner int, start T, exclusive, reverse bool, f pair[T, T]) {
	rows := len(src) / inner
	first, step := 0, 1
	if reverse {
		first, step = rows-1, -1
	}
	if inner == 1 {
		cumulateLine(dst, src, first, step, start, exclusive)
		return
	}
	row := func(s []T, i int) []T { return s[i*inner : (i+1)*inner] }
	if exclusive {
		fill(row(dst, first), start)
	} else {
		copy(row(dst, first), row(src, first))
	}
	for k := 1; k < rows; k++ {
		i := first + k*step
		from := i
		if exclusive {
			from = i - step
		}
		f(row(dst, i), row(dst, i-step), row(src, from))
	}
}

// cumulateLine is cumulateBlock of single elements; start tells whether to add or to multiply.
func cumulateLine[T number](dst, src []T, first, step int, start T, exclusive bool) {
	acc := start
	for i := first; i >= 0 && i < len(src); i += step {
		x, before := src[i], acc
		if start == 0 {
			acc += x
		} else {
			acc *= x
		}
		if dst[i] = acc; exclusive {
			dst[i] = before
		}
	}
}
