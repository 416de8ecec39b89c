package exec

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Gradient appends to b the nodes that compute ∂loss/∂v for each v of wrt, and returns those gradients, each of v's shape; one that loss does
// not depend on is zeros. loss is a float tensor; when it has more than one element, the gradient is that of their sum.
// It is reverse mode over nodes (Griewank and Walther, "Evaluating Derivatives", 2008, chapter 3): from loss back, each node's Grad turns the
// gradient of its outputs into those of its inputs, and what arrives at a value from several nodes is added up.
//
// Before that, patterns of nodes that one operator does as well (attention, activations) are replaced by it: b's graph is the trainer's own.
//
// The nodes use operators of the private domain, so the graph is for training: it runs, but is not written to a file.
//
// Errors: fault.Invalid for a value that the graph does not make, fault.Unsupported for an operator without gradient between wrt
// and loss; the hint gives the path.
func Gradient(b *graph.Builder, loss graph.Value, wrt []graph.Value) ([]graph.Value, error) {
	g := b.Graph()
	join(b, append([]graph.Value{loss}, wrt...))
	nodes := append([]*graph.Node(nil), g.Nodes...)
	d := newDifferentiation(b, nodes, wrt)
	for _, v := range append([]graph.Value{loss}, wrt...) {
		if d.makers[v] == nil && g.Initializers[v] == nil && !isInput(g, v) {
			return nil, fault.New(fault.Invalid, "the graph makes no such value").At(string(v))
		}
	}
	defer func() {
		for _, n := range g.Nodes[len(nodes):] {
			ownWhereOpen(n, written)
		}
	}()
	one := b.Op("CastLike", b.Scalar("one", 1), loss)
	d.parts[loss] = []graph.Value{b.Op("Expand", one, b.Op("Shape", loss))}
	if err := d.sweep(nodes, loss); err != nil {
		return nil, err
	}
	out := make([]graph.Value, len(wrt))
	for i, v := range wrt {
		if out[i] = d.total(v); out[i] == "" {
			out[i] = d.zeros(v)
		}
	}
	return out, nil
}

type differentiation struct {
	b      *graph.Builder
	makers map[graph.Value]*graph.Node
	parts  map[graph.Value][]graph.Value // gradients that have arrived at a value
	needs  map[graph.Value]bool          // values that depend on wrt
}

// newDifferentiation looks at the nodes of a graph in order: who makes what, and what depends on wrt.
func newDifferentiation(b *graph.Builder, nodes []*graph.Node, wrt []graph.Value) *differentiation {
	d := &differentiation{b: b, makers: map[graph.Value]*graph.Node{}, parts: map[graph.Value][]graph.Value{}, needs: map[graph.Value]bool{}}
	for _, v := range wrt {
		d.needs[v] = true
	}
	for _, n := range nodes {
		for _, v := range n.Outputs {
			d.makers[v] = n
		}
		if !discrete(n) && slices.ContainsFunc(reads(n), func(v graph.Value) bool { return d.needs[v] }) {
			for _, v := range n.Outputs {
				d.needs[v] = v != ""
			}
		}
	}
	return d
}

// reads lists the values that a node or its subgraphs read.
func reads(n *graph.Node) []graph.Value {
	return slices.DeleteFunc(append(slices.Clone(n.Inputs), captures(n)...), func(v graph.Value) bool { return v == "" })
}

// discrete reports whether what a node gives are no numbers that could change by a little.
func discrete(n *graph.Node) bool {
	switch n.Op {
	case "Shape", "Size", "ArgMax", "ArgMin", "NonZero", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not", "IsNaN", "IsInf":
		return n.Domain == "" || n.Domain == "ai.onnx"
	case "Cast":
		switch tensor.DType(n.Int("to", 0)) {
		case tensor.Bool, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.String:
			return n.Domain == "" || n.Domain == "ai.onnx"
		}
	}
	return false
}

// sweep carries gradients back over nodes, from the last to the first.
func (d *differentiation) sweep(nodes []*graph.Node, loss graph.Value) error {
	for i := len(nodes) - 1; i >= 0; i-- {
		if err := d.back(nodes[i], loss); err != nil {
			return err
		}
	}
	return nil
}

// zeros are as many as v has elements, in its shape.
func (d *differentiation) zeros(v graph.Value) graph.Value {
	return d.b.Op("Expand", d.b.Op("CastLike", d.b.Scalar("zero", 0), v), d.b.Op("Shape", v))
}

func isInput(g *graph.Graph, v graph.Value) bool {
	for _, in := range g.Inputs {
		if in.Name == v {
			return true
		}
	}
	return false
}

// total adds up what has arrived at v; absent when nothing has.
func (d *differentiation) total(v graph.Value) graph.Value {
	parts := d.parts[v]
	if len(parts) == 0 {
		return ""
	}
	domain, add := "", "Add"
	if m := d.makers[v]; m != nil && op.MakesSequence(m.Op) {
		domain, add = op.Private, "SequenceSum"
	}
	sum := parts[0]
	for _, p := range parts[1:] {
		sum = d.b.Node(domain, add, []graph.Value{sum, p}, 1)[0]
	}
	d.parts[v] = []graph.Value{sum}
	return sum
}

// back carries the gradient over one node.
func (d *differentiation) back(n *graph.Node, loss graph.Value) error {
	dy, flows, wanted := make([]graph.Value, len(n.Outputs)), false, false
	for i, v := range n.Outputs {
		if v != "" && len(d.parts[v]) > 0 && d.needs[v] {
			dy[i], flows = d.total(v), true
		}
	}
	for _, v := range reads(n) {
		wanted = wanted || d.needs[v]
	}
	if !flows || !wanted {
		return nil
	}
	if through := controls[n.Op]; through != nil && (n.Domain == "" || n.Domain == "ai.onnx") {
		if err := through(d, n, dy); err != nil {
			return located(n, err)
		}
		return nil
	}
	spec := op.Lookup(n.Domain, n.Op, d.version(n))
	if spec == nil || spec.Grad == nil {
		return fault.New(fault.Unsupported, "the operator "+n.Op+" has no gradient").At(nodeName(n)).
			Try("it stands between what is trained and the loss, so freeze what lies before it: " + d.path(n, loss))
	}
	if err := spec.Check(n); err != nil {
		return located(n, err)
	}
	dx, err := spec.Grad(d.b, n, dy)
	if err != nil {
		return located(n, err)
	}
	for i, v := range n.Inputs {
		if v == "" || !d.needs[v] || i >= len(dx) || dx[i] == "" {
			continue
		}
		d.parts[v] = append(d.parts[v], d.shaped(n, i, dx[i]))
	}
	return nil
}

// version is the opset by which a node is read: its own, or what Builder writes.
func (d *differentiation) version(n *graph.Node) int64 {
	domain := n.Domain
	if domain == "ai.onnx" {
		domain = ""
	}
	if v, own := n.Opsets[domain]; own {
		return v
	}
	switch domain {
	case "":
		return d.b.Opset()
	case graph.ML:
		return graph.OpsetMLVersion
	}
	return 1
}

// written are the opsets of the nodes that gradients append, whatever those of the graph are.
var written = map[string]int64{"": graph.OpsetVersion, graph.ML: graph.OpsetMLVersion}

// broadcasts are the operators whose inputs may be smaller than the output.
var broadcasts = map[string]bool{"Add": true, "Sub": true, "Mul": true, "Div": true, "Pow": true, "Mod": true, "Max": true, "Min": true, "Sum": true, "Mean": true, "PRelu": true, "Where": true, "Expand": true}

// shaped sums a gradient back to the shape of input i of n, where n may have broadcast it.
func (d *differentiation) shaped(n *graph.Node, i int, dx graph.Value) graph.Value {
	if broadcasts[n.Op] || n.Op == "Gemm" && i == 2 || n.Op == "Clip" && i > 0 {
		return d.b.Node(op.Private, "ReduceTo", []graph.Value{dx, n.Inputs[i]}, 1)[0]
	}
	return dx
}

// path lists the operators from n to the loss, by the shortest way forward.
func (d *differentiation) path(n *graph.Node, loss graph.Value) string {
	text := n.Op
	for range 20 {
		next := d.reader(n, loss)
		if next == nil {
			break
		}
		text += " → " + next.Op
		n = next
	}
	return text + " → " + string(loss)
}

// reader is a node that reads an output of n and has passed a gradient back to it.
func (d *differentiation) reader(n *graph.Node, loss graph.Value) *graph.Node {
	for _, v := range n.Outputs {
		if v == loss {
			return nil
		}
	}
	for _, m := range d.b.Graph().Nodes {
		for _, in := range reads(m) {
			for _, v := range n.Outputs {
				if v == "" || in != v {
					continue
				}
				for _, out := range m.Outputs {
					if d.makers[out] == m && len(d.parts[out]) > 0 {
						return m
					}
				}
			}
		}
	}
	return nil
}
