package gaussian

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

func cast(b *graph.Builder, x graph.Value, to tensor.DType) graph.Value {
	return b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(to))}, x)
}

// nearness appends the distances that kernels of any length share: x mapped, -½ of its square, and the points with
// theirs. All are float64.
type nearness struct {
	z, square graph.Value // (rows, cols) and (rows, 1)
	points    graph.Value // (cols, points)
	squares   graph.Value // (points)
}

func (s *points) nearness(b *graph.Builder, x graph.Value) nearness {
	n := len(s.from)
	points, squares := make([]float64, s.Cols*n), make([]float64, n)
	for i := range n {
		for j, v := range s.z.RawRowView(i) {
			points[j*n+i] = v
			squares[i] += v * v / 2
		}
	}
	z := b.Op("Sub", cast(b, x, tensor.Float64), b.Doubles("mean", s.standard.Mean))
	z = b.Op("Mul", z, b.Doubles("scale", s.standard.Scale))
	square := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 1)}, b.Op("Mul", z, z), b.Ints("features", []int64{1}))
	square = b.Op("Mul", square, b.Doubles("half", []float64{.5}))
	return nearness{z, square, b.Doubles("points", points, s.Cols, n), b.Doubles("squares", squares)}
}

// exponents appends -½ of the squared distances: (rows, points).
func (n nearness) exponents(b *graph.Builder) graph.Value {
	e := b.Op("Sub", b.Op("Sub", b.Op("MatMul", n.z, n.points), n.square), n.squares)
	return b.Op("Min", e, b.Doubles("zero", []float64{0}))
}

// kernel appends exp(exponent / length²).
func kernelOf(b *graph.Builder, exponents graph.Value, length float64) graph.Value {
	return b.Op("Exp", b.Op("Mul", exponents, b.Doubles("precision", []float64{1 / (length * length)})))
}

// emit appends the prediction.
func (m *regression) emit(b *graph.Builder, x graph.Value) graph.Value {
	k := kernelOf(b, m.nearness(b, x).exponents(b), math.Exp(m.theta[1]))
	alpha := make([]float64, len(m.from))
	for i := range alpha {
		alpha[i] = m.unit * math.Exp(m.theta[0]) * m.alpha.AtVec(i)
	}
	y := b.Op("MatMul", k, b.Doubles("alpha", alpha, len(alpha), 1))
	return cast(b, b.Op("Add", y, b.Doubles("center", []float64{m.center})), tensor.Float32)
}
