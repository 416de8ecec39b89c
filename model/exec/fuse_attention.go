//go:build !lean

package exec

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// fuseAttention makes one node of softmax(q·k'·scale + mask)·v, as exporters write it out: the scale stands at the scores, or at q and k; k is
// transposed; q, k and v often come from a transposition of heads and rows, which the fused kernel does not need.
// Vaswani et al., "Attention Is All You Need", 2017, 3.2.1.
func fuseAttention(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "MatMul") || !f.isFloat32(n.Outputs[0]) {
		return false
	}
	soft, at := f.by(n.In(0), "Softmax")
	if soft == nil {
		return false
	}
	if axis := soft.Attr("axis"); axis == nil || axis.Int != -1 && axis.Int != 3 {
		return false
	}
	a := &scoring{f: f, gone: []int{at}, scale: 1}
	if !a.scores(soft.In(0)) || !a.rank4(n.In(1)) {
		return false
	}
	q, inQ := a.unturned(a.q)
	k, inK := a.k, int64(1)
	if !a.inside {
		k, inK = a.unturned(k)
	}
	v, inV := a.unturned(n.In(1))
	inputs := []graph.Value{q, k, v}
	if a.mask != "" {
		inputs = append(inputs, a.mask)
	}
	attrs := []graph.Attr{graph.FloatAttr("scale", float32(a.scale)), graph.IntsAttr("inside", inQ, inK, inV, 0)}
	return f.replace(i, &graph.Node{Domain: op.Private, Op: "HeadAttention", Inputs: inputs, Attrs: attrs}, a.gone...)
}

// scoring is the part of an attention before the softmax, as far as it is known.
type scoring struct {
	f          *fuser
	q, k, mask graph.Value // k is not transposed
	inside     bool        // k is (batch, n, heads, width)
	scale      float64
	gone       []int
}

// scores takes q·k'·scale + mask apart.
func (a *scoring) scores(v graph.Value) bool {
	if sum, at := a.f.by(v, "Add"); sum != nil {
		for j := range 2 {
			mask := sum.In(1 - j)
			t := a.f.s.types[mask]
			if t.DType != tensor.Float32 || t.Unranked || len(t.Dims) > 4 {
				continue
			}
			b := *a
			b.gone = append(slices.Clone(a.gone), at)
			if b.product(sum.In(j)) {
				b.mask = mask
				*a = b
				return true
			}
		}
		return false
	}
	return a.product(v)
}

// product takes q·k'·scale apart.
func (a *scoring) product(v graph.Value) bool {
	m, at := a.f.by(a.unscaled(v), "MatMul")
	if m == nil {
		return false
	}
	a.gone = append(a.gone, at)
	a.q = a.unscaled(m.In(0))
	k := a.unscaled(m.In(1))
	return a.rank4(a.q) && a.keys(k) && (a.inside || a.rank4(a.k))
}

// unscaled leaves out a product or quotient with a constant number.
func (a *scoring) unscaled(v graph.Value) graph.Value {
	n, at := a.f.by(v, "Mul", "Div")
	if n == nil {
		return v
	}
	for j := range 2 {
		t := a.f.constant(n.In(1 - j))
		if t == nil || t.Len() != 1 || t.Rank() > 1 || n.Op == "Div" && j == 1 {
			continue
		}
		if x := float64(t.F32()[0]); n.Op == "Mul" {
			a.scale *= x
		} else {
			a.scale /= x
		}
		a.gone = append(a.gone, at)
		return n.In(j)
	}
	return v
}

// keys finds k of k': of a transposition of the last two dimensions, of that after the one of heads and rows, or of both at once. The former
// may stand between changes of the shape to three dimensions and back.
func (a *scoring) keys(v graph.Value) bool {
	f := a.f
	if t, at := f.by(v, "Transpose"); t != nil {
		switch perm := t.Ints("perm"); {
		case slices.Equal(perm, []int64{0, 1, 3, 2}):
			a.gone = append(a.gone, at)
			a.k = a.unscaled(t.In(0))
			return true
		case slices.Equal(perm, []int64{0, 2, 3, 1}): // keys are (batch, n, heads, width) before
			a.gone = append(a.gone, at)
			a.k, a.inside = t.In(0), true
			return true
		}
		return false
	}
	back, last := f.by(v, "Reshape")
	if back == nil {
		return false
	}
	t, middle := f.by(back.In(0), "Transpose")
	if t == nil || !slices.Equal(t.Ints("perm"), []int64{0, 2, 1}) {
		return false
	}
	flat, first := f.by(t.In(0), "Reshape")
	if flat == nil || !turns(f.s.types[flat.In(0)], f.s.types[t.In(0)], f.s.types[v]) {
		return false
	}
	a.gone = append(a.gone, last, middle, first)
	a.k = a.unscaled(flat.In(0))
	return true
}

// turns tells whether x (b, h, n, w) as flat (b·h, n, w), transposed and seen as y, is (b, h, w, n).
func turns(x, flat, y tensor.Type) bool {
	if x.Unranked || flat.Unranked || y.Unranked || len(x.Dims) != 4 || len(flat.Dims) != 3 || len(y.Dims) != 4 {
		return false
	}
	for i, d := range []int{0, 1, 3, 2} {
		if x.Dims[d].Size == tensor.Free || x.Dims[d].Size != y.Dims[i].Size {
			return false
		}
	}
	return flat.Dims[1].Size == x.Dims[2].Size && flat.Dims[2].Size == x.Dims[3].Size
}

// rank4 tells whether v surely has four dimensions.
func (a *scoring) rank4(v graph.Value) bool {
	if t := a.f.s.types[v]; t.DType == tensor.Float32 && !t.Unranked && len(t.Dims) == 4 {
		return true
	}
	at, ok := a.f.maker[v]
	return ok && is(a.f.nodes[at], "Transpose") && len(a.f.nodes[at].Ints("perm")) == 4
}

// unturned leaves out a transposition of heads and rows.
func (a *scoring) unturned(v graph.Value) (graph.Value, int64) {
	at, ok := a.f.maker[v]
	if n := a.f.nodes[at]; ok && is(n, "Transpose") && slices.Equal(n.Ints("perm"), []int64{0, 2, 1, 3}) {
		return n.In(0), 1
	}
	return v, 0
}

// fuseHeads writes the result of an attention where a transposition of heads and rows would move it.
func fuseHeads(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "Transpose") || !slices.Equal(n.Ints("perm"), []int64{0, 2, 1, 3}) || f.uses[n.In(0)] != 1 {
		return false
	}
	at, ok := f.maker[n.In(0)]
	if !ok {
		return false
	}
	a := f.nodes[at]
	inside := a.Ints("inside")
	if a.Domain != op.Private || a.Op != "HeadAttention" || inside[3] != 0 {
		return false
	}
	attrs := []graph.Attr{graph.FloatAttr("scale", a.Float("scale", 1)), graph.IntsAttr("inside", inside[0], inside[1], inside[2], 1)}
	return f.replace(i, &graph.Node{Domain: op.Private, Op: "HeadAttention", Inputs: a.Inputs, Attrs: attrs}, at)
}
