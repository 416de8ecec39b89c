//go:build !lean

package exec

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
)

// fuseSwish: x·sigmoid(x).
func fuseSwish(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "Mul") || !f.isFloat32(n.Outputs[0]) {
		return false
	}
	for k := range 2 {
		if s, at := f.by(n.In(k), "Sigmoid"); s != nil && s.In(0) == n.In(1-k) {
			return f.replace(i, &graph.Node{Op: "Swish", Inputs: s.Inputs[:1]}, at)
		}
	}
	return false
}

// fuseHardSwish: x·hardsigmoid(x), with slope 1/6 and offset 1/2, also written out as x·clip(x + 3, 0, 6)/6, in any order.
func fuseHardSwish(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "Mul", "Div") || !f.isFloat32(n.Outputs[0]) {
		return false
	}
	if n.Op == "Div" { // (x·clip)/6
		m, at := f.by(n.In(0), "Mul")
		if m == nil || !f.near(n.In(1), 6) {
			return false
		}
		for k := range 2 {
			if x, gone := f.clipped(m.In(k)); gone != nil && x == m.In(1-k) {
				return f.replace(i, &graph.Node{Op: "HardSwish", Inputs: []graph.Value{x}}, append(gone, at)...)
			}
		}
		return false
	}
	for k := range 2 {
		x := n.In(1 - k)
		if s, at := f.by(n.In(k), "HardSigmoid"); s != nil && s.In(0) == x && nearly(s.Float("alpha", .2), 1./6) && nearly(s.Float("beta", .5), .5) {
			return f.replace(i, &graph.Node{Op: "HardSwish", Inputs: []graph.Value{x}}, at)
		}
		if d, at := f.by(n.In(k), "Div", "Mul"); d != nil { // x·(clip/6)
			inner := d.In(0)
			ok := d.Op == "Div" && f.near(d.In(1), 6)
			if d.Op == "Mul" {
				inner, ok = f.split(d, 1./6)
			}
			if from, gone := f.clipped(inner); ok && gone != nil && from == x {
				return f.replace(i, &graph.Node{Op: "HardSwish", Inputs: []graph.Value{x}}, append(gone, at)...)
			}
		}
	}
	if v, ok := f.split(n, 1./6); ok { // (x·clip)·(1/6)
		m, at := f.by(v, "Mul")
		for k := range 2 {
			if m == nil {
				break
			}
			if x, gone := f.clipped(m.In(k)); gone != nil && x == m.In(1-k) {
				return f.replace(i, &graph.Node{Op: "HardSwish", Inputs: []graph.Value{x}}, append(gone, at)...)
			}
		}
	}
	return false
}

func nearly(a float32, b float64) bool { return math.Abs(float64(a)-b) < 1e-4 }

// clipped returns x of clip(x + 3, 0, 6), and the places of the nodes; gone is nil where v is something else.
func (f *fuser) clipped(v graph.Value) (x graph.Value, gone []int) {
	c, at := f.by(v, "Clip", "Relu6")
	if c == nil {
		return "", nil
	}
	if lo, hi, ok := f.bounds(c); !ok || lo != 0 || hi != 6 {
		return "", nil
	}
	a, sum := f.by(c.In(0), "Add")
	if a == nil {
		return "", nil
	}
	if x, ok := f.split(a, 3); ok {
		return x, []int{at, sum}
	}
	return "", nil
}

// bounds are those of a Clip; not ok where they are not constant.
func (f *fuser) bounds(n *graph.Node) (lo, hi float64, ok bool) {
	lo, hi = math.Inf(-1), math.Inf(1)
	if a := n.Attr("min"); a != nil {
		lo = float64(a.Float)
	}
	if a := n.Attr("max"); a != nil {
		hi = float64(a.Float)
	}
	for k, bound := range []*float64{&lo, &hi} {
		if v := n.In(1 + k); v != "" {
			if *bound, ok = f.scalar(v); !ok {
				return 0, 0, false
			}
		}
	}
	return lo, hi, true
}

// fuseGelu: x·(1 + erf(x/√2))/2, in the orders that exporters use. Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
func fuseGelu(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "Mul") || !f.isFloat32(n.Outputs[0]) {
		return false
	}
	if v, ok := f.split(n, .5); ok { // (x·(1 + erf))·½
		if m, at := f.by(v, "Mul"); m != nil {
			for k := range 2 {
				if x, gone := f.erfOf(m.In(k)); gone != nil && x == m.In(1-k) {
					return f.replace(i, &graph.Node{Op: "Gelu", Inputs: []graph.Value{x}}, append(gone, at)...)
				}
			}
		}
	}
	for k := range 2 {
		m, at := f.by(n.In(k), "Mul")
		if m == nil {
			continue
		}
		v, ok := f.split(m, .5)
		if !ok {
			continue
		}
		if x, gone := f.erfOf(v); gone != nil && x == n.In(1-k) { // x·(½·(1 + erf))
			return f.replace(i, &graph.Node{Op: "Gelu", Inputs: []graph.Value{x}}, append(gone, at)...)
		}
		if x, gone := f.erfOf(n.In(1 - k)); gone != nil && x == v { // (½·x)·(1 + erf)
			return f.replace(i, &graph.Node{Op: "Gelu", Inputs: []graph.Value{x}}, append(gone, at)...)
		}
	}
	return false
}

// erfOf returns x of 1 + erf(x/√2).
func (f *fuser) erfOf(v graph.Value) (x graph.Value, gone []int) {
	a, sum := f.by(v, "Add")
	if a == nil {
		return "", nil
	}
	inner, ok := f.split(a, 1)
	e, erf := f.by(inner, "Erf")
	if !ok || e == nil {
		return "", nil
	}
	d, at := f.by(e.In(0), "Div", "Mul")
	switch {
	case d == nil:
	case d.Op == "Div" && f.near(d.In(1), math.Sqrt2):
		return d.In(0), []int{sum, erf, at}
	case d.Op == "Mul":
		if x, ok := f.split(d, 1/math.Sqrt2); ok {
			return x, []int{sum, erf, at}
		}
	}
	return "", nil
}

// activationOf names the activation of a node for a fused operator, with its parameters.
func (f *fuser) activationOf(n *graph.Node) (attrs []graph.Attr, ok bool) {
	name, params := n.Op, []float32(nil)
	switch {
	case is(n, "Relu", "Sigmoid", "Tanh", "HardSwish"):
	case is(n, "Gelu") && n.Str("approximate", "none") == "none":
	case is(n, "Swish") && n.Float("alpha", 1) == 1:
		name = "Silu"
	case is(n, "LeakyRelu"):
		params = []float32{n.Float("alpha", .01)}
	case is(n, "HardSigmoid"):
		params = []float32{n.Float("alpha", .2), n.Float("beta", .5)}
	case is(n, "Clip"):
		lo, hi, known := f.bounds(n)
		if !known {
			return nil, false
		}
		params = []float32{float32(lo), float32(hi)}
	default:
		return nil, false
	}
	attrs = []graph.Attr{graph.StringAttr("activation", name)}
	if params != nil {
		attrs = append(attrs, graph.FloatsAttr("activation_params", params))
	}
	return attrs, true
}

// fuseActivation moves an activation into the convolution or product before it.
func fuseActivation(f *fuser, i int) bool {
	n := f.nodes[i]
	if !f.isFloat32(n.Outputs[0]) || len(n.Outputs) != 1 {
		return false
	}
	attrs, ok := f.activationOf(n)
	if !ok {
		return false
	}
	at, ok := f.maker[n.In(0)]
	if !ok || f.uses[n.In(0)] != 1 {
		return false
	}
	switch m := f.nodes[at]; {
	case is(m, "Conv"):
		if n.Op == "Gelu" {
			return false
		}
		return f.replace(i, &graph.Node{Domain: op.Private, Op: "FusedConv", Inputs: m.Inputs, Attrs: withAttrs(m.Attrs, attrs...)}, at)
	case is(m, "ConvTranspose") && n.Op != "Gelu":
		return f.replace(i, &graph.Node{Domain: op.Private, Op: "FusedConvTranspose", Inputs: m.Inputs, Attrs: withAttrs(m.Attrs, attrs...)}, at)
	case m.Domain == op.Private && (m.Op == "FusedConv" && n.Op != "Gelu" || m.Op == "Dense" || m.Op == "QuantDense") && m.Attr("activation") == nil:
		return f.replace(i, &graph.Node{Domain: op.Private, Op: m.Op, Inputs: m.Inputs, Attrs: withAttrs(m.Attrs, attrs...)}, at)
	}
	return false
}
