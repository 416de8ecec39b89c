//go:build !lean

package exec

import (
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// fuseQuantProduct makes a QuantDense of MatMulInteger, Cast to float32 and the product with a scale, as dynamic quantisation writes them.
func fuseQuantProduct(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "Mul") || !f.isFloat32(n.Outputs[0]) {
		return false
	}
	for k := range 2 {
		c, cast := f.by(n.In(k), "Cast")
		if c == nil || c.Int("to", 0) != int64(tensor.Float32) {
			continue
		}
		m, at := f.by(c.In(0), "MatMulInteger")
		if m == nil {
			continue
		}
		w := f.s.constants[m.In(1)]
		if w == nil || w.Rank() != 2 || m.In(3) != "" && f.s.constants[m.In(3)] == nil || m.In(2) != "" && !f.atMost(m.In(2), 1) {
			continue
		}
		a, scale := f.s.types[m.In(0)], n.In(1-k)
		if a.Unranked || len(a.Dims) == 0 || !f.atMost(scale, w.Shape()[1]) {
			continue
		}
		return f.replace(i, &graph.Node{Domain: op.Private, Op: "QuantDense", Inputs: []graph.Value{m.In(0), m.In(1), m.In(2), m.In(3), scale}}, cast, at)
	}
	return false
}

// atMost tells whether v is surely a scalar, or a vector of one or n elements.
func (f *fuser) atMost(v graph.Value, n int) bool {
	t := f.s.types[v]
	return !t.Unranked && (len(t.Dims) == 0 || len(t.Dims) == 1 && (t.Dims[0].Size == 1 || t.Dims[0].Size == n))
}

// fuseQuantBias adds a constant row in a QuantDense.
func fuseQuantBias(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "Add") {
		return false
	}
	for k := range 2 {
		at, ok := f.maker[n.In(k)]
		if !ok || f.uses[n.In(k)] != 1 {
			continue
		}
		m, bias := f.nodes[at], f.constant(n.In(1-k))
		if m.Domain != op.Private || m.Op != "QuantDense" || len(m.Inputs) != 5 || m.Attr("activation") != nil || bias == nil || bias.Rank() != 1 {
			continue
		}
		if row := f.row(n.In(1-k), f.s.constants[m.In(1)].Shape()[1]); row != "" {
			return f.replace(i, &graph.Node{Domain: op.Private, Op: "QuantDense", Inputs: append(m.Inputs[:5:5], row)}, at)
		}
	}
	return false
}
