package exec

import (
	"context"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// replaceSubgraphs puts f of each subgraph in its place. The node's list of attributes must be its own.
func replaceSubgraphs(n *graph.Node, f func(*graph.Graph) (*graph.Graph, error)) (err error) {
	for i := range n.Attrs {
		a := &n.Attrs[i]
		if a.Graph != nil {
			if a.Graph, err = f(a.Graph); err != nil {
				return err
			}
		}
		a.Graphs = slices.Clone(a.Graphs)
		for k := range a.Graphs {
			if a.Graphs[k], err = f(a.Graphs[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// captures lists the values that the subgraphs of a node take from outside, in the order in which they are met.
func captures(n *graph.Node) []graph.Value {
	var list []graph.Value
	seen := map[graph.Value]bool{}
	for _, g := range n.Subgraphs() {
		for _, v := range freeValues(g) {
			if !seen[v] {
				seen[v] = true
				list = append(list, v)
			}
		}
	}
	return list
}

// freeValues lists the values that a graph uses and does not make.
func freeValues(g *graph.Graph) []graph.Value {
	bound, seen := map[graph.Value]bool{"": true}, map[graph.Value]bool{}
	for _, p := range g.Inputs {
		bound[p.Name] = true
	}
	for v := range g.Initializers {
		bound[v] = true
	}
	var list []graph.Value
	use := func(values ...graph.Value) {
		for _, v := range values {
			if !bound[v] && !seen[v] {
				seen[v] = true
				list = append(list, v)
			}
		}
	}
	for _, n := range g.Nodes {
		use(n.Inputs...)
		use(captures(n)...)
		for _, v := range n.Outputs {
			bound[v] = true
		}
	}
	for _, p := range g.Outputs {
		use(p.Name)
	}
	return list
}

// withCaptures is the node with what its subgraphs capture as inputs behind its own.
func withCaptures(n *graph.Node) *graph.Node {
	captured := captures(n)
	if len(captured) == 0 {
		return n
	}
	c := *n
	c.Inputs = append(append([]graph.Value(nil), n.Inputs...), captured...)
	return &c
}

// body is a subgraph that was compiled for formal inputs of certain types.
type body struct {
	program *Program
	pick    []int // places of the program's further inputs among the captured values
	types   []tensor.Type
	frames  reuse.Pool[[]*tensor.Tensor]
}

// bodies makes op.Site.Body for a node, whose inputs from own on are captured.
func (s *scope) bodies(n *graph.Node, own int) func(attr string, formals []tensor.Type) (op.Body, error) {
	done := map[string]*body{}
	return func(attr string, formals []tensor.Type) (op.Body, error) {
		a := n.Attr(attr)
		if a == nil || a.Graph == nil {
			return nil, fault.New(fault.BadModel, n.Op+": the subgraph "+attr+" is missing")
		}
		key := attr
		for _, t := range formals {
			key += "|" + t.String()
		}
		if b := done[key]; b != nil {
			return b, nil
		}
		b, err := s.body(a.Graph, formals, n.Inputs[own:])
		if err != nil {
			return nil, err
		}
		done[key] = b
		return b, nil
	}
}

// body compiles a subgraph.
func (s *scope) body(g *graph.Graph, formals []tensor.Type, captured []graph.Value) (*body, error) {
	if len(g.Inputs) != len(formals) {
		return nil, fault.New(fault.BadModel, "the subgraph "+strconv.Quote(g.Name)+" has "+strconv.Itoa(len(g.Inputs))+" inputs, its node gives "+strconv.Itoa(len(formals)))
	}
	if s.depth >= maxCallDepth {
		return nil, fault.New(fault.BadModel, "subgraphs more than "+strconv.Itoa(maxCallDepth)+" levels deep")
	}
	inner := newScope(g, s.compiler)
	inner.depth = s.depth + 1
	b := new(body)
	for i, in := range g.Inputs {
		if d := in.Type.Tensor.DType; in.Type.Kind == graph.TensorKind && d != tensor.Undefined && d != formals[i].DType {
			return nil, fault.New(fault.BadModel, "the subgraph's input is declared "+d.String()+" but gets "+formals[i].DType.String()).At(string(in.Name))
		}
		inner.declare(in.Name, formals[i])
	}
	for i, v := range captured {
		if _, own := inner.types[v]; own { // bound inside: captured by another subgraph of the node
			continue
		}
		if c := s.constants[v]; c != nil {
			inner.constants[v], inner.types[v] = c, c.Type()
			continue
		}
		inner.declare(v, s.types[v])
		b.pick = append(b.pick, i)
	}
	p, err := inner.program()
	if err != nil {
		return nil, err
	}
	b.program = p
	for _, out := range g.Outputs {
		b.types = append(b.types, inner.types[out.Name])
	}
	return b, nil
}

// Outputs implements op.Body.
func (b *body) Outputs() []tensor.Type { return b.types }

// Run implements op.Body.
func (b *body) Run(ctx context.Context, formals, captured, out []*tensor.Tensor) error {
	in := b.frames.Take()
	*in = append((*in)[:0], formals...)
	for _, i := range b.pick {
		*in = append(*in, captured[i])
	}
	err := b.program.run(ctx, *in, out, nil)
	clear(*in)
	b.frames.Put(in)
	return err
}
