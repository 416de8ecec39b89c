package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Softmax, LogSoftmax: y = e^x / Σe^x along axis, and its logarithm; before opset 13 along all dimensions from axis on.
// https://onnx.ai/onnx/operators/onnx__Softmax.html
func init() {
	x := f64s([]int{2, 2, 2}, 1, 2, 3, 5, -1, 0, 0, 800)
	e1, e2 := math.Exp(1), math.Exp(2)
	half, most := 1/(1+e1), e1/(1+e1)
	axis := func(v int64) []graph.Attr { return []graph.Attr{graph.IntAttr("axis", v)} }
	soft := func(name string, log bool, newer, older []Case) {
		compile := func(n *graph.Node, site *Site) (Kernel, error) {
			if site.Types[0].DType == tensor.Float32 {
				return softmaxKernel(n, site, tensor.Data[float32], log), nil
			}
			return softmaxKernel(n, site, tensor.Data[float64], log), nil
		}
		register(&Spec{Name: name, Since: 13, Half: true, Attrs: []string{"axis"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferSoftmax, Compile: compile, Grad: differentiable(gradSoftmax(false)), Cases: newer})
		register(&Spec{Name: name, Since: 1, Half: true, Attrs: []string{"axis"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferSoftmax, Compile: compile, Grad: differentiable(gradSoftmax(true)), Cases: older})
	}
	soft("Softmax", false, tested(func() []Case {
		return []Case{
			{In: in(x), Out: in(f64s([]int{2, 2, 2}, half, most, 1/(1+e2), e2/(1+e2), half, most, 0, 1))},
			{Name: "middle", Attrs: axis(1), In: in(f64s([]int{1, 2, 2}, 0, 2, 1, 3)), Out: in(f64s([]int{1, 2, 2}, half, half, most, most))},
			{Name: "float32", In: in(f32v(0, 1)), Out: in(f32v(float32(half), float32(most)))},
		}
	}), tested(func() []Case {
		return []Case{
			{Opset: 11, In: in(f64s([]int{1, 1, 2}, 0, 1)), Out: in(f64s([]int{1, 1, 2}, half, most))},
			{Name: "flattens", Opset: 11, Attrs: axis(0), In: in(f64s([]int{2, 1}, 0, 1)), Out: in(f64s([]int{2, 1}, half, most))},
		}
	}))
	soft("LogSoftmax", true, tested(func() []Case {
		return []Case{
			{In: in(f64v(0, 1)), Out: in(f64v(math.Log(half), math.Log(most)))},
			{Name: "rows", Attrs: axis(0), In: in(f64s([]int{2, 2}, 0, 800, 1, 0)), Out: in(f64s([]int{2, 2}, math.Log(half), 0, math.Log(most), -800))},
		}
	}), tested(func() []Case {
		return []Case{{Name: "flattens", Opset: 11, Attrs: axis(0), In: in(f64s([]int{2, 1}, 0, 1)), Out: in(f64s([]int{2, 1}, math.Log(half), math.Log(most)))}}
	}))
}

func inferSoftmax(n *graph.Node, site *Site) ([]tensor.Type, error) {
	t := site.Types[0]
	if err := kind(n, "axis", graph.AttrInt); err != nil {
		return nil, err
	}
	if !t.Unranked {
		if _, err := axisOf(n.Op, softmaxAxis(n, site), len(t.Dims)); err != nil && len(t.Dims) > 0 {
			return nil, err
		}
	}
	return []tensor.Type{t}, oneOf(n, t, floats...)
}

func softmaxAxis(n *graph.Node, site *Site) int64 {
	if site.Opset < 13 {
		return n.Int("axis", 1)
	}
	return n.Int("axis", -1)
}

func softmaxKernel[T float](n *graph.Node, site *Site, data lane[T], log bool) Kernel {
	wanted, flatten, op, threads := softmaxAxis(n, site), site.Opset < 13, n.Op, site.Threads
	var runs kept[softmaxRun[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		outer, length, inner, err := softmaxSizes(op, shape, wanted, flatten)
		if err != nil {
			return err
		}
		dst, src := data(out[0]), data(in[0])
		if len(dst) == 0 {
			return nil
		}
		if len(src) <= dearGrain {
			softmaxes(dst, src, length, inner, 0, outer, log)
			return nil
		}
		r := runs.take()
		*r = softmaxRun[T]{dst, src, length, inner, log}
		err = sweep(ctx, threads, outer, max(1, dearGrain/(length*inner)), r)
		runs.put(r)
		return err
	}
}

// softmaxSizes splits a shape (outer, length, inner) along an axis, or with flatten from it on.
func softmaxSizes(op string, shape []int, wanted int64, flatten bool) (outer, length, inner int, err error) {
	if len(shape) == 0 {
		return 1, 1, 1, nil
	}
	axis, err := axisOf(op, wanted, len(shape))
	if err != nil {
		return 0, 0, 0, err
	}
	outer, inner = around(shape, axis)
	if length = shape[axis]; flatten {
		length, inner = length*inner, 1
	}
	return outer, length, inner, nil
}

type softmaxRun[T float] struct {
	dst, src      []T
	length, inner int
	log           bool
}

// Do does some of the outer places.
func (r *softmaxRun[T]) Do(lo, hi int) { softmaxes(r.dst, r.src, r.length, r.inner, lo, hi, r.log) }

// softmaxBeside normalises src (length, inner) along length; lean builds leave it out.
var softmaxBeside func(dst, src []float32, length, inner int, log bool)

// softmaxes normalises src (…, length, inner) along length, from lo to hi of the rest.
func softmaxes[T float](dst, src []T, length, inner, lo, hi int, log bool) {
	d32, _ := any(dst).([]float32)
	s32, fast := any(src).([]float32)
	if fast && inner == 1 && !log {
		kernel.SoftmaxRows(d32[lo*length:hi*length], s32[lo*length:hi*length], length)
		return
	}
	for at := lo * length * inner; at < hi*length*inner; at += length * inner {
		if fast && inner == 1 {
			kernel.LogSoftmax(d32[at:at+length], s32[at:at+length])
			continue
		}
		if fast && softmaxBeside != nil && inner > 4 {
			softmaxBeside(d32[at:at+length*inner], s32[at:at+length*inner], length, inner, log)
			continue
		}
		for i := range inner {
			softmax(dst[at+i:], src[at+i:], length, inner, log)
		}
	}
}

// softmax normalises n elements that lie step apart. The greatest is taken off first, so that e^x does not overflow.
func softmax[T float](dst, src []T, n, step int, log bool) {
	top := T(math.Inf(-1))
	for i := 0; i < n*step; i += step {
		top = max(top, src[i])
	}
	var sum float64
	for i := 0; i < n*step; i += step {
		e := math.Exp(float64(src[i] - top))
		sum += e
		dst[i] = T(e)
	}
	if log {
		shift := math.Log(sum)
		for i := 0; i < n*step; i += step {
			dst[i] = T(float64(src[i]-top) - shift)
		}
		return
	}
	factor := T(1 / sum)
	for i := 0; i < n*step; i += step {
		dst[i] *= factor
	}
}

// gradSoftmax is that of Softmax and LogSoftmax, by the result; before opset 13 it flattens.
func gradSoftmax(flattens bool) gradFunc {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		attrs := []graph.Attr{graph.IntAttr("axis", n.Int("axis", -1))}
		if flattens {
			attrs = []graph.Attr{graph.IntAttr("axis", n.Int("axis", 1)), graph.IntAttr("flatten", 1)}
		}
		return b.Node(Private, n.Op+"Grad", []graph.Value{dy[0], n.Outputs[0]}, 1, attrs...), nil
	}
}

// ArgMax, ArgMin: the place of the greatest (least) element along axis; select_last_index=1 takes the last of equals.
// https://onnx.ai/onnx/operators/onnx__ArgMax.html
func init() {
	six := f64s([]int{2, 3}, 1, 5, 5, 7, 2, 7)
	last := graph.IntAttr("select_last_index", 1)
	arg := func(name string, compile compileFunc, cases ...Case) {
		attrs := []string{"axis", "keepdims", "select_last_index"}
		register(&Spec{Name: name, Since: 12, Half: true, Attrs: attrs, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferArg, Compile: compile, Cases: cases})
		register(&Spec{Name: name, Since: 1, Half: true, Attrs: attrs[:2], In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferArg, Compile: compile, Cases: tested(func() []Case {
			return []Case{
				{Opset: 11, In: in(i64s([]int{2, 1}, 3, 3)), Out: in(i64s([]int{1, 1}, 0))},
			}
		})})
	}
	arg("ArgMax", argKernels(1),
		tested(func() []Case {
			return []Case{
				{Attrs: []graph.Attr{graph.IntAttr("axis", 1)}, In: in(six), Out: in(i64s([]int{2, 1}, 1, 0))},
				{Name: "last", Attrs: []graph.Attr{graph.IntAttr("axis", -1), last, graph.IntAttr("keepdims", 0)}, In: in(six), Out: in(i64v(2, 2))},
				{Name: "axis 0", In: in(i64s([]int{2, 1}, 1, 3)), Out: in(i64s([]int{1, 1}, 1))},
			}
		})...)
	arg("ArgMin", argKernels(-1),
		tested(func() []Case {
			return []Case{{Attrs: []graph.Attr{graph.IntAttr("axis", 1), graph.IntAttr("keepdims", 0)}, In: in(six), Out: in(i64v(0, 1))}}
		})...)
}

func inferArg(n *graph.Node, site *Site) ([]tensor.Type, error) {
	t := site.Types[0]
	if err := kinds(n, graph.AttrInt, "axis", "keepdims", "select_last_index"); err != nil {
		return nil, err
	}
	if err := oneOf(n, t, numbers...); err != nil {
		return nil, err
	}
	if t.Unranked {
		return []tensor.Type{unranked(tensor.Int64)}, nil
	}
	axis, err := axisOf(n.Op, n.Int("axis", 0), len(t.Dims))
	if err != nil {
		return nil, err
	}
	dims := append([]tensor.Dim{}, t.Dims[:axis]...)
	if n.Int("keepdims", 1) != 0 {
		dims = append(dims, tensor.Dim{Size: 1})
	}
	return []tensor.Type{{DType: tensor.Int64, Dims: append(dims, t.Dims[axis+1:]...)}}, nil
}

func argKernels(sign int) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d {
		case tensor.Float32:
			return argKernel(n, tensor.Data[float32], sign), nil
		case tensor.Float64:
			return argKernel(n, tensor.Data[float64], sign), nil
		case tensor.Int32:
			return argKernel(n, tensor.Data[int32], sign), nil
		case tensor.Int64:
			return argKernel(n, tensor.Data[int64], sign), nil
		default:
			return rare(n, site)
		}
	}
}

func argKernel[T number](n *graph.Node, data lane[T], sign int) Kernel {
	wanted, keep, last, op := n.Int("axis", 0), n.Int("keepdims", 1) != 0, n.Int("select_last_index", 0) != 0, n.Op
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		axis, err := axisOf(op, wanted, len(shape))
		if err != nil {
			return err
		}
		var buf [MaxRank]int
		to := append(buf[:0], shape[:axis]...)
		if keep {
			to = append(to, 1)
		}
		to = append(to, shape[axis+1:]...)
		if err := Reset(ctx, out[0], tensor.Int64, to...); err != nil {
			return err
		}
		dst, src, length := out[0].I64(), data(in[0]), shape[axis]
		if len(dst) > 0 && length == 0 {
			return misfit(op, "an axis of length 0")
		}
		_, inner := around(shape, axis)
		for k := range dst {
			at := k/inner*length*inner + k%inner
			best, place := src[at], 0
			for i := 1; i < length; i++ {
				x := src[at+i*inner]
				if x == best && last || sign > 0 && x > best || sign < 0 && x < best {
					best, place = x, i
				}
			}
			dst[k] = int64(place)
		}
		return nil
	}
}
