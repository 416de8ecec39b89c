package exec

import (
	"maps"
	"runtime"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Settle leaves of a graph what a run would not know beforehand: nodes that depend on constants alone become initializers, an If whose condition is
// constant becomes the branch that it takes, and what no output needs goes. So weights that a file slices, joins and transposes before they are used
// are tensors as they are used. g is changed; its nodes say by which opsets they are read (Inline). Tensors are shared, by two initializers too.
//
// A weight that is used both as it is and, through such nodes, in another form stays one tensor: those nodes stay.
//
// Errors: those of Compile for the node that is wrong.
func Settle(g *graph.Graph) (err error) {
	c := &compiler{threads: runtime.GOMAXPROCS(0), foldLimit: 64 << 20}
	defer func() { err = recovered(recover(), c.current, err) }()
	if err := check(g, nil); err != nil {
		return err
	}
	s := &settling{scope: newScope(g, c), b: graph.Extend(g)}
	g.Inputs = slices.DeleteFunc(g.Inputs, func(in graph.Port) bool { return g.Initializers[in.Name] != nil })
	for _, in := range g.Inputs {
		s.declare(in.Name, in.Type.Type())
	}
	s.b.Reserve(repeated(g)...)
	if err := s.walk(live(g, g.Nodes)); err != nil {
		return err
	}
	s.fold()
	Prune(g)
	return nil
}

// Prune drops the nodes, initializers and inputs of a graph that no output needs.
func Prune(g *graph.Graph) {
	g.Nodes = live(g, g.Nodes)
	used := map[graph.Value]bool{}
	for _, out := range g.Outputs {
		used[out.Name] = true
	}
	for _, n := range g.Nodes {
		for _, v := range reads(n) {
			used[v] = true
		}
	}
	maps.DeleteFunc(g.Initializers, func(v graph.Value, _ *tensor.Tensor) bool { return !used[v] })
	g.Inputs = slices.DeleteFunc(g.Inputs, func(p graph.Port) bool { return !used[p.Name] })
	g.ValueInfo = map[graph.Value]graph.ValueType{}
}

type settling struct {
	*scope
	b     *graph.Builder
	nodes []*graph.Node // in order, with those of branches that are taken
}

// walk looks at nodes in order.
func (s *settling) walk(nodes []*graph.Node) error {
	for _, n := range nodes {
		s.current = nodeName(n)
		branch := s.taken(n)
		if branch == nil {
			if err := s.visit(n); err != nil {
				return located(n, err)
			}
			s.nodes = append(s.nodes, n)
			continue
		}
		if err := s.walk(s.written(n, branch)); err != nil {
			return err
		}
	}
	return nil
}

// taken is the branch of an If whose condition is constant, nil for other nodes.
func (s *settling) taken(n *graph.Node) *graph.Graph {
	if n.Op != "If" || n.Domain != "" && n.Domain != "ai.onnx" {
		return nil
	}
	when := s.constants[n.In(0)]
	if when == nil || when.DType() != tensor.Bool || when.Len() != 1 {
		return nil
	}
	name := "else_branch"
	if tensor.Data[bool](when)[0] {
		name = "then_branch"
	}
	if a := n.Attr(name); a != nil && a.Graph != nil && len(a.Graph.Outputs) >= len(n.Outputs) {
		return a.Graph
	}
	return nil
}

// written are the nodes of a branch in the place of its If.
func (s *settling) written(n *graph.Node, branch *graph.Graph) []*graph.Node {
	names := map[graph.Value]graph.Value{}
	for _, v := range branch.InitializerNames() {
		names[v] = s.b.Init(string(v), branch.Initializers[v])
		s.constants[names[v]], s.types[names[v]] = branch.Initializers[v], branch.Initializers[v].Type()
	}
	var nodes []*graph.Node
	for _, inner := range branch.Nodes {
		for _, v := range inner.Outputs {
			if v != "" {
				names[v] = s.b.Fresh(string(v))
			}
		}
		nodes = append(nodes, inner.Renamed(names))
	}
	for i, v := range n.Outputs {
		if v == "" {
			continue
		}
		from := branch.Outputs[i].Name
		if to, made := names[from]; made {
			from = to
		}
		nodes = append(nodes, &graph.Node{Op: "Identity", Inputs: []graph.Value{from}, Outputs: []graph.Value{v}, Opsets: n.Opsets})
	}
	return nodes
}

// fold makes initializers of what is constant. A node stays that reads a weight which others read as it is: an Identity alone would tie weights
// that an exporter found to be equal.
func (s *settling) fold() {
	constant, open := make([]bool, len(s.nodes)), map[graph.Value]bool{}
	for i, n := range s.nodes {
		if constant[i] = s.constant(n); !constant[i] {
			for _, v := range reads(n) {
				open[v] = true
			}
		}
	}
	stays := map[graph.Value]bool{}
	s.graph.Nodes = nil
	for i, n := range s.nodes {
		keep := !constant[i]
		for _, v := range n.Inputs {
			t := s.graph.Initializers[v]
			keep = keep || stays[v] || n.Op != "Identity" && open[v] && t != nil && t.DType() == tensor.Float32 && t.Rank() > 1
		}
		if keep {
			s.graph.Nodes = append(s.graph.Nodes, n)
		}
		for _, v := range n.Outputs {
			if v == "" {
				continue
			}
			if stays[v] = keep && constant[i]; !keep {
				s.graph.Initializers[v] = s.constants[v]
			}
		}
	}
}

// constant reports whether all that a node gives has been computed.
func (s *settling) constant(n *graph.Node) bool {
	for _, v := range n.Outputs {
		if v != "" && s.constants[v] == nil {
			return false
		}
	}
	return true
}

// repeated are the names that several graphs within g use for values of their own. Written out into g, they would hide one another.
func repeated(g *graph.Graph) []string {
	count := map[graph.Value]int{}
	var list []string
	add := func(v graph.Value) {
		if count[v]++; count[v] == 2 && v != "" {
			list = append(list, string(v))
		}
	}
	var walk func(g *graph.Graph)
	walk = func(g *graph.Graph) {
		for _, p := range g.Inputs {
			if g.Initializers[p.Name] == nil {
				add(p.Name)
			}
		}
		for v := range g.Initializers {
			add(v)
		}
		for _, n := range g.Nodes {
			for _, v := range n.Outputs {
				add(v)
			}
			for _, inner := range n.Subgraphs() {
				walk(inner)
			}
		}
	}
	walk(g)
	return list
}
