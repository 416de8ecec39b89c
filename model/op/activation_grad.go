//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// NameGrad(dy, v): the way back over the activation Name: dy times its derivative, written from its result v (Relu, LeakyRelu, Sigmoid, Tanh,
// HardSigmoid) or its input v (the others). ClipGrad(dy, y, low, high): dy where low < y < high.
func init() {
	dy, v := f64v(2, -1, 3), f64v(-1, .5, 2)
	slope := func(name string, attrs []string, of func(n *graph.Node) derivative, out ...float64) {
		s := &Spec{Domain: Private, Name: name + "Grad", Since: 1, Half: true, Attrs: attrs, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferAs(0), Compile: compileSlope(of)}
		if out != nil {
			s.Cases = []Case{{In: in(dy, v), Out: in(f64v(out...))}}
		}
		register(s)
	}
	// fixed is a derivative without attributes.
	fixed := func(d derivative) func(*graph.Node) derivative { return func(*graph.Node) derivative { return d } }
	alpha := []string{"alpha"}

	slope("Relu", nil, fixed(derivative{between(0, math.Inf(1), 1), by(kernel.SlopeWithin, 0, float32(math.Inf(1)), 1)}), 0, -1, 3)
	slope("LeakyRelu", alpha, func(n *graph.Node) derivative {
		a := n.Float("alpha", .01)
		return derivative{func(v float64) float64 {
			if math.Signbit(v) {
				return float64(a)
			}
			return 1
		}, by(kernel.SlopeLeaky, a, 0, 0)}
	})
	slope("Sigmoid", nil, fixed(derivative{func(y float64) float64 { return y * (1 - y) }, by(kernel.SlopeSigmoid, 0, 0, 0)}), -4, -.25, -6)
	slope("Tanh", nil, fixed(derivative{func(y float64) float64 { return 1 - y*y }, by(kernel.SlopeTanh, 0, 0, 0)}), 0, -.75, -9)
	slope("HardSigmoid", []string{"alpha", "beta"}, func(n *graph.Node) derivative {
		a := n.Float("alpha", .2)
		return derivative{between(0, 1, float64(a)), by(kernel.SlopeWithin, 0, 1, a)}
	})
	slope("Erf", nil, fixed(derivative{f64: func(x float64) float64 { return 2 / math.SqrtPi * math.Exp(-x*x) }}))
	slope("Softplus", nil, fixed(derivative{Logistic, func(dst, v, dy []float32) {
		kernel.Sigmoid(dst, v)
		kernel.Pair(kernel.Mul, dst, dst, dy)
	}}))
	slope("Elu", alpha, func(n *graph.Node) derivative { return bent(float64(n.Float("alpha", 1)), 1, 1) })
	slope("Selu", []string{"alpha", "gamma"}, func(n *graph.Node) derivative {
		return bent(float64(n.Float("alpha", 1.67326319217681884765625)), 1, float64(n.Float("gamma", 1.05070102214813232421875)))
	})
	slope("Celu", alpha, func(n *graph.Node) derivative { return bent(1, 1/float64(n.Float("alpha", 1)), 1) })
	slope("Gelu", []string{"approximate"}, geluSlope)
	slope("Swish", alpha, func(n *graph.Node) derivative {
		a := n.Float("alpha", 1)
		return derivative{func(x float64) float64 {
			s := Logistic(float64(a) * x)
			return s * (1 + float64(a)*x*(1-s))
		}, by(kernel.SlopeSilu, a, 0, 0)}
	})
	slope("Mish", nil, fixed(derivative{f64: mishSlope, f32: mishSlopes}))
	slope("HardSwish", nil, fixed(derivative{func(x float64) float64 {
		switch {
		case x <= -3:
			return 0
		case x >= 3:
			return 1
		}
		return x/3 + .5
	}, by(kernel.SlopeHardSwish, 0, 0, 0)}))
	slope("Softsign", nil, fixed(derivative{f64: func(x float64) float64 { return 1 / ((1 + math.Abs(x)) * (1 + math.Abs(x))) }}), .5, -4./9, 1./3)
	slope("ThresholdedRelu", alpha, func(n *graph.Node) derivative {
		a := n.Float("alpha", 1)
		return derivative{between(float64(a), math.Inf(1), 1), by(kernel.SlopeWithin, a, float32(math.Inf(1)), 1)}
	})
	slope("Shrink", []string{"lambd", "bias"}, func(n *graph.Node) derivative {
		l := float64(n.Float("lambd", .5))
		return derivative{f64: func(x float64) float64 {
			if x < -l || x > l {
				return 1
			}
			return 0
		}}
	})
	register(&Spec{
		Domain: Private, Name: "ClipGrad", Since: 1, Half: true, Attrs: []string{"min", "max"}, In: Arity{2, 4}, Out: Arity{1, 1}, Infer: inferAs(0), Compile: compileClipGrad,
		Cases: []Case{{In: in(dy, f64v(-1, .5, 1), f64s(nil, -1), f64s(nil, 1)), Out: in(f64v(0, -1, 0))}},
	})
}

// derivative is that of a function of one number. f32 writes dy times it; without, it is computed in float64.
type derivative struct {
	f64 func(v float64) float64
	f32 func(dst, v, dy []float32)
}

// between is the derivative c between two bounds, 0 elsewhere.
func between(low, high, c float64) func(float64) float64 {
	return func(v float64) float64 {
		if v > low && v < high {
			return c
		}
		return 0
	}
}

func by(s kernel.Slope, a, b, c float32) func(dst, v, dy []float32) {
	return func(dst, v, dy []float32) { s.Back(dst, v, dy, a, b, c) }
}

// bent is the derivative c where x > 0, c·a·e^(k·x) elsewhere.
func bent(a, k, c float64) derivative {
	return derivative{func(x float64) float64 {
		if x > 0 {
			return c
		}
		return c * a * math.Exp(k*x)
	}, func(dst, v, dy []float32) {
		slope, rest, steep := float32(k), float32(a*c), float32(c)
		for len(v) > 0 {
			var buf [512]float32
			e := buf[:min(len(buf), len(v))]
			kernel.ClipTo(e, v[:len(e)], float32(math.Inf(-1)), 0)
			kernel.Line(e, e, slope, 0)
			kernel.Exp(e, e)
			for i, x := range v[:len(e)] {
				d := e[i] * rest
				if x > 0 {
					d = steep
				}
				dst[i] = d * dy[i]
			}
			dst, v, dy = dst[len(e):], v[len(e):], dy[len(e):]
		}
	}}
}

func geluSlope(n *graph.Node) derivative {
	if n.Str("approximate", "none") == "tanh" {
		k := math.Sqrt(2 / math.Pi)
		return derivative{func(x float64) float64 {
			t := math.Tanh(k * (x + .044715*x*x*x))
			return .5 * (1 + t + x*(1-t*t)*k*(1+3*.044715*x*x))
		}, by(kernel.SlopeGeluTanh, 0, 0, 0)}
	}
	return derivative{func(x float64) float64 {
		return .5*(1+math.Erf(x/math.Sqrt2)) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	}, by(kernel.SlopeGelu, 0, 0, 0)}
}

// mishSlope is t + x·s·(1 - t²) with t = tanh ln(1 + e^x) and s = sigmoid x.
func mishSlope(x float64) float64 {
	t := math.Tanh(max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))))
	return t + x*Logistic(x)*(1-t*t)
}

// mishSlopes writes tanh ln(1 + e) as n/(n + 2) with n = e² + 2e and e = e^x, and 1 - t² as 4(1 + e)²/(n + 2)².
func mishSlopes(dst, v, dy []float32) {
	for len(v) > 0 {
		var buf [512]float32
		e := buf[:min(len(buf), len(v))]
		kernel.ClipTo(e, v[:len(e)], -80, 20)
		kernel.Exp(e, e)
		for i, x := range v[:len(e)] {
			x = max(-80, x)
			n := e[i] * (e[i] + 2)
			q := 1 / (n + 2)
			dst[i] = dy[i] * (n*q + 4*x*e[i]*(1+e[i])*q*q) // s·(1 + e) = e
			if x > 20 {
				dst[i] = dy[i]
			}
		}
		dst, v, dy = dst[len(e):], v[len(e):], dy[len(e):]
	}
}

func compileSlope(of func(n *graph.Node) derivative) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		d := of(n)
		f32 := d.f32
		if f32 == nil {
			f32 = backEach[float32](d.f64)
		}
		return byFloat(n, site, slopeKernel(n.Op, site, tensor.Data[float32], f32), slopeKernel(n.Op, site, tensor.Data[float64], backEach[float64](d.f64)))
	}
}

// backEach makes a loop of a derivative.
func backEach[T float](f func(float64) float64) func(dst, v, dy []T) {
	return func(dst, v, dy []T) {
		dst, dy = dst[:len(v)], dy[:len(v)]
		for i, x := range v {
			dst[i] = T(float64(dy[i]) * f(float64(x)))
		}
	}
}

func slopeKernel[T float](op string, site *Site, data lane[T], f func(dst, v, dy []T)) Kernel {
	threads := site.Threads
	var runs kept[slopeRun[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		r := runs.take()
		defer runs.put(r)
		*r = slopeRun[T]{f: f}
		return r.all(ctx, op, threads, data, in, out[0])
	}
}

// slopeRun is one call.
type slopeRun[T float] struct {
	dst, v, dy []T
	f          func(dst, v, dy []T)
}

func (r *slopeRun[T]) all(ctx context.Context, op string, threads int, data lane[T], in []*tensor.Tensor, out *tensor.Tensor) error {
	if in[0].Len() != in[1].Len() {
		return misfit(op, "shapes do not fit")
	}
	if err := Reset(ctx, out, in[0].DType(), in[0].Shape()...); err != nil {
		return err
	}
	r.dst, r.v, r.dy = data(out), data(in[1]), data(in[0])
	if len(r.v) <= dearGrain {
		r.Do(0, len(r.v))
		return nil
	}
	return sweep(ctx, threads, len(r.v), dearGrain, r)
}

func (r *slopeRun[T]) Do(lo, hi int) { r.f(r.dst[lo:hi], r.v[lo:hi], r.dy[lo:hi]) }

func compileClipGrad(n *graph.Node, site *Site) (Kernel, error) {
	return byFloat(n, site, clipGrad(n, site, tensor.Data[float32]), clipGrad(n, site, tensor.Data[float64]))
}

func clipGrad[T float](n *graph.Node, site *Site, data lane[T]) Kernel {
	lowest, highest, threads := clipBound(n, "min", T(math.Inf(-1))), clipBound(n, "max", T(math.Inf(1))), site.Threads
	var runs kept[clipBack[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		r := runs.take()
		defer runs.put(r)
		r.low, r.high = lowest, highest
		for i, bound := range []*T{&r.low, &r.high} {
			if i+2 < len(in) && in[i+2] != nil {
				if in[i+2].Len() != 1 {
					return misfit("ClipGrad", "a bound that is not a scalar")
				}
				*bound = data(in[i+2])[0]
			}
		}
		if in[0].Len() != in[1].Len() {
			return misfit("ClipGrad", "shapes do not fit")
		}
		if err := Reset(ctx, out[0], in[0].DType(), in[0].Shape()...); err != nil {
			return err
		}
		r.dst, r.y, r.dy = data(out[0]), data(in[1]), data(in[0])
		if len(r.y) <= cheapGrain {
			r.Do(0, len(r.y))
			return nil
		}
		return sweep(ctx, threads, len(r.y), cheapGrain, r)
	}
}

// clipBack is one call.
type clipBack[T float] struct {
	dst, y, dy []T
	low, high  T
}

func (r *clipBack[T]) Do(lo, hi int) {
	if y, ok := any(r.y).([]float32); ok {
		kernel.SlopeWithin.Back(any(r.dst).([]float32)[lo:hi], y[lo:hi], any(r.dy).([]float32)[lo:hi], float32(r.low), float32(r.high), 1)
		return
	}
	for i := lo; i < hi; i++ {
		r.dst[i] = 0
		if r.y[i] > r.low && r.y[i] < r.high {
			r.dst[i] = r.dy[i]
		}
	}
}
