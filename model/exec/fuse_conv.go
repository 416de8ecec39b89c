//go:build !lean

package exec

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// mostLine is how many products and sums by scalars are looked at together.
const mostLine = 8

// line takes node n apart as scale·x + shift, where it is a product or a sum with a scalar that does not raise the rank.
func (f *fuser) line(n *graph.Node, rank int) (x graph.Value, scale, shift float64, ok bool) {
	if !is(n, "Mul", "Add") {
		return "", 0, 0, false
	}
	for k := range 2 {
		v, known := f.scalar(n.In(k))
		if !known || f.constant(n.In(1-k)) != nil || f.constant(n.In(k)).Rank() > rank || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		if n.Op == "Add" {
			return n.In(1 - k), 1, v, true
		}
		return n.In(1 - k), v, 0, true
	}
	return "", 0, 0, false
}

// inputLine takes up the products and sums by scalars that only convolution c reads: it sees scale·x + shift. A sum has to reach what pads add
// too, so that it stays where there are pads.
func (f *fuser) inputLine(c *graph.Node, rank int) (x graph.Value, scale, shift float64, gone []int) {
	x, scale = c.In(0), 1
	if !is(c, "Conv") {
		return x, 1, 0, nil
	}
	padded := !unpadded(c)
	for range mostLine {
		n, at := f.by(x, "Mul", "Add")
		if n == nil {
			break
		}
		from, by, plus, ok := f.line(n, rank)
		if !ok || padded && plus != 0 {
			break
		}
		x, shift, scale = from, shift+scale*plus, scale*by
		gone = append(gone, at)
	}
	return x, scale, shift, gone
}

// unpadded tells whether a convolution has no pads.
func unpadded(c *graph.Node) bool {
	if auto := c.Str("auto_pad", "NOTSET"); auto != "NOTSET" && auto != "VALID" && auto != "" {
		return false
	}
	for _, p := range c.Ints("pads") {
		if p != 0 {
			return false
		}
	}
	return true
}

// toConv tells whether the convolution that alone takes up v, after some more products and sums by scalars, can have them in its weights.
func (f *fuser) toConv(v graph.Value) bool {
	for range mostLine {
		at, ok := f.user[v]
		if !ok || f.uses[v] != 1 || f.nodes[at] == nil || len(f.nodes[at].Outputs) != 1 {
			return false
		}
		n := f.nodes[at]
		if is(n, "Conv") {
			return n.In(0) == v && f.constant(n.In(1)) != nil && unpadded(n)
		}
		if _, _, _, ok = f.line(n, 3); !ok {
			return false
		}
		v = n.Outputs[0]
	}
	return false
}

// fuseLine moves a product or a sum with a scalar into the convolution with a HardSwish before it, as PaddlePaddle's learnable activations have it;
// into the weights of the convolution after it where it can be there.
func fuseLine(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "Mul", "Add") || !f.isFloat32(n.Outputs[0]) {
		return false
	}
	x, scale, shift, ok := f.line(n, 3)
	if !ok {
		return false
	}
	at, ok := f.maker[x]
	if !ok || f.uses[x] != 1 {
		return false
	}
	c := f.nodes[at]
	if c.Domain != op.Private || c.Op != "FusedConv" || f.toConv(n.Outputs[0]) {
		return false
	}
	var attrs []graph.Attr
	for _, a := range c.Attrs {
		if a.Name != "activation" && a.Name != "activation_params" {
			attrs = append(attrs, a)
		}
	}
	switch c.Str("activation", "") {
	case "HardSwish":
	case "ScaledHardSwish":
		p := c.Floats("activation_params")
		scale, shift = float64(p[0])*scale, float64(p[1])*scale+shift
	default:
		return false
	}
	attrs = append(attrs, graph.StringAttr("activation", "ScaledHardSwish"), graph.FloatsAttr("activation_params", []float32{float32(scale), float32(shift)}))
	return f.replace(i, &graph.Node{Domain: op.Private, Op: "FusedConv", Inputs: c.Inputs, Attrs: attrs}, at)
}

// fuseGate makes x·(g + 1) of x + x·g, where g is one number for each channel of x (n, c, d1…), as residual gates have it.
func fuseGate(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "Add") || !f.isFloat32(n.Outputs[0]) {
		return false
	}
	for k := range 2 {
		m, at := f.by(n.In(1-k), "Mul")
		if m == nil {
			continue
		}
		for j := range 2 {
			x, g := m.In(j), m.In(1-j)
			t := f.s.types[g]
			if x != n.In(k) || x == g || t.Unranked || len(t.Dims) < 3 {
				continue
			}
			small := true
			for _, d := range t.Dims[2:] {
				small = small && d.Size == 1
			}
			if !small {
				continue
			}
			// The sum stands where the product stood, which is before i and after g.
			one := f.add("one", tensor.Floats([]float32{1}, 1))
			gate := graph.Value(string(one) + "/gate")
			f.s.types[gate] = t
			f.replace(at, &graph.Node{Op: "Add", Name: m.Name, Inputs: []graph.Value{g, one}, Outputs: nil})
			f.rename(at, gate)
			return f.replace(i, &graph.Node{Op: "Mul", Inputs: []graph.Value{x, gate}})
		}
	}
	return false
}

// rename gives the only output of node i another name.
func (f *fuser) rename(i int, v graph.Value) {
	delete(f.maker, f.nodes[i].Outputs[0])
	f.nodes[i].Outputs = []graph.Value{v}
	f.maker[v] = i
}
