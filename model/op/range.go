//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Range: y[i] = start + i·delta for as long as it has not reached limit. https://onnx.ai/onnx/operators/onnx__Range.html
// Half precision is computed in float32, as stash_type=1 asks for.
// EyeLike: ones on the diagonal k of a matrix of the shape of x. https://onnx.ai/onnx/operators/onnx__EyeLike.html
func init() {
	one := func(v int64) *tensor.Tensor { return i64s(nil, v) }
	infer := func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		if err := kind(n, "stash_type", graph.AttrInt); err != nil {
			return nil, err
		}
		if v := n.Int("stash_type", 1); v != 1 && v != 11 {
			return nil, refuseAttr(n, "stash_type", itoa(v))
		}
		if err := sameDType(n, site, 0); err != nil {
			return nil, err
		}
		d := site.Types[0].DType
		return []tensor.Type{tensor.TypeOf(d, tensor.Free)}, oneOf(n, site.Types[0], append([]tensor.DType{tensor.Int16}, signed...)...)
	}
	register(&Spec{Name: "Range", Since: 11, Half: true, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: infer, Compile: compileRange, Grad: gradRange, Cases: []Case{
		{In: in(one(3), one(10), one(3)), Out: in(i64v(3, 6, 9))},
		{Name: "down", In: in(f64s(nil, 1), f64s(nil, -1), f64s(nil, -.75)), Out: in(f64v(1, .25, -.5))},
		{Name: "nothing", In: in(one(3), one(3), one(1)), Out: in(i64s([]int{0}))},
		{Name: "away", In: in(one(3), one(9), one(-1)), Out: in(i64s([]int{0}))},
		{Name: "far", In: in(one(math.MinInt64), one(math.MaxInt64), one(math.MaxInt64)), Out: in(i64v(math.MinInt64, -1, math.MaxInt64-1))},
		{Name: "standing", In: in(one(3), one(9), one(0)), Err: "delta"},
		{Name: "absurd", In: in(one(0), one(math.MaxInt64), one(1)), Err: "2^40"},
	}})
	register(&Spec{Name: "Range", Since: 27, Half: true, Attrs: []string{"stash_type"}, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: infer, Compile: compileRange, Grad: gradRange, Cases: []Case{
		{In: in(f32s(nil, 1), f32s(nil, 2), f32s(nil, .5)), Out: in(f32v(1, 1.5))},
		{Name: "float64", In: in(f64s(nil, 1), f64s(nil, 2), f64s(nil, .4)), Out: in(f64v(1, 1.4, 1.8))},
	}})

	x := i64s([]int{2, 3}, 0, 0, 0, 0, 0, 0)
	register(&Spec{Name: "EyeLike", Since: 9, Attrs: []string{"dtype", "k"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferEye, Compile: compileEye, Cases: []Case{
		{In: in(x), Out: in(i64s([]int{2, 3}, 1, 0, 0, 0, 1, 0))},
		{Name: "above", Attrs: []graph.Attr{graph.IntAttr("k", 1), graph.IntAttr("dtype", 11)}, In: in(x), Out: in(f64s([]int{2, 3}, 0, 1, 0, 0, 0, 1))},
		{Name: "below", Attrs: []graph.Attr{graph.IntAttr("k", -1)}, In: in(x), Out: in(i64s([]int{2, 3}, 0, 0, 0, 1, 0, 0))},
		{Name: "far away", Attrs: []graph.Attr{graph.IntAttr("k", math.MinInt64)}, In: in(x), Out: in(i64s([]int{2, 3}, 0, 0, 0, 0, 0, 0))},
		{Name: "vector", In: in(i64v(1)), Err: "matrix"},
	}})
}

func compileRange(n *graph.Node, site *Site) (Kernel, error) {
	switch d := site.Types[0].DType; d {
	case tensor.Float32:
		return rangeKernel(tensor.Data[float32], floatSteps[float32]), nil
	case tensor.Float64:
		return rangeKernel(tensor.Data[float64], floatSteps[float64]), nil
	case tensor.Int16:
		return rangeKernel(tensor.Data[int16], wholeSteps[int16]), nil
	case tensor.Int32:
		return rangeKernel(tensor.Data[int32], wholeSteps[int32]), nil
	case tensor.Int64:
		return rangeKernel(tensor.Data[int64], wholeSteps[int64]), nil
	default:
		return nil, refuse(n, d)
	}
}

// floatSteps is the number of elements; NaN where there is no answer.
func floatSteps[T float](start, limit, delta T) float64 {
	return math.Ceil((float64(limit) - float64(start)) / float64(delta))
}

// wholeSteps is the number of elements, exact below 2^53.
func wholeSteps[T int16 | int32 | int64](start, limit, delta T) float64 {
	a, b, step := uint64(int64(start)), uint64(int64(limit)), uint64(int64(delta))
	if delta < 0 {
		a, b, step = b, a, -step
	}
	if int64(a) >= int64(b) {
		return 0
	}
	return float64((b-a-1)/step + 1)
}

func rangeKernel[T number](data lane[T], steps func(start, limit, delta T) float64) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		var v [3]T
		for i, t := range in {
			if t.Len() != 1 {
				return misfit("Range", "an input that is not a scalar")
			}
			v[i] = data(t)[0]
		}
		start, delta := v[0], v[2]
		if delta == 0 {
			return misfit("Range", "a delta of 0")
		}
		n := steps(start, v[1], delta)
		if n != n {
			return misfit("Range", "bounds that are no numbers")
		}
		if n > 1<<40 {
			return fault.New(fault.TooLarge, "Range: more than 2^40 elements")
		}
		if err := Reset(ctx, out[0], in[0].DType(), int(max(n, 0))); err != nil {
			return err
		}
		dst := data(out[0])
		for lo := 0; lo < len(dst) && ctx.Err() == nil; lo += cheapGrain {
			for i := lo; i < min(lo+cheapGrain, len(dst)); i++ {
				dst[i] = start + T(i)*delta
			}
		}
		return ctx.Err()
	}
}

func inferEye(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "dtype", "k"); err != nil {
		return nil, err
	}
	t := site.Types[0]
	d := t.DType
	if v := n.Int("dtype", 0); v != 0 {
		if v < 0 || v > int64(tensor.BFloat16) {
			return nil, refuseAttr(n, "dtype", itoa(v))
		}
		d = tensor.DType(v)
	}
	if !d.Known() || d == tensor.String || d == tensor.Complex64 || d == tensor.Complex128 {
		return nil, refuse(n, d)
	}
	if !t.Unranked && len(t.Dims) != 2 {
		return nil, bad(n, "an input that is no matrix: "+t.String())
	}
	t.DType = d
	return []tensor.Type{t}, nil
}

func compileEye(n *graph.Node, site *Site) (Kernel, error) {
	types, err := inferEye(n, site)
	if err != nil {
		return nil, err
	}
	d, k := types[0].DType, n.Int("k", 0)
	one, wide := tensor.New(d), f64s(nil, 1)
	if err := castInto(one, wide); err != nil {
		return nil, err
	}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		if len(shape) != 2 {
			return misfit("EyeLike", "an input that is no matrix: "+shapeText(shape))
		}
		if err := Reset(ctx, out[0], d, shape...); err != nil {
			return err
		}
		clear(out[0].Bytes())
		rows, columns := int64(shape[0]), int64(shape[1])
		if k <= -rows || k >= columns {
			return nil
		}
		for i := max(0, -k); i < min(rows, columns-k); i++ {
			moveBlock(out[0], int(i*columns+i+k), one, 0, 1)
		}
		return nil
	}, nil
}
