//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ReduceProd, ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum, ReduceLogSumExp: Πx, Σ|x|, √Σx², Σx², ln Σx and ln Σe^x over axes, as
// ReduceSum reads them. Over nothing the product is 1, the sums are 0, their logarithms -∞. Integers are truncated at the end.
// https://onnx.ai/onnx/operators/onnx__ReduceProd.html and so on.
func init() {
	six := f64s([]int{2, 3}, 1, 2, 3, 4, 5, 7)
	mixed := f64s([]int{2, 2}, -1, 2, 3, -4)
	noop := graph.IntAttr("noop_with_empty_axes", 1)
	old := []graph.Attr{graph.IntsAttr("axes", 1), graph.IntAttr("keepdims", 0)}
	more := func(name string, compile compileFunc, grad gradFunc, newer []Case, older ...Case) {
		for i := range newer {
			newer[i].Opset = 18
		}
		for i := range older {
			older[i].Attrs = old
		}
		reduceFamily(name, 18, sumTypes, compile, grad, newer, older)
	}
	more("ReduceProd", reducingAll(prodOf[float32], prodOf[float64], prodOf[int32], prodOf[int64], prodOf[uint32], prodOf[uint64]), gradReduceProd,
		[]Case{
			{In: in(six, i64v(1)), Out: in(f64s([]int{2, 1}, 6, 140))},
			{Name: "zeros", Attrs: []graph.Attr{graph.IntAttr("keepdims", 0)}, In: in(f64s([]int{3, 3}, 2, 3, 4, 0, 5, 0, 6, 7, 0), i64v(0)), Out: in(f64v(0, 105, 0))},
			{Name: "all", In: in(f64s([]int{2, 1, 2}, 2, 3, 0, 5)), Out: in(f64s([]int{1, 1, 1}, 0))},
			{Name: "nothing", In: in(f64s([]int{1, 0}), i64v(1)), Out: in(f64s([]int{1, 1}, 1))},
		},
		Case{Name: "real", In: in(mixed), Out: in(f64v(-2, -12))}, Case{In: in(i64s([]int{1, 2}, 3, -5)), Out: in(i64v(-15))})
	more("ReduceL1", reducingAll(absSumOf[float32], absSumOf[float64], absSumOf[int32], absSumOf[int64], absSumOf[uint32], absSumOf[uint64]),
		gradReduceBy(func(b *graph.Builder, x, y, dy graph.Value) graph.Value { return b.Op("Mul", dy, b.Op("Sign", x)) }), // dx = dy·sign x
		[]Case{{In: in(mixed, i64v(1)), Out: in(f64s([]int{2, 1}, 3, 7))}, {Name: "no axes", Attrs: []graph.Attr{noop}, In: in(mixed), Out: in(f64s([]int{2, 2}, 1, 2, 3, 4))}},
		Case{In: in(mixed), Out: in(f64v(3, 7))})
	more("ReduceSumSquare", reducingAll(squaresOf[float32], squaresOf[float64], squaresOf[int32], squaresOf[int64], squaresOf[uint32], squaresOf[uint64]),
		gradReduceBy(func(b *graph.Builder, x, y, dy graph.Value) graph.Value { return b.Op("Mul", dy, b.Op("Add", x, x)) }), // dx = dy·2x
		[]Case{{In: in(mixed, i64v(0)), Out: in(f64s([]int{1, 2}, 10, 20))}}, Case{In: in(mixed), Out: in(f64v(5, 25))})
	more("ReduceL2", reducingAll(rootOf[float32], rootOf[float64], rootOf[int32], rootOf[int64], rootOf[uint32], rootOf[uint64]),
		gradReduceBy(func(b *graph.Builder, x, y, dy graph.Value) graph.Value {
			y = b.Op("Where", b.Op("Equal", y, scalarLike(b, 0, y)), scalarLike(b, 1, y), y) // at 0 there is no slope: 0 stands for it
			return b.Op("Mul", x, b.Op("Div", dy, y))                                        // dx = dy·x/y
		}),
		[]Case{{In: in(mixed, i64v(1)), Out: in(f64s([]int{2, 1}, math.Sqrt(5), 5))}, {Name: "ints", In: in(i32v(2, 2)), Out: in(i32v(2))}},
		Case{In: in(mixed), Out: in(f64v(math.Sqrt(5), 5))})
	more("ReduceLogSum", reducingAll(logOf[float32], logOf[float64], logOf[int32], logOf[int64], logOf[uint32], logOf[uint64]),
		gradReduceBy(func(b *graph.Builder, x, y, dy graph.Value) graph.Value { // dx = dy/e^y, in the shape of x
			return b.Op("Expand", b.Op("Div", dy, b.Op("Exp", y)), b.Op("Shape", x))
		}),
		[]Case{{In: in(six, i64v(1)), Out: in(f64s([]int{2, 1}, math.Log(6), math.Log(16)))}, {Name: "nothing", In: in(f64s([]int{1, 0}), i64v(1)), Out: in(f64s([]int{1, 1}, math.Inf(-1)))}},
		Case{In: in(six), Out: in(f64v(math.Log(6), math.Log(16)))})
	more("ReduceLogSumExp", compileLogSumExp,
		gradReduceBy(func(b *graph.Builder, x, y, dy graph.Value) graph.Value { // dx = dy·e^(x-y)
			return b.Op("Mul", dy, b.Op("Exp", b.Op("Sub", x, y)))
		}),
		[]Case{
			{In: in(f64s([]int{2, 2}, 0, 1, 800, 800), i64v(1)), Out: in(f64s([]int{2, 1}, math.Log(1+math.E), 800+math.Ln2))},
			{Name: "nothing", In: in(f64s([]int{1, 0}), i64v(1)), Out: in(f64s([]int{1, 1}, math.Inf(-1)))},
			{Name: "infinities", NoGrad: true, In: in(f64s([]int{2, 2}, math.Inf(-1), math.Inf(-1), math.Inf(1), 1), i64v(1)), Out: in(f64s([]int{2, 1}, math.Inf(-1), math.Inf(1)))},
		},
		Case{In: in(six), Out: in(f64v(3+math.Log(1+math.Exp(-1)+math.Exp(-2)), 7+math.Log(1+math.Exp(-2)+math.Exp(-3))))})
}

// reducingAll is reducing for all of sumTypes.
func reducingAll(
	f32 func() reduction[float32], f64 func() reduction[float64], i32 func() reduction[int32], i64 func() reduction[int64],
	u32 func() reduction[uint32], u64 func() reduction[uint64],
) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch site.Types[0].DType {
		case tensor.Uint32:
			return reduceKernel(n, site, tensor.Data[uint32], u32()), nil
		case tensor.Uint64:
			return reduceKernel(n, site, tensor.Data[uint64], u64()), nil
		}
		return reducing(f32, f64, i32, i64)(n, site)
	}
}

func prodOf[T number]() reduction[T] {
	return reduction[T]{start: 1, take: func(dst, src []T) {
		if len(dst) == 1 {
			p := dst[0]
			for _, x := range src {
				p *= x
			}
			dst[0] = p
			return
		}
		for i, x := range src[:len(dst)] {
			dst[i] *= x
		}
	}}
}

func absSumOf[T number]() reduction[T] {
	return reduction[T]{take: func(dst, src []T) {
		if len(dst) == 1 {
			var s T
			for _, x := range src {
				if x < 0 {
					x = -x
				}
				s += x
			}
			dst[0] += s
			return
		}
		for i, x := range src[:len(dst)] {
			if x < 0 {
				x = -x
			}
			dst[i] += x
		}
	}}
}

func squaresOf[T number]() reduction[T] {
	return reduction[T]{take: func(dst, src []T) {
		if len(dst) == 1 {
			var s0, s1, s2, s3 T
			i := 0
			for ; i+4 <= len(src); i += 4 {
				s0, s1, s2, s3 = s0+src[i]*src[i], s1+src[i+1]*src[i+1], s2+src[i+2]*src[i+2], s3+src[i+3]*src[i+3]
			}
			for ; i < len(src); i++ {
				s0 += src[i] * src[i]
			}
			dst[0] += (s0 + s1) + (s2 + s3)
			return
		}
		for i, x := range src[:len(dst)] {
			dst[i] += x * x
		}
	}}
}

func rootOf[T number]() reduction[T] { return finished(squaresOf[T](), math.Sqrt) }
func logOf[T number]() reduction[T]  { return finished(sumOf[T](), math.Log) }

// finished puts f behind a reduction.
func finished[T number](r reduction[T], f func(float64) float64) reduction[T] {
	r.finish = func(dst []T, _ int) {
		for i, x := range dst {
			dst[i] = T(f(float64(x)))
		}
	}
	return r
}

func compileLogSumExp(n *graph.Node, site *Site) (Kernel, error) {
	switch d := site.Types[0].DType; d {
	case tensor.Float32:
		return logSumExpKernel(n, site, tensor.Data[float32]), nil
	case tensor.Float64:
		return logSumExpKernel(n, site, tensor.Data[float64]), nil
	case tensor.Int32:
		return logSumExpKernel(n, site, tensor.Data[int32]), nil
	case tensor.Int64:
		return logSumExpKernel(n, site, tensor.Data[int64]), nil
	case tensor.Uint32:
		return logSumExpKernel(n, site, tensor.Data[uint32]), nil
	case tensor.Uint64:
		return logSumExpKernel(n, site, tensor.Data[uint64]), nil
	default:
		return nil, refuse(n, d)
	}
}

// lse is a sum of e^(x-top), where top is the greatest x: nothing overflows.
type lse struct{ top, sum float64 }

func logSumExpKernel[T number](n *graph.Node, site *Site, data lane[T]) Kernel {
	axes, _, _ := axesOf(n, site)
	keep, threads := n.Int("keepdims", 1) != 0, site.Threads
	var pool scratch[lse]
	var runs kept[walkRun[lse, T]]
	top, add := lseTop[T], lseAdd[T] // made once: as functions of a type parameter they would allocate in each run
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		l, err := layoutOf(n, in, axes, keep)
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), l.to[:l.rank]...); err != nil {
			return err
		}
		dst := data(out[0])
		held := pool.take(len(dst))
		defer pool.put(held)
		sums := *held
		fill(sums, lse{top: math.Inf(-1)})
		if err := walk(ctx, &runs, &l, threads, sums, data(in[0]), top); err != nil {
			return err
		}
		if err := walk(ctx, &runs, &l, threads, sums, data(in[0]), add); err != nil {
			return err
		}
		for i, s := range sums {
			if y := s.top; math.IsInf(y, 0) {
				dst[i] = T(y)
			} else {
				dst[i] = T(y + math.Log(s.sum))
			}
		}
		return nil
	}
}

func lseTop[T number](dst []lse, src []T) {
	if len(dst) == 1 {
		top := dst[0].top
		for _, x := range src {
			top = max(top, float64(x))
		}
		dst[0].top = top
		return
	}
	for i, x := range src[:len(dst)] {
		dst[i].top = max(dst[i].top, float64(x))
	}
}

func lseAdd[T number](dst []lse, src []T) {
	if len(dst) == 1 {
		top, sum := dst[0].top, 0.
		for _, x := range src {
			sum += math.Exp(float64(x) - top)
		}
		dst[0].sum += sum
		return
	}
	for i, x := range src[:len(dst)] {
		dst[i].sum += math.Exp(float64(x) - dst[i].top)
	}
}

// gradReduceBy makes a gradient from a function of x, and of y and dy in a shape that broadcasts to that of x.
func gradReduceBy(f func(b *graph.Builder, x, y, dy graph.Value) graph.Value) gradFunc {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		return withInputs(n, f(b, n.Inputs[0], spreadBack(b, n, n.Outputs[0]), spreadBack(b, n, dy[0]))), nil
	}
}
