package graph

import (
	"maps"
	"slices"
)

// Append puts a copy of g into the graph: in are the values for g's inputs, in order; the result are those of its outputs. Initializers share
// memory with g's. Names that are taken already get a number.
func (b *Builder) Append(g *Graph, in ...Value) []Value {
	names := map[Value]Value{"": ""}
	for i, p := range g.Inputs {
		names[p.Name] = in[i]
	}
	for _, v := range g.InitializerNames() {
		if _, given := names[v]; !given {
			names[v] = b.Init(string(v), g.Initializers[v])
		}
	}
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			if _, known := names[v]; !known {
				names[v] = b.Fresh(string(v))
			}
		}
		n.Walk(func(n *Node) { b.uses(n.Domain, n.Op) })
		b.graph.Nodes = append(b.graph.Nodes, n.Renamed(names))
	}
	out := make([]Value, len(g.Outputs))
	for i, p := range g.Outputs {
		out[i] = names[p.Name]
	}
	return out
}

// Renamed is a copy of n with other names for values, those that its subgraphs take from outside with them. A name that the map lacks stays.
func (n *Node) Renamed(names map[Value]Value) *Node {
	c := *n
	c.Inputs, c.Outputs, c.Attrs = renamed(n.Inputs, names), renamed(n.Outputs, names), slices.Clone(n.Attrs)
	for i := range c.Attrs {
		a := &c.Attrs[i]
		if a.Graph != nil {
			a.Graph = a.Graph.renamed(names)
		}
		a.Graphs = slices.Clone(a.Graphs)
		for k, g := range a.Graphs {
			a.Graphs[k] = g.renamed(names)
		}
	}
	return &c
}

func renamed(values []Value, names map[Value]Value) []Value {
	out := slices.Clone(values)
	for i, v := range out {
		if to, ok := names[v]; ok {
			out[i] = to
		}
	}
	return out
}

// Clone is a copy of g with nodes and subgraphs of its own; tensors are shared.
func (g *Graph) Clone() *Graph { return g.renamed(nil) }

// renamed is a copy of a subgraph. What it makes itself hides the names around it.
func (g *Graph) renamed(names map[Value]Value) *Graph {
	inner := maps.Clone(names)
	for _, p := range g.Inputs {
		delete(inner, p.Name)
	}
	for v := range g.Initializers {
		delete(inner, v)
	}
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			delete(inner, v)
		}
	}
	c := *g
	c.Inputs, c.Outputs, c.Nodes, c.Initializers = slices.Clone(g.Inputs), slices.Clone(g.Outputs), make([]*Node, len(g.Nodes)), maps.Clone(g.Initializers)
	for i, p := range c.Outputs {
		if to, ok := inner[p.Name]; ok {
			c.Outputs[i].Name = to
		}
	}
	for i, n := range g.Nodes {
		c.Nodes[i] = n.Renamed(inner)
	}
	return &c
}
