package token

import (
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// none stands for the piece of a pair that is not to be merged: more than any piece, and float32 has it.
const none = 1 << 24

// merge appends the Loop that merges, in each turn, one pair of each word: the one that was learned first, and of equal ones the leftmost.
// parts is int64 (U, S), its last column 0.
//
//	next  = parts[:, 1:], 0                         int64 (U, S)
//	made  = LabelEncoder(parts·size + next)         float32 (U, S): the piece that a pair makes, or none. Pieces count in the order of learning.
//	best, at = ReduceMin(made), ArgMin(made)        (U, 1); at is beyond the end where best is none
//	parts = place < at ? parts : place = at ? best : next
func (p *pieces) merge(b *graph.Builder, parts graph.Value) graph.Value {
	size := b.Op("Slice", b.Op("Shape", parts), b.Ints("from", []int64{1}), b.Ints("to", []int64{2}))
	one := tensor.Ints([]int64{1}, 1)
	count := b.OpWith("CumSum", nil, b.OpWith("ConstantOfShape", []graph.Attr{graph.TensorAttr("value", one)}, size), b.Init("axis", tensor.Ints([]int64{0}, 1)))
	place := b.Op("Sub", count, b.Ints("one", []int64{1}))                     // 0, 1 … S-1
	follow := b.Op("Min", count, b.Op("Sub", size, b.Ints("one", []int64{1}))) // 1, 2 … S-1, S-1
	yes := tensor.New(tensor.Bool)
	tensor.Data[bool](yes)[0] = true

	inner := graph.NewBuilder("merge")
	g := inner.Graph()
	inner.Input("turn", tensor.TypeOf(tensor.Int64))
	inner.Input("more", tensor.TypeOf(tensor.Bool))
	now := inner.Input("parts", tensor.TypeOf(tensor.Int64, tensor.Free, tensor.Free))
	row := []graph.Attr{graph.IntsAttr("axes", 1)}
	next := inner.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 1)}, now, follow)
	made := p.made(inner, inner.Op("Add", inner.Op("Mul", now, inner.Ints("size", []int64{int64(p.size)})), next))
	best := inner.OpWith("ReduceMin", row, made)
	limit := inner.Floats("none", []float32{none})
	at := inner.Op("Where", inner.Op("Less", best, limit), inner.OpWith("ArgMin", []graph.Attr{graph.IntAttr("axis", 1)}, made), inner.Ints("beyond", []int64{none}))
	piece := inner.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Int64))}, best)
	then := inner.Op("Where", inner.Op("Equal", place, at), piece, next)
	then = inner.Op("Where", inner.Op("Less", place, at), now, then)
	first := inner.OpWith("ReduceMin", []graph.Attr{graph.IntAttr("keepdims", 0)}, best)
	more := inner.Op("Less", first, inner.Scalar("none", none))
	g.Outputs = []graph.Port{
		{Name: more, Type: graph.TensorOf(tensor.TypeOf(tensor.Bool))}, {Name: then, Type: graph.TensorOf(tensor.TypeOf(tensor.Int64, tensor.Free, tensor.Free))},
	}
	body := graph.Attr{Name: "body", Kind: graph.AttrGraph, Graph: apart(b, g)}
	return b.OpWith("Loop", []graph.Attr{body}, "", b.Init("go", yes), parts)
}

// made appends the lookup of pairs, left·size + right.
func (p *pieces) made(b *graph.Builder, pairs graph.Value) graph.Value {
	keys, values := make([]int64, len(p.merges)), make([]float32, len(p.merges))
	for i, m := range p.merges {
		keys[i], values[i] = int64(m.left)*int64(p.size)+int64(m.right), float32(p.first+i)
	}
	return b.Node(graph.ML, "LabelEncoder", []graph.Value{pairs}, 1, graph.IntsAttr("keys_int64s", keys...), graph.FloatsAttr("values_floats", values), graph.FloatAttr("default_float", none))[0]
}

// apart gives the values of a body names that b has not, and b will not have: what a body calls its own must not hide what is outside.
func apart(b *graph.Builder, g *graph.Graph) *graph.Graph {
	names := map[graph.Value]graph.Value{}
	out := graph.New(g.Name)
	own := func(v graph.Value) graph.Value {
		if names[v] == "" {
			names[v] = b.Fresh(g.Name + "_" + string(v))
		}
		return names[v]
	}
	for _, p := range g.Inputs {
		out.Inputs = append(out.Inputs, graph.Port{Name: own(p.Name), Type: p.Type})
	}
	for _, v := range g.InitializerNames() {
		out.Initializers[own(v)] = g.Initializers[v]
	}
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			own(v)
		}
		out.Nodes = append(out.Nodes, n.Renamed(names))
	}
	for _, p := range g.Outputs {
		out.Outputs = append(out.Outputs, graph.Port{Name: own(p.Name), Type: p.Type})
	}
	return out
}

// joined appends what puts the parts of each row's words one behind the other: words string (R, W), parts int64 (U, S), which of them each word
// is (R·W), to int64 (R, steps).
//
//	all   = parts[which]                            (R, W·S'), of which 0 is nothing; S' columns of parts have something in them
//	place = min(CumSum(all > 0)·(all > 0), steps+1) (R, W·S'): 1, 2 …, and 0 for nothing
//	ids   = ScatterElements(0, place, all)[:, 1:-1] (R, steps)
func joined(b *graph.Builder, words, parts, which graph.Value, limit int) graph.Value {
	one := b.Ints("one", []int64{1})
	used := b.OpWith("ReduceMax", []graph.Attr{graph.IntsAttr("axes", 0), graph.IntAttr("keepdims", 0)}, parts) // (S)
	longest := b.Op("ReduceSum", b.Op("Min", used, one), b.Ints("axis", []int64{0}))
	parts = b.Op("Slice", parts, b.Ints("from", []int64{0}), longest, one)
	rows := b.Op("Slice", b.Op("Shape", words), b.Ints("from", []int64{0}), b.Ints("to", []int64{1}))
	all := b.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 0)}, parts, which)
	all = b.Op("Reshape", all, concat(b, 0, rows, b.Ints("rest", []int64{-1})))
	there := b.Op("Min", all, one)
	count := b.Op("CumSum", there, b.Init("axis", tensor.Ints([]int64{1}, 1)))
	steps := b.Op("Min", b.Op("Reshape", b.OpWith("ReduceMax", nil, count), b.Ints("flat", []int64{-1})), b.Ints("limit", []int64{int64(limit)}))
	place := b.Op("Min", b.Op("Mul", count, there), b.Op("Add", steps, one))
	zeros := b.OpWith("ConstantOfShape", []graph.Attr{graph.TensorAttr("value", tensor.Ints([]int64{0}, 1))}, concat(b, 0, rows, b.Op("Add", steps, b.Ints("two", []int64{2}))))
	ids := b.OpWith("ScatterElements", []graph.Attr{graph.IntAttr("axis", 1)}, zeros, place, all)
	return b.Op("Slice", ids, one, b.Op("Add", steps, one), one)
}
