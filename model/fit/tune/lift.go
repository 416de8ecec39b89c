package tune

import (
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// lift finds the weights that learn, in the order of the nodes, and takes those of subgraphs out of them.
func (t *tuning) lift() error {
	t.learns = map[graph.Value]bool{}
	used := make([]bool, len(t.Freeze))
	t.weights(t.Net.Graph, used)
	for i, p := range t.Freeze {
		if !used[i] && p != "*" {
			return fault.New(fault.Invalid, "no weight, and no node with weights, has a name like "+strconv.Quote(p)).At("freeze").
				Try("* stands for any characters; the weights are " + list(t.names))
		}
	}
	return nil
}

// weights looks at the nodes of g.
func (t *tuning) weights(g *graph.Graph, used []bool) {
	names := map[graph.Value]graph.Value{}
	if g != t.Net.Graph {
		g.Nodes = slices.DeleteFunc(g.Nodes, func(n *graph.Node) bool {
			if a := n.Attr("value"); n.Op == "Constant" && n.Domain == "" && a != nil && a.Tensor != nil && a.Tensor.DType() == tensor.Float32 {
				t.own(n.Outputs[0], a.Tensor, names)
				return true
			}
			return false
		})
		for _, v := range g.InitializerNames() {
			if w := g.Initializers[v]; w.DType() == tensor.Float32 {
				delete(g.Initializers, v)
				t.own(v, w, names)
			}
		}
	}
	for i, n := range g.Nodes {
		if len(names) > 0 {
			n = n.Renamed(names)
			g.Nodes[i] = n
		}
		for _, inner := range n.Subgraphs() {
			t.weights(inner, used)
		}
		t.node(n, used)
	}
}

// own makes a tensor of a subgraph an initializer of the whole graph, where subgraphs see it: under another name where two branches call different
// tensors the same.
func (t *tuning) own(v graph.Value, w *tensor.Tensor, names map[graph.Value]graph.Value) {
	to := t.b.Fresh(string(v))
	if to != v {
		names[v] = to
	}
	t.Net.Graph.Initializers[to] = w
}

// places are the inputs of operators that are weights where they are constant.
var places = map[string][]int{
	"MatMul": {0, 1}, "Gemm": {0, 1, 2}, "Conv": {1, 2}, "ConvTranspose": {1, 2}, "LSTM": {1, 2, 3}, "GRU": {1, 2, 3}, "RNN": {1, 2, 3}, "BatchNormalization": {1, 2},
	"InstanceNormalization": {1, 2}, "LayerNormalization": {1, 2}, "GroupNormalization": {1, 2}, "RMSNormalization": {1}, "PRelu": {1}, "Gather": {0},
	"SkipLayerNormalization": {2, 3, 4}, "EmbedLayerNormalization": {2, 3, 4, 5, 6}, "BiasGelu": {1}, "FastGelu": {1}, "FusedMatMul": {0, 1}, "Attention": {1, 2},
	"Einsum": {0, 1},
}

// node finds the weights of a node that learn. A constant vector that is added or multiplied is one, as a bias or a scale is, where weights went before: in front of
// them it prepares the data.
func (t *tuning) node(n *graph.Node, used []bool) {
	at := places[n.Op]
	if n.Op == "Add" || n.Op == "Mul" {
		for i, v := range n.Inputs {
			if w := t.Net.Graph.Initializers[v]; w != nil && w.Len() > 1 && t.learns[n.In(1-i)] {
				at = append(at, i)
			}
		}
	}
	for _, i := range at {
		v := n.In(i)
		w := t.Net.Graph.Initializers[v]
		if w == nil || w.DType() != tensor.Float32 || w.Len() == 0 {
			continue
		}
		t.learns[v] = true
		if slices.Contains(t.names, string(v)) {
			continue
		}
		t.names = append(t.names, string(v))
		if t.frozen(n, v, used) {
			continue
		}
		t.param(v)
	}
	for _, v := range n.Inputs {
		if t.learns[v] {
			for _, out := range n.Outputs {
				t.learns[out] = true
			}
		}
	}
}

// param makes an initializer learn, in a copy of its own.
func (t *tuning) param(v graph.Value) {
	t.Net.Graph.Initializers[v] = t.Net.Graph.Initializers[v].Clone()
	t.Net.Params = append(t.Net.Params, v)
}

// frozen reports whether a weight stays as it is, and notes which patterns said so.
func (t *tuning) frozen(n *graph.Node, v graph.Value, used []bool) (yes bool) {
	for i, p := range t.Freeze {
		hit := match(p, string(v)) || n.Name != "" && match(p, n.Name)
		for _, from := range t.origin[v] {
			hit = hit || match(p, string(from))
		}
		used[i], yes = used[i] || hit, yes || hit
	}
	return yes
}

// origins tells of each value that is made of weights alone which they are.
func origins(g *graph.Graph) map[graph.Value][]graph.Value {
	of := map[graph.Value][]graph.Value{}
	var walk func(g *graph.Graph)
	walk = func(g *graph.Graph) {
		for v := range g.Initializers {
			of[v] = []graph.Value{v}
		}
		for _, n := range g.Nodes {
			for _, inner := range n.Subgraphs() {
				walk(inner)
			}
			var from []graph.Value
			alone := true
			for _, v := range n.Inputs {
				alone = alone && (v == "" || of[v] != nil)
				for _, w := range of[v] {
					if len(from) < 16 && !slices.Contains(from, w) {
						from = append(from, w)
					}
				}
			}
			for _, v := range n.Outputs {
				if alone && v != "" {
					of[v] = append([]graph.Value{v}, from...)
				}
			}
		}
	}
	walk(g)
	return of
}
