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
	g := subgraph(nil, values{"y"}, nodes...)
	for _, extra := range nodes[len(nodes)-1].Outputs[1:] {
		if extra != "" {
			g.Outputs = append(g.Outputs, graph.Port{Name: extra})
		}
	}
	var given []*tensor.Tensor
	for i, x := range in {
		if x != nil {
			g.Inputs = append(g.Inputs, graph.Port{Name: graph.Value("x" + strconv.Itoa(i)), Type: graph.TensorOf(x.Type())})
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

// TestSteadyRunsOfSubgraphs holds nodes with subgraphs to what single nodes are held to: a run of the same shapes as the one before allocates nothing.
func TestSteadyRunsOfSubgraphs(t *testing.T) {
	for name, allocations := range steadySubgraphs() {
		for _, threads := range []int{1, 2} {
			t.Run(name+", "+strconv.Itoa(threads)+" threads", func(t *testing.T) {
				if n := allocations(t, threads); n > 0 {
					t.Errorf("%v allocations a run", n)
				}
			})
		}
	}
}
