//go:build !lean

package exec

import (
	"bytes"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// quantRules put together what quantisers write around float32 operators: DequantizeLinear of the operands, the operator, QuantizeLinear of the
// result. The operator then works on the bytes. Sums are exact integers that are rounded once, so that a result may differ by one step of its
// scale from that of the plain graph, which rounds on the way; onnxruntime does the same. They are tried before all others, each at every node.
var quantRules = []func(f *fuser, i int) bool{fuseQuantized, fuseQuantMove, fuseQuantReal, fuseQuantOwn}

func (f *fuser) quantized() {
	found := len(f.s.dequantized) > 0
	for _, n := range f.nodes {
		found = found || is(n, "DequantizeLinear") || n.Op == "QLinearAdd" || n.Op == "QGemm"
	}
	if !found {
		return
	}
	for _, rule := range quantRules {
		for i := range f.nodes {
			if f.nodes[i] != nil && rule(f, i) {
				f.changed = true
			}
		}
	}
}

// steps are the scale and zero point of quantised values, by names and as constants.
type steps struct {
	scale, zero   graph.Value
	scales, zeros *tensor.Tensor
}

// stepsOf reads those of a QuantizeLinear or DequantizeLinear of bytes; not ok where they vary or are blocks.
func (f *fuser) stepsOf(n *graph.Node) (s steps, ok bool) {
	s.scale, s.zero = n.In(1), n.In(2)
	s.scales, s.zeros = f.constant(s.scale), f.s.constants[s.zero]
	if n.Int("block_size", 0) != 0 || n.Attr("precision") != nil || s.scales == nil || s.zero == "" || s.zeros == nil || s.zeros.Len() != s.scales.Len() {
		return s, false
	}
	d := s.zeros.DType()
	return s, d == tensor.Uint8 || d == tensor.Int8
}

// one tells whether there is one scale for all.
func (s *steps) one() bool { return s.scales.Len() == 1 }

func (s *steps) same(t steps) bool {
	return s.scales.Len() == t.scales.Len() && s.zeros.DType() == t.zeros.DType() && bytes.Equal(s.scales.Bytes(), t.scales.Bytes()) && bytes.Equal(s.zeros.Bytes(), t.zeros.Bytes())
}

// along tells whether there is one scale for all, or one for each of n places of an axis of dequantised n.
func (s *steps) along(n *graph.Node, axis, rank, size int) bool {
	at := int(n.Int("axis", 1))
	if at < 0 {
		at += rank
	}
	return s.one() || at == axis && s.scales.Len() == size
}

// dequantizer is the DequantizeLinear that makes v, folded or not.
func (f *fuser) dequantizer(v graph.Value) *graph.Node {
	if i, ok := f.maker[v]; ok {
		if is(f.nodes[i], "DequantizeLinear") {
			return f.nodes[i]
		}
		return nil
	}
	return f.s.dequantized[v]
}

// byteOf takes v, dequantised with one scale, apart.
func (f *fuser) byteOf(v graph.Value) (from graph.Value, s steps, ok bool) {
	d := f.dequantizer(v)
	if d == nil || !f.isFloat32(v) {
		return "", s, false
	}
	s, ok = f.stepsOf(d)
	return d.In(0), s, ok && s.one() && f.s.types[d.In(0)].DType == s.zeros.DType()
}

// weightsOf takes dequantised constant weights apart, with one scale for all or for each place of axis.
func (f *fuser) weightsOf(v graph.Value, axis int) (from graph.Value, w *tensor.Tensor, s steps, ok bool) {
	d := f.dequantizer(v)
	if d == nil || !f.isFloat32(v) {
		return "", nil, s, false
	}
	if s, ok = f.stepsOf(d); !ok {
		return "", nil, s, false
	}
	w = f.s.constants[d.In(0)]
	if w == nil || w.Rank() < 2 || w.DType() != s.zeros.DType() || !s.along(d, axis, w.Rank(), w.Shape()[axis]) {
		return "", nil, s, false
	}
	return d.In(0), w, s, true
}

// biasOf makes sums of a constant v (n): multiples of the operands' scales, to the nearest.
func (f *fuser) biasOf(v graph.Value, n int, x, w steps) (bias graph.Value, ok bool) {
	t := f.constant(v)
	if t == nil || t.Len() != n {
		return "", false
	}
	sums := tensor.New(tensor.Int32, n)
	for j, b := range t.F32() {
		sum := math.RoundToEven(float64(b) / (float64(x.scales.F32()[0]) * float64(w.scales.F32()[j%w.scales.Len()])))
		if !(math.Abs(sum) < 1<<30) {
			return "", false
		}
		tensor.Data[int32](sums)[j] = int32(sum)
	}
	return f.add("bias", sums), true
}

// fuseQuantized makes one operator of what a QuantizeLinear ends.
func fuseQuantized(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "QuantizeLinear") || !f.isFloat32(n.In(0)) {
		return false
	}
	y, ok := f.stepsOf(n)
	if !ok || !y.one() {
		return false
	}
	v, gone := n.In(0), []int(nil)
	var attrs []graph.Attr
	if r, at := f.by(v, "Relu", "Clip"); r != nil {
		if attrs, ok = f.activationOf(r); !ok {
			return false
		}
		v, gone = r.In(0), append(gone, at)
	}
	if c, at := f.by(v, "Conv"); c != nil {
		return f.quantConv(i, c, y, attrs, append(gone, at))
	}
	if m, at := f.by(v, "MatMul", "Gemm"); m != nil {
		return f.quantProduct(i, m, "", y, attrs, append(gone, at))
	}
	a, at := f.by(v, "Add")
	if a == nil {
		return false
	}
	gone = append(gone, at)
	for k := range 2 {
		if m, at := f.by(a.In(k), "MatMul"); m != nil && f.constant(a.In(1-k)) != nil {
			return f.quantProduct(i, m, a.In(1-k), y, attrs, append(gone, at))
		}
	}
	l, ls, ok1 := f.byteOf(a.In(0))
	r, rs, ok2 := f.byteOf(a.In(1))
	if !ok1 || !ok2 || !sameExtent(f.s.types[a.In(0)], f.s.types[a.In(1)]) {
		return false
	}
	return f.replace(i, &graph.Node{Domain: op.Private, Op: "QuantAdd", Inputs: []graph.Value{l, ls.scale, ls.zero, r, rs.scale, rs.zero, y.scale, y.zero}, Attrs: attrs}, gone...)
}

// sameExtent tells whether two values are known to have one shape.
func sameExtent(a, b tensor.Type) bool {
	a.DType = b.DType
	return sameShape(a, b)
}

func (f *fuser) quantConv(i int, c *graph.Node, y steps, attrs []graph.Attr, gone []int) bool {
	x, xs, ok := f.byteOf(c.In(0))
	from, w, ws, ok2 := f.weightsOf(c.In(1), 0)
	if !ok || !ok2 || w.Rank() < 3 {
		return false
	}
	inputs := []graph.Value{x, xs.scale, xs.zero, from, ws.scale, ws.zero, y.scale, y.zero}
	if c.In(2) != "" {
		bias, ok := f.biasOf(c.In(2), w.Shape()[0], xs, ws)
		if !ok {
			return false
		}
		inputs = append(inputs, bias)
	}
	return f.replace(i, &graph.Node{Domain: op.Private, Op: "QuantConv", Inputs: inputs, Attrs: withAttrs(c.Attrs, attrs...)}, gone...)
}

// factor takes a MatMul or Gemm by dequantised constant weights apart: the weights, as (k, n), and their scales.
func (f *fuser) factor(m *graph.Node) (from graph.Value, w *tensor.Tensor, s steps, ok bool) {
	trans := 0
	if m.Op == "Gemm" {
		if m.Int("transA", 0) != 0 || m.Float("alpha", 1) != 1 || m.In(2) != "" && m.Float("beta", 1) != 1 {
			return "", nil, s, false
		}
		trans = b2i(m.Int("transB", 0) != 0)
	}
	from, w, s, ok = f.weightsOf(m.In(1), 1-trans)
	if !ok || w.Rank() != 2 || w.Len() == 0 {
		return "", nil, s, false
	}
	if trans == 1 {
		w = turned(w)
		from = f.add("weights", w)
	}
	return from, w, s, true
}

// quantProduct makes a QuantMatMul of m, with a bias where it is not "".
func (f *fuser) quantProduct(i int, m *graph.Node, bias graph.Value, y steps, attrs []graph.Attr, gone []int) bool {
	x, xs, ok := f.byteOf(m.In(0))
	if !ok || f.s.types[x].Unranked || len(f.s.types[x].Dims) < 2 {
		return false
	}
	if m.Op == "MatMul" && bias == "" {
		if r, rs, ok := f.byteOf(m.In(1)); ok && f.s.constants[r] == nil { // both at run time
			return f.replace(i, &graph.Node{Domain: op.Private, Op: "QuantMatMul", Inputs: []graph.Value{x, xs.scale, xs.zero, r, rs.scale, rs.zero, y.scale, y.zero}, Attrs: attrs}, gone...)
		}
	}
	from, w, ws, ok := f.factor(m)
	if !ok {
		return false
	}
	if m.Op == "Gemm" {
		bias = m.In(2)
	}
	inputs := []graph.Value{x, xs.scale, xs.zero, from, ws.scale, ws.zero, y.scale, y.zero}
	if bias != "" {
		row := f.row(bias, w.Shape()[1])
		if row == "" {
			return false
		}
		if row, ok = f.biasOf(row, w.Shape()[1], xs, ws); !ok {
			return false
		}
		inputs = append(inputs, row)
	}
	return f.replace(i, &graph.Node{Domain: op.Private, Op: "QuantMatMul", Inputs: inputs, Attrs: attrs}, gone...)
}

// fuseQuantReal makes a QuantDense of a product of dequantised matrices whose result stays float32.
func fuseQuantReal(f *fuser, i int) bool {
	m := f.nodes[i]
	if !is(m, "MatMul", "Gemm") {
		return false
	}
	x, xs, ok := f.byteOf(m.In(0))
	if !ok || f.s.types[x].Unranked || len(f.s.types[x].Dims) < 2 {
		return false
	}
	from, w, ws, ok := f.factor(m)
	if !ok {
		return false
	}
	scale := tensor.New(tensor.Float32, ws.scales.Len())
	for j, v := range ws.scales.F32() {
		scale.F32()[j] = xs.scales.F32()[0] * v
	}
	inputs := []graph.Value{x, from, xs.zero, ws.zero, f.add("scale", scale)}
	if m.Op == "Gemm" && m.In(2) != "" {
		row := f.row(m.In(2), w.Shape()[1])
		if row == "" {
			return false
		}
		inputs = append(inputs, row)
	}
	return f.replace(i, &graph.Node{Domain: op.Private, Op: "QuantDense", Inputs: inputs})
}

// fuseQuantMove lets what only moves values move the bytes, where they have one scale before and after: that is exact.
func fuseQuantMove(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "QuantizeLinear") || !f.isFloat32(n.In(0)) {
		return false
	}
	y, ok := f.stepsOf(n)
	m, at := f.by(n.In(0), "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Concat", "MaxPool", "Relu")
	if !ok || m == nil || !y.one() {
		return false
	}
	name, inputs := m.Op, append([]graph.Value(nil), m.Inputs...)
	for k := range inputs {
		if k > 0 && m.Op != "Concat" {
			break
		}
		from, s, ok := f.byteOf(inputs[k])
		if !ok || !s.same(y) {
			return false
		}
		inputs[k] = from
	}
	if m.Op == "Relu" {
		if y.zeros.Bytes()[0] != byte(b2i(y.zeros.DType() == tensor.Int8)<<7) { // the least byte stands for 0
			return false
		}
		name = "Identity"
	}
	version, err := f.s.opset(m)
	if err != nil {
		return false
	}
	if m.Op == "MaxPool" {
		version = max(version, 12) // before, it was for real numbers alone
	}
	f.replace(i, &graph.Node{Op: name, Inputs: inputs, Attrs: m.Attrs}, at)
	f.nodes[i].Opsets = map[string]int64{"": version}
	return true
}

// fuseQuantOwn takes onnxruntime's own sum and product of bytes for ours, which do not broadcast.
func fuseQuantOwn(f *fuser, i int) bool {
	n := f.nodes[i]
	if n.Domain != "com.microsoft" {
		return false
	}
	switch n.Op {
	case "QLinearAdd":
		if n.In(7) == "" || n.In(2) == "" || n.In(5) == "" || !sameShape(f.s.types[n.In(0)], f.s.types[n.In(3)]) {
			return false
		}
		return f.replace(i, &graph.Node{Domain: op.Private, Op: "QuantAdd", Inputs: n.Inputs})
	case "QGemm":
		w := f.s.constants[n.In(3)]
		if w == nil || w.Rank() != 2 || n.Int("transA", 0) != 0 || n.Float("alpha", 1) != 1 || n.In(2) == "" || n.In(5) == "" || n.In(7) == "" || n.In(8) == "" {
			return false
		}
		inputs := []graph.Value{n.In(0), n.In(1), n.In(2), n.In(3), n.In(4), n.In(5), n.In(7), n.In(8)}
		if n.Int("transB", 0) != 0 {
			w = turned(w)
			inputs[3] = f.add("weights", w)
		}
		if c := n.In(6); c != "" {
			bias := f.s.constants[c]
			if bias == nil || bias.DType() != tensor.Int32 || bias.Len() != w.Shape()[1] {
				return false
			}
			inputs = append(inputs, c)
		}
		return f.replace(i, &graph.Node{Domain: op.Private, Op: "QuantMatMul", Inputs: inputs})
	}
	return false
}

// turned is a matrix of bytes turned.
func turned(w *tensor.Tensor) *tensor.Tensor {
	rows, columns := w.Shape()[0], w.Shape()[1]
	to := tensor.New(w.DType(), columns, rows)
	for r := range rows {
		for c := range columns {
			to.Bytes()[c*rows+r] = w.Bytes()[r*columns+c]
		}
	}
	return to
}
