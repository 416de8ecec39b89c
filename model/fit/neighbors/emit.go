package neighbors

import (
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// emit appends distances, the choice of the nearest, and their vote.
func (m *memory) emit(b *graph.Builder, x graph.Value) graph.Value {
	if !m.Unscaled {
		x = b.Op("Sub", x, b.Floats("mean", fit.Narrow(m.map32.Mean)))
	}
	x = b.Op("Mul", x, b.Floats("scale", fit.Narrow(m.map32.Scale)))
	x = b.Op("Clip", x, b.Scalar("least", -far), b.Scalar("most", far))
	points := b.Init("points", tensor.Floats(m.point, len(m.from), m.Cols))
	var distance, row graph.Value
	if m.P == 1 {
		distance, row = m.least(b, m.differences(b, x, points), m.NNeighbors)
	} else {
		distance, row = m.euclid(b, x, points)
	}
	vote := b.Op("Gather", b.Init("votes", tensor.Floats(m.vote, len(m.from), m.outs)), row)
	if m.Weights == "distance" {
		vote = b.Op("Mul", vote, b.Op("Unsqueeze", m.closeness(b, distance), b.Ints("last", []int64{2})))
	}
	neighbours, outs := b.Ints("neighbours", []int64{1}), []graph.Attr{graph.IntAttr("keepdims", 0)}
	sum := b.OpWith("ReduceSum", outs, vote, neighbours)
	if m.Task == fit.Classification {
		return b.Op("Div", sum, b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 1)}, sum, neighbours))
	}
	parts := b.Node("", "Split", []graph.Value{sum, b.Ints("parts", []int64{1, 1})}, 2, graph.IntAttr("axis", 1))
	return b.Op("Div", parts[0], parts[1])
}

// least are the k least of each row of distances, in order, and where they stand.
func (m *memory) least(b *graph.Builder, distance graph.Value, k int) (values, places graph.Value) {
	out := b.Node("", "TopK", []graph.Value{distance, b.Ints("k", []int64{int64(k)})}, 2, graph.IntAttr("largest", 0))
	return out[0], out[1]
}

// differences sums |x - point| feature by feature: (rows, kept), never (rows, kept, cols).
func (m *memory) differences(b *graph.Builder, x, points graph.Value) graph.Value {
	points = b.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 1, 0)}, points)
	if m.Cols == 1 {
		return b.Op("Abs", b.Op("Sub", x, points))
	}
	columns := b.Node("", "Split", []graph.Value{x}, m.Cols, graph.IntAttr("axis", 1))
	lines := b.Node("", "Split", []graph.Value{points}, m.Cols, graph.IntAttr("axis", 0))
	var sum graph.Value
	for j := range columns {
		term := b.Op("Abs", b.Op("Sub", columns[j], lines[j]))
		if j > 0 {
			term = b.Op("Add", sum, term)
		}
		sum = term
	}
	return sum
}

// euclid finds candidates by |point|² - 2·x·point, which is one product but rounds, and chooses among these by their
// distances in float64: rounded to float32 those do not depend on the order of the sum, so equal distances are equal.
func (m *memory) euclid(b *graph.Builder, x, points graph.Value) (distance, row graph.Value) {
	centred, centres := x, points
	if m.Unscaled {
		mean := b.Floats("mean", fit.Narrow(m.map32.Mean))
		centred, centres = b.Op("Sub", x, mean), b.Op("Sub", points, mean)
	}
	square := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, b.Op("Mul", centres, centres), b.Ints("features", []int64{1}))
	twice := b.Op("Mul", b.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 1, 0)}, centres), b.Scalar("minus_two", -2))
	score := b.Op("Add", b.Op("MatMul", centred, twice), square)

	_, row = m.least(b, score, min(len(m.from), m.NNeighbors+max(16, m.NNeighbors)))
	row, _ = m.least(b, row, min(len(m.from), m.NNeighbors+max(16, m.NNeighbors))) // in the order of rows, so that of equal ones the earlier count
	wide := func(v graph.Value) graph.Value {
		return b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float64))}, v)
	}
	apart := b.Op("Sub", wide(b.Op("Unsqueeze", x, b.Ints("axis", []int64{1}))), wide(b.Op("Gather", points, row)))
	exact := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, b.Op("Mul", apart, apart), b.Ints("features", []int64{2}))
	exact = b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, b.Op("Sqrt", exact))
	distance, place := m.least(b, exact, m.NNeighbors)
	return distance, b.OpWith("GatherElements", []graph.Attr{graph.IntAttr("axis", 1)}, row, place)
}

// closeness is nearest distance / distance; where the nearest lies on x, 1 for those that do and 0 for the others.
func (m *memory) closeness(b *graph.Builder, distance graph.Value) graph.Value {
	nearest := b.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 1)}, distance, b.Ints("first", []int64{0}))
	zero := b.Scalar("zero", 0)
	on := b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, b.Op("Equal", distance, zero))
	return b.Op("Where", b.Op("Equal", nearest, zero), on, b.Op("Div", nearest, distance))
}
