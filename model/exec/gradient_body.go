package exec

import (
	"maps"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// controls carry the gradient over the operators that have subgraphs. What a subgraph takes from outside gets gradients, too.
var controls map[string]func(d *differentiation, n *graph.Node, dy []graph.Value) error

func init() {
	controls = map[string]func(d *differentiation, n *graph.Node, dy []graph.Value) error{
		"If": (*differentiation).backIf, "Loop": (*differentiation).backLoop, "Scan": (*differentiation).backScan,
	}
}

// bodyBack is the way back of a subgraph, as a subgraph itself: it computes once more what the subgraph computes, of which nothing was kept, and goes
// back from there. Inputs and outputs are added by who makes it.
type bodyBack struct {
	*differentiation
	graph *graph.Graph
	nodes []*graph.Node // those of the subgraph, as copies
}

// within begins the way back of a body. wrt are formal inputs of it and values from outside. Of the body's formals, those in known have a constant
// in their place; the others become inputs when input is called.
func (d *differentiation) within(body *graph.Graph, wrt []graph.Value, known map[graph.Value]*tensor.Tensor) *bodyBack {
	g := cloned(body, map[string]int64{"": d.b.Opset(), graph.ML: graph.OpsetMLVersion})
	g.Name += "_back"
	g.Inputs, g.Outputs = nil, nil
	maps.Copy(g.Initializers, known)
	nodes := slices.Clone(g.Nodes)
	b := graph.Extend(g)
	for _, p := range body.Inputs {
		b.Reserve(string(p.Name))
	}
	for _, v := range freeValues(body) { // what a new name would hide
		b.Reserve(string(v))
	}
	return &bodyBack{newDifferentiation(b, nodes, wrt), g, nodes}
}

// arrive has a gradient arrive at an output of the body.
func (k *bodyBack) arrive(out, gradient graph.Value) {
	if gradient != "" && k.needs[out] {
		k.parts[out] = append(k.parts[out], gradient)
	}
}

// back goes back over the nodes of the body. Nodes that it appends are read by the opsets of gradients.
func (k *bodyBack) back(body *graph.Graph) error {
	to := graph.Value(body.Name)
	if len(body.Outputs) > 0 {
		to = body.Outputs[len(body.Outputs)-1].Name
	}
	return k.sweep(k.nodes, to)
}

// gradient of v, zeros where none arrived.
func (k *bodyBack) gradient(v graph.Value) graph.Value {
	if sum := k.total(v); sum != "" {
		return sum
	}
	return k.zeros(v)
}

// finish ends the subgraph: only what its outputs depend on stays.
func (k *bodyBack) finish(outputs ...graph.Value) error {
	for _, v := range outputs {
		k.graph.Outputs = append(k.graph.Outputs, graph.Port{Name: v})
	}
	for _, n := range k.graph.Nodes[len(k.nodes):] {
		ownWhereOpen(n, written)
	}
	k.graph.Nodes = live(k.graph, k.graph.Nodes)
	for _, n := range k.graph.Nodes {
		spec := op.Lookup(n.Domain, n.Op, op.NewestOpset)
		if spec != nil && random(spec, n) {
			return fault.New(fault.Unsupported, "the way back computes the subgraph again, but "+n.Op+" in it would draw other numbers").At(nodeName(n))
		}
	}
	return nil
}

// uses reports whether the finished subgraph needs v from outside.
func (k *bodyBack) uses(v graph.Value) bool { return slices.Contains(freeValues(k.graph), v) }

// captured lists what the subgraphs of n take from outside that depends on what is trained.
func (d *differentiation) captured(n *graph.Node) []graph.Value {
	return slices.DeleteFunc(captures(n), func(v graph.Value) bool { return !d.needs[v] })
}

// depends marks what in a body depends on wrt, among formals and values from outside.
func depends(body *graph.Graph, wrt []graph.Value) map[graph.Value]bool {
	return newDifferentiation(nil, body.Nodes, wrt).needs
}

// numeric reports whether a formal input of a body may be a tensor that has gradients.
func numeric(p graph.Port) bool {
	d := p.Type.Tensor.DType
	return p.Type.Kind == graph.TensorKind && (d == tensor.Undefined || floating(d))
}

func floating(d tensor.DType) bool {
	return d == tensor.Float32 || d == tensor.Float64 || d == tensor.Float16 || d == tensor.BFloat16
}

// carriedOn finds which of the states that a body carries from one step to the next depend on what is trained, some of which do at first. next are
// the body's outputs for them, outside what else depends on it.
func carriedOn(body *graph.Graph, states, next []graph.Port, first []bool, outside []graph.Value) []bool {
	set := slices.Clone(first)
	for i := range set {
		set[i] = set[i] && numeric(states[i])
	}
	for grown := true; grown; {
		grown = false
		wrt := slices.Clone(outside)
		for i, in := range set {
			if in {
				wrt = append(wrt, states[i].Name)
			}
		}
		needs := depends(body, wrt)
		for i := range set {
			if !set[i] && numeric(states[i]) && needs[next[i].Name] {
				set[i], grown = true, true
			}
		}
	}
	return set
}

// cloned is a copy of a subgraph to append to. Nodes that do not say by which opsets they are read say so then.
func cloned(g *graph.Graph, opsets map[string]int64) *graph.Graph {
	c := g.Clone()
	if c.ValueInfo = nil; c.Initializers == nil {
		c.Initializers = map[graph.Value]*tensor.Tensor{}
	}
	for _, n := range c.Nodes {
		ownWhereOpen(n, opsets)
	}
	return c
}

// ownWhereOpen gives opsets to a node of the standard's domains and to those in its subgraphs, where they have none.
func ownWhereOpen(n *graph.Node, opsets map[string]int64) {
	n.Walk(func(n *graph.Node) {
		if n.Opsets == nil && (n.Domain == "" || n.Domain == "ai.onnx" || n.Domain == graph.ML) {
			n.Opsets = opsets
		}
	})
}

// bodyOf is the subgraph of a node.
func bodyOf(n *graph.Node, attr string) (*graph.Graph, error) {
	if a := n.Attr(attr); a != nil && a.Graph != nil {
		return a.Graph, nil
	}
	return nil, fault.New(fault.BadModel, n.Op+": the subgraph "+attr+" is missing")
}

// graphAttr makes an attribute of a subgraph.
func graphAttr(name string, g *graph.Graph) graph.Attr {
	return graph.Attr{Name: name, Kind: graph.AttrGraph, Graph: g}
}

// withAttr puts an attribute in the place of one of that name. The list of n is its own then.
func withAttr(n *graph.Node, a graph.Attr) {
	n.Attrs = append(slices.DeleteFunc(slices.Clone(n.Attrs), func(old graph.Attr) bool { return old.Name == a.Name }), a)
}

// pad gives n at least so many outputs.
func pad(n *graph.Node, outputs int) {
	for len(n.Outputs) < outputs {
		n.Outputs = append(n.Outputs, "")
	}
}
