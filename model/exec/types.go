package exec

import (
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Types tells the types of a graph's values while the graph is being built.
type Types struct {
	s    *scope
	done int // nodes that have been looked at
}

// NewTypes follows the graph of b, whose inputs have been declared.
func NewTypes(b *graph.Builder) *Types {
	g := b.Graph()
	t := &Types{s: newScope(g, &compiler{opsets: b.Model().Opsets, threads: 1, foldLimit: 1 << 20})}
	for _, in := range g.Inputs {
		t.s.declare(in.Name, in.Type.Type())
	}
	return t
}

// Of is the type of a value that the graph makes, its shape as far as it is known. Errors: those of Compile for the node that makes it, fault.Invalid
// for a value that the graph does not make.
func (t *Types) Of(v graph.Value) (tensor.Type, error) {
	g := t.s.graph
	for ; t.done < len(g.Nodes); t.done++ {
		n := g.Nodes[t.done]
		for _, in := range n.Inputs {
			t.meet(in)
		}
		if err := t.visit(n); err != nil {
			return tensor.Type{}, err
		}
	}
	t.meet(v)
	typ, ok := t.s.types[v]
	if !ok {
		return tensor.Type{}, fault.New(fault.Invalid, "the graph makes no such value").At(string(v))
	}
	return typ, nil
}

// Constant is the value of what does not change from run to run, nil where it does, or where it is not known yet: Of comes before.
func (t *Types) Constant(v graph.Value) *tensor.Tensor { return t.s.constants[v] }

func (t *Types) visit(n *graph.Node) (err error) {
	defer func() { err = recovered(recover(), nodeName(n), err) }()
	if err := t.s.visit(n); err != nil {
		return located(n, err)
	}
	return nil
}

// meet notes an initializer that was added since.
func (t *Types) meet(v graph.Value) {
	if c := t.s.graph.Initializers[v]; c != nil && t.s.constants[v] == nil {
		t.s.constants[v], t.s.types[v] = c, c.Type()
	}
}
