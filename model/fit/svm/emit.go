package svm

import (
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// far bounds the mapped features, so that squares stay in the range of float32.
const far = 1e12

// emit appends decisions, and what follows from them.
func (m *machine) emit(b *graph.Builder, x graph.Value) graph.Value {
	z := m.standard.Append(b, x)
	z = b.Op("Clip", z, b.Scalar("least", -far), b.Scalar("most", far))
	outs := len(m.bias)
	gain, offset := make([]float64, outs), append([]float64(nil), m.bias...)
	for k := range outs {
		if m.pairs == nil {
			gain[k], offset[k] = m.unit, m.unit*offset[k]+m.center
		} else {
			gain[k], offset[k] = m.odds[k].a, m.odds[k].a*offset[k]+m.odds[k].b
		}
	}
	y := b.Floats("bias", fit.Narrow(offset))
	if len(m.support) > 0 && m.Kernel == "linear" {
		y = b.Op("Add", b.Op("MatMul", z, b.Floats("weight", fit.Narrow(m.planes(gain)), m.Cols, outs)), y)
	} else {
		y = b.Op("Add", b.Op("MatMul", m.kernel(b, z), b.Floats("coefficients", fit.Narrow(m.coefficients(gain)), max(1, len(m.support)), outs)), y)
	}
	if m.pairs == nil {
		return y
	}
	return m.couple(b, y)
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

// kernel appends the kernel between z and the support vectors: (rows, support).
func (m *machine) kernel(b *graph.Builder, z graph.Value) graph.Value {
	n := max(1, len(m.support))
	points, squares := make([]float64, m.Cols*n), make([]float64, n)
	for v, r := range m.support {
		for j, value := range m.z[int(r)*m.Cols : (int(r)+1)*m.Cols] {
			value = float64(float32(value))
			points[j*n+v] = value
			squares[v] += value * value
		}
	}
	if m.Kernel == "rbf" { // exp(-|z|² - |point|² + 2·z·point)
		for i := range points {
			points[i] *= 2
		}
	}
	k := b.Op("MatMul", z, b.Floats("support", fit.Narrow(points), m.Cols, n))
	if m.Kernel == "rbf" {
		length := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 1)}, b.Op("Mul", z, z), b.Ints("features", []int64{1}))
		k = b.Op("Sub", b.Op("Sub", k, length), b.Floats("lengths", fit.Narrow(squares)))
		return b.Op("Exp", b.Op("Min", k, b.Scalar("zero", 0)))
	}
	k = b.Op("Add", k, b.Scalar("coef0", float32(m.Coef0)))
	most := float32(math.Pow(10, 30/float64(m.Degree)))
	k = b.Op("Clip", k, b.Scalar("least", -most), b.Scalar("most", most))
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
