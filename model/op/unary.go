package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

type (
	compileFunc = func(*graph.Node, *Site) (Kernel, error)
	gradFunc    = func(*graph.Builder, *graph.Node, []graph.Value) ([]graph.Value, error)
)

// unary registers y = f(x), element by element.
func unary(name string, since int64, types []tensor.DType, attrs []string, compile compileFunc, grad gradFunc, cases ...Case) {
	register(&Spec{Name: name, Since: since, Half: true, Attrs: attrs, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: like(types...), Compile: compile, Grad: differentiable(grad), Cases: cases})
}

// chain makes the gradient of y = f(x) from a function that gives dx from x, y and dy.
func chain(f func(b *graph.Builder, x, y, dy graph.Value) graph.Value) gradFunc {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		return []graph.Value{f(b, n.Inputs[0], n.Outputs[0], dy[0])}, nil
	}
}

// scalarLike makes the constant v with the element type of x.
func scalarLike(b *graph.Builder, v float32, x graph.Value) graph.Value {
	return b.Op("CastLike", b.Scalar("c", v), x)
}

// keptOutput is output i of n, which is kept for the way back where nobody else uses it.
func keptOutput(b *graph.Builder, n *graph.Node, i int) graph.Value {
	for len(n.Outputs) <= i {
		n.Outputs = append(n.Outputs, "")
	}
	if n.Outputs[i] == "" {
		n.Outputs[i] = b.Fresh(n.Op)
	}
	return n.Outputs[i]
}

// Exp, Log, Sqrt, Neg, Abs, Sign, Floor, Ceil, Reciprocal: https://onnx.ai/onnx/operators/onnx__Exp.html and so on.
func init() {
	unary("Exp", 6, floats, nil, floatUnary(kernel.Exp, mapped[float64](math.Exp)), // dx = dy·y
		chain(func(b *graph.Builder, x, y, dy graph.Value) graph.Value { return b.Op("Mul", dy, y) }),
		tested(func() []Case {
			return []Case{
				{In: in(f64v(0, 1, -2)), Out: in(f64v(1, math.E, math.Exp(-2)))},
				{Name: "float32", In: in(f32v(0, 1)), Out: in(f32v(1, math.E))},
			}
		})...)
	unary("Log", 6, floats, nil, realUnary(math.Log), // dx = dy/x
		chain(func(b *graph.Builder, x, y, dy graph.Value) graph.Value { return b.Op("Div", dy, x) }),
		tested(func() []Case { return []Case{{In: in(f64v(1, math.E, .5)), Out: in(f64v(0, 1, -math.Ln2))}} })...)
	unary("Sqrt", 6, floats, nil, realUnary(math.Sqrt), // dx = dy/(2y)
		chain(func(b *graph.Builder, x, y, dy graph.Value) graph.Value { return b.Op("Div", dy, b.Op("Add", y, y)) }),
		tested(func() []Case { return []Case{{In: in(f64v(1, 4, .25)), Out: in(f64v(1, 2, .5))}} })...)
	unary("Neg", 6, numbers, nil, signedUnary(neg[float32], neg[float64], neg[int32], neg[int64]), // dx = -dy
		chain(func(b *graph.Builder, x, y, dy graph.Value) graph.Value { return b.Op("Neg", dy) }),
		tested(func() []Case {
			return []Case{{In: in(f64v(1, -4)), Out: in(f64v(-1, 4))}, {Name: "ints", In: in(i64v(1, -4)), Out: in(i64v(-1, 4))}}
		})...)
	unary("Abs", 6, numbers, nil, signedUnary(abs[float32], abs[float64], abs[int32], abs[int64]), // dx = dy·sign x
		chain(func(b *graph.Builder, x, y, dy graph.Value) graph.Value { return b.Op("Mul", dy, b.Op("Sign", x)) }),
		tested(func() []Case {
			return []Case{{In: in(f64v(1, -4)), Out: in(f64v(1, 4))}, {Name: "ints", In: in(i64v(1, -4)), Out: in(i64v(1, 4))}}
		})...)
	unary("Sign", 9, numbers, nil, signedUnary(sign[float32], sign[float64], sign[int32], sign[int64]), nil,
		tested(func() []Case {
			return []Case{
				{In: in(f64v(1, -4)), Out: in(f64v(1, -1))},
				{Name: "zero", In: in(f64v(0, math.NaN())), Out: in(f64v(0, math.NaN())), NoGrad: true},
			}
		})...)
	unary("Floor", 6, floats, nil, realUnary(math.Floor), nil,
		tested(func() []Case { return []Case{{In: in(f64v(1.5, -1.5, 2.25)), Out: in(f64v(1, -2, 2))}} })...)
	unary("Ceil", 6, floats, nil, realUnary(math.Ceil), nil,
		tested(func() []Case { return []Case{{In: in(f64v(1.5, -1.5, 2.25)), Out: in(f64v(2, -1, 3))}} })...)
	unary("Reciprocal", 6, floats, nil, realUnary(func(x float64) float64 { return 1 / x }), // dx = -dy·y²
		chain(func(b *graph.Builder, x, y, dy graph.Value) graph.Value {
			return b.Op("Neg", b.Op("Mul", dy, b.Op("Mul", y, y)))
		}),
		tested(func() []Case { return []Case{{In: in(f64v(2, -4)), Out: in(f64v(.5, -.25))}} })...)
}

// signedUnary compiles a function of signed numbers.
func signedUnary(f32 func(d, s []float32), f64 func(d, s []float64), i32 func(d, s []int32), i64 func(d, s []int64)) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d {
		case tensor.Float32:
			return mapKernel(site.Threads, cheapGrain, tensor.Data[float32], tensor.Data[float32], d, f32), nil
		case tensor.Float64:
			return mapKernel(site.Threads, cheapGrain, tensor.Data[float64], tensor.Data[float64], d, f64), nil
		case tensor.Int32:
			return mapKernel(site.Threads, cheapGrain, tensor.Data[int32], tensor.Data[int32], d, i32), nil
		case tensor.Int64:
			return mapKernel(site.Threads, cheapGrain, tensor.Data[int64], tensor.Data[int64], d, i64), nil
		default:
			return rare(n, site)
		}
	}
}

func neg[T number](dst, src []T) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = -x
	}
}

func abs[T number](dst, src []T) {
	dst = dst[:len(src)]
	for i, x := range src {
		if x <= 0 { // also turns -0 into 0
			x = 0 - x
		}
		dst[i] = x
	}
}

func sign[T number](dst, src []T) {
	dst = dst[:len(src)]
	one := T(1)
	for i, x := range src {
		switch {
		case x > 0:
			dst[i] = one
		case x < 0:
			dst[i] = -one
		default:
			dst[i] = x * 0 // 0, or NaN for NaN
		}
	}
}
