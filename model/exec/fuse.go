//go:build !lean

package exec

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// fuse replaces groups of nodes by one that does the same in one pass over memory: what exporters write out is put together again, and
// activations, biases and sums move into the product or convolution before them. Results differ from the plain graph by rounding only.
func (s *scope) fuse() error {
	f := &fuser{s: s}
	for _, c := range s.compiled {
		f.nodes = append(f.nodes, c.node)
	}
	f.index()
	f.quantized()
	for range 8 { // each round may make what another rule waits for
		if !f.round() {
			break
		}
	}
	if !f.changed {
		return nil
	}
	known := map[*graph.Node]compiled{}
	for _, c := range s.compiled {
		known[c.node] = c
	}
	s.compiled = nil
	for _, n := range live(s.graph, f.remaining()) {
		if c, ok := known[n]; ok {
			s.compiled = append(s.compiled, c)
			continue
		}
		s.current = nodeName(n)
		if err := s.visit(n); err != nil {
			return located(n, err)
		}
	}
	return nil
}

// fuser rewrites a list of nodes. A rule looks at the last node of a pattern, where the new node is put: all that it reads is made by then.
type fuser struct {
	s       *scope
	nodes   []*graph.Node       // nil: removed
	maker   map[graph.Value]int // place of the node that makes a value
	uses    map[graph.Value]int // how many inputs, and outputs of the graph, a value is
	user    map[graph.Value]int // place of a node that uses a value: the only one where uses is 1 and the graph has no such output
	fresh   int
	changed bool
}

// rules are tried in this order at each node.
var rules = []func(f *fuser, i int) bool{
	fuseSwish, fuseHardSwish, fuseGelu, fuseLayerNorm, fuseScale, fuseBias, fuseQuantProduct, fuseQuantBias, fuseConvSum, fuseActivation, fuseLine, fuseGate, fuseAttention, fuseHeads,
}

func (f *fuser) index() {
	f.maker, f.uses, f.user = map[graph.Value]int{}, map[graph.Value]int{}, map[graph.Value]int{}
	for i, n := range f.nodes {
		f.enter(i, n)
	}
	for _, out := range f.s.graph.Outputs {
		f.uses[out.Name]++
	}
}

// enter takes note of node n at place i.
func (f *fuser) enter(i int, n *graph.Node) {
	for _, v := range n.Outputs {
		f.maker[v] = i
	}
	for _, v := range n.Inputs {
		f.uses[v]++
		f.user[v] = i
	}
}

// leave forgets node i.
func (f *fuser) leave(i int) {
	for _, v := range f.nodes[i].Outputs {
		delete(f.maker, v)
	}
	for _, v := range f.nodes[i].Inputs {
		f.uses[v]--
	}
	f.nodes[i] = nil
}

func (f *fuser) round() bool {
	before := f.fresh
	for i := range f.nodes {
		for _, rule := range rules {
			if f.nodes[i] != nil && rule(f, i) {
				f.changed = true
				f.fresh++
			}
		}
	}
	return f.fresh > before
}

func (f *fuser) remaining() []*graph.Node {
	var nodes []*graph.Node
	for _, n := range f.nodes {
		if n != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// is returns the node when it is of one of the ai.onnx operators.
func is(n *graph.Node, names ...string) bool {
	if n == nil || n.Domain != "" && n.Domain != "ai.onnx" {
		return false
	}
	for _, name := range names {
		if n.Op == name {
			return true
		}
	}
	return false
}

// by returns the node that makes v, when it is of one of these operators and nobody else uses v.
func (f *fuser) by(v graph.Value, names ...string) (*graph.Node, int) {
	i, ok := f.maker[v]
	if !ok || v == "" || f.uses[v] != 1 || !is(f.nodes[i], names...) || len(f.nodes[i].Outputs) != 1 {
		return nil, -1
	}
	return f.nodes[i], i
}

// constant returns a constant tensor of float32, nil where v is none.
func (f *fuser) constant(v graph.Value) *tensor.Tensor {
	if t := f.s.constants[v]; v != "" && t != nil && t.DType() == tensor.Float32 {
		return t
	}
	return nil
}

// scalar is the value of a constant of one element.
func (f *fuser) scalar(v graph.Value) (float64, bool) {
	if t := f.constant(v); t != nil && t.Len() == 1 {
		return float64(t.F32()[0]), true
	}
	return 0, false
}

// near tells whether v is the constant x, as exporters round it.
func (f *fuser) near(v graph.Value, x float64) bool {
	got, ok := f.scalar(v)
	return ok && got > x-1e-4*max(x, -x) && got < x+1e-4*max(x, -x)
}

// split returns the operands of a commutative node when one of them is the scalar x.
func (f *fuser) split(n *graph.Node, x float64) (other graph.Value, ok bool) {
	for k := range 2 {
		if f.near(n.In(k), x) {
			return n.In(1 - k), true
		}
	}
	return "", false
}

// isFloat32 tells whether a value is a float32 tensor: the fused kernels are for these.
func (f *fuser) isFloat32(v graph.Value) bool { return f.s.types[v].DType == tensor.Float32 }

// newest are the opsets of nodes that fusion makes.
var newest = map[string]int64{"": op.NewestOpset}

// replace puts a node in place of node i and removes others. It takes over node i's name and outputs.
func (f *fuser) replace(i int, n *graph.Node, gone ...int) bool {
	n.Name, n.Outputs = f.nodes[i].Name, f.nodes[i].Outputs
	if n.Name == "" {
		n.Name = nodeName(f.nodes[i])
	}
	if n.Domain == "" {
		n.Opsets = newest
	}
	f.leave(i)
	for _, k := range gone {
		f.leave(k)
	}
	f.nodes[i] = n
	f.enter(i, n)
	return true
}

// add makes a constant.
func (f *fuser) add(name string, t *tensor.Tensor) graph.Value {
	v := graph.Value("fused#" + strconv.Itoa(len(f.s.constants)) + "/" + name)
	f.s.constants[v], f.s.types[v] = t, t.Type()
	return v
}

// withAttrs is a copy of attributes with more behind them.
func withAttrs(attrs []graph.Attr, more ...graph.Attr) []graph.Attr {
	return append(append([]graph.Attr(nil), attrs...), more...)
}
