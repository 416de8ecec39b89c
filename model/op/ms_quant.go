//go:build !lean

package op

import (
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// com.microsoft operators on quantised values: each is that on the real values, rounded to the result's scale and zero point.
// onnxruntime computes some in fixed point or by a table, so that its results may differ by one step where a value lies between two.
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
func init() {
	u8 := func(v ...uint8) *tensor.Tensor { return tensor.FromSlice(tensor.Uint8, v) }
	u8s := func(v uint8) *tensor.Tensor { return shaped(tensor.Uint8, nil, []uint8{v}) }
	scale := func(v float32) *tensor.Tensor { return f32s(nil, v) }
	one := Arity{1, 1}
	pair := func(name string, cases ...Case) {
		msSpec(microsoft, "QLinear"+name, 1, nil, Arity{7, 8}, one, false, func(n *graph.Node, p *msParts) []graph.Value {
			return []graph.Value{p.quantized(p.op(name, nil, p.real(0), p.real(3)), 6, 0)}
		}).Cases = cases
	}
	pair("Add", Case{In: in(u8(10, 20), scale(.5), u8s(0), u8(4, 6), scale(1), u8s(2), scale(2), u8s(1)), Out: in(u8(5, 8))}) // (5+2)/2+1 = 4.5→ even of 3.5 is 4, +1
	pair("Mul", Case{In: in(u8(10, 20), scale(.5), u8s(0), u8(4, 6), scale(1), u8s(2), scale(2), u8s(1)), Out: in(u8(6, 21))})
	single := func(name string, attrs []string, body func(n *graph.Node, p *msParts, x graph.Value) graph.Value, cases ...Case) {
		msSpec(microsoft, "QLinear"+name, 1, attrs, Arity{4, 5}, one, false, func(n *graph.Node, p *msParts) []graph.Value {
			return []graph.Value{p.quantized(body(n, p, p.real(0)), 3, 0)}
		}).Cases = cases
	}
	single("Sigmoid", nil, func(n *graph.Node, p *msParts, x graph.Value) graph.Value { return p.op("Sigmoid", nil, x) },
		Case{In: in(u8(10, 12), scale(.5), u8s(10), scale(.01), u8s(0)), Out: in(u8(50, 73))})
	single("LeakyRelu", []string{"alpha"}, func(n *graph.Node, p *msParts, x graph.Value) graph.Value { return p.op("LeakyRelu", n.Attrs, x) },
		Case{Attrs: []graph.Attr{graph.FloatAttr("alpha", .5)}, In: in(u8(8, 12), scale(.5), u8s(10), scale(.25), u8s(10)), Out: in(u8(8, 14))})
	single("Softmax", []string{"axis", "opset"}, bodyQSoftmax,
		Case{Attrs: []graph.Attr{graph.IntAttr("opset", 13)}, In: in(u8(8, 8), scale(.5), u8s(10), scale(.01), u8s(0)), Out: in(u8(50, 50))})
	single("GlobalAveragePool", []string{"channels_last"}, bodyQPool,
		Case{Attrs: []graph.Attr{graph.IntAttr("channels_last", 1)}, In: in(shaped(tensor.Uint8, []int{1, 1, 2, 2}, []uint8{8, 0, 12, 4}), scale(.5), u8s(10), scale(.25), u8s(10)), Out: in(shaped(tensor.Uint8, []int{1, 1, 1, 2}, []uint8{10, 0}))})
	single("AveragePool", []string{"auto_pad", "ceil_mode", "channels_last", "count_include_pad", "kernel_shape", "pads", "strides"}, bodyQPool,
		Case{Attrs: []graph.Attr{graph.IntsAttr("kernel_shape", 1, 2)}, In: in(shaped(tensor.Uint8, []int{1, 1, 1, 3}, []uint8{8, 12, 14}), scale(.5), u8s(10), scale(.25), u8s(10)), Out: in(shaped(tensor.Uint8, []int{1, 1, 1, 2}, []uint8{10, 16}))})
	msSpec(microsoft, "QLinearConcat", 1, []string{"axis"}, Arity{3, Many}, one, false, bodyQConcat, 1).Cases = []Case{
		{Attrs: []graph.Attr{graph.IntAttr("axis", 0)}, In: in(scale(.5), u8s(1), u8(2, 3), scale(1), u8s(1), u8(4), scale(.5), u8s(0)), Out: in(u8(3, 5, 5))},
	}
	msSpec(microsoft, "NhwcMaxPool", 1, []string{"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides"}, one, one, false, func(n *graph.Node, p *msParts) []graph.Value {
		return []graph.Value{p.lastBack(p.op("MaxPool", n.Attrs, p.lastFirst(p.in(0))))}
	}).Cases = []Case{{Attrs: []graph.Attr{graph.IntsAttr("kernel_shape", 1, 2)}, In: in(shaped(tensor.Uint8, []int{1, 1, 2, 2}, []uint8{8, 0, 12, 4})), Out: in(shaped(tensor.Uint8, []int{1, 1, 1, 2}, []uint8{12, 4}))}}

	linear := func(name string, attrs ...string) *Spec {
		return msSpec(microsoft, name, 1, attrs, Arity{2, 3}, one, false, func(n *graph.Node, p *msParts) []graph.Value {
			return []graph.Value{p.op(name, n.Attrs, append([]graph.Value{p.in(0), p.in(1)}, p.given(2)...)...)}
		})
	}
	linear("QuantizeLinear", "axis", "block_size", "saturate").Cases = []Case{{In: in(f32v(1, -3), scale(.5), u8s(4)), Out: in(u8(6, 0))}}
	linear("DequantizeLinear", "axis", "block_size").Cases = []Case{{In: in(tensor.FromSlice(tensor.Uint16, []uint16{6, 40000}), scale(.5), shaped(tensor.Uint16, nil, []uint16{4})), Out: in(f32v(1, 19998))}}
}

// real is the quantised input i with the scale and zero point behind it.
func (p *msParts) real(i int) graph.Value {
	return p.op("DequantizeLinear", nil, append([]graph.Value{p.in(i), p.in(i + 1)}, p.given(i+2)...)...)
}

// quantized rounds v to the scale of input i and the zero point behind it; without one the type is that of input like.
func (p *msParts) quantized(v graph.Value, i, like int) graph.Value {
	var attrs []graph.Attr
	if p.in(i+1) == "" {
		attrs = []graph.Attr{graph.IntAttr("output_dtype", int64(p.site.typ(like).DType))}
	}
	return p.op("QuantizeLinear", attrs, append([]graph.Value{v, p.in(i)}, p.given(i+1)...)...)
}

// bodyQSoftmax: before opset 13 the dimensions from axis, 1 without it, on are one.
func bodyQSoftmax(n *graph.Node, p *msParts, x graph.Value) graph.Value {
	if n.Int("opset", 13) >= 13 {
		return p.op("Softmax", []graph.Attr{graph.IntAttr("axis", n.Int("axis", -1))}, x)
	}
	shape := p.shape(x)
	if p.err != nil {
		return ""
	}
	axis, err := axisOf(n.Op, n.Int("axis", 1), len(shape))
	if err != nil {
		p.fail(err)
		return ""
	}
	to := make([]int64, len(shape))
	for i, s := range shape {
		to[i] = int64(s)
	}
	flat := p.op("Flatten", []graph.Attr{graph.IntAttr("axis", int64(axis))}, x)
	return p.op("Reshape", []graph.Attr{graph.IntAttr("allowzero", 1)}, p.op("Softmax", nil, flat), p.ints(to...))
}

func bodyQPool(n *graph.Node, p *msParts, x graph.Value) graph.Value {
	var attrs []graph.Attr
	for _, a := range n.Attrs {
		if a.Name != "channels_last" {
			attrs = append(attrs, a)
		}
	}
	name := n.Op[len("QLinear"):]
	if n.Int("channels_last", 0) == 0 {
		return p.op(name, attrs, x)
	}
	return p.lastBack(p.op(name, attrs, p.lastFirst(x)))
}

// lastFirst brings channels from the last place to the second, lastBack back.
func (p *msParts) lastFirst(v graph.Value) graph.Value {
	rank := int64(p.rank(v))
	if p.err != nil || rank < 3 {
		return v
	}
	perm := []int64{0, rank - 1}
	for i := int64(1); i < rank-1; i++ {
		perm = append(perm, i)
	}
	return p.op("Transpose", []graph.Attr{graph.IntsAttr("perm", perm...)}, v)
}

func (p *msParts) lastBack(v graph.Value) graph.Value {
	rank := int64(p.rank(v))
	if p.err != nil || rank < 3 {
		return v
	}
	perm := []int64{0}
	for i := int64(2); i < rank; i++ {
		perm = append(perm, i)
	}
	return p.op("Transpose", []graph.Attr{graph.IntsAttr("perm", append(perm, 1)...)}, v)
}

func bodyQConcat(n *graph.Node, p *msParts) []graph.Value {
	if (len(n.Inputs)-2)%3 != 0 || n.Attr("axis") == nil {
		p.fail(bad(n, "wants an axis, and a scale and a zero point for each input"))
		return nil
	}
	var parts []graph.Value
	for i := 2; i < len(n.Inputs); i += 3 {
		parts = append(parts, p.real(i))
	}
	return []graph.Value{p.quantized(p.op("Concat", n.Attrs, parts...), 0, 2)}
}
