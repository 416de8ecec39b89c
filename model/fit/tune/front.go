package tune

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Divide cuts a net in two where learning begins: front gives for each row what does not change in training, rest learns from that, in the same tensors.
// So what is frozen needs to be computed once for a row. It returns nil where nothing worth while stands in front, or what it gives is no tensors of one
// shape for each row.
func (m *Model) Divide() (front *graph.Graph, rest *train.Net) {
	d := &division{net: m.Net, later: later(m.Net), makers: map[graph.Value]*graph.Node{}}
	for _, n := range m.Net.Graph.Nodes {
		for _, v := range n.Outputs {
			d.makers[v] = n
		}
	}
	b := graph.Extend(m.Net.Graph.Clone())
	d.types = exec.NewTypes(b)
	cut, ok := d.cut()
	if !ok {
		return nil, nil
	}
	front, back := m.Net.Graph.Clone(), m.Net.Graph.Clone()
	front.Outputs, back.Inputs = cut, cut
	front.Nodes = slices.DeleteFunc(front.Nodes, func(n *graph.Node) bool { return d.rest(n) })
	back.Nodes = slices.DeleteFunc(back.Nodes, func(n *graph.Node) bool { return !d.rest(n) })
	exec.Prune(front)
	exec.Prune(back)
	if len(back.Inputs) != len(cut) || weighty(front) == 0 || weighty(front) < weighty(back) {
		return nil, nil
	}
	return front, &train.Net{Graph: back, Params: m.Net.Params, Frozen: m.Net.Frozen, Still: m.Net.Still}
}

// weighty counts the nodes that have weights, where the time goes.
func weighty(g *graph.Graph) (count int) {
	for _, n := range g.Nodes {
		if places[n.Op] != nil {
			count++
		}
	}
	return count
}

type division struct {
	net    *train.Net
	later  map[graph.Value]bool // values that the rest makes
	makers map[graph.Value]*graph.Node
	types  *exec.Types
}

// rest reports whether a node belongs to what learns.
func (d *division) rest(n *graph.Node) bool {
	return slices.ContainsFunc(n.Outputs, func(v graph.Value) bool { return d.later[v] })
}

// cut lists the values that the rest begins with, each of one shape for every row: what is not is made by the rest itself.
func (d *division) cut() (list []graph.Port, ok bool) {
	g := d.net.Graph
	seen := map[graph.Value]bool{}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		if !d.rest(n) {
			continue
		}
		for _, v := range taken(n) {
			if seen[v] || d.later[v] || g.Initializers[v] != nil {
				continue
			}
			t, err := d.types.Of(v)
			if err != nil {
				return nil, false
			}
			if each(t) {
				seen[v] = true
				list = append(list, graph.Port{Name: v, Type: graph.TensorOf(t)})
				continue
			}
			maker := d.makers[v]
			if maker == nil {
				return nil, false
			}
			for _, out := range maker.Outputs {
				d.later[out] = out != ""
			}
		}
	}
	// What was moved over may make what is in the list already.
	list = slices.DeleteFunc(list, func(p graph.Port) bool { return d.later[p.Name] })
	return list, len(list) > 0
}

// each reports whether a value has rows of one shape.
func each(t tensor.Type) bool {
	if t.DType != tensor.Float32 || t.Unranked || len(t.Dims) == 0 || t.Dims[0].Size != tensor.Free {
		return false
	}
	return !slices.ContainsFunc(t.Dims[1:], func(d tensor.Dim) bool { return d.Size < 1 })
}

// taken are the values that a node and its subgraphs read, names of their own among them.
func taken(n *graph.Node) (list []graph.Value) {
	inner := map[graph.Value]bool{"": true}
	n.Walk(func(m *graph.Node) {
		if m != n {
			for _, v := range m.Outputs {
				inner[v] = true
			}
		}
		for _, g := range m.Subgraphs() {
			for _, p := range g.Inputs {
				inner[p.Name] = true
			}
			for v := range g.Initializers {
				inner[v] = true
			}
			for _, p := range g.Outputs {
				list = append(list, p.Name)
			}
		}
		list = append(list, m.Inputs...)
	})
	return slices.DeleteFunc(list, func(v graph.Value) bool { return inner[v] })
}

// later are the values that change as a net learns, or from step to step: what depends on a weight that learns, on a draw, or on the batch.
func later(n *train.Net) map[graph.Value]bool {
	moved := map[graph.Value]bool{}
	for _, v := range n.Params {
		moved[v] = true
	}
	for _, node := range n.Graph.Nodes {
		hit := node.Op == "Dropout" || node.Op == "BatchNormalization" && !n.Frozen && !n.Still[node.Outputs[0]]
		for _, v := range taken(node) {
			hit = hit || moved[v]
		}
		for _, v := range node.Outputs {
			moved[v] = moved[v] || hit && v != ""
		}
	}
	return moved
}
