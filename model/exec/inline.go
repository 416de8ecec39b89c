package exec

import "github.com/jarvis-ml/jarvis/model/graph"

// Inline is the graph of a model by itself: calls of the model's functions are written out, and each node says by which opsets it is read. So more nodes
// can be appended to it, whatever theirs are. The nodes are copies; tensors are shared. Errors: fault.BadModel and fault.TooLarge for functions that cannot
// be written out.
func Inline(m *graph.Model) (*graph.Graph, error) {
	g, err := expand(m)
	if err != nil {
		return nil, err
	}
	c := g.Clone()
	for _, n := range c.Nodes {
		n.Walk(func(n *graph.Node) {
			if n.Opsets == nil {
				n.Opsets = m.Opsets
			}
		})
	}
	return c, nil
}
