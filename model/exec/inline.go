package exec

import (
	"maps"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
)

// Inline is the graph of a model by itself: calls of the model's functions are written out, and each node says by which opsets it is read. So more nodes
// can be appended to it, whatever theirs are. The nodes are copies; tensors are shared. Errors: fault.BadModel and fault.TooLarge for functions that cannot
// be written out.
func Inline(m *graph.Model) (*graph.Graph, error) {
	g, err := expand(m)
	if err != nil {
		return nil, err
	}
	c := *g
	c.Inputs, c.Outputs, c.Initializers = slices.Clone(g.Inputs), slices.Clone(g.Outputs), maps.Clone(g.Initializers)
	c.Nodes = make([]*graph.Node, len(g.Nodes))
	for i, n := range g.Nodes {
		c.Nodes[i] = n.Renamed(nil)
		imported(c.Nodes[i], m.Opsets)
	}
	return &c, nil
}

// imported gives a node, and those in its subgraphs, the opsets of the model where they have none of their own.
func imported(n *graph.Node, opsets map[string]int64) {
	if n.Opsets == nil {
		n.Opsets = opsets
	}
	for _, g := range n.Subgraphs() {
		for _, inner := range g.Nodes {
			imported(inner, opsets)
		}
	}
}
