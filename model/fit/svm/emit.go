package svm

import (
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// far bounds the mapped features of a linear kernel, so that products stay in the range of float32.
const far = 1e12

// emit appends decisions, and what follows from them.
func (m *machine) emit(b *graph.Builder, x graph.Value) graph.Value {
	outs := len(m.bias)
	gain, offset := make([]float64, outs), append([]float64(nil), m.bias...)
	for k := range outs {
		if m.pairs == nil {
			gain[k], offset[k] = m.unit, m.unit*offset[k]+m.center
		} else {
			gain[k], offset[k] = m.odds[k].a, m.odds[k].a*offset[k]+m.odds[k].b
		}
	}
	var y graph.Value
	if m.Kernel == "linear" {
		z := m.standard.Append(b, x)
		z = b.Op("Clip", z, b.Scalar("least", -far), b.Scalar("most", far))
		y = b.Op("MatMul", z, b.Floats("weight", fit.Narrow(m.planes(gain)), m.Cols, outs))
		y = b.Op("Add", y, b.Floats("bias", fit.Narrow(offset)))
	} else {
		y = b.Op("MatMul", m.kernel(b, x), b.Doubles("coefficients", m.coefficients(gain), max(1, len(m.support)), outs))
		y = cast(b, b.Op("Add", y, b.Doubles("bias", offset)), tensor.Float32)
	}
	if m.pairs == nil {
		return y
	}
	return m.couple(b, y)
}

func cast(b *graph.Builder, x graph.Value, to tensor.DType) graph.Value {
	return b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(to))}, x)
}

// planes are the coefficients of a linear kernel, summed over the support vectors (cols, outs).
func (m *machine) planes(gain []float64) []float64 {
	out := make([]float64, m.Cols*len(gain))
	for k, coef := range m.coef {
		for v, r := range m.support {
			for j := range m.Cols {
				out[j*len(gain)+k] += gain[k] * coef[v] * m.z[int(r)*m.Cols+j]
			}
		}
	}
	return out
}

// coefficients (support, outs), or one row of zeros where nothing supports.
func (m *machine) coefficients(gain []float64) []float64 {
	out := make([]float64, max(1, len(m.support))*len(gain))
	for k, coef := range m.coef {
		for v, c := range coef {
			out[v*len(gain)+k] = gain[k] * c
		}
	}
	return out
}

// kernel appends the kernel between x and the support vectors: (rows, support), in float64. A decision may be the small
// difference of large sums, where C is large or all rows are near for the kernel, and float32 would leave little of it.
func (m *machine) kernel(b *graph.Builder, x graph.Value) graph.Value {
	n := max(1, len(m.support))
	points, squares := make([]float64, m.Cols*n), make([]float64, n)
	for v, r := range m.support {
		for j, value := range m.z[int(r)*m.Cols : (int(r)+1)*m.Cols] {
			points[j*n+v] = value
			squares[v] += value * value
		}
	}
	z := b.Op("Sub", cast(b, x, tensor.Float64), b.Doubles("mean", m.standard.Mean))
	z = b.Op("Mul", z, b.Doubles("scale", m.standard.Scale))
	if m.Kernel == "rbf" { // exp(-|z|² - |point|² + 2·z·point)
		for i := range points {
			points[i] *= 2
		}
	}
	k := b.Op("MatMul", z, b.Doubles("support", points, m.Cols, n))
	if m.Kernel == "rbf" {
		length := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 1)}, b.Op("Mul", z, z), b.Ints("features", []int64{1}))
		k = b.Op("Sub", b.Op("Sub", k, length), b.Doubles("lengths", squares))
		return b.Op("Exp", b.Op("Min", k, b.Doubles("zero", []float64{0})))
	}
	k = b.Op("Add", k, b.Doubles("coef0", []float64{m.Coef0}))
	most := math.Pow(10, 30/float64(m.Degree))
	k = b.Op("Min", b.Op("Max", k, b.Doubles("least", []float64{-most})), b.Doubles("most", []float64{most}))
	power := k
	for range m.Degree - 1 {
		power = b.Op("Mul", power, k)
	}
	return power
}

// couple turns the log odds of each pair (rows, pairs) into probabilities (rows, classes). With t(k, j) the log odds of
// k against j, 1/p is 1 + exp(-t), so Price's formula becomes p(k) ∝ 1 / (1 + Σ exp(-t(k, j))).
func (m *machine) couple(b *graph.Builder, odds graph.Value) graph.Value {
	n := m.Classes
	var pair []int64   // (classes·others), where the log odds of k and j stand
	var sign []float32 // 1 where they are those of j against k
	for k := range n {
		for j := range n {
			if j == k {
				continue
			}
			at, factor := slices.Index(m.pairs, [2]int{k, j}), float32(-1)
			if at < 0 {
				at, factor = slices.Index(m.pairs, [2]int{j, k}), 1
			}
			pair, sign = append(pair, int64(at)), append(sign, factor)
		}
	}
	odds = b.Op("Clip", odds, b.Scalar("least", -certain), b.Scalar("most", certain))
	odds = b.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 1)}, odds, b.Ints("pair", pair))
	e := b.Op("Exp", b.Op("Mul", odds, b.Floats("sign", sign)))
	e = b.Op("Reshape", e, b.Ints("by_class", []int64{0, int64(n), int64(n - 1)}))
	e = b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, e, b.Ints("others", []int64{2}))
	one := b.Scalar("one", 1)
	p := b.Op("Div", one, b.Op("Add", e, one))
	return b.Op("Div", p, b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 1)}, p, b.Ints("classes", []int64{1})))
}
