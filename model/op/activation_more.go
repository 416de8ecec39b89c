//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Elu, Selu, Celu, Gelu, HardSigmoid, HardSwish, Mish, Swish, Softsign, ThresholdedRelu, Shrink.
// https://onnx.ai/onnx/operators/onnx__Elu.html and so on.
func init() {
	x := f64v(-1, .5, 2)
	alpha := func(v float32) []graph.Attr { return []graph.Attr{graph.FloatAttr("alpha", v)} }
	e := math.Exp(-1)

	// y = x where x > 0, alpha·(e^x - 1) elsewhere
	unary("Elu", 6, floats, []string{"alpha"}, curve(func(n *graph.Node) func(float64) float64 {
		a := float64(n.Float("alpha", 1))
		return func(x float64) float64 {
			if x > 0 {
				return x
			}
			return a * math.Expm1(x)
		}
	}, "alpha"), back(byInput, "alpha"),
		Case{In: in(x), Out: in(f64v(e-1, .5, 2))}, Case{Name: "alpha", Attrs: alpha(2), In: in(x), Out: in(f64v(2*e-2, .5, 2))})

	// y = gamma·x where x > 0, gamma·alpha·(e^x - 1) elsewhere
	unary("Selu", 6, floats, []string{"alpha", "gamma"}, curve(func(n *graph.Node) func(float64) float64 {
		a, g := float64(n.Float("alpha", 1.67326319217681884765625)), float64(n.Float("gamma", 1.05070102214813232421875))
		return func(x float64) float64 {
			if x > 0 {
				return g * x
			}
			return g * a * math.Expm1(x)
		}
	}, "alpha", "gamma"), back(byInput, "alpha", "gamma"),
		Case{In: in(x), Out: in(f64v(1.0507010221481323*1.6732631921768188*(e-1), .52535051, 2.10140204)), Tol: 1e-7})

	// y = max(0, x) + min(0, alpha·(e^(x/alpha) - 1))
	unary("Celu", 12, floats, []string{"alpha"}, curve(func(n *graph.Node) func(float64) float64 {
		a := float64(n.Float("alpha", 1))
		return func(x float64) float64 { return max(0, x) + min(0, a*math.Expm1(x/a)) }
	}, "alpha"), back(byInput, "alpha"),
		Case{Attrs: alpha(2), In: in(x), Out: in(f64v(2*math.Expm1(-.5), .5, 2))})

	// y = x·Φ(x), or its approximation by tanh: 0.5x(1 + tanh(√(2/π)(x + 0.044715x³)))
	unary("Gelu", 20, floats, []string{"approximate"}, compileGelu, back(byInput, "approximate"),
		Case{In: in(x), Out: in(f64v(-.158655253931457, .345731230646998, 1.954499736103642))},
		Case{Name: "tanh", Attrs: []graph.Attr{graph.StringAttr("approximate", "tanh")}, In: in(x), Out: in(f64v(-.158808009, .345714, 1.954597694)), Tol: 1e-6},
		Case{Name: "other", Attrs: []graph.Attr{graph.StringAttr("approximate", "sin")}, In: in(x), Err: "approximate"})

	// y = x·tanh(ln(1 + e^x))
	unary("Mish", 18, floats, nil, realUnary(func(x float64) float64 { return x * math.Tanh(max(x, 0)+math.Log1p(math.Exp(-math.Abs(x)))) }), back(byInput),
		Case{In: in(x), Out: in(f64v(-.303401460621380, .375245193930, 1.943958999))})

	// y = x·sigmoid(alpha·x)
	unary("Swish", 24, floats, []string{"alpha"}, compileSwish, back(byInput, "alpha"),
		Case{In: in(x), Out: in(f64v(-Logistic(-1), .5*Logistic(.5), 2*Logistic(2)))},
		Case{Name: "alpha", Attrs: alpha(2), In: in(x), Out: in(f64v(-Logistic(-2), .5*Logistic(1), 2*Logistic(4)))})

	// y = max(0, min(1, alpha·x + beta))
	unary("HardSigmoid", 6, floats, []string{"alpha", "beta"}, compileHardSigmoid, back(byResult, "alpha", "beta"),
		Case{In: in(f64v(-3, .5, 3)), Out: in(f64v(0, .6, 1)), Tol: 1e-6},
		Case{Name: "beta", Attrs: append(alpha(.5), graph.FloatAttr("beta", .25)), In: in(f64v(.5)), Out: in(f64v(.5))})
	// y = x·max(0, min(1, x/6 + 1/2))
	unary("HardSwish", 14, floats, nil, floatUnary(kernel.HardSwish, hardSwish), back(byInput),
		Case{In: in(f64v(-4, 1, 4)), Out: in(f64v(0, 2./3, 4))})
	// y = x/(1+|x|)
	unary("Softsign", 1, floats, nil, floatUnary(softsign[float32], softsign[float64]), back(byInput),
		Case{In: in(x), Out: in(f64v(-.5, 1./3, 2./3))})
	// y = x where x > alpha, 0 elsewhere
	unary("ThresholdedRelu", 10, floats, []string{"alpha"}, compileThresholdedRelu, back(byInput, "alpha"),
		Case{In: in(f64v(-1, 1, 2)), Out: in(f64v(0, 0, 2)), NoGrad: true}, Case{Name: "NaN", NoGrad: true, In: in(f64v(math.NaN())), Out: in(f64v(0))}, Case{Name: "alpha", Attrs: alpha(.25), In: in(x), Out: in(f64v(0, .5, 2))})
	// y = x + bias where x < -lambd, x - bias where x > lambd, 0 elsewhere
	unary("Shrink", 9, numbers, []string{"lambd", "bias"}, compileShrink, back(byInput, "lambd", "bias"),
		Case{In: in(f64v(-2, .5, 2)), Out: in(f64v(-2, 0, 2)), NoGrad: true}, Case{Name: "around", In: in(f64v(-2, .25, 2)), Out: in(f64v(-2, 0, 2))},
		Case{Name: "bias", Attrs: []graph.Attr{graph.FloatAttr("lambd", 1.5), graph.FloatAttr("bias", 1.5)}, In: in(f64v(-2, 1.5, 2)), Out: in(f64v(-.5, 0, .5)), NoGrad: true},
		Case{Name: "ints", Attrs: []graph.Attr{graph.FloatAttr("lambd", 1.5), graph.FloatAttr("bias", 1)}, In: in(i64v(-2, 1, 2, math.MaxInt64)), Out: in(i64v(-1, 0, 1, math.MaxInt64-1))})
}

// curve compiles a function that f makes of float attributes.
func curve(f func(n *graph.Node) func(float64) float64, attrs ...string) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		if err := kinds(n, graph.AttrFloat, attrs...); err != nil {
			return nil, err
		}
		return realUnary(f(n))(n, site)
	}
}

func compileSwish(n *graph.Node, site *Site) (Kernel, error) {
	if err := kind(n, "alpha", graph.AttrFloat); err != nil {
		return nil, err
	}
	a := float64(n.Float("alpha", 1))
	exact := func(x float64) float64 { return x * Logistic(a*x) }
	if a == 1 {
		return floatUnary(kernel.Silu, mapped[float64](exact))(n, site)
	}
	return floatUnary(swish(float32(a)), mapped[float64](exact))(n, site)
}

// swish is x·sigmoid(alpha·x), a buffer at a time.
func swish(alpha float32) func(dst, src []float32) {
	return func(dst, src []float32) {
		var buf [512]float32
		for len(src) > 0 {
			y := buf[:min(len(buf), len(src))]
			kernel.Line(y, src[:len(y)], alpha, 0)
			kernel.Sigmoid(y, y)
			kernel.Pair(kernel.Mul, dst[:len(y)], src[:len(y)], y)
			dst, src = dst[len(y):], src[len(y):]
		}
	}
}

func compileGelu(n *graph.Node, site *Site) (Kernel, error) {
	if err := kind(n, "approximate", graph.AttrString); err != nil {
		return nil, err
	}
	switch v := n.Str("approximate", "none"); v {
	case "none":
		exact := func(x float64) float64 { return .5 * x * (1 + math.Erf(x/math.Sqrt2)) }
		return floatUnary(kernel.Gelu, mapped[float64](exact))(n, site)
	case "tanh":
		slope := math.Sqrt(2 / math.Pi)
		exact := func(x float64) float64 { return .5 * x * (1 + math.Tanh(slope*(x+.044715*x*x*x))) }
		return floatUnary(geluTanh, mapped[float64](exact))(n, site)
	default:
		return nil, refuseAttr(n, "approximate", v)
	}
}

// geluTanh is Gelu by tanh, a buffer at a time.
func geluTanh(dst, src []float32) {
	var buf [512]float32
	for len(src) > 0 {
		y := buf[:min(len(buf), len(src))]
		for i, x := range src[:len(y)] {
			y[i] = .7978845608028654 * (x + .044715*x*x*x)
		}
		kernel.Tanh(y, y)
		for i, x := range src[:len(y)] {
			dst[i] = .5 * x * (1 + y[i])
		}
		dst, src = dst[len(y):], src[len(y):]
	}
}

func compileHardSigmoid(n *graph.Node, site *Site) (Kernel, error) {
	if err := kinds(n, graph.AttrFloat, "alpha", "beta"); err != nil {
		return nil, err
	}
	a, b := n.Float("alpha", .2), n.Float("beta", .5)
	return floatUnary(func(dst, src []float32) { kernel.HardSigmoid(dst, src, a, b) }, hardSigmoid(float64(a), float64(b)))(n, site)
}

func hardSigmoid(alpha, beta float64) func(dst, src []float64) {
	return func(dst, src []float64) {
		dst = dst[:len(src)]
		for i, x := range src {
			y := alpha*x + beta
			if y < 0 {
				y = 0
			}
			if y > 1 {
				y = 1
			}
			dst[i] = y
		}
	}
}

func hardSwish(dst, src []float64) {
	dst = dst[:len(src)]
	for i, x := range src {
		y := x*(1./6) + .5
		if y < 0 {
			y = 0
		}
		if y > 1 {
			y = 1
		}
		dst[i] = x * y
	}
}

func softsign[T float](dst, src []T) {
	dst = dst[:len(src)]
	for i, x := range src {
		y := x
		if y < 0 {
			y = -y
		}
		dst[i] = x / (1 + y)
	}
}

func compileThresholdedRelu(n *graph.Node, site *Site) (Kernel, error) {
	if err := kind(n, "alpha", graph.AttrFloat); err != nil {
		return nil, err
	}
	a := n.Float("alpha", 1)
	return floatUnary(thresholded(a), thresholded(float64(a)))(n, site)
}

func thresholded[T float](alpha T) func(dst, src []T) {
	return func(dst, src []T) {
		dst = dst[:len(src)]
		for i, x := range src {
			var y T // of NaN too
			if x > alpha {
				y = x
			}
			dst[i] = y
		}
	}
}

func compileShrink(n *graph.Node, site *Site) (Kernel, error) {
	if err := kinds(n, graph.AttrFloat, "lambd", "bias"); err != nil {
		return nil, err
	}
	l, b := float64(n.Float("lambd", .5)), float64(n.Float("bias", 0))
	if d := site.Types[0].DType; d == tensor.Float32 || d == tensor.Float64 {
		return floatUnary(shrink[float32](l, b), shrink[float64](l, b))(n, site)
	}
	switch site.Types[0].DType {
	case tensor.Int32, tensor.Int64:
		return signedUnary(nil, nil, shrink[int32](l, b), shrink[int64](l, b))(n, site)
	}
	return wideUnary(shrink[int8](l, b), shrink[int16](l, b), shrink[uint8](l, b), shrink[uint16](l, b), shrink[uint32](l, b), shrink[uint64](l, b))(n, site)
}

func shrink[T number](lambd, bias float64) func(dst, src []T) {
	whole, exact := T(int64(bias)), bias == math.Trunc(bias) && math.Abs(bias) < 1<<53
	if T(1)/2 != 0 { // a float
		whole = T(bias)
	}
	return func(dst, src []T) {
		dst = dst[:len(src)]
		for i, v := range src {
			switch x := float64(v); {
			case x < -lambd && exact: // large integers keep all their digits
				dst[i] = v + whole
			case x > lambd && exact:
				dst[i] = v - whole
			case x < -lambd:
				dst[i] = T(x + bias)
			case x > lambd:
				dst[i] = T(x - bias)
			default:
				dst[i] = 0
			}
		}
	}
}
