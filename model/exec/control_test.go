package exec_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// subgraph makes a graph of nodes over inputs and outputs whose types are left open, as exporters write them.
func subgraph(inputs, outputs []graph.Value, nodes ...*graph.Node) *graph.Graph {
	g := graph.New("body")
	for _, v := range inputs {
		g.Inputs = append(g.Inputs, graph.Port{Name: v})
	}
	for _, v := range outputs {
		g.Outputs = append(g.Outputs, graph.Port{Name: v})
	}
	g.Nodes = nodes
	return g
}

func node(name string, inputs []graph.Value, output graph.Value, attrs ...graph.Attr) *graph.Node {
	return &graph.Node{Op: name, Inputs: inputs, Outputs: []graph.Value{output}, Attrs: attrs}
}

type values = []graph.Value

func model(g *graph.Graph, functions ...*graph.Function) *graph.Model {
	return &graph.Model{IRVersion: 10, Opsets: map[string]int64{"": 21, "own": 1}, Graph: g, Functions: functions}
}

func inputs(g *graph.Graph, types map[graph.Value]tensor.Type, order ...graph.Value) *graph.Graph {
	g.Inputs = nil
	for _, v := range order {
		g.Inputs = append(g.Inputs, graph.Port{Name: v, Type: graph.TensorOf(types[v])})
	}
	return g
}

func run(t *testing.T, m *graph.Model, in ...*tensor.Tensor) *tensor.Tensor {
	t.Helper()
	p, err := exec.Compile(m, exec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var last *tensor.Tensor
	for range 2 { // memory is used again
		out, err := p.Run(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		last = out[0]
	}
	return last
}

func body(name string, g *graph.Graph) graph.Attr {
	return graph.Attr{Name: name, Kind: graph.AttrGraph, Graph: g}
}

// Fibonacci numbers by a Loop that carries two values, scans one, reads an outer value two levels down and ends by its condition.
func TestLoopCarriesScansAndStops(t *testing.T) {
	yes := subgraph(nil, values{"sum"}, node("Add", values{"a", "b"}, "sum"))
	no := subgraph(nil, values{"limit"})
	loop := subgraph(values{"i", "go", "a", "b"}, values{"less", "b2", "next", "seen"},
		node("Less", values{"b", "limit"}, "less"),
		node("Identity", values{"b"}, "b2"),
		node("If", values{"less"}, "next", body("then_branch", yes), body("else_branch", no)),
		node("Identity", values{"a"}, "seen"))
	g := subgraph(nil, values{"all"}, &graph.Node{Op: "Loop", Inputs: values{"", "", "one", "one"}, Outputs: values{"last", "beyond", "all"}, Attrs: []graph.Attr{body("body", loop)}})
	g.Initializers["one"] = tensor.Ints([]int64{1}, 1)
	inputs(g, map[graph.Value]tensor.Type{"limit": tensor.TypeOf(tensor.Int64, 1)}, "limit")
	got := run(t, model(g), tensor.Ints([]int64{20}))
	if why := op.Compare(got, tensor.Ints([]int64{1, 1, 2, 3, 5, 8, 13}, 7, 1), 0, 0); why != "" {
		t.Error(why)
	}
}

// What a loop carries may grow: the shape is not that of the first iteration.
func TestLoopWhoseValueGrows(t *testing.T) {
	loop := subgraph(values{"i", "go", "x"}, values{"go2", "y"},
		node("Identity", values{"go"}, "go2"),
		&graph.Node{Op: "Concat", Inputs: values{"x", "x"}, Outputs: values{"y"}, Attrs: []graph.Attr{graph.IntAttr("axis", 0)}})
	g := subgraph(nil, values{"y"}, &graph.Node{Op: "Loop", Inputs: values{"n", "", "x"}, Outputs: values{"y"}, Attrs: []graph.Attr{body("body", loop)}})
	inputs(g, map[graph.Value]tensor.Type{"n": tensor.TypeOf(tensor.Int64), "x": tensor.TypeOf(tensor.Float32, 1)}, "n", "x")
	n := tensor.New(tensor.Int64)
	n.I64()[0] = 2
	if why := op.Compare(run(t, model(g), n, tensor.Floats([]float32{3})), tensor.Floats([]float32{3, 3, 3, 3}), 0, 0); why != "" {
		t.Error(why)
	}
	n.I64()[0] = 0
	if why := op.Compare(run(t, model(g), n, tensor.Floats([]float32{3})), tensor.Floats([]float32{3}), 0, 0); why != "" {
		t.Error(why)
	}
	n.I64()[0] = 60 // 2^60 elements
	p, err := exec.Compile(model(g), exec.Options{MemoryLimit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(context.Background(), []*tensor.Tensor{n, tensor.Floats([]float32{3})}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a loop without bound ends with %v", err)
	}
}

// A function's inner names are its own at every call, its attributes those of the call or their defaults.
func TestFunctionsAreExpanded(t *testing.T) {
	f := &graph.Function{
		Domain: "own", Name: "Shift", Inputs: values{"x"}, Outputs: values{"y"}, Attributes: []string{"by"}, Opsets: map[string]int64{"": 21},
		Nodes: []*graph.Node{
			node("Constant", nil, "c", graph.Attr{Name: "value_floats", Kind: graph.AttrFloats, Ref: "by"}),
			node("Add", values{"x", "c"}, "y"),
		},
	}
	call := func(in, out graph.Value, by float32) *graph.Node {
		return &graph.Node{Domain: "own", Op: "Shift", Inputs: values{in}, Outputs: values{out}, Attrs: []graph.Attr{graph.FloatsAttr("by", []float32{by})}}
	}
	g := subgraph(nil, values{"z"}, call("x", "c", 1), call("c", "z", 10))
	inputs(g, map[graph.Value]tensor.Type{"x": tensor.TypeOf(tensor.Float32, 1)}, "x")
	if why := op.Compare(run(t, model(g, f), tensor.Floats([]float32{.5})), tensor.Floats([]float32{11.5}), 0, 0); why != "" {
		t.Error(why)
	}
}

// Functions that call themselves, or double with each level, end in an error and not in a full memory.
func TestFunctionsAreBounded(t *testing.T) {
	self := &graph.Function{Domain: "own", Name: "F", Inputs: values{"x"}, Outputs: values{"y"}, Nodes: []*graph.Node{{Domain: "own", Op: "F", Inputs: values{"x"}, Outputs: values{"y"}}}}
	g := inputs(subgraph(nil, values{"y"}, &graph.Node{Domain: "own", Op: "F", Inputs: values{"x"}, Outputs: values{"y"}}), map[graph.Value]tensor.Type{"x": tensor.TypeOf(tensor.Float32, 1)}, "x")
	if _, err := exec.Compile(model(g, self), exec.Options{}); !fault.Is(err, fault.BadModel) {
		t.Errorf("a function that calls itself: %v", err)
	}
	var laughs []*graph.Function
	for _, name := range []string{"F", "FF", "FFF", "FFFF", "FFFFF", "FFFFFF", "FFFFFFF"} {
		f := &graph.Function{Domain: "own", Name: name, Inputs: values{"x0"}, Outputs: values{"x20"}, Opsets: map[string]int64{"": 21}}
		for i := range 20 {
			f.Nodes = append(f.Nodes, &graph.Node{Domain: "own", Op: name + "F", Inputs: values{graph.Value("x" + string(rune('0'+i)))}, Outputs: values{graph.Value("x" + string(rune('0'+i+1)))}})
		}
		f.Outputs = values{graph.Value("x" + string(rune('0'+20)))}
		laughs = append(laughs, f)
	}
	if _, err := exec.Compile(model(g, laughs...), exec.Options{}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("functions that double with each level: %v", err)
	}
}

// A file may hold a hundred thousand of anything: work must not grow with the square.
func TestLargeGraphsCompile(t *testing.T) {
	const many = 50_000
	yes := tensor.New(tensor.Bool)
	branches := graph.New("g")
	branches.Initializers["cond"] = yes
	branches.Inputs = []graph.Port{{Name: "x", Type: graph.TensorOf(tensor.TypeOf(tensor.Float32, 1))}}
	sums := graph.New("g")
	sums.Inputs = []graph.Port{{Name: "x", Type: graph.TensorOf(tensor.TypeOf(tensor.Float32, 1, 1, 1))}}
	sums.Initializers["one"] = tensor.Floats([]float32{1})
	sums.Initializers["w"] = tensor.Floats(make([]float32, 1024), 1024, 1, 1)
	sums.Nodes = []*graph.Node{node("Conv", values{"x", "w"}, "v0")}
	wide := graph.New("g")
	last := graph.Value("x")
	for i := range many {
		v := graph.Value("v" + strconv.Itoa(i+1))
		if i < many/10 {
			branch := subgraph(nil, values{last})
			branches.Nodes = append(branches.Nodes, node("If", values{"cond"}, v, body("then_branch", branch), body("else_branch", branch)))
			last = v
		}
		sums.Nodes = append(sums.Nodes, node("Add", values{graph.Value("v" + strconv.Itoa(i)), "one"}, v))
		wide.Inputs = append(wide.Inputs, graph.Port{Name: v, Type: graph.TensorOf(tensor.TypeOf(tensor.Float32))})
	}
	branches.Outputs, sums.Outputs = []graph.Port{{Name: last}}, []graph.Port{{Name: graph.Value("v" + strconv.Itoa(many))}}
	wide.Nodes, wide.Outputs = []*graph.Node{node("Neg", values{"v1"}, "y")}, []graph.Port{{Name: "y"}}
	for name, g := range map[string]*graph.Graph{"branches": branches, "sums": sums, "inputs": wide} {
		if _, err := exec.Compile(model(g), exec.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
