package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Equal, Less, LessOrEqual, Greater, GreaterOrEqual, And, Or, Xor, Not, IsNaN: tensors of truth values, not differentiable.
// https://onnx.ai/onnx/operators/onnx__Equal.html and so on. Equal takes strings from opset 19 in the standard; they
// are taken at any version, as onnxruntime does.
func init() {
	compare := func(name string, since int64, types []tensor.DType, compile compileFunc, cases ...Case) {
		register(&Spec{Name: name, Since: since, Half: true, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: broadcastInfer(tensor.Bool, types...), Compile: compile, Cases: cases})
	}
	compare("Equal", 7, append([]tensor.DType{tensor.Bool, tensor.String}, numbers...), compileEqual,
		tested(func() []Case {
			return []Case{
				{In: in(f32v(1, 2), f32v(1, 3)), Out: in(boolv(true, false))},
				{Name: "strings", In: in(strs([]int{2, 1}, "a", "b"), strv("a", "b")), Out: in(tensor.FromSlice(tensor.Bool, []bool{true, false, false, true}, 2, 2))},
				{Name: "bools", In: in(boolv(true, false), boolv(false)), Out: in(boolv(false, true))},
				{Name: "NaN", In: in(f32v(float32(math.NaN())), f32v(float32(math.NaN()))), Out: in(boolv(false))},
			}
		})...)
	compare("Less", 7, numbers, relation("Less", less[float32], less[float64], less[int32], less[int64]),
		tested(func() []Case { return []Case{{In: in(i64v(1, 2, 3), i64v(2)), Out: in(boolv(true, false, false))}} })...)
	compare("LessOrEqual", 12, numbers, relation("LessOrEqual", atMost[float32], atMost[float64], atMost[int32], atMost[int64]),
		tested(func() []Case { return []Case{{In: in(i64v(1, 2, 3), i64v(2)), Out: in(boolv(true, true, false))}} })...)
	compare("Greater", 7, numbers, relation("Greater", more[float32], more[float64], more[int32], more[int64]),
		tested(func() []Case { return []Case{{In: in(f32v(1, 2, 3), f32v(2)), Out: in(boolv(false, false, true))}} })...)
	compare("GreaterOrEqual", 12, numbers, relation("GreaterOrEqual", atLeast[float32], atLeast[float64], atLeast[int32], atLeast[int64]),
		tested(func() []Case { return []Case{{In: in(f32v(1, 2, 3), f32v(2)), Out: in(boolv(false, true, true))}} })...)

	logic := func(name string, f func(x, y bool) bool, cases ...Case) {
		compare(name, 7, []tensor.DType{tensor.Bool}, func(*graph.Node, *Site) (Kernel, error) {
			return binaryKernel(name, tensor.Data[bool], tensor.Data[bool], tensor.Bool, zip(f)), nil
		}, cases...)
	}
	logic("And", func(x, y bool) bool { return x && y }, tested(func() []Case {
		return []Case{{In: in(boolv(true, false), boolv(true)), Out: in(boolv(true, false))}}
	})...)
	logic("Or", func(x, y bool) bool { return x || y }, tested(func() []Case {
		return []Case{{In: in(boolv(true, false), boolv(false)), Out: in(boolv(true, false))}}
	})...)
	logic("Xor", func(x, y bool) bool { return x != y }, tested(func() []Case {
		return []Case{{In: in(boolv(true, false), boolv(true)), Out: in(boolv(false, true))}}
	})...)

	unary("Not", 1, []tensor.DType{tensor.Bool}, nil, func(*graph.Node, *Site) (Kernel, error) {
		return unaryKernel(tensor.Data[bool], tensor.Data[bool], tensor.Bool, func(dst, src []bool) {
			for i, x := range src {
				dst[i] = !x
			}
		}), nil
	}, nil, tested(func() []Case { return []Case{{In: in(boolv(true, false)), Out: in(boolv(false, true))}} })...)

	register(&Spec{
		Name: "IsNaN", Since: 9, Half: true, In: Arity{1, 1}, Out: Arity{1, 1}, Compile: compileIsNaN,
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			t := site.Types[0]
			if err := oneOf(n, t, nanTypes...); err != nil {
				return nil, err
			}
			t.DType = tensor.Bool
			return []tensor.Type{t}, nil
		},
		Cases: tested(func() []Case { return []Case{{In: in(f32v(1, float32(math.NaN()))), Out: in(boolv(false, true))}} }),
	})
}

// relation compiles a comparison of numbers.
func relation(op string, f32 pair[float32, bool], f64 pair[float64, bool], i32 pair[int32, bool], i64 pair[int64, bool]) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d {
		case tensor.Float32:
			return pairKernel(op, site.Threads, tensor.Data[float32], tensor.Data[bool], tensor.Bool, f32), nil
		case tensor.Float64:
			return pairKernel(op, site.Threads, tensor.Data[float64], tensor.Data[bool], tensor.Bool, f64), nil
		case tensor.Int32:
			return pairKernel(op, site.Threads, tensor.Data[int32], tensor.Data[bool], tensor.Bool, i32), nil
		case tensor.Int64:
			return pairKernel(op, site.Threads, tensor.Data[int64], tensor.Data[bool], tensor.Bool, i64), nil
		default:
			return rare(n, site)
		}
	}
}

func compileEqual(n *graph.Node, site *Site) (Kernel, error) {
	switch site.Types[0].DType {
	case tensor.String:
		return binaryKernel("Equal", texts, tensor.Data[bool], tensor.Bool, equal[string]), nil
	case tensor.Bool:
		return binaryKernel("Equal", tensor.Data[bool], tensor.Data[bool], tensor.Bool, equal[bool]), nil
	}
	return relation("Equal", equal[float32], equal[float64], equal[int32], equal[int64])(n, site)
}

// nanTypes are the types with NaN, half precision aside.
var nanTypes = []tensor.DType{tensor.Float32, tensor.Float64, tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ}

func compileIsNaN(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return mapKernel(site.Threads, cheapGrain, tensor.Data[float32], tensor.Data[bool], tensor.Bool, isNaN[float32]), nil
	}
	if site.Types[0].DType != tensor.Float64 {
		return rare(n, site)
	}
	return mapKernel(site.Threads, cheapGrain, tensor.Data[float64], tensor.Data[bool], tensor.Bool, isNaN[float64]), nil
}

func isNaN[T float](dst []bool, src []T) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = x != x
	}
}

func equal[T comparable](dst []bool, a, b []T) { zip(func(x, y T) bool { return x == y })(dst, a, b) }

func less[T number](dst []bool, a, b []T) { zip(func(x, y T) bool { return x < y })(dst, a, b) }

func atMost[T number](dst []bool, a, b []T) { zip(func(x, y T) bool { return x <= y })(dst, a, b) }

func more[T number](dst []bool, a, b []T) { zip(func(x, y T) bool { return x > y })(dst, a, b) }

func atLeast[T number](dst []bool, a, b []T) { zip(func(x, y T) bool { return x >= y })(dst, a, b) }
