// Package opset writes the nodes of older ONNX operator sets as those of a later one, so that nodes of several can stand in one file, which has one
// version for each domain. Running needs none of it: there each node says by which version it is read.
package opset

import (
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Raise writes all nodes of a model by the newest version that one of them is read by, for each domain, at least that of graph.Builder, and has the model say so. Nodes that change are
// replaced by others. Model-local functions are not looked into: Inline comes first.
//
// Errors: fault.Unsupported for an operator whose older meaning has no equivalent; Field names the node.
func Raise(m *graph.Model) error {
	r := &raising{to: map[string]int64{"": graph.OpsetVersion}, model: m.Opsets}
	for domain, v := range m.Opsets {
		r.to[plain(domain)] = max(r.to[plain(domain)], v)
	}
	for _, n := range m.Graph.Nodes {
		n.Walk(func(n *graph.Node) {
			if n.Opsets == nil {
				n.Opsets = m.Opsets
			}
			for domain, v := range n.Opsets {
				r.to[plain(domain)] = max(r.to[plain(domain)], v)
			}
		})
	}
	r.b = graph.Extend(graph.New(""))
	r.b.Reserve(names(m.Graph)...)
	if err := r.graph(m.Graph); err != nil {
		return err
	}
	m.Opsets = r.to
	for _, ir := range []struct{ opset, version int64 }{{0, graph.IRVersion}, {19, 9}, {21, 10}, {23, 11}, {24, 12}, {25, 13}} { // as they were released
		if r.to[""] >= ir.opset {
			m.IRVersion = max(m.IRVersion, ir.version)
		}
	}
	return nil
}

func plain(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

// names are all names of values in a graph and those within it.
func names(g *graph.Graph) []string {
	var list []string
	for _, p := range g.Inputs {
		list = append(list, string(p.Name))
	}
	for v := range g.Initializers {
		list = append(list, string(v))
	}
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			list = append(list, string(v))
		}
		for _, inner := range n.Subgraphs() {
			list = append(list, names(inner)...)
		}
	}
	return list
}

type raising struct {
	to    map[string]int64
	model map[string]int64
	b     *graph.Builder // of names
	nodes []*graph.Node  // of the graph at hand, as they become
	types *exec.Types    // of the graph at hand, as it was
}

func (r *raising) graph(g *graph.Graph) error {
	nodes, types := r.nodes, r.types
	r.nodes, r.types = nil, exec.NewTypes(graph.Extend(g))
	for _, n := range g.Nodes {
		for _, inner := range n.Subgraphs() {
			if err := r.graph(inner); err != nil {
				return err
			}
		}
		if err := r.node(n); err != nil {
			return err
		}
	}
	g.Nodes, r.nodes, r.types = r.nodes, nodes, types
	return nil
}

// node appends what a node becomes.
func (r *raising) node(n *graph.Node) error {
	domain := plain(n.Domain)
	opsets := n.Opsets
	if opsets == nil {
		opsets = r.model
	}
	from, known := opsets[domain]
	if !known && domain == "" {
		from = opsets["ai.onnx"]
	}
	c := *n
	c.Opsets, c.Inputs, c.Attrs = nil, slices.Clone(n.Inputs), slices.Clone(n.Attrs)
	last := &c
	if domain == "" && from < r.to[""] {
		last = r.rewrite(&c, from)
	}
	if from != r.to[domain] && (domain == "" || domain == graph.ML) {
		spec := op.Lookup(domain, c.Op, r.to[domain])
		if last == nil || spec == nil || spec.Check(&c) != nil {
			return fault.New(fault.Unsupported, "the operator "+c.Op+" of opset "+strconv.FormatInt(from, 10)+" cannot be written as one of opset "+strconv.FormatInt(r.to[domain], 10)).
				At(n.Name).Try("export the model with opset " + strconv.FormatInt(r.to[domain], 10))
		}
	}
	if last == &c {
		r.nodes = append(r.nodes, &c)
	}
	return nil
}

// constant appends a Constant node.
func (r *raising) constant(t *tensor.Tensor) graph.Value {
	v := r.b.Fresh("constant")
	r.nodes = append(r.nodes, &graph.Node{Op: "Constant", Outputs: []graph.Value{v}, Attrs: []graph.Attr{graph.TensorAttr("value", t)}})
	return v
}

// made appends a node with one output.
func (r *raising) made(op string, attrs []graph.Attr, in ...graph.Value) graph.Value {
	v := r.b.Fresh(op)
	r.nodes = append(r.nodes, &graph.Node{Op: op, Inputs: in, Outputs: []graph.Value{v}, Attrs: attrs})
	return v
}
