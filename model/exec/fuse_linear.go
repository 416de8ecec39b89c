//go:build !lean

package exec

import (
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// fuseLayerNorm: (x - mean)/√(variance + ε)·γ + β over the last dimension, as exporters write it before opset 17.
// Ba, Kiros and Hinton, "Layer Normalization", 2016.
func fuseLayerNorm(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "Add") || !f.isFloat32(n.Outputs[0]) {
		return false
	}
	for k := range 2 {
		beta := f.constant(n.In(k))
		m, mul := f.by(n.In(1-k), "Mul")
		if beta == nil || beta.Rank() != 1 || m == nil {
			continue
		}
		for j := range 2 {
			gamma := f.constant(m.In(j))
			d, div := f.by(m.In(1-j), "Div")
			if gamma == nil || gamma.Rank() != 1 || d == nil || gamma.Len() != beta.Len() {
				continue
			}
			x, eps, gone := f.normalised(d)
			if gone == nil || !f.lastIs(x, gamma.Len()) {
				continue
			}
			node := &graph.Node{Op: "LayerNormalization", Inputs: []graph.Value{x, m.In(j), n.In(k)}, Attrs: []graph.Attr{graph.IntAttr("axis", -1), graph.FloatAttr("epsilon", float32(eps))}}
			return f.replace(i, node, append(gone, mul, div)...)
		}
	}
	return false
}

// normalised takes (x - mean)/√(variance + ε) apart.
func (f *fuser) normalised(d *graph.Node) (x graph.Value, eps float64, gone []int) {
	root, sqrt := f.by(d.In(1), "Sqrt")
	if root == nil {
		return "", 0, nil
	}
	sum, add := f.by(root.In(0), "Add")
	if sum == nil {
		return "", 0, nil
	}
	var variance *graph.Node
	var mean2 int
	for k := range 2 {
		if v, ok := f.scalar(sum.In(k)); ok {
			eps = v
			variance, mean2 = f.by(sum.In(1-k), "ReduceMean")
		}
	}
	if variance == nil || !f.overLast(variance) {
		return "", 0, nil
	}
	square, pow := f.by(variance.In(0), "Pow", "Mul")
	if square == nil {
		return "", 0, nil
	}
	diff := square.In(0)
	if two := square.Op == "Pow" && f.near(square.In(1), 2) || square.Op == "Mul" && square.In(1) == diff; !two || diff != d.In(0) {
		return "", 0, nil
	}
	at, ok := f.maker[diff]
	if !ok || !is(f.nodes[at], "Sub") || f.uses[diff] != 2+b2i(square.Op == "Mul") {
		return "", 0, nil
	}
	sub := f.nodes[at]
	mean, mean1 := f.by(sub.In(1), "ReduceMean")
	if mean == nil || !f.overLast(mean) || mean.In(0) != sub.In(0) {
		return "", 0, nil
	}
	return sub.In(0), eps, []int{sqrt, add, mean2, pow, at, mean1}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// overLast tells whether a reduction keeps its one axis, the last.
func (f *fuser) overLast(n *graph.Node) bool {
	axes := n.Ints("axes")
	if t := f.s.constants[n.In(1)]; n.In(1) != "" {
		if t == nil || t.DType() != tensor.Int64 {
			return false
		}
		axes = t.I64()
	}
	x := f.s.types[n.In(0)]
	return n.Int("keepdims", 1) == 1 && len(axes) == 1 && (axes[0] == -1 || !x.Unranked && axes[0] == int64(len(x.Dims)-1))
}

// lastIs tells whether the last dimension of v is known to be n.
func (f *fuser) lastIs(v graph.Value, n int) bool {
	t := f.s.types[v]
	return !t.Unranked && len(t.Dims) > 0 && t.Dims[len(t.Dims)-1].Size == n
}

// fuseBias makes a Dense of a product with a matrix and, where one follows, the sum with a row: constants, or, in training, inputs.
func fuseBias(f *fuser, i int) bool {
	n := f.nodes[i]
	if !f.isFloat32(n.Outputs[0]) {
		return false
	}
	switch {
	case is(n, "Gemm"):
		w := f.matrix(n.In(1))
		if w == nil || n.Int("transA", 0) != 0 || n.Float("alpha", 1) != 1 || n.In(2) != "" && n.Float("beta", 1) != 1 {
			return false
		}
		width := w[1-b2i(n.Int("transB", 0) != 0)]
		inputs := []graph.Value{n.In(0), n.In(1)}
		if c := n.In(2); c != "" {
			bias := f.row(c, width)
			if bias == "" {
				return false
			}
			inputs = append(inputs, bias)
		}
		return f.replace(i, &graph.Node{Domain: op.Private, Op: "Dense", Inputs: inputs, Attrs: []graph.Attr{graph.IntAttr("transB", n.Int("transB", 0))}})
	case is(n, "Add"):
		for k := range 2 {
			m, at := f.by(n.In(k), "MatMul")
			if m == nil {
				continue
			}
			w := f.matrix(m.In(1))
			if w == nil {
				continue
			}
			x, sum := f.s.types[m.In(0)], f.s.types[n.In(1-k)]
			if sum.Unranked || len(sum.Dims) != 1 && (x.Unranked || len(x.Dims) < 2) { // the rank of the sum may be the bias' own
				continue
			}
			if bias := f.row(n.In(1-k), w[1]); bias != "" {
				return f.replace(i, &graph.Node{Domain: op.Private, Op: "Dense", Inputs: []graph.Value{m.In(0), m.In(1), bias}}, at)
			}
		}
	}
	return false
}

// matrix is the shape of v, where that is known to be a matrix and v a constant or an input.
func (f *fuser) matrix(v graph.Value) []int {
	t := f.s.types[v]
	if _, made := f.maker[v]; made && f.constant(v) == nil || t.DType != tensor.Float32 || t.Unranked || len(t.Dims) != 2 || t.Dims[0].Size < 1 || t.Dims[1].Size < 1 {
		return nil
	}
	return []int{t.Dims[0].Size, t.Dims[1].Size}
}

// row returns the name of a row of width elements, constant or an input, that is added to each row, "" where v is none.
func (f *fuser) row(v graph.Value, width int) graph.Value {
	t, is := f.constant(v), f.s.types[v]
	if _, made := f.maker[v]; t == nil && !made && is.DType == tensor.Float32 && !is.Unranked && len(is.Dims) == 1 && is.Dims[0].Size == width {
		return v
	}
	if t == nil || t.Len() != width || t.Rank() == 0 || t.Shape()[t.Rank()-1] != width {
		return ""
	}
	if t.Rank() == 1 {
		return v
	}
	return f.add("bias", tensor.Floats(t.F32(), width))
}

// fuseScale moves what follows a convolution channel by channel — BatchNormalization, products and sums with constants — into its weights, and the
// products and sums with scalars before it. A chain of such nodes is taken whole, at its last one, so that each is looked at once and the weights
// are copied once.
func fuseScale(f *fuser, i int) bool {
	if is(f.nodes[i], "Conv") {
		return !f.goesOn(i) && f.scaleConv(i, nil)
	}
	if _, ok := f.affineInput(i); !ok || f.goesOn(i) {
		return false
	}
	links, at := []int{i}, i
	for {
		before, ok := f.affineInput(at)
		if !ok {
			return false
		}
		if at = before; is(f.nodes[at], "Conv", "ConvTranspose") {
			break
		}
		links = append(links, at)
	}
	slices.Reverse(links)
	return f.scaleConv(at, links)
}

// mostScaling bounds what is computed for one convolution, channels times nodes, so that a file of nothing but sums does not take forever.
const mostScaling = 1 << 24

// scaleConv takes as many of the nodes that follow convolution at into its weights as work by channels, and what stands before it.
func (f *fuser) scaleConv(at int, links []int) bool {
	c := f.nodes[at]
	w, old := f.constant(c.In(1)), f.constant(c.In(2))
	if w == nil || w.Rank() < 3 || w.Len() == 0 {
		return false
	}
	x, by, plus, before := f.inputLine(c, w.Rank())
	if before == nil && len(links) == 0 {
		return false
	}
	rows := rowsOf(c, w)
	if rows == nil || c.In(2) != "" && (old == nil || old.Len() != rows.channels) {
		return false
	}
	scale, shift := make([]float64, rows.channels), make([]float64, rows.channels)
	for m := range scale {
		scale[m] = 1
	}
	taken := 0
	for taken < len(links) && taken*rows.channels < mostScaling && f.affine(f.nodes[links[taken]], scale, shift, w.Rank()) {
		taken++
	}
	if taken == 0 && before == nil {
		return false
	}
	bias := tensor.New(tensor.Float32, rows.channels)
	if old != nil {
		copy(bias.F32(), old.F32())
	}
	weights := rows.scaled(w, scale, by, plus, bias.F32())
	for m, b := range bias.F32() {
		bias.F32()[m] = float32(float64(b)*scale[m] + shift[m])
	}
	last, gone := at, before
	if taken > 0 {
		last, gone = links[taken-1], append(append(gone, at), links[:taken-1]...)
	}
	return f.replace(last, &graph.Node{Op: c.Op, Inputs: []graph.Value{x, f.add("weights", weights), f.add("bias", bias)}, Attrs: c.Attrs}, gone...)
}

// convRows tells which output channel the rows of a convolution's weights, each elements long, belong to: row r to r%inner + r/span·inner.
type convRows struct{ channels, each, inner, span int }

// rowsOf is nil where the weights do not fit the groups.
func rowsOf(c *graph.Node, w *tensor.Tensor) *convRows {
	s := w.Shape()
	if c.Op == "Conv" {
		return &convRows{s[0], w.Len() / s[0], s[0], s[0]}
	}
	group := c.Int("group", 1)
	if group < 1 || int64(s[0])%group != 0 {
		return nil
	}
	return &convRows{s[1] * int(group), w.Len() / (s[0] * s[1]), s[1], s[0] / int(group) * s[1]}
}

// scaled is a copy of weights that see by·x + plus, times the scale of their channel. What plus gives is added to the bias.
func (r *convRows) scaled(w *tensor.Tensor, scale []float64, by, plus float64, bias []float32) *tensor.Tensor {
	from := w.F32()
	to := make([]float32, len(from))
	for i := 0; i*r.each < len(from); i++ {
		m := i%r.inner + i/r.span*r.inner
		row := from[i*r.each : (i+1)*r.each]
		if plus != 0 {
			sum := 0.
			for _, v := range row {
				sum += float64(v)
			}
			bias[m] += float32(sum * plus)
		}
		factor, dst := scale[m]*by, to[i*r.each:][:len(row)]
		for j, v := range row {
			dst[j] = float32(float64(v) * factor)
		}
	}
	return tensor.Floats(to, w.Shape()...)
}

// affineInput is the place of the convolution or affine node whose result node i alone goes on with, the other operands being constant.
func (f *fuser) affineInput(i int) (before int, ok bool) {
	n := f.nodes[i]
	if !is(n, "BatchNormalization", "Mul", "Add") || len(n.Outputs) != 1 || !f.isFloat32(n.Outputs[0]) {
		return -1, false
	}
	for k := range 2 {
		if n.Op == "BatchNormalization" && k > 0 || n.Op != "BatchNormalization" && f.constant(n.In(1-k)) == nil {
			continue
		}
		if b, at := f.by(n.In(k), "Conv", "ConvTranspose", "BatchNormalization", "Mul", "Add"); b != nil {
			return at, true
		}
	}
	return -1, false
}

// goesOn tells whether an affine node alone takes up the result of node i.
func (f *fuser) goesOn(i int) bool {
	v := f.nodes[i].Outputs[0]
	next, ok := f.user[v]
	if !ok || f.uses[v] != 1 || f.nodes[next] == nil {
		return false
	}
	before, ok := f.affineInput(next)
	return ok && before == i
}

// affine puts what node n does to a channel behind x·scale + shift; not ok where it works otherwise.
func (f *fuser) affine(n *graph.Node, scale, shift []float64, rank int) bool {
	channels := len(scale)
	if n.Op == "BatchNormalization" {
		var p [4][]float32 // scale, bias, mean, variance
		for k := range p {
			t := f.constant(n.In(1 + k))
			if t == nil || t.Len() != channels {
				return false
			}
			p[k] = t.F32()
		}
		if n.Int("training_mode", 0) != 0 || n.Int("spatial", 1) != 1 {
			return false
		}
		eps := float64(n.Float("epsilon", 1e-5))
		for m := range channels {
			by := float64(p[0][m]) / math.Sqrt(float64(p[3][m])+eps)
			scale[m] *= by
			shift[m] = (shift[m]-float64(p[2][m]))*by + float64(p[1][m])
		}
		return true
	}
	t := f.constant(n.In(0))
	if t == nil {
		t = f.constant(n.In(1))
	}
	if t == nil || !perChannel(t.Shape(), channels, rank) {
		return false
	}
	for m := range channels {
		x := float64(t.F32()[m%t.Len()])
		if n.Op == "Add" {
			shift[m] += x
			continue
		}
		scale[m] *= x
		shift[m] *= x
	}
	return true
}

// perChannel tells whether a shape broadcasts to (n, channels, …) of a rank with one value for each channel, or one for all.
func perChannel(shape []int, channels, rank int) bool {
	if len(shape) > rank {
		return false
	}
	for i, d := range shape {
		if axis := rank - len(shape) + i; d != 1 && (axis != 1 || d != channels) {
			return false
		}
	}
	return true
}

// fuseConvSum moves the sum with another tensor of the same shape, as residual nets have it, into a convolution.
func fuseConvSum(f *fuser, i int) bool {
	n := f.nodes[i]
	if !is(n, "Add") || !f.isFloat32(n.Outputs[0]) {
		return false
	}
	for k := range 2 {
		k = 1 - k // the second operand first: it is made last, so that the first is there
		c, at := f.by(n.In(k), "Conv")
		other := n.In(1 - k)
		if c == nil || other == n.In(k) || !sameShape(f.s.types[n.In(k)], f.s.types[other]) || f.s.constants[c.In(1)] == nil {
			continue
		}
		inputs := []graph.Value{c.In(0), c.In(1), c.In(2), other}
		return f.replace(i, &graph.Node{Domain: op.Private, Op: "FusedConv", Inputs: inputs, Attrs: c.Attrs}, at)
	}
	return false
}

// sameShape tells whether two values are known to have one shape.
func sameShape(a, b tensor.Type) bool {
	if a.Unranked || b.Unranked || len(a.Dims) != len(b.Dims) || a.DType != b.DType {
		return false
	}
	for i, d := range a.Dims {
		if d != b.Dims[i] || d.Size == tensor.Free && d.Name == "" {
			return false
		}
	}
	return true
}
