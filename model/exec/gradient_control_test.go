package exec

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// lines reads nodes from text: "out other = Op(in, other)", an absent input being _; subgraphs follow by name.
func lines(g *graph.Graph, text string, bodies map[string]*graph.Graph) *graph.Graph {
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		made, rest, _ := strings.Cut(strings.TrimSpace(line), " = ")
		name, args, _ := strings.Cut(strings.TrimSuffix(rest, ")"), "(")
		n := &graph.Node{Op: name}
		for _, v := range strings.Fields(made) {
			n.Outputs = append(n.Outputs, graph.Value(strings.Trim(v, "_")))
		}
		for _, v := range strings.Split(args, ", ") {
			if attr, is := strings.CutPrefix(v, "@"); is {
				key, body, _ := strings.Cut(attr, "=")
				if b := bodies[body]; b != nil {
					n.Attrs = append(n.Attrs, graphAttr(key, b))
				} else {
					var list []int64
					for _, c := range strings.Split(body, ";") {
						list = append(list, map[string]int64{"0": 0, "1": 1, "2": 2, "-1": -1}[c])
					}
					if strings.Contains(body, ";") || strings.HasSuffix(key, "s") && key != "axis" && key != "num_scan_inputs" {
						n.Attrs = append(n.Attrs, graph.IntsAttr(key, list...))
					} else {
						n.Attrs = append(n.Attrs, graph.IntAttr(key, list[0]))
					}
				}
			} else if v != "" {
				n.Inputs = append(n.Inputs, graph.Value(strings.Trim(v, "_")))
			}
		}
		g.Nodes = append(g.Nodes, n)
	}
	return g
}

// subgraphOf makes a subgraph of lines.
func subgraphOf(inputs, outputs, text string, bodies map[string]*graph.Graph) *graph.Graph {
	g := graph.New("body")
	for _, v := range strings.Fields(inputs) {
		g.Inputs = append(g.Inputs, graph.Port{Name: graph.Value(v)})
	}
	for _, v := range strings.Fields(outputs) {
		g.Outputs = append(g.Outputs, graph.Port{Name: graph.Value(v)})
	}
	if text == "" {
		return g
	}
	return lines(g, text, bodies)
}

// controlGraph makes a graph of lines, which may read some constants.
func controlGraph(text string, bodies map[string]*graph.Graph) *graph.Graph {
	g := graph.New("g")
	scalar := func(v int64) *tensor.Tensor { t := tensor.New(tensor.Int64); t.I64()[0] = v; return t }
	g.Initializers["three"], g.Initializers["none"], g.Initializers["zero"] = scalar(3), scalar(0), scalar(0)
	return lines(g, text, bodies)
}

// checkControl holds the gradients of loss by the float64 inputs to central differences.
func checkControl(t *testing.T, g *graph.Graph, loss graph.Value, in map[string]*tensor.Tensor) {
	t.Helper()
	b := graph.Extend(g)
	var given []*tensor.Tensor
	var wrt []graph.Value
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for k := range in {
			if !yield(k) {
				return
			}
		}
	}) {
		b.Input(name, in[name].Type())
		given = append(given, in[name])
		if in[name].DType() == tensor.Float64 {
			wrt = append(wrt, graph.Value(name))
		}
	}
	grads, err := Gradient(b, loss, wrt)
	if err != nil {
		t.Fatal(err, fault.HintOf(err))
	}
	b.Output("total", b.Op("ReduceSum", loss), tensor.TypeOf(tensor.Float64, tensor.Free))
	b.Graph().Outputs[0].Type = graph.ValueType{}
	for i, v := range grads {
		b.Output("grad_"+string(wrt[i]), v, in[string(wrt[i])].Type())
	}
	p, err := Compile(b.Model(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	run := func() []*tensor.Tensor {
		out, err := p.Run(context.Background(), given)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	exact, flows := run(), false
	again := run()
	if got := testing.AllocsPerRun(5, func() {
		if err := p.RunInto(context.Background(), given, again); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("%v allocations a run", got)
	}
	for i, v := range wrt {
		x := tensor.Data[float64](in[string(v)])
		if !slices.Equal(exact[1+i].Shape(), in[string(v)].Shape()) {
			t.Fatalf("gradient of %s has the shape %v", v, exact[1+i].Shape())
		}
		for k := range x {
			at := x[k]
			x[k] = at + 1e-6
			up := tensor.Data[float64](run()[0])[0]
			x[k] = at - 1e-6
			down := tensor.Data[float64](run()[0])[0]
			x[k] = at
			want, got := (up-down)/2e-6, tensor.Data[float64](exact[1+i])[k]
			flows = flows || want != 0
			if !(math.Abs(got-want) <= 1e-5*math.Max(1, math.Abs(want))) {
				t.Errorf("d/d%s[%d]: got %v, differences give %v", v, k, got, want)
			}
		}
	}
	if !flows {
		t.Error("the case is empty: all gradients are 0")
	}
}

// TestControlGradients checks the gradient through If, Loop and Scan by central differences: of what goes in and of weights that subgraphs take
// from outside.
func TestControlGradients(t *testing.T) {
	type bodies = map[string]*graph.Graph
	yes, no := tensor.FromSlice(tensor.Bool, []bool{true}), tensor.FromSlice(tensor.Bool, []bool{false})
	three := tensor.FromSlice(tensor.Int64, []int64{3})
	branches := func() *graph.Graph {
		then := subgraphOf("", "y z", "h = MatMul(x, w)\ny = Tanh(h)\nz = Mul(h, x)", nil)
		other := subgraphOf("", "y x", "y = Mul(x, v)", nil)
		return controlGraph("y z = If(c, @then_branch=then, @else_branch=else)\ns = Mul(y, z)\nloss = Mul(s, w)", bodies{"then": then, "else": other})
	}
	x, w, v := wave(1, 2, 2), wave(2, 2, 2), wave(3, 2, 2)
	rnn := func() *graph.Graph { // the state is a matrix product of itself, an outer weight is used in each step
		return subgraphOf("i go h", "go2 h2 y", "go2 = Identity(go)\na = MatMul(h, w)\nb = Add(a, x)\nh2 = Tanh(b)\ny = Mul(h2, v)", nil)
	}
	cases := map[string]struct {
		graph *graph.Graph
		in    map[string]*tensor.Tensor
	}{
		"If, then": {branches(), map[string]*tensor.Tensor{"c": yes, "x": x, "w": w, "v": v}},
		"If, else": {branches(), map[string]*tensor.Tensor{"c": no, "x": x, "w": w, "v": v}},
		"If, one output": {
			controlGraph("y z = If(c, @then_branch=then, @else_branch=else)\nloss = Mul(y, y)", bodies{
				"then": subgraphOf("", "y z", "y = Exp(x)\nz = Shape(x)", nil), "else": subgraphOf("", "x z", "z = Shape(x)", nil),
			}), map[string]*tensor.Tensor{"c": yes, "x": x},
		},
		"Loop": {
			controlGraph("last ys = Loop(m, _, h, @body=body)\nr = ReduceSum(ys)\nloss = Mul(last, r)", bodies{"body": rnn()}),
			map[string]*tensor.Tensor{"m": three, "h": wave(4, 2, 2), "x": x, "w": w, "v": v},
		},
		"Loop, only what it stacks": {
			controlGraph("_ ys = Loop(m, _, h, @body=body)\nloss = Mul(ys, ys)", bodies{"body": rnn()}),
			map[string]*tensor.Tensor{"m": three, "h": wave(4, 2, 2), "x": x, "w": w, "v": v},
		},
		"Loop, only its last state": {
			controlGraph("last = Loop(m, _, h, @body=body)\nloss = Mul(last, v)", bodies{"body": rnn()}),
			map[string]*tensor.Tensor{"m": three, "h": wave(4, 2, 2), "x": x, "w": w, "v": v},
		},
		"Loop without an iteration": {
			controlGraph("last ys = Loop(none, _, h, @body=body)\nr = ReduceSum(ys)\ns = Add(last, r)\nloss = Mul(s, s)", bodies{"body": rnn()}),
			map[string]*tensor.Tensor{"h": wave(4, 2, 2), "x": x, "w": w, "v": v},
		},
		"Loop that ends by its condition, counts and swaps": {
			controlGraph("a b n ys = Loop(_, _, h, x, zero, @body=body)\ns = Mul(a, b)\nr = ReduceSum(ys)\nloss = Mul(s, r)", bodies{
				"body": subgraphOf("i go a b n", "less c a n2 y",
					"c = Mul(b, w)\nt = Add(n, i)\none = ReduceMax(i)\nn2 = Add(t, three)\ns = Cast(n, @to=-1)\ny = Mul(a, c)\nless = Less(n2, seven)", nil),
			}), nil,
		},
		"Loop in a Loop": {
			controlGraph("last = Loop(m, _, h, @body=outer)\nloss = Mul(last, last)", bodies{
				"outer": subgraphOf("i go h", "go h3", "h2 = Loop(m, _, h, @body=inner)\nh3 = Mul(h2, v)", bodies{
					"inner": subgraphOf("j on g", "on g2", "a = MatMul(g, w)\nb = Mul(h, a)\ng2 = Tanh(b)", nil),
				}),
			}), map[string]*tensor.Tensor{"m": three, "h": wave(4, 2, 2), "w": w, "v": v},
		},
		"If in a Loop": {
			controlGraph("last = Loop(m, _, h, @body=outer)\nloss = Mul(last, last)", bodies{
				"outer": subgraphOf("i go h", "go h2", "first = Equal(i, none)\nh2 = If(first, @then_branch=then, @else_branch=else)", bodies{
					"then": subgraphOf("", "a", "a = MatMul(h, w)", nil), "else": subgraphOf("", "a", "a = Mul(h, v)", nil),
				}),
			}), map[string]*tensor.Tensor{"m": three, "h": wave(4, 2, 2), "w": w, "v": v},
		},
		"LSTM in a Loop": {
			controlGraph("last = Loop(m, _, h, @body=outer)\nloss = Mul(last, last)", bodies{
				"outer": subgraphOf("i go h", "go h2", "_ h2 = LSTM(x, w, r, _, _, h)", nil),
			}), map[string]*tensor.Tensor{"m": three, "h": wave(4, 1, 2, 3), "x": wave(1, 2, 2, 2), "w": wave(2, 1, 12, 2), "r": wave(3, 1, 12, 3)},
		},
		"Scan": {
			controlGraph("last ys = Scan(h, xs, vs, @body=body, @num_scan_inputs=2)\nr = ReduceSum(ys)\nloss = Mul(last, r)", bodies{
				"body": subgraphOf("h x v", "h2 y", "a = MatMul(h, w)\nb = Add(a, x)\nh2 = Tanh(b)\ny = Mul(h2, v)", nil),
			}), map[string]*tensor.Tensor{"h": wave(4, 2, 2), "xs": wave(1, 3, 2, 2), "vs": wave(3, 3, 2, 2), "w": w},
		},
		"Scan along other axes, backwards": {
			controlGraph("last ys zs = Scan(h, xs, vs, @body=body, @num_scan_inputs=2, @scan_input_axes=1;-1, @scan_input_directions=1;0, @scan_output_axes=-1;1, @scan_output_directions=0;1)\n"+
				"p = Mul(ys, ys)\nq = Mul(zs, zs)\na = ReduceSum(p)\nb = ReduceSum(q)\nc = Mul(a, b)\nloss = Mul(last, c)", bodies{
				"body": subgraphOf("h x v", "h2 y x", "a = MatMul(h, w)\nb = Add(a, x)\nh2 = Tanh(b)\ny = Mul(h2, v)", nil),
			}), map[string]*tensor.Tensor{"h": wave(4, 2, 2), "xs": wave(1, 2, 3, 2), "vs": wave(3, 2, 2, 3), "w": w},
		},
		"Scan of nothing": {
			controlGraph("last ys = Scan(h, xs, @body=body, @num_scan_inputs=1)\nr = ReduceSum(ys)\ns = Add(last, r)\nloss = Mul(s, s)", bodies{
				"body": subgraphOf("h x", "h2 h2", "a = MatMul(h, w)\nb = Add(a, x)\nh2 = Tanh(b)", nil),
			}), map[string]*tensor.Tensor{"h": wave(4, 2, 2), "xs": wave(1, 0, 2, 2), "w": w},
		},
		"Scan without a state": {
			controlGraph("ys = Scan(xs, @body=body, @num_scan_inputs=1)\nloss = Mul(ys, ys)", bodies{"body": subgraphOf("x", "y", "y = MatMul(x, w)", nil)}),
			map[string]*tensor.Tensor{"xs": wave(1, 3, 2, 2), "w": w},
		},
	}
	counting := cases["Loop that ends by its condition, counts and swaps"]
	seven := tensor.New(tensor.Int64)
	seven.I64()[0] = 7
	counting.graph.Initializers["seven"] = seven
	body := counting.graph.Nodes[0].Attrs[0].Graph
	body.Nodes = slices.DeleteFunc(body.Nodes, func(n *graph.Node) bool { return n.Op == "Cast" || n.Op == "ReduceMax" })
	counting.in = map[string]*tensor.Tensor{"h": wave(4, 2, 2), "x": x, "w": w}
	cases["Loop that ends by its condition, counts and swaps"] = counting
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { checkControl(t, c.graph, "loss", c.in) })
	}
}

// TestControlRefusals: what cannot be gone back through is named.
func TestControlRefusals(t *testing.T) {
	type bodies = map[string]*graph.Graph
	loop := func(text string) *graph.Graph {
		return controlGraph("last = Loop(three, _, x, @body=body)\nloss = Mul(last, last)", bodies{"body": subgraphOf("i go h", "go h2", text, nil)})
	}
	scan := controlGraph("last = Scan(_, x, x, @body=body, @num_scan_inputs=1)\nloss = Mul(last, last)", bodies{"body": subgraphOf("h x", "h2", "h2 = Mul(h, x)", nil)})
	scan.Nodes[0].Opsets = map[string]int64{"": 8}
	cases := map[string]struct {
		graph *graph.Graph
		want  []string
	}{
		"no gradient": {loop("a = Exp(h)\nb = Nonesuch(a)\nh2 = Mul(h, b)"), []string{"Loop", "Nonesuch", "Nonesuch → Mul"}},
		"random":      {loop("a = RandomNormalLike(h)\nh2 = Mul(h, a)"), []string{"Loop", "RandomNormalLike"}},
		"old Scan":    {scan, []string{"Scan", "opset 9"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := graph.Extend(c.graph)
			x := b.Input("x", tensor.TypeOf(tensor.Float64, 2, 2))
			_, err := Gradient(b, "loss", []graph.Value{x})
			if !fault.Is(err, fault.Unsupported) {
				t.Fatal(err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error()+" "+fault.HintOf(err), part) {
					t.Errorf("%v, %s: does not say %q", err, fault.HintOf(err), part)
				}
			}
		})
	}
}

// TestLoopThatGrows: states of another shape in each iteration cannot be kept; the run says so and names the node.
func TestLoopThatGrows(t *testing.T) {
	b := graph.Extend(controlGraph("last = Loop(three, _, x, @body=body)\nloss = Mul(last, last)", map[string]*graph.Graph{
		"body": subgraphOf("i go h", "go h2", "a = Mul(h, h)\nh2 = Concat(a, h, @axis=0)", nil),
	}))
	x := b.Input("x", tensor.TypeOf(tensor.Float64, 2, 2))
	grads, err := Gradient(b, "loss", []graph.Value{x})
	if err != nil {
		t.Fatal(err)
	}
	b.Output("dx", grads[0], tensor.TypeOf(tensor.Float64, 2, 2))
	p, err := Compile(b.Model(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(context.Background(), []*tensor.Tensor{wave(1, 2, 2)}); err == nil || !strings.Contains(err.Error(), "Loop(last)") {
		t.Error(err)
	}
}
