package train

import (
	"path"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Lift makes a net of a model that was trained elsewhere. Its float32 weights learn, wherever they lie: initializers, Constant nodes, and both in subgraphs.
// m's weights are replaced by copies that training writes into, so that m itself is the trained model. freeze are patterns, as path.Match has them, of
// names of weights, or of the nodes that use them, that stay as they are. A Softmax at the end is left out of the net: losses want logits.
//
// Errors: fault.Invalid where nothing is left to learn, for a model without exactly one output, and for a bad pattern; those of exec.Inline.
func Lift(m *graph.Model, freeze ...string) (*Net, error) {
	for _, p := range freeze {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fault.New(fault.Invalid, "the pattern "+strconv.Quote(p)+" is broken").At("freeze").Try("such as 'encoder.*': * stands for any characters but /")
		}
	}
	g, err := exec.Inline(m)
	if err != nil {
		return nil, err
	}
	if len(g.Outputs) != 1 {
		return nil, fault.New(fault.Invalid, "the model has "+strconv.Itoa(len(g.Outputs))+" outputs, and one is to learn").Try("name the output to learn from")
	}
	l := &lifting{net: &Net{Graph: g}, b: graph.Extend(g), freeze: freeze, learns: map[graph.Value]bool{}}
	l.graph(g)
	l.logits()
	l.copies(m)
	return l.net, l.net.check()
}

type lifting struct {
	net    *Net
	b      *graph.Builder
	freeze []string
	learns map[graph.Value]bool // weights, and what depends on one
}

// graph takes weights out of Constant nodes and subgraphs, and finds those that learn, in the order of the nodes.
func (l *lifting) graph(g *graph.Graph) {
	names := map[graph.Value]graph.Value{}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *graph.Node) bool {
		if a := n.Attr("value"); n.Op == "Constant" && n.Domain == "" && a != nil && a.Tensor != nil && a.Tensor.DType() == tensor.Float32 {
			l.own(g, n.Outputs[0], a.Tensor, names)
			return true
		}
		return false
	})
	if g != l.net.Graph {
		for v, t := range g.Initializers {
			if t.DType() == tensor.Float32 {
				delete(g.Initializers, v)
				l.own(g, v, t, names)
			}
		}
	}
	for i, n := range g.Nodes {
		if len(names) > 0 {
			n = n.Renamed(names)
			g.Nodes[i] = n
		}
		for _, inner := range n.Subgraphs() {
			l.graph(inner)
		}
		l.node(n)
	}
}

// own makes a tensor of g an initializer of the whole graph, where subgraphs see it: under another name where two branches call different tensors the same.
func (l *lifting) own(g *graph.Graph, v graph.Value, t *tensor.Tensor, names map[graph.Value]graph.Value) {
	to := v
	if g != l.net.Graph {
		if to = l.b.Fresh(string(v)); to != v {
			names[v] = to
		}
	}
	l.net.Graph.Initializers[to] = t
}

// weights are the inputs of operators that are weights where they are constant.
var weights = map[string][]int{
	"MatMul": {0, 1}, "Gemm": {0, 1, 2}, "Conv": {1, 2}, "ConvTranspose": {1, 2}, "LSTM": {1, 2, 3}, "GRU": {1, 2, 3}, "RNN": {1, 2, 3}, "BatchNormalization": {1, 2},
	"InstanceNormalization": {1, 2}, "LayerNormalization": {1, 2}, "GroupNormalization": {1, 2}, "RMSNormalization": {1}, "PRelu": {1}, "Gather": {0},
	"SkipLayerNormalization": {2, 3, 4}, "EmbedLayerNormalization": {2, 3, 4, 5, 6}, "BiasGelu": {1}, "FastGelu": {1}, "FusedMatMul": {0, 1}, "Attention": {1, 2},
}

// node finds the weights of a node that learn. A constant vector that is added or multiplied is one, as a bias or a scale is, where weights went before: in front of
// them it prepares the data.
func (l *lifting) node(n *graph.Node) {
	places, known := weights[n.Op]
	if !known && (n.Op == "Add" || n.Op == "Mul") {
		for i, v := range n.Inputs {
			if t := l.net.Graph.Initializers[v]; t != nil && t.Len() > 1 && l.learns[n.In(1-i)] {
				places = append(places, i)
			}
		}
	}
	for _, i := range places {
		v := n.In(i)
		t := l.net.Graph.Initializers[v]
		if t == nil || t.DType() != tensor.Float32 || t.Len() == 0 {
			continue
		}
		if !l.frozen(string(v)) && !l.frozen(n.Name) && !slices.Contains(l.net.Params, v) {
			l.net.Params = append(l.net.Params, v)
		}
		l.learns[v] = true
	}
	for _, v := range n.Inputs {
		if l.learns[v] {
			for _, out := range n.Outputs {
				l.learns[out] = true
			}
		}
	}
}

func (l *lifting) frozen(name string) bool {
	return slices.ContainsFunc(l.freeze, func(p string) bool { ok, _ := path.Match(p, name); return ok })
}

// logits leaves out a Softmax at the end.
func (l *lifting) logits() {
	g := l.net.Graph
	for i, n := range g.Nodes {
		if n.Op == "Softmax" && n.Outputs[0] == g.Outputs[0].Name {
			g.Outputs[0] = graph.Port{Name: n.Inputs[0], Type: g.Outputs[0].Type}
			g.Nodes = slices.Delete(g.Nodes, i, i+1)
			return
		}
	}
}

// copies gives the net and m tensors of their own where training writes: weights and running statistics.
func (l *lifting) copies(m *graph.Model) {
	changing := slices.Clone(l.net.Params)
	for _, n := range moving(l.net.Graph) {
		changing = append(changing, n.Inputs[3], n.Inputs[4])
	}
	fresh := map[*tensor.Tensor]*tensor.Tensor{}
	for _, v := range changing {
		t := l.net.Graph.Initializers[v]
		if fresh[t] == nil {
			fresh[t] = t.Clone()
		}
		l.net.Graph.Initializers[v] = fresh[t]
	}
	replace(m.Graph.Nodes, m.Graph.Initializers, fresh)
	for _, f := range m.Functions {
		replace(f.Nodes, nil, fresh)
	}
}

// replace puts tensors in place of others, in subgraphs too.
func replace(nodes []*graph.Node, initializers map[graph.Value]*tensor.Tensor, fresh map[*tensor.Tensor]*tensor.Tensor) {
	for v, t := range initializers {
		if to := fresh[t]; to != nil {
			initializers[v] = to
		}
	}
	for _, n := range nodes {
		for i := range n.Attrs {
			if to := fresh[n.Attrs[i].Tensor]; to != nil {
				n.Attrs[i].Tensor = to
			}
		}
		for _, g := range n.Subgraphs() {
			replace(g.Nodes, g.Initializers, fresh)
		}
	}
}
