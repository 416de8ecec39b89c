//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// recurrentActivations reads the activations of each direction. The scales in activation_alpha and activation_beta go in order to the
// activations that take one.
func recurrentActivations[T float](n *graph.Node, directions int, sigmoid, tanh func([]T)) ([][]recurrentAct[T], error) {
	names := map[string][]string{"RNN": {"Tanh"}, "GRU": {"Sigmoid", "Tanh"}, "LSTM": {"Sigmoid", "Tanh", "Tanh"}}[n.Op]
	each := len(names)
	if given := n.Strs("activations"); len(given) > 0 {
		if len(given) != each && len(given) < each*directions {
			return nil, bad(n, itoa(int64(len(given)))+" activations for "+itoa(int64(each*directions))+" gates")
		}
		names = given
	}
	alpha, beta := n.Floats("activation_alpha"), n.Floats("activation_beta")
	acts := make([][]recurrentAct[T], directions)
	for i := range each * directions {
		if i == len(names) { // the second direction is as the first
			alpha, beta = n.Floats("activation_alpha"), n.Floats("activation_beta")
		}
		name := names[i%len(names)]
		f, err := recurrentActivation(n, name, &alpha, &beta, sigmoid, tanh)
		if err != nil {
			return nil, err
		}
		acts[i/each] = append(acts[i/each], f)
	}
	return acts, nil
}

// recurrentAct is an activation: run replaces x by f(x), back multiplies d by f'(x), told from a = f(x). back is nil where a does not tell x apart.
type recurrentAct[T float] struct {
	run  func(x []T)
	back func(d, a []T)
	kind recurrentKind
}

// recurrentKind marks activations that have loops of their own.
type recurrentKind int

const (
	recurrentOther recurrentKind = iota
	recurrentSigmoid
	recurrentTanh
)

// usual reports whether direction d of an LSTM has the activations that most have, and neither peepholes nor input_forget.
func (c *recurrentCall[T]) usual(d int) bool {
	acts := c.acts[d]
	return acts[0].kind == recurrentSigmoid && acts[1].kind == recurrentTanh && acts[2].kind == recurrentTanh && c.p == nil && !c.coupled
}

// recurrentActivation makes the loops of one activation and takes its scales from the front of alpha and beta; where those are used up, the
// defaults are those of the operator of that name, and Affine and ScaledTanh have none.
func recurrentActivation[T float](n *graph.Node, name string, alpha, beta *[]float32, sigmoid, tanh func([]T)) (act recurrentAct[T], err error) {
	missing := false
	next := func(list *[]float32, def float32) float64 {
		if len(*list) == 0 {
			missing = missing || def != def
			return float64(def)
		}
		v := (*list)[0]
		*list = (*list)[1:]
		return float64(v)
	}
	none := float32(math.NaN())
	is := func(lower string) bool { return len(name) == len(lower) && sameLetters(name, lower) }
	of := func(f, slope func(float64) float64) (recurrentAct[T], error) {
		return recurrentAct[T]{run: eachRow[T](f), back: eachSlope[T](slope)}, nil
	}
	switch {
	case is("sigmoid"):
		return recurrentAct[T]{sigmoid, sigmoidSlope[T], recurrentSigmoid}, nil
	case is("tanh"):
		return recurrentAct[T]{tanh, tanhSlope[T], recurrentTanh}, nil
	case is("relu"):
		return of(func(x float64) float64 { return max(x, 0) }, func(a float64) float64 { return either(a > 0, 1., 0) })
	case is("affine"):
		a, b := next(alpha, none), next(beta, none)
		if missing {
			return act, refuseAttr(n, "activations", name+" without activation_alpha and activation_beta")
		}
		return of(func(x float64) float64 { return a*x + b }, func(float64) float64 { return a })
	case is("leakyrelu"):
		a := next(alpha, .01)
		act, err = of(func(x float64) float64 { return either(x < 0, a, 1) * x }, func(y float64) float64 { return either(y < 0, a, 1) })
		return act.unless(a < 0), err
	case is("thresholdedrelu"):
		a := next(alpha, 1)
		return of(func(x float64) float64 { return either(x > a, x, 0) }, func(y float64) float64 { return either(y != 0, 1., 0) })
	case is("scaledtanh"):
		a, b := next(alpha, none), next(beta, none)
		if missing {
			return act, refuseAttr(n, "activations", name+" without activation_alpha and activation_beta")
		}
		return of(func(x float64) float64 { return a * math.Tanh(b*x) }, func(y float64) float64 {
			if a == 0 {
				return 0
			}
			return b * (a - y*y/a)
		})
	case is("hardsigmoid"):
		a, b := next(alpha, .2), next(beta, .5)
		return of(func(x float64) float64 { return min(max(a*x+b, 0), 1) }, func(y float64) float64 { return either(y > 0 && y < 1, a, 0) })
	case is("elu"):
		a := next(alpha, 1)
		act, err = of(func(x float64) float64 {
			if x < 0 {
				return a * math.Expm1(x)
			}
			return x
		}, func(y float64) float64 { return either(y < 0, y+a, 1) })
		return act.unless(a < 0), err
	case is("softsign"):
		return of(func(x float64) float64 { return x / (1 + math.Abs(x)) }, func(y float64) float64 { return (1 - math.Abs(y)) * (1 - math.Abs(y)) })
	case is("softplus"):
		return of(func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }, func(y float64) float64 { return -math.Expm1(-y) })
	}
	return act, refuseAttr(n, "activations", name)
}

// unless leaves out the way back where folded: two x have the same f(x).
func (act recurrentAct[T]) unless(folded bool) recurrentAct[T] {
	if folded {
		act.back = nil
	}
	return act
}

func either[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}

// eachSlope makes the loop of the way back of a slope, a function of one activated element.
func eachSlope[T float](slope func(float64) float64) func(d, a []T) {
	return func(d, a []T) {
		a = a[:len(d)]
		for i, y := range a {
			d[i] *= T(slope(float64(y)))
		}
	}
}

func sigmoidSlope[T float](d, a []T) {
	a = a[:len(d)]
	for i, y := range a {
		d[i] *= y * (1 - y)
	}
}

func tanhSlope[T float](d, a []T) {
	a = a[:len(d)]
	for i, y := range a {
		d[i] *= 1 - y*y
	}
}

// eachRow makes a loop of a function of one element.
func eachRow[T float](f func(float64) float64) func([]T) {
	return func(row []T) {
		for i, x := range row {
			row[i] = T(f(float64(x)))
		}
	}
}

// The cases are small enough to follow by hand: all weights 1, linear activations.
func rnnCases() []Case {
	attrs := []graph.Attr{graph.StringsAttr("activations", []string{"Affine"}), graph.FloatsAttr("activation_alpha", []float32{2}), graph.FloatsAttr("activation_beta", []float32{0})}
	with := func(more ...graph.Attr) []graph.Attr { return append(attrs[:3:3], more...) }
	one := func(v ...float64) *tensor.Tensor { return f64s([]int{1, 1, len(v)}, v...) }
	x := f64s([]int{2, 1, 1}, 1, 2) // h = 2(x + h + b)
	return []Case{
		{Attrs: attrs, In: in(x, one(1), one(1)), Out: in(f64s([]int{2, 1, 1, 1}, 2, 8), one(8))},
		{Name: "reverse", Attrs: with(graph.StringAttr("direction", "reverse")), In: in(x, one(1), one(1)), Out: in(f64s([]int{2, 1, 1, 1}, 10, 4), one(10))},
		{Name: "bias and state", Attrs: attrs, In: in(x, one(1), one(1), f64s([]int{1, 2}, 3, 4), nil, one(5)), Out: in(f64s([]int{2, 1, 1, 1}, 26, 70), one(70))},
		{Name: "clip", Attrs: with(graph.FloatAttr("clip", 1.5)), In: in(x, one(1), one(1)), Out: in(f64s([]int{2, 1, 1, 1}, 2, 3), one(3))},
		{
			Name: "lengths both ways", Attrs: with(graph.StringAttr("direction", "bidirectional"), graph.IntAttr("layout", 1)),
			In:  in(f64s([]int{2, 2, 1}, 1, 2, 1, 2), f64s([]int{2, 1, 1}, 1, 1), f64s([]int{2, 1, 1}, 1, 1), nil, i32v(2, 1)),
			Out: in(f64s([]int{2, 2, 2, 1}, 2, 10+8-2*4, 8, 4, 2, 2, 0, 0), f64s([]int{2, 2, 1}, 8, 10, 2, 2)), NoGrad: true,
		},
		{Name: "no scale", Attrs: attrs[:2], In: in(x, one(1), one(1)), Err: "activation_beta"},
		{Name: "hidden", Attrs: with(graph.IntAttr("hidden_size", 2)), In: in(x, one(1), one(1)), Err: "hidden_size"},
	}
}

func gruCases() []Case {
	// z = r = 1/2 by constant activations, n = x + r·h (+ biases): h = n/2 + h/2
	attrs := []graph.Attr{
		graph.StringsAttr("activations", []string{"Affine", "Affine"}), graph.FloatsAttr("activation_alpha", []float32{0, 1}), graph.FloatsAttr("activation_beta", []float32{.5, 0}),
	}
	w, r := f64s([]int{1, 3, 1}, 0, 0, 1), f64s([]int{1, 3, 1}, 0, 0, 2)
	b := f64s([]int{1, 6}, 0, 0, 1, 0, 0, 4)
	x, h := f64s([]int{1, 1, 1}, 3), f64s([]int{1, 1, 1}, 8)
	return []Case{
		{Attrs: attrs, In: in(x, w, r, b, nil, h), Out: in(f64s([]int{1, 1, 1, 1}, 12), f64s([]int{1, 1, 1}, 12))},                                                                        // n = 3+1+4+.5·8·2
		{Name: "linear", Attrs: append(attrs[:3:3], graph.IntAttr("linear_before_reset", 1)), In: in(x, w, r, b, nil, h), Out: in(f64s([]int{1, 1, 1, 1}, 11), f64s([]int{1, 1, 1}, 11))}, // n = 3+1+.5·(16+4)
	}
}

func lstmCases() []Case {
	linear := []graph.Attr{
		graph.StringsAttr("activations", []string{"Affine", "Affine", "Affine"}), graph.FloatsAttr("activation_alpha", []float32{1, 1, 1}), graph.FloatsAttr("activation_beta", []float32{0, 0, 0}),
	}
	coupled := append(linear[:3:3], graph.IntAttr("input_forget", 1))
	w, r := f64s([]int{1, 4, 1}, 1, 2, 3, 4), f64s([]int{1, 4, 1}, 1, 1, 1, 1)
	x, h, c := f64s([]int{1, 1, 1}, 1), f64s([]int{1, 1, 1}, 1), f64s([]int{1, 1, 1}, 10)
	p := f64s([]int{1, 3}, 1, 2, 3)
	state := func(v float64) *tensor.Tensor { return f64s([]int{1, 1, 1}, v) }
	return []Case{
		// i, o, f, g = 2, 3, 4, 5: c = 4·10 + 2·5, h = 3·c
		{Attrs: linear, In: in(x, w, r, nil, nil, h, c), Out: in(f64s([]int{1, 1, 1, 1}, 150), state(150), state(50))},
		{Name: "coupled", Attrs: coupled, In: in(x, w, r, nil, nil, h, c), Out: in(f64s([]int{1, 1, 1, 1}, 0), state(0), state(0))},
		// i = 12, f = 34, c = 34·10 + 12·5, o = 3 + 2·c
		{Name: "peepholes", Attrs: linear, In: in(x, w, r, nil, nil, h, c, p), Out: in(f64s([]int{1, 1, 1, 1}, 803*400), state(803*400), state(400))},
	}
}
