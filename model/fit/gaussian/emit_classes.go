package gaussian

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// emit appends the probabilities: of each latent function its mean and variance, and the mean of its logistic.
func (m *classification) emit(b *graph.Builder, x graph.Value) graph.Value {
	exponents := m.nearness(b, x).exponents(b)
	var columns []graph.Value
	for _, l := range m.latent {
		columns = append(columns, m.latentOf(b, exponents, l))
	}
	if m.Classes == 2 {
		columns = []graph.Value{b.Op("Sub", b.Scalar("one", 1), columns[0]), columns[0]}
	}
	p := b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 1)}, columns...)
	present := make([]float32, m.Classes)
	for k, is := range m.present {
		if is {
			present[k] = 1
		}
	}
	p = b.Op("Mul", b.Op("Max", p, b.Scalar("never", never)), b.Floats("present", present))
	return b.Op("Div", p, b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 1)}, p, b.Ints("classes", []int64{1})))
}

// latentOf appends the probability of one class against the rest: (rows, 1).
func (m *classification) latentOf(b *graph.Builder, exponents graph.Value, l *latent) graph.Value {
	n := len(m.from)
	gradient, root := make([]float64, n), make([]float64, n*n) // for a kernel without its constant, the second transposed
	for i := range n {
		gradient[i] = l.constant * l.gradient.AtVec(i)
		for j := range i + 1 {
			root[j*n+i] = math.Sqrt(l.constant) * l.root.At(i, j)
		}
	}
	k := kernelOf(b, exponents, l.length)
	mean := b.Op("MatMul", k, b.Doubles("gradient", gradient, n, 1))
	white := b.Op("MatMul", k, b.Doubles("root", root, n, n))
	explained := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 1)}, b.Op("Mul", white, white), b.Ints("each", []int64{1}))
	rest := b.Op("Max", b.Op("Sub", b.Doubles("all", []float64{1}), explained), b.Doubles("none", []float64{0}))
	variance := b.Op("Mul", rest, b.Doubles("constant", []float64{l.constant}))

	// Each term of the mixture is the error function of mean·slope/√2 / √(1 + slope²·variance).
	slopes, squares, half := make([]float64, len(mixtureSlopes)), make([]float64, len(mixtureSlopes)), make([]float64, len(mixtureSlopes))
	for i, s := range mixtureSlopes {
		slopes[i], squares[i], half[i] = s*math.Sqrt(.5), s*s, mixtureShares[i]/2
	}
	wide := b.Op("Sqrt", b.Op("Add", b.Op("Mul", variance, b.Doubles("slope_squares", squares)), b.Doubles("one_wide", []float64{1})))
	at := cast(b, b.Op("Div", b.Op("Mul", mean, b.Doubles("slopes", slopes)), wide), tensor.Float32)
	sum := b.Op("MatMul", b.Op("Erf", at), b.Floats("shares", fit.Narrow(half), len(half), 1))
	return b.Op("Add", sum, b.Scalar("half", .5))
}
