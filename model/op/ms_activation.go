//go:build !lean

package op

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// com.microsoft Gelu, BiasGelu: x·Φ(x). FastGelu: its approximation by tanh. QuickGelu: x·sigmoid(alpha·x). A second input is added first.
// FusedMatMul: alpha·A·B, each transposed where asked for. FusedGemm: activation(Gemm). Trilu: as in ai.onnx.
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
func init() {
	x, one := f32v(-1, 2), Arity{1, 1}
	added := func(n *graph.Node, p *msParts) graph.Value {
		if p.in(1) == "" {
			return p.in(0)
		}
		return p.op("Add", nil, p.in(0), p.in(1))
	}
	gelu := func(approximate string) msBody {
		return func(n *graph.Node, p *msParts) []graph.Value {
			return []graph.Value{p.op("Gelu", []graph.Attr{graph.StringAttr("approximate", approximate)}, added(n, p))}
		}
	}
	exact, fast := f32v(-.15865526, 1.9544997), f32v(-.158808, 1.9545977)
	wide := f64v(-1, 2)
	both := func(s *Spec, grad Gradient, cases ...Case) { s.Grad, s.Cases = grad, cases }
	both(msSpec(microsoft, "Gelu", 1, nil, one, one, true, gelu("none")), gradBiasGelu("none"), Case{In: in(x), Out: in(exact)}, Case{Name: "float64", In: in(wide), Out: in(f64v(-.15865526, 1.9544997))})
	both(msSpec(microsoft, "BiasGelu", 1, nil, Arity{2, 2}, one, true, gelu("none")), gradBiasGelu("none"), Case{In: in(f32v(-2, 1), f32v(1)), Out: in(exact)},
		Case{Name: "rows", In: in(f64s([]int{2, 2}, -2, 1, -2, 1), f64v(1, 1)), Out: in(f64s([]int{2, 2}, -.15865526, 1.9544997, -.15865526, 1.9544997))})
	both(msSpec(microsoft, "FastGelu", 1, nil, Arity{1, 2}, one, true, gelu("tanh")), gradBiasGelu("tanh"), Case{In: in(x), Out: in(fast)}, Case{Name: "bias", In: in(f32v(-2, 1), f32v(1)), Out: in(fast)},
		Case{Name: "float64", In: in(wide), Out: in(f64v(-.158808, 1.9545977))}, Case{Name: "rows", In: in(f64v(-2, 1), f64v(1)), Out: in(f64v(-.158808, 1.9545977))})
	quick := msSpec(microsoft, "QuickGelu", 1, []string{"alpha"}, one, one, true, func(n *graph.Node, p *msParts) []graph.Value {
		return []graph.Value{p.op("Swish", quickAlpha(n), p.in(0))}
	})
	both(quick, gradQuickGelu, Case{In: in(f32v(1)), Out: in(f32v(.84579575)), Tol: 1e-5}, Case{Name: "float64", In: in(f64v(1)), Out: in(f64v(.84579575)), Tol: 1e-5})
	msSpec(microsoft, "Trilu", 1, []string{"upper"}, Arity{1, 2}, one, false, func(n *graph.Node, p *msParts) []graph.Value {
		return []graph.Value{p.op("Trilu", n.Attrs, slices.DeleteFunc([]graph.Value{p.in(0), p.in(1)}, func(v graph.Value) bool { return v == "" })...)}
	}).Cases = []Case{{In: in(f32s([]int{2, 2}, 1, 2, 3, 4)), Out: in(f32s([]int{2, 2}, 1, 2, 0, 4))}}

	a, b := f32s([]int{2, 1}, 1, 2), f32s([]int{2, 1}, 3, 4)
	msSpec(microsoft, "FusedMatMul", 1, []string{"alpha", "transA", "transB", "transBatchA", "transBatchB"}, Arity{2, 2}, one, true, bodyFusedMatMul).Cases = []Case{
		{Attrs: []graph.Attr{graph.FloatAttr("alpha", .5), graph.IntAttr("transA", 1)}, In: in(a, b), Out: in(f32s([]int{1, 1}, 5.5))},
		{Attrs: []graph.Attr{graph.IntAttr("transB", 1)}, In: in(a, b), Out: in(f32s([]int{2, 2}, 3, 4, 6, 8))},
	}
	msSpec(microsoft, "FusedGemm", 1, []string{"activation", "activation_alpha", "activation_beta", "activation_gamma", "alpha", "beta", "transA", "transB"}, Arity{2, 3}, one, true, bodyFusedGemm).Cases = []Case{
		{Attrs: []graph.Attr{graph.StringAttr("activation", "Relu"), graph.IntAttr("transB", 1)}, In: in(a, b, f32v(-5)), Out: in(f32s([]int{2, 2}, 0, 0, 1, 3))},
		{Name: "alpha", Attrs: []graph.Attr{graph.StringAttr("activation", "LeakyRelu"), graph.FloatAttr("activation_alpha", .5), graph.IntAttr("transB", 1)}, In: in(a, b, f32v(-5)), Out: in(f32s([]int{2, 2}, -1, -.5, 1, 3))},
		{Name: "unknown", Attrs: []graph.Attr{graph.StringAttr("activation", "Sine")}, In: in(a, b), Err: "Sine"},
	}
}

// gradBiasGelu adds the bias again, so that the sum need not be kept.
func gradBiasGelu(approximate string) Gradient {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		x, bias := n.Inputs[0], n.In(1)
		if bias != "" {
			x = b.Op("Add", x, bias)
		}
		dx := []graph.Value{slopeOf(b, "Gelu", []graph.Attr{graph.StringAttr("approximate", approximate)}, []string{"approximate"}, dy[0], x)}
		if bias != "" {
			dx = append(dx, reduceTo(b, dx[0], bias))
		}
		return dx, nil
	}
}

func quickAlpha(n *graph.Node) []graph.Attr {
	return []graph.Attr{graph.FloatAttr("alpha", n.Float("alpha", 1.702))}
}

func gradQuickGelu(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return []graph.Value{slopeOf(b, "Swish", quickAlpha(n), []string{"alpha"}, dy[0], n.Inputs[0])}, nil
}

func bodyFusedMatMul(n *graph.Node, p *msParts) []graph.Value {
	if n.Int("transBatchA", 0) != 0 || n.Int("transBatchB", 0) != 0 {
		p.fail(refuseAttr(n, "transBatchA, transBatchB", "1"))
	}
	y := p.op("MatMul", nil, p.swapped(p.in(0), n.Int("transA", 0)), p.swapped(p.in(1), n.Int("transB", 0)))
	if n.Attr("alpha") == nil || n.Float("alpha", 1) == 1 {
		return []graph.Value{y}
	}
	return []graph.Value{p.op("Mul", nil, y, p.op("CastLike", nil, p.scalar(n.Float("alpha", 1)), y))}
}

// swapped is v with its last two dimensions exchanged; a vector has only one.
func (p *msParts) swapped(v graph.Value, swap int64) graph.Value {
	if swap == 0 {
		return v
	}
	rank := p.rank(v)
	if p.err != nil || rank < 2 {
		return v
	}
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(i)
	}
	perm[rank-1], perm[rank-2] = perm[rank-2], perm[rank-1]
	return p.op("Transpose", []graph.Attr{graph.IntsAttr("perm", perm...)}, v)
}

// fusedActivations are the activations that may follow, with their attributes and defaults.
var fusedActivations = map[string][]graph.Attr{
	"Relu": nil, "Sigmoid": nil, "Tanh": nil, "Softplus": nil, "Softsign": nil,
	"LeakyRelu": {graph.FloatAttr("alpha", .01)}, "Elu": {graph.FloatAttr("alpha", 1)}, "ThresholdedRelu": {graph.FloatAttr("alpha", 1)},
	"HardSigmoid": {graph.FloatAttr("alpha", .2), graph.FloatAttr("beta", .5)},
}

func bodyFusedGemm(n *graph.Node, p *msParts) []graph.Value {
	var gemm, activation []graph.Attr
	for _, a := range n.Attrs {
		if slices.Contains([]string{"alpha", "beta", "transA", "transB"}, a.Name) {
			gemm = append(gemm, a)
		}
	}
	name := n.Str("activation", "")
	list, ok := fusedActivations[name]
	if !ok {
		p.fail(refuseAttr(n, "activation", name))
	}
	for _, a := range list {
		activation = append(activation, graph.FloatAttr(a.Name, n.Float("activation_"+a.Name, a.Float)))
	}
	operands := []graph.Value{p.in(0), p.in(1)}
	if p.in(2) != "" {
		operands = append(operands, p.in(2))
	}
	return []graph.Value{p.op(name, activation, p.op("Gemm", gemm, operands...))}
}

var msFloat = -1 - int(tensor.Float32)
