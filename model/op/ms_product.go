//go:build !lean

package op

import (
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// com.microsoft products of quantised matrices with a real result: MatMulIntegerToFloat, DynamicQuantizeMatMul (A is quantised by its range),
// QGemm (also rounded to a scale). https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
func init() {
	u8 := func(shape []int, v ...uint8) *tensor.Tensor { return shaped(tensor.Uint8, shape, v) }
	scale := func(v float32) *tensor.Tensor { return f32s(nil, v) }
	a, b := u8([]int{1, 2}, 3, 5), u8([]int{2, 2}, 1, 2, 3, 4)
	msSpec(microsoft, "MatMulIntegerToFloat", 1, nil, Arity{4, 7}, Arity{1, 1}, false, func(n *graph.Node, p *msParts) []graph.Value {
		return []graph.Value{p.byteProduct(p.in(0), p.in(1), p.in(2), p.in(3), p.in(4), p.in(5), p.in(6))}
	}, 2).Cases = []Case{{In: in(a, b, scale(.5), f32v(1, 2), u8(nil, 1), u8([]int{2}, 1, 0), f32v(10, 20)), Out: in(f32s([]int{1, 2}, 14, 40))}}
	msSpec(microsoft, "DynamicQuantizeMatMul", 1, nil, Arity{3, 5}, Arity{1, 1}, false, func(n *graph.Node, p *msParts) []graph.Value {
		q := p.ops("DynamicQuantizeLinear", 3, nil, p.in(0))
		return []graph.Value{p.byteProduct(q[0], p.in(1), q[1], p.in(2), q[2], p.in(3), p.in(4))}
	}).Cases = []Case{{In: in(f32s([]int{1, 2}, 255, 51), b, scale(2), u8(nil, 1), f32v(1, 2)), Out: in(f32s([]int{1, 2}, 205, 818))}}
	msSpec(microsoft, "QGemm", 1, []string{"alpha", "transA", "transB"}, Arity{6, 9}, Arity{1, 1}, false, bodyQGemm, 0).Cases = []Case{
		{Attrs: []graph.Attr{graph.IntAttr("transA", 1)}, In: in(u8([]int{2, 1}, 3, 5), scale(.5), u8(nil, 1), b, scale(1), u8(nil, 0), i32v(2, 4), scale(2), u8(nil, 3)), Out: in(u8([]int{1, 2}, 7, 9))},
	}
}

// byteProduct is (a - a's zero)·(b - b's zero)·(a's scale·b's scale) + bias; zeros and bias may be absent.
func (p *msParts) byteProduct(a, b, aScale, bScale, aZero, bZero, bias graph.Value) graph.Value {
	in := []graph.Value{a, b}
	if aZero != "" || bZero != "" {
		in = append(in, aZero)
	}
	if bZero != "" {
		in = append(in, bZero)
	}
	factor := p.op("Mul", nil, aScale, bScale)
	y := p.op("Mul", nil, p.op("Cast", castTo(p.types[factor].DType), p.op("MatMulInteger", nil, in...)), factor)
	if bias != "" {
		y = p.op("Add", nil, y, bias)
	}
	return y
}

func bodyQGemm(n *graph.Node, p *msParts) []graph.Value {
	a, b := p.swapped(p.in(0), n.Int("transA", 0)), p.swapped(p.in(3), n.Int("transB", 0))
	sum := p.op("MatMulInteger", nil, a, b, p.in(2), p.in(5))
	if c := p.in(6); c != "" {
		sum = p.op("Add", nil, sum, c)
	}
	factor := p.op("Mul", nil, p.op("Mul", nil, p.in(1), p.in(4)), p.scalar(n.Float("alpha", 1)))
	y := p.op("Mul", nil, p.op("Cast", castTo(tensor.Float32), sum), factor)
	if p.in(7) == "" {
		return []graph.Value{y}
	}
	return []graph.Value{p.quantized(y, 7, 0)}
}
