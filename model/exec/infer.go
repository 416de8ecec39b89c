package exec

import (
	"context"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// scope is what is known of a graph while it is walked: types, constants, the kernels of nodes that stay.
type scope struct {
	graph   *graph.Graph
	opsets  map[string]int64
	threads int

	types     map[graph.Value]tensor.Type
	constants map[graph.Value]*tensor.Tensor
	compiled  []compiled // nodes that must run, in order

	foldLimit int64 // bytes that folding one node may make
	current   string
}

type compiled struct {
	node   *graph.Node
	spec   *op.Spec
	kernel op.Kernel
}

func newScope(g *graph.Graph, opsets map[string]int64, threads int) *scope {
	s := &scope{graph: g, opsets: opsets, threads: threads, types: map[graph.Value]tensor.Type{}, constants: map[graph.Value]*tensor.Tensor{}}
	for name, t := range g.Initializers {
		if t != nil {
			s.constants[name] = t
			s.types[name] = t.Type()
		}
	}
	return s
}

// walk infers, folds and compiles nodes in order.
func (s *scope) walk(nodes []*graph.Node) error {
	for _, in := range s.graph.Inputs {
		if s.constants[in.Name] != nil {
			continue
		}
		if in.Type.Kind != graph.TensorKind || !in.Type.Tensor.DType.Known() {
			return fault.New(fault.Unsupported, "an input that is no tensor of a known type is not built").At(string(in.Name))
		}
		s.types[in.Name] = in.Type.Tensor
	}
	for _, n := range nodes {
		s.current = nodeName(n)
		if err := s.visit(n); err != nil {
			return located(n, err)
		}
	}
	return nil
}

// opset returns the version of a domain.
func (s *scope) opset(domain string) (int64, error) {
	newest := int64(op.NewestOpset)
	switch domain {
	case op.Private:
		return 1, nil
	case graph.ML:
		newest = op.NewestOpsetML
	case "ai.onnx":
		domain = ""
	}
	v, ok := s.opsets[domain]
	if !ok && domain == "" {
		v, ok = s.opsets["ai.onnx"]
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
	opset, err := s.opset(n.Domain)
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
	site := s.site(n, opset)
	if spec.Simplify != nil {
		if simple := spec.Simplify(n, site); simple != nil {
			return s.visit(simple)
		}
	}
	types, err := spec.Infer(n, site)
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
		if !s.types[v].DType.Known() {
			return fault.New(fault.Unsupported, "the type of the output "+string(v)+" is not known")
		}
	}
	kernel, err := spec.Compile(n, site)
	if err != nil {
		return err
	}
	if foldable(site, n) {
		done, err := s.fold(n, kernel)
		if done || err != nil {
			return err
		}
	}
	s.compiled = append(s.compiled, compiled{n, spec, kernel})
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
