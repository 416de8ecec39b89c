package exec

import (
	"context"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// compiler is what the scopes of one compilation share.
type compiler struct {
	opsets    map[string]int64
	threads   int
	limit     int64  // bytes of a run
	foldLimit int64  // bytes that folding one node may make
	current   string // the node that is being looked at
}

// scope is what is known of a graph while it is walked: types, constants, the kernels of nodes that stay.
type scope struct {
	*compiler
	graph *graph.Graph
	depth int         // of subgraphs
	turn  graph.Value // Options.Recompute

	inputs    []graph.Value // what a run gives, in order
	types     map[graph.Value]tensor.Type
	constants map[graph.Value]*tensor.Tensor
	numbers   map[graph.Value][]number // elements of short lists of int64 that are not constant as a whole
	compiled  []compiled               // nodes that must run, in order

	dequantized map[graph.Value]*graph.Node // nodes that have been folded: quantised operators want what they read
}

// compiled is a node that must run. Its kernel comes last, when no other node has taken it over.
type compiled struct {
	node   *graph.Node
	spec   *op.Spec
	site   *op.Site
	kernel op.Kernel
}

func newScope(g *graph.Graph, c *compiler) *scope {
	s := &scope{compiler: c, graph: g, types: map[graph.Value]tensor.Type{}, constants: map[graph.Value]*tensor.Tensor{}, dequantized: map[graph.Value]*graph.Node{}}
	for name, t := range g.Initializers {
		if t != nil {
			s.constants[name] = t
			s.types[name] = t.Type()
		}
	}
	return s
}

// declare makes v an input of the scope's program.
func (s *scope) declare(v graph.Value, t tensor.Type) {
	s.inputs = append(s.inputs, v)
	s.types[v] = t
}

// program infers, folds, compiles and plans the graph. Inputs have been declared.
func (s *scope) program() (*Program, error) {
	for _, n := range live(s.graph, s.graph.Nodes) {
		s.current = nodeName(n)
		if err := s.visit(n); err != nil {
			return nil, located(n, err)
		}
	}
	if err := s.fuse(); err != nil {
		return nil, err
	}
	if err := s.kernels(); err != nil {
		return nil, err
	}
	if s.turn != "" {
		s.recompute()
	}
	p := &Program{limit: s.limit}
	for _, in := range s.inputs {
		p.inputs = append(p.inputs, graph.Port{Name: in, Type: graph.ValueOf(s.types[in])})
		p.accepts = append(p.accepts, s.types[in])
	}
	if err := p.ports(s); err != nil {
		return nil, err
	}
	return p, p.plan(s)
}

// kernels compiles the nodes that stay.
func (s *scope) kernels() error {
	for i := range s.compiled {
		c := &s.compiled[i]
		s.current = nodeName(c.node)
		kernel, err := c.spec.Kernel(c.node, c.site)
		if err != nil {
			return located(c.node, err)
		}
		c.kernel, c.site = kernel, nil
	}
	return nil
}

// opset returns the version of a domain for a node.
func (s *scope) opset(n *graph.Node) (int64, error) {
	newest, domain, opsets := int64(op.NewestOpset), n.Domain, s.opsets
	if n.Opsets != nil {
		opsets = n.Opsets
	}
	switch domain {
	case op.Private:
		return 1, nil
	case graph.ML:
		newest = op.NewestOpsetML
	case "ai.onnx":
		domain = ""
	}
	v, ok := opsets[domain]
	if !ok && domain == "" {
		v, ok = opsets["ai.onnx"]
	}
	if !ok {
		return 0, fault.New(fault.BadModel, "the model names no opset of the domain "+strconv.Quote(domain))
	}
	if v > newest && (domain == "" || domain == graph.ML) {
		return 0, fault.New(fault.Unsupported, "opset "+strconv.FormatInt(v, 10)+" of the domain "+strconv.Quote(domain)+" is newer than this build knows")
	}
	return v, nil
}

// visit handles one node.
func (s *scope) visit(n *graph.Node) error {
	opset, err := s.opset(n)
	if err != nil {
		return err
	}
	spec := op.Lookup(n.Domain, n.Op, opset)
	if spec == nil {
		name := n.Op
		if n.Domain != "" {
			name = n.Domain + "." + n.Op
		}
		return fault.New(fault.Unsupported, "the operator "+name+" of opset "+strconv.FormatInt(opset, 10)+" is not built")
	}
	if err := spec.Check(n); err != nil {
		return err
	}
	own := len(n.Inputs)
	n = withCaptures(n)
	site := s.site(n, opset)
	site.Own = own
	if len(n.Subgraphs()) > 0 {
		site.Body = s.bodies(n, own)
	}
	if spec.Simplify != nil {
		if simple := spec.Simplify(n, site); simple != nil {
			simple.Opsets = n.Opsets
			return s.visit(simple)
		}
	}
	types, err := spec.Types(n, site)
	if err != nil {
		return err
	}
	for i, v := range n.Outputs {
		if v == "" {
			continue
		}
		if i < len(types) {
			s.types[v] = types[i]
		}
		if d := s.types[v].DType; !d.Known() && !d.Container() {
			return fault.New(fault.Unsupported, "the type of the output "+string(v)+" is not known")
		}
	}
	if s.learn(n) {
		return nil
	}
	if foldable(site, n) && !random(spec, n) {
		kernel, err := spec.Kernel(n, site)
		if err != nil {
			return err
		}
		done, err := s.fold(n, kernel)
		if done && n.Op == "DequantizeLinear" {
			s.dequantized[n.Outputs[0]] = n
		}
		if done || err != nil {
			return err
		}
	}
	s.compiled = append(s.compiled, compiled{node: n, spec: spec, site: site})
	return nil
}

// site collects what is known around a node.
func (s *scope) site(n *graph.Node, opset int64) *op.Site {
	site := &op.Site{Opset: opset, Threads: s.threads}
	for _, v := range n.Inputs {
		site.Types = append(site.Types, s.types[v])
		site.Constant = append(site.Constant, s.constants[v])
	}
	return site
}

// foldable reports whether a node depends on constants only.
func foldable(site *op.Site, n *graph.Node) bool {
	for i, v := range n.Inputs {
		if v != "" && site.Constant[i] == nil {
			return false
		}
	}
	return true
}

// random reports whether a node, or one in its subgraphs, draws random numbers.
func random(spec *op.Spec, n *graph.Node) bool {
	if spec.Random {
		return true
	}
	for _, g := range n.Subgraphs() {
		for _, inner := range g.Nodes {
			if s := op.Lookup(inner.Domain, inner.Op, op.NewestOpset); s != nil && random(s, inner) {
				return true
			}
		}
	}
	return false
}

// fold runs a node now. done is false when its result is larger than folding allows: then it runs with the program.
func (s *scope) fold(n *graph.Node, kernel op.Kernel) (done bool, err error) {
	in := make([]*tensor.Tensor, len(n.Inputs))
	for i, v := range n.Inputs {
		in[i] = s.constants[v]
	}
	out := make([]*tensor.Tensor, len(n.Outputs))
	for i, v := range n.Outputs {
		if v != "" {
			out[i] = new(tensor.Tensor)
		}
	}
	if err := kernel(&allowance{Context: context.Background(), left: s.foldLimit}, in, out); err != nil {
		if fault.Is(err, fault.TooLarge) {
			return false, nil
		}
		return false, err
	}
	for i, v := range n.Outputs {
		if v != "" {
			s.constants[v], s.types[v] = out[i], out[i].Type()
		}
	}
	return true, nil
}

// allowance is the op.Budget of folding.
type allowance struct {
	context.Context
	left int64
}

// Grow implements op.Budget.
func (a *allowance) Grow(bytes int64) error {
	if a.left -= bytes; a.left < 0 {
		return fault.New(fault.TooLarge, "too large to fold")
	}
	return nil
}

// located names the node in an error from compiling. What is invalid in itself, without any input, is a bad model.
func located(n *graph.Node, err error) error {
	code := fault.CodeOf(err)
	if code == fault.Invalid {
		code = fault.BadModel
	}
	return &fault.Error{Code: code, Message: "the node cannot be compiled", Field: nodeName(n), Hint: fault.HintOf(err), Cause: err}
}
