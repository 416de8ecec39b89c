// Package exec runs graphs: Compile checks a model, folds what is constant, drops what nobody uses and compiles each node's kernel;
// Program.Run then only walks a list. Gradient differentiates a graph by appending to it. Operators are package op's.
package exec

import (
	"runtime"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Options bound what a program may use.
type Options struct {
	Threads     int   // goroutines of one run; 0: one for each processor
	MemoryLimit int64 // bytes that the tensors of one run may hold, inputs not counted; 0: op.DefaultLimit

	// Recompute names an output at which a way forward ends and a way back begins, as a loss with its gradients behind. What lies before it is kept in parts
	// only and computed again for what lies behind, to the same numbers: less memory for about the time of another way forward.
	Recompute graph.Value
}

// Program is a compiled model. It is safe for concurrent runs.
type Program struct {
	inputs, outputs []graph.Port
	accepts         []tensor.Type // of the inputs
	steps           []step
	values          []*tensor.Tensor // template of a frame: constants stand in their places
	slots           []slot
	copies          []copyOut
	args, results   int // the largest number of inputs and outputs of a step
	limit           int64
	frames          reuse.Pool[frame]
}

// Places in a frame's values: absent, then the inputs, the outputs, the constants and the slots.
type place = int32

const absent place = 0

// step is one node: in and out are places of its values.
type step struct {
	node     string
	operator string
	kernel   op.Kernel
	in, out  []place
}

// slot is memory of a frame that values with disjoint lifetimes share.
type slot struct {
	at   place
	view bool // holds aliases only, and is emptied after a run

	fixed, each int64 // bytes of the largest value whose size is known, and of the largest of those whose size is not, for one row
}

// Needs is about how many bytes of tensors a run holds between its inputs and its outputs, where the first dimension that the model leaves open is
// so long. (Others that it leaves open count 32.)
func (p *Program) Needs(rows int) (bytes int64) {
	for _, s := range p.slots {
		bytes += max(s.fixed, s.each*int64(rows))
	}
	return bytes
}

// grow makes a slot large enough for a value.
func (s *slot) grow(t tensor.Type) {
	if s.view || t.DType.Container() {
		return
	}
	size := int64(max(1, t.DType.Size())) * int64(elements(t))
	for _, d := range t.Dims {
		if d.Size == tensor.Free {
			s.each = max(s.each, size/fewRows)
			return
		}
	}
	s.fixed = max(s.fixed, size)
}

// copyOut is an output that is no result of its own: an input, a constant, a view, or a second name.
type copyOut struct{ from, to place }

// Compile makes a program of a model. The model must not be changed while the program is in use: constants are not copied.
//
// Errors: fault.BadModel for a graph that contradicts itself, fault.Unsupported for an operator, opset, type or attribute that is not
// built; Field names the node.
func Compile(m *graph.Model, o Options) (p *Program, err error) {
	if m == nil || m.Graph == nil {
		return nil, fault.New(fault.BadModel, "the model has no graph")
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.MemoryLimit <= 0 {
		o.MemoryLimit = op.DefaultLimit
	}
	g, err := expand(m)
	if err != nil {
		return nil, err
	}
	c := &compiler{opsets: m.Opsets, threads: o.Threads, limit: o.MemoryLimit, foldLimit: min(o.MemoryLimit, 64<<20)}
	defer func() { err = recovered(recover(), c.current, err) }()
	if err := check(g, nil); err != nil {
		return nil, err
	}
	s := newScope(g, c)
	s.turn = o.Recompute
	var inputs []graph.Port // as the file has them
	for _, in := range g.Inputs {
		if s.constants[in.Name] != nil {
			continue
		}
		t := in.Type.Type()
		if !t.DType.Known() && !t.DType.Container() {
			return nil, fault.New(fault.Unsupported, "an input of no known type is not built").At(string(in.Name))
		}
		s.declare(in.Name, t)
		inputs = append(inputs, in)
	}
	if p, err = s.program(); err != nil {
		return nil, err
	}
	p.inputs = inputs
	return p, nil
}

// Inputs are the tensors that Run wants, in order: the graph's inputs without those that have an initializer.
func (p *Program) Inputs() []graph.Port { return p.inputs }

// Outputs are the tensors that Run gives, in the graph's order.
func (p *Program) Outputs() []graph.Port { return p.outputs }

// ports collects the outputs and checks their declared types against the inferred ones.
func (p *Program) ports(s *scope) error {
	for _, out := range s.graph.Outputs {
		t, declared := s.types[out.Name], out.Type.Type().DType
		switch {
		case declared == tensor.Undefined:
			out.Type = graph.ValueOf(t)
		case declared != t.DType:
			return fault.New(fault.BadModel, "the output is declared "+declared.String()+" but is "+t.DType.String()).At(string(out.Name))
		}
		p.outputs = append(p.outputs, out)
	}
	return nil
}

// visible are the values that nodes of a graph, and those of its subgraphs, may use.
type visible struct {
	made  map[graph.Value]bool
	outer *visible // nil for the main graph
}

func (s *visible) has(v graph.Value) bool {
	for ; s != nil; s = s.outer {
		if s.made[v] {
			return true
		}
	}
	return false
}

// check looks for what no graph may have: names made twice, values that nothing makes, use before making. outer is what a subgraph sees.
func check(g *graph.Graph, outer *visible) error {
	made := map[graph.Value]bool{}
	inner := &visible{made, outer}
	for _, in := range g.Inputs {
		if made[in.Name] || in.Name == "" {
			return fault.New(fault.BadModel, "the input is declared twice or has no name").At(string(in.Name))
		}
		made[in.Name] = true
	}
	for name, t := range g.Initializers {
		if t == nil || !t.DType().Known() || t.Rank() > op.MaxRank {
			return fault.New(fault.BadModel, "the initializer has no type, or too many dimensions").At(string(name))
		}
		made[name] = true
	}
	makers := map[graph.Value]bool{}
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			if v != "" && (made[v] || makers[v]) {
				return fault.New(fault.BadModel, "the value "+string(v)+" is made twice").At(nodeName(n))
			}
			makers[v] = true
		}
	}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			if v == "" || made[v] || !makers[v] && outer.has(v) {
				continue
			}
			if makers[v] {
				return fault.New(fault.BadModel, "the value "+string(v)+" is used before it is made: the graph has a cycle or is not in order").At(nodeName(n))
			}
			return fault.New(fault.BadModel, "the value "+string(v)+" is used but never made").At(nodeName(n))
		}
		if err := checkInner(n, inner); err != nil {
			return err
		}
		for _, v := range n.Outputs {
			made[v] = v != ""
		}
	}
	if len(g.Outputs) == 0 {
		return fault.New(fault.BadModel, "the graph has no outputs")
	}
	for _, out := range g.Outputs {
		if !inner.has(out.Name) {
			return fault.New(fault.BadModel, "the output is never made").At(string(out.Name))
		}
	}
	return nil
}

// checkInner checks the subgraphs of a node.
func checkInner(n *graph.Node, outer *visible) error {
	for _, g := range n.Subgraphs() {
		if err := check(g, outer); err != nil {
			return located(n, err)
		}
	}
	return nil
}

// live returns the nodes that outputs depend on, in order.
func live(g *graph.Graph, nodes []*graph.Node) []*graph.Node {
	used := map[graph.Value]bool{}
	for _, out := range g.Outputs {
		used[out.Name] = true
	}
	keep := make([]bool, len(nodes))
	for i := len(nodes) - 1; i >= 0; i-- {
		for _, v := range nodes[i].Outputs {
			keep[i] = keep[i] || v != "" && used[v]
		}
		if keep[i] {
			for _, v := range nodes[i].Inputs {
				used[v] = true
			}
			for _, v := range captures(nodes[i]) {
				used[v] = true
			}
		}
	}
	var out []*graph.Node
	for i, n := range nodes {
		if keep[i] {
			out = append(out, n)
		}
	}
	return out
}

// nodeName names a node for errors: its name, or operator and first output.
func nodeName(n *graph.Node) string {
	if n.Name != "" {
		return n.Name
	}
	if len(n.Outputs) > 0 {
		return n.Op + "(" + string(n.Outputs[0]) + ")"
	}
	return n.Op
}

// recovered turns a panic in an operator into an error: a defect of Jarvis must not take the process down.
func recovered(r any, node string, err error) error {
	if r == nil {
		return err
	}
	cause, ok := r.(error)
	if !ok {
		text, _ := r.(string)
		cause = fault.New(fault.Internal, text)
	}
	return fault.New(fault.Internal, "an operator failed unexpectedly").At(node).Because(cause)
}
