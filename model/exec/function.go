package exec

import (
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Bounds of what calls of functions may become: a file of a few kilobytes could otherwise double its nodes with each level.
const (
	maxCallDepth     = 32
	maxExpandedNodes = 1 << 18
)

// expand puts the bodies of model-local functions where they are called. m stays as it is.
func expand(m *graph.Model) (*graph.Graph, error) {
	if len(m.Functions) == 0 {
		return m.Graph, nil
	}
	e := &expander{functions: map[[2]string]*graph.Function{}}
	for _, f := range m.Functions {
		e.functions[[2]string{f.Domain, f.Name}] = f
	}
	return e.graph(m.Graph, 0)
}

type expander struct {
	functions map[[2]string]*graph.Function
	made      int // nodes
	calls     int // makes the names of a call's inner values its own
}

// graph returns g with every call expanded.
func (e *expander) graph(g *graph.Graph, depth int) (*graph.Graph, error) {
	nodes, err := e.nodes(g.Nodes, depth)
	if err != nil {
		return nil, err
	}
	out := *g
	out.Nodes = nodes
	return &out, nil
}

func (e *expander) nodes(nodes []*graph.Node, depth int) ([]*graph.Node, error) {
	if depth > maxCallDepth {
		return nil, fault.New(fault.BadModel, "functions call each other more than "+strconv.Itoa(maxCallDepth)+" levels deep")
	}
	var out []*graph.Node
	for _, n := range nodes {
		if e.made++; e.made > maxExpandedNodes {
			return nil, fault.New(fault.TooLarge, "the functions expand to more than "+strconv.Itoa(maxExpandedNodes)+" nodes")
		}
		f := e.functions[[2]string{n.Domain, n.Op}]
		if f == nil {
			n, err := e.inner(n, depth)
			if err != nil {
				return nil, err
			}
			out = append(out, n)
			continue
		}
		body, err := e.nodes(e.call(n, f), depth+1)
		if err != nil {
			return nil, located(n, err)
		}
		out = append(out, body...)
	}
	return out, nil
}

// inner expands the subgraphs of a node.
func (e *expander) inner(n *graph.Node, depth int) (*graph.Node, error) {
	if len(n.Subgraphs()) == 0 {
		return n, nil
	}
	c := *n
	c.Attrs = slices.Clone(n.Attrs)
	err := replaceSubgraphs(&c, func(g *graph.Graph) (*graph.Graph, error) { return e.graph(g, depth) })
	return &c, err
}

// call makes the nodes that stand for one call: the body with the call's values and attributes put in.
func (e *expander) call(n *graph.Node, f *graph.Function) []*graph.Node {
	e.calls++
	c := &callSite{node: n, f: f, prefix: f.Name + "#" + strconv.Itoa(e.calls) + "/", names: map[graph.Value]graph.Value{}}
	for i, v := range f.Inputs {
		c.names[v] = n.In(i)
	}
	var through []*graph.Node
	for i, v := range f.Outputs {
		if i >= len(n.Outputs) || n.Outputs[i] == "" {
			continue
		}
		if _, used := c.names[v]; used { // an input, or an output a second time
			through = append(through, &graph.Node{Op: "Identity", Inputs: []graph.Value{c.value(v)}, Outputs: []graph.Value{n.Outputs[i]}})
			continue
		}
		c.names[v] = n.Outputs[i]
	}
	var nodes []*graph.Node
	for _, inner := range f.Nodes {
		nodes = append(nodes, c.copy(inner))
	}
	nodes = append(nodes, through...)
	for _, made := range nodes {
		made.Walk(func(n *graph.Node) { n.Opsets = f.Opsets }) // a function imports its own
	}
	return nodes
}

// callSite renames the values of a function's body and resolves references to its attributes.
type callSite struct {
	node   *graph.Node
	f      *graph.Function
	prefix string
	names  map[graph.Value]graph.Value
}

func (c *callSite) value(v graph.Value) graph.Value {
	if v == "" {
		return ""
	}
	if to, ok := c.names[v]; ok {
		return to
	}
	return graph.Value(c.prefix) + v
}

func (c *callSite) values(list []graph.Value) []graph.Value {
	out := make([]graph.Value, len(list))
	for i, v := range list {
		out[i] = c.value(v)
	}
	return out
}

func (c *callSite) copy(n *graph.Node) *graph.Node {
	out := &graph.Node{Domain: n.Domain, Op: n.Op, Inputs: c.values(n.Inputs), Outputs: c.values(n.Outputs), Name: c.prefix + nodeName(n)}
	for _, a := range n.Attrs {
		if a.Ref != "" {
			given := c.attribute(a.Ref)
			if given == nil {
				continue
			}
			name := a.Name
			a = *given
			a.Name = name
		}
		out.Attrs = append(out.Attrs, a)
	}
	_ = replaceSubgraphs(out, func(g *graph.Graph) (*graph.Graph, error) { return c.graph(g), nil })
	return out
}

// attribute is the value of one of the function's attributes at this call.
func (c *callSite) attribute(name string) *graph.Attr {
	if a := c.node.Attr(name); a != nil {
		return a
	}
	for i := range c.f.Defaults {
		if c.f.Defaults[i].Name == name {
			return &c.f.Defaults[i]
		}
	}
	return nil
}

func (c *callSite) graph(g *graph.Graph) *graph.Graph {
	out := graph.New(g.Name)
	for _, p := range g.Inputs {
		out.Inputs = append(out.Inputs, graph.Port{Name: c.value(p.Name), Type: p.Type})
	}
	for _, p := range g.Outputs {
		out.Outputs = append(out.Outputs, graph.Port{Name: c.value(p.Name), Type: p.Type})
	}
	for v, t := range g.Initializers {
		out.Initializers[c.value(v)] = t
	}
	for _, n := range g.Nodes {
		out.Nodes = append(out.Nodes, c.copy(n))
	}
	return out
}
