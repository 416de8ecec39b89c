//go:build !race

package exec_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// steady counts the allocations of a run of nodes whose inputs are x0, x1, … and whose first output is y, after other runs of the same shapes.
func steady(t *testing.T, threads int, nodes []*graph.Node, in ...*tensor.Tensor) float64 {
	t.Helper()
	return steadyRuns(t, threads, nodes, in, (*tensor.Tensor).Type)
}

// steadyOpen is steady for inputs whose shapes the model does not tell.
func steadyOpen(t *testing.T, threads int, nodes []*graph.Node, in ...*tensor.Tensor) float64 {
	t.Helper()
	return steadyRuns(t, threads, nodes, in, func(x *tensor.Tensor) tensor.Type {
		open := x.Type()
		for i := range open.Dims {
			open.Dims[i].Size = tensor.Free
		}
		return open
	})
}

func steadyRuns(t *testing.T, threads int, nodes []*graph.Node, in []*tensor.Tensor, typeOf func(*tensor.Tensor) tensor.Type) float64 {
	t.Helper()
	g := subgraph(nil, values{"y"}, nodes...)
	for _, extra := range nodes[len(nodes)-1].Outputs[1:] {
		if extra != "" {
			g.Outputs = append(g.Outputs, graph.Port{Name: extra})
		}
	}
	var given []*tensor.Tensor
	for i, x := range in {
		if x != nil {
			g.Inputs = append(g.Inputs, graph.Port{Name: graph.Value("x" + strconv.Itoa(i)), Type: graph.TensorOf(typeOf(x))})
			given = append(given, x)
		}
	}
	m := model(g)
	m.Opsets = map[string]int64{"": 24, "com.microsoft": 1, "ai.onnx.preview": 1}
	if nodes[0].Op == "Scan" && len(nodes[0].Inputs) > 0 && nodes[0].Inputs[0] == "" {
		m.Opsets[""] = 8
	}
	p, err := exec.Compile(m, exec.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(context.Background(), given)
	if err != nil {
		t.Fatal(err)
	}
	return testing.AllocsPerRun(20, func() {
		if err := p.RunInto(context.Background(), given, out); err != nil {
			t.Fatal(err)
		}
	})
}

// numbers is a tensor of small numbers, not all alike.
func numbers(shape ...int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.F32() {
		x.F32()[i] = float32(i*7%11) / 8
	}
	return x
}

func truth(v bool) *tensor.Tensor {
	x := tensor.New(tensor.Bool)
	tensor.Data[bool](x)[0] = v
	return x
}

func several(op string, in, out values, attrs ...graph.Attr) []*graph.Node {
	return []*graph.Node{{Op: op, Inputs: in, Outputs: out, Attrs: attrs}}
}

func steadySubgraphs() map[string]func(t *testing.T, threads int) float64 {
	more := subgraph(nil, values{"m"}, node("Add", values{"x1", "x1"}, "m"))
	less := subgraph(nil, values{"l"}, node("Neg", values{"x1"}, "l"))
	choice := several("If", values{"x0"}, values{"y"}, body("then_branch", more), body("else_branch", less))
	step := subgraph(values{"i", "go", "a"}, values{"go2", "a2", "seen", "all"},
		node("Identity", values{"go"}, "go2"), node("Add", values{"a", "x2"}, "a2"), node("Relu", values{"a2"}, "seen"), node("Softmax", values{"a"}, "all"))
	loop := several("Loop", values{"x0", "", "x1"}, values{"y", "s1", "s2"}, body("body", step))
	growing := several("Loop", values{"x0", "", "x1"}, values{"y"}, body("body", subgraph(values{"i", "go", "a"}, values{"go2", "a2"},
		node("Identity", values{"go"}, "go2"), node("Concat", values{"a", "a"}, "a2", graph.IntAttr("axis", 0)))))
	sum := subgraph(values{"s", "e"}, values{"s2", "o"}, node("Add", values{"s", "e"}, "s2"), node("Relu", values{"s2"}, "o"))
	axes := []graph.Attr{body("body", sum), graph.IntAttr("num_scan_inputs", 1)}
	scan := several("Scan", values{"x0", "x1"}, values{"y", "o"}, axes...)
	turned := several("Scan", values{"x0", "x1"}, values{"y", "o"}, append(axes[:2:2], graph.IntsAttr("scan_input_axes", 1), graph.IntsAttr("scan_output_axes", 1),
		graph.IntsAttr("scan_input_directions", 1), graph.IntsAttr("scan_output_directions", 1))...)
	batched := several("Scan", values{"", "x1", "x2"}, values{"y", "o"}, axes...)
	mapped := []*graph.Node{
		node("SplitToSequence", values{"x0"}, "seq"),
		node("SequenceMap", values{"seq", "x1"}, "all", body("body", subgraph(values{"e", "w"}, values{"f"}, node("Mul", values{"e", "w"}, "f")))),
		node("ConcatFromSequence", values{"all"}, "y", graph.IntAttr("axis", 0)),
	}
	soft := subgraph(values{"s"}, values{"s2"}, node("Tanh", values{"s"}, "s2"))
	flex := []*graph.Node{{Domain: "ai.onnx.preview", Op: "FlexAttention", Inputs: values{"x0", "x1", "x2"}, Outputs: values{"y"}, Attrs: []graph.Attr{body("score_mod", soft), body("prob_mod", soft)}}}
	trips := tensor.New(tensor.Int64)
	trips.I64()[0] = 5
	never := tensor.New(tensor.Int64)
	half := func(shape ...int) *tensor.Tensor { return tensor.New(tensor.Float16, shape...) }
	x := numbers(4, 6)
	cases := map[string]func(t *testing.T, threads int) float64{}
	add := func(name string, nodes []*graph.Node, in ...*tensor.Tensor) {
		cases[name] = func(t *testing.T, threads int) float64 { return steady(t, threads, nodes, in...) }
	}
	add("If, then", choice, truth(true), x)
	add("If, else", choice, truth(false), x)
	add("Loop", loop, trips, x, numbers(6))
	add("Loop, never", loop, never, x, numbers(6))
	add("Loop, large", loop, trips, numbers(64, 600), numbers(600))
	add("Loop, growing", growing, trips, numbers(3))
	add("Scan", scan, numbers(6), x)
	add("Scan, nothing", scan, numbers(6), tensor.New(tensor.Float32, 0, 6))
	add("Scan, turned", turned, numbers(4), x)
	add("Scan, batched", batched, nil, numbers(2, 6), numbers(2, 5, 6))
	add("SequenceMap", mapped, x, numbers(6))
	add("FlexAttention", flex, numbers(2, 4, 40, 8), numbers(2, 2, 50, 8), numbers(2, 2, 50, 8))
	add("FlexAttention, half", flex, half(1, 2, 8, 8), half(1, 2, 8, 8), half(1, 2, 8, 8))
	return cases
}

// steadyAttention are attentions with masks, pasts and options, all of them with shapes that are known and with shapes that are not.
func steadyAttention() map[string]func(t *testing.T, threads int) float64 {
	ms := func(op string, in, out values, attrs ...graph.Attr) []*graph.Node {
		return []*graph.Node{{Domain: "com.microsoft", Op: op, Inputs: in, Outputs: out, Attrs: attrs}}
	}
	number := graph.IntAttr
	as := func(d tensor.DType, x *tensor.Tensor) *tensor.Tensor {
		y := tensor.New(d, x.Shape()...)
		for i, v := range x.F32() {
			switch d {
			case tensor.Bool:
				tensor.Data[bool](y)[i] = i%3 != 0
			case tensor.Int64:
				y.I64()[i] = int64(v)
			case tensor.Int32:
				tensor.Data[int32](y)[i] = int32(i) % 2
			case tensor.Float64:
				tensor.Data[float64](y)[i] = float64(v)
			}
		}
		return y
	}
	q, k := numbers(2, 4, 20, 8), numbers(2, 2, 24, 8)
	past := numbers(2, 2, 6, 8)
	rows, keys := numbers(2, 20, 32), numbers(2, 24, 32)
	lengths := tensor.Ints([]int64{5, 24})
	heads := []graph.Attr{number("q_num_heads", 4), number("kv_num_heads", 4)}
	cases := map[string]func(t *testing.T, threads int) float64{}
	add := func(name string, nodes []*graph.Node, in ...*tensor.Tensor) {
		cases[name] = func(t *testing.T, threads int) float64 { return steady(t, threads, nodes, in...) }
		cases[name+", open"] = func(t *testing.T, threads int) float64 { return steadyOpen(t, threads, nodes, in...) }
	}
	plain, masked := values{"x0", "x1", "x2"}, values{"x0", "x1", "x2", "x3"}
	all := values{"y", "k", "v", "qk"}
	add("plain", several("Attention", plain, values{"y"}), q, k, k)
	add("causal, softcap", several("Attention", plain, values{"y"}, number("is_causal", 1), graph.FloatAttr("softcap", 3)), q, k, k)
	add("mask", several("Attention", masked, values{"y"}), q, k, k, numbers(2, 1, 20, 24))
	add("mask of bools", several("Attention", masked, values{"y"}), q, k, k, as(tensor.Bool, numbers(20, 24)))
	add("mask of integers", several("Attention", masked, values{"y"}), q, k, k, as(tensor.Int64, numbers(20, 24)))
	add("float64", several("Attention", masked, values{"y"}), as(tensor.Float64, q), as(tensor.Float64, k), as(tensor.Float64, k), numbers(20, 24))
	add("half", several("Attention", masked, values{"y"}), tensor.New(tensor.Float16, q.Shape()...), tensor.New(tensor.Float16, k.Shape()...), tensor.New(tensor.Float16, k.Shape()...), tensor.New(tensor.Float16, 20, 24))
	add("lengths", several("Attention", values{"x0", "x1", "x2", "", "", "", "x3"}, values{"y"}), q, k, k, lengths)
	add("past", several("Attention", values{"x0", "x1", "x2", "", "x3", "x4"}, values{"y"}), q, k, k, past, past)
	add("past and all outputs", several("Attention", values{"x0", "x1", "x2", "", "x3", "x4"}, all, number("qk_matmul_output_mode", 2)), q, k, k, past, past)
	add("rows", several("Attention", plain, values{"y"}, heads...), rows, keys, keys)
	add("large", several("Attention", plain, values{"y"}), numbers(1, 2, 200, 32), numbers(1, 2, 300, 32), numbers(1, 2, 300, 32))
	add("one query", several("Attention", plain, all[:3]), numbers(1, 8, 1, 32), numbers(1, 2, 300, 32), numbers(1, 2, 300, 32))
	places := tensor.New(tensor.Int64, 2, 20)
	rotary := values{"x0", "x1", "x2", "x3"}
	add("RotaryEmbedding", several("RotaryEmbedding", rotary, values{"y"}, number("num_heads", 4)), rows, numbers(50, 4), numbers(50, 4), places)
	add("RotaryEmbedding, large", several("RotaryEmbedding", values{"x0", "x1", "x2"}, values{"y"}, number("interleaved", 1)), numbers(2, 8, 300, 64), numbers(2, 300, 32), numbers(2, 300, 32))
	add("RotaryEmbedding of com.microsoft", ms("RotaryEmbedding", values{"x0", "x3", "x1", "x2"}, values{"y"}, number("num_heads", 4)), rows, numbers(50, 4), numbers(50, 4), tensor.Ints([]int64{3}))
	add("MultiHeadAttention", ms("MultiHeadAttention", values{"x0", "x1", "x2", "x3", "x4", "x5"}, values{"y"}, number("num_heads", 4)), rows, keys, keys, numbers(96), as(tensor.Int32, numbers(2, 24)), numbers(2, 4, 20, 24))
	add("MultiHeadAttention, past", ms("MultiHeadAttention", values{"x0", "x1", "x2", "", "", "", "x3", "x4"}, all[:3], number("num_heads", 4), number("unidirectional", 1)), rows, keys, keys, numbers(2, 4, 6, 8), numbers(2, 4, 6, 8))
	bert := values{"x0", "x1", "x2", "x3"}
	add("Attention of com.microsoft, lengths", ms("Attention", bert, values{"y"}, number("num_heads", 4)), rows, numbers(32, 96), numbers(96), as(tensor.Int32, numbers(2)))
	add("Attention of com.microsoft, mask", ms("Attention", bert, values{"y"}, number("num_heads", 4)), rows, numbers(32, 96), numbers(96), as(tensor.Int32, numbers(2, 20)))
	add("Attention of com.microsoft, past", ms("Attention", values{"x0", "x1", "x2", "", "x3"}, all[:2], number("num_heads", 4), number("unidirectional", 1)), rows, numbers(32, 96), numbers(96), numbers(2, 2, 4, 6, 8))
	return cases
}

// TestSteadyRunsOfSubgraphs holds nodes with subgraphs to what single nodes are held to: a run of the same shapes as the one before allocates nothing.
func TestSteadyRunsOfSubgraphs(t *testing.T) { checkSteady(t, steadySubgraphs()) }

// TestSteadyAttention does the same for attention, whose operators have more ways than their cases show.
func TestSteadyAttention(t *testing.T) { checkSteady(t, steadyAttention()) }

func checkSteady(t *testing.T, cases map[string]func(t *testing.T, threads int) float64) {
	for name, allocations := range cases {
		for _, threads := range []int{1, 2} {
			t.Run(name+", "+strconv.Itoa(threads)+" threads", func(t *testing.T) {
				if n := allocations(t, threads); n > 0 {
					t.Errorf("%v allocations a run", n)
				}
			})
		}
	}
}
