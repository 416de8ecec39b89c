package graph

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Builder appends to a graph and hands out fresh names. Everything that learns or transforms appends through one:
// features, estimators, gradients.
//
//	b := graph.NewBuilder("model")
//	x := b.Input("x", tensor.Rows(tensor.Float32, 3))
//	y := b.Op("MatMul", x, b.Floats("weight", w, 3, 2))
//	b.Output("y", y, tensor.Rows(tensor.Float32, 2))
//	m := b.Model()
type Builder struct {
	graph *Graph
	used  map[Value]bool
	kept  map[Value]bool // reserved for outputs
	next  map[string]int
	opset int64

	ml        int64 // version of the operators of ML that were appended, 0 for none
	microsoft bool  // an operator of the domain was appended
}

// Opset and IR version that Builder writes: old enough for every runtime in use, new enough for what Jarvis needs.
const (
	OpsetVersion   = 17
	OpsetMLVersion = 3
	IRVersion      = 8
	ML             = "ai.onnx.ml"    // domain of the operators of classic machine learning
	Microsoft      = "com.microsoft" // domain of onnxruntime's own operators, of version 1
)

// NewBuilder returns a builder of an empty graph.
func NewBuilder(name string) *Builder { return Extend(New(name)) }

// Extend returns a builder that appends to g, keeping clear of the names that g uses.
func Extend(g *Graph) *Builder {
	b := &Builder{graph: g, used: map[Value]bool{}, kept: map[Value]bool{}, next: map[string]int{}}
	for _, p := range g.Inputs {
		b.used[p.Name] = true
	}
	for name := range g.Initializers {
		b.used[name] = true
	}
	for _, n := range g.Nodes {
		n.Walk(func(n *Node) { b.uses(n.Domain, n.Op) })
		for _, out := range n.Outputs {
			b.used[out] = true
		}
	}
	return b
}

// Graph returns the graph that is being built.
func (b *Builder) Graph() *Graph { return b.graph }

// Require raises the ai.onnx opset of the model to at least version, for operators that are younger than OpsetVersion.
func (b *Builder) Require(version int64) { b.opset = max(b.opset, version) }

// Opset is the version of ai.onnx by which the model's nodes are read.
func (b *Builder) Opset() int64 { return max(b.opset, OpsetVersion) }

// Taken reports whether the graph uses a name, or keeps it for an output.
func (b *Builder) Taken(name string) bool { return b.used[Value(name)] }

// Fresh returns a name that nothing in the graph uses: hint itself, or hint_1, hint_2 ….
func (b *Builder) Fresh(hint string) Value {
	name := Value(hint)
	for b.used[name] {
		b.next[hint]++
		name = Value(hint + "_" + strconv.Itoa(b.next[hint]))
	}
	b.used[name] = true
	return name
}

// Input declares an input of exactly that name. It panics when the name is taken: names of inputs come from columns,
// which are checked for duplicates long before.
func (b *Builder) Input(name string, t tensor.Type) Value {
	if v := b.Fresh(name); v != Value(name) {
		panic("graph: input " + name + " is declared twice")
	}
	b.graph.Inputs = append(b.graph.Inputs, Port{Name: Value(name), Type: TensorOf(t)})
	return Value(name)
}

// Output declares v as the output name; an Identity node is appended where v has another name.
func (b *Builder) Output(name string, v Value, t tensor.Type) {
	if v != Value(name) {
		if b.used[Value(name)] && !b.kept[Value(name)] {
			panic("graph: output " + name + " is declared twice")
		}
		delete(b.kept, Value(name))
		b.used[Value(name)] = true
		b.graph.Nodes = append(b.graph.Nodes, &Node{Op: "Identity", Inputs: []Value{v}, Outputs: []Value{Value(name)}})
	}
	b.graph.Outputs = append(b.graph.Outputs, Port{Name: Value(name), Type: TensorOf(t)})
}

// Reserve keeps names for outputs that are declared at the end: nothing else gets them.
func (b *Builder) Reserve(names ...string) {
	for _, name := range names {
		b.used[Value(name)], b.kept[Value(name)] = true, true
	}
}

// Init adds an initializer under a fresh name made from hint.
func (b *Builder) Init(hint string, t *tensor.Tensor) Value {
	v := b.Fresh(hint)
	b.graph.Initializers[v] = t
	return v
}

// Floats adds a float32 initializer; without a shape it is a vector.
func (b *Builder) Floats(hint string, data []float32, shape ...int) Value {
	return b.Init(hint, tensor.Floats(data, shape...))
}

// Doubles adds a float64 initializer; without a shape it is a vector.
func (b *Builder) Doubles(hint string, data []float64, shape ...int) Value {
	return b.Init(hint, tensor.FromSlice(tensor.Float64, data, shape...))
}

// Ints adds an int64 initializer; without a shape it is a vector.
func (b *Builder) Ints(hint string, data []int64, shape ...int) Value {
	return b.Init(hint, tensor.Ints(data, shape...))
}

// Strings adds a string initializer; without a shape it is a vector.
func (b *Builder) Strings(hint string, data []string, shape ...int) Value {
	return b.Init(hint, tensor.Strings(data, shape...))
}

// Scalar adds a float32 initializer of rank 0.
func (b *Builder) Scalar(hint string, x float32) Value {
	t := tensor.New(tensor.Float32)
	t.F32()[0] = x
	return b.Init(hint, t)
}

// Op appends an ai.onnx node with one output and no attributes.
func (b *Builder) Op(op string, in ...Value) Value { return b.Node("", op, in, 1)[0] }

// OpWith appends an ai.onnx node with one output and attributes.
func (b *Builder) OpWith(op string, attrs []Attr, in ...Value) Value {
	return b.Node("", op, in, 1, attrs...)[0]
}

// Node appends a node with that many outputs, which get fresh names.
func (b *Builder) Node(domain, op string, in []Value, outputs int, attrs ...Attr) []Value {
	n := &Node{Domain: domain, Op: op, Inputs: in, Attrs: attrs}
	for range outputs {
		n.Outputs = append(n.Outputs, b.Fresh(op))
	}
	b.uses(domain, op)
	b.graph.Nodes = append(b.graph.Nodes, n)
	return n.Outputs
}

// uses remembers the domain of a node. TreeEnsemble is the one operator of ML that is younger than the others.
func (b *Builder) uses(domain, op string) {
	if domain == ML {
		b.ml = max(b.ml, OpsetMLVersion)
		if op == "TreeEnsemble" {
			b.ml = 5
		}
	}
	b.microsoft = b.microsoft || domain == Microsoft
}

// Model wraps the graph as it stands into a model with the opsets that it uses. Reductions of opset 17 are written as a younger one wants them.
func (b *Builder) Model() *Model {
	b.raise()
	m := &Model{IRVersion: IRVersion, Producer: "jarvis", Opsets: map[string]int64{}, Metadata: map[string]string{}, Graph: b.graph}
	m.Opsets[""] = b.Opset()
	if b.opset >= 19 {
		m.IRVersion = 9 // the one that opsets 19 and 20 were released with
	}
	if b.ml > 0 {
		m.Opsets[ML] = b.ml
	}
	if b.microsoft {
		m.Opsets[Microsoft] = 1
	}
	return m
}

// IntAttr makes an integer attribute.
func IntAttr(name string, v int64) Attr { return Attr{Name: name, Kind: AttrInt, Int: v} }

// FloatAttr makes a float attribute.
func FloatAttr(name string, v float32) Attr { return Attr{Name: name, Kind: AttrFloat, Float: v} }

// StringAttr makes a string attribute.
func StringAttr(name, v string) Attr { return Attr{Name: name, Kind: AttrString, Str: v} }

// IntsAttr makes an integer-list attribute.
func IntsAttr(name string, v ...int64) Attr { return Attr{Name: name, Kind: AttrInts, Ints: v} }

// FloatsAttr makes a float-list attribute.
func FloatsAttr(name string, v []float32) Attr { return Attr{Name: name, Kind: AttrFloats, Floats: v} }

// StringsAttr makes a string-list attribute.
func StringsAttr(name string, v []string) Attr { return Attr{Name: name, Kind: AttrStrings, Strs: v} }

// TensorAttr makes a tensor attribute.
func TensorAttr(name string, t *tensor.Tensor) Attr {
	return Attr{Name: name, Kind: AttrTensor, Tensor: t}
}
