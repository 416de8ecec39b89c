package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
)

// Relu, LeakyRelu, Sigmoid, Tanh, Softplus, Erf: https://onnx.ai/onnx/operators/onnx__Relu.html and so on.
func init() {
	// y = max(x, 0); dx = dy where y > 0
	unary("Relu", 6, numbers, nil, signedUnary(func(dst, src []float32) { kernel.ClipTo(dst, src, 0, float32(math.Inf(1))) }, relu[float64], relu[int32], relu[int64]),
		back(byResult),
		tested(func() []Case {
			return []Case{
				{In: in(f64v(1, -2, 3)), Out: in(f64v(1, 0, 3))},
				{Name: "NaN stays", In: in(f32v(float32(math.NaN()))), Out: in(f32v(float32(math.NaN())))},
			}
		})...)

	// y = x where x >= 0, alpha·x elsewhere
	unary("LeakyRelu", 6, floats, []string{"alpha"}, compileLeakyRelu, back(leakyResult, "alpha"),
		tested(func() []Case {
			return []Case{
				{In: in(f64v(1, -2, 3)), Out: in(f64v(1, -.02, 3)), Tol: 1e-6},
				{Name: "alpha", Attrs: []graph.Attr{graph.FloatAttr("alpha", .5)}, In: in(f64v(1, -2)), Out: in(f64v(1, -1))},
			}
		})...)

	// y = 1/(1+e^-x); dx = dy·y·(1-y)
	unary("Sigmoid", 6, floats, nil, floatUnary(kernel.Sigmoid, mapped[float64](Logistic)),
		back(byResult),
		tested(func() []Case {
			return []Case{{In: in(f64v(0, 2, -800, 800)), Out: in(f64v(.5, 1/(1+math.Exp(-2)), 0, 1))}}
		})...)

	// dx = dy·(1-y²)
	unary("Tanh", 6, floats, nil, floatUnary(kernel.Tanh, mapped[float64](math.Tanh)),
		back(byResult),
		tested(func() []Case {
			return []Case{{In: in(f64v(0, 1, -.5)), Out: in(f64v(0, math.Tanh(1), -math.Tanh(.5)))}}
		})...)

	// y = ln(1+e^x); dx = dy·sigmoid x
	unary("Softplus", 1, floats, nil, realUnary(func(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }),
		back(byInput),
		tested(func() []Case {
			return []Case{{In: in(f64v(0, 1, -1, 900)), Out: in(f64v(math.Ln2, math.Log1p(math.E), math.Log1p(math.Exp(-1)), 900))}}
		})...)

	// dx = dy·2/√π·e^(-x²)
	unary("Erf", 9, floats, nil, floatUnary(kernel.Erf, mapped[float64](math.Erf)),
		back(byInput),
		tested(func() []Case {
			return []Case{{In: in(f64v(0, 1, -.5)), Out: in(f64v(0, math.Erf(1), -math.Erf(.5)))}}
		})...)
}

// Logistic is 1/(1+e^-x), without overflow.
func Logistic(x float64) float64 {
	if x < 0 {
		e := math.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}

func relu[T number](dst, src []T) {
	dst = dst[:len(src)]
	for i, x := range src {
		if x < 0 {
			x = 0
		}
		dst[i] = x
	}
}

func compileLeakyRelu(n *graph.Node, site *Site) (Kernel, error) {
	if err := kind(n, "alpha", graph.AttrFloat); err != nil {
		return nil, err
	}
	alpha := n.Float("alpha", .01)
	return floatUnary(func(dst, src []float32) { kernel.LeakyTo(dst, src, alpha) }, leaky(float64(alpha)))(n, site)
}

func leaky(alpha float64) func(dst, src []float64) {
	return func(dst, src []float64) {
		dst = dst[:len(src)]
		for i, x := range src {
			if x < 0 {
				x *= alpha
			}
			dst[i] = x
		}
	}
}
