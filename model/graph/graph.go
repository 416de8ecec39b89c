// Package graph is an ONNX model in memory: nodes joined by named values, subgraphs, functions, and the Builder that
// appends to one. It neither reads files (package onnx) nor runs anything (package exec).
package graph

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Value names an edge of a graph. The zero Value stands for an optional input or output that is absent.
type Value string

// Model is an ONNX ModelProto.
type Model struct {
	IRVersion       int64
	Opsets          map[string]int64 // operator-set version by domain; "" is ai.onnx
	Producer        string
	ProducerVersion string
	Domain          string
	Version         int64
	Doc             string
	Metadata        map[string]string // metadata_props
	Graph           *Graph
	Functions       []*Function
}

// Function is a model-local function: a body that calls of (Domain, Name) stand for.
type Function struct {
	Domain, Name    string
	Inputs, Outputs []Value
	Attributes      []string // names of attributes without a default
	Defaults        []Attr   // attributes with one
	Opsets          map[string]int64
	Nodes           []*Node
}

// Port is an input or output of a graph. Type is the zero Type where the file gives none (subgraph outputs may).
type Port struct {
	Name Value
	Type ValueType
}

// Graph is an ONNX GraphProto. Nodes stand in an order in which every value is made before it is used; values of
// enclosing graphs may be used by subgraphs.
type Graph struct {
	Name            string
	Doc             string
	Inputs, Outputs []Port
	Nodes           []*Node
	Initializers    map[Value]*tensor.Tensor
	ValueInfo       map[Value]ValueType // types of inner values, as far as known
}

// New returns an empty graph.
func New(name string) *Graph {
	return &Graph{Name: name, Initializers: map[Value]*tensor.Tensor{}, ValueInfo: map[Value]ValueType{}}
}

// InitializerNames returns the names in sorted order, so that files are written the same way each time.
func (g *Graph) InitializerNames() []Value {
	names := make([]Value, 0, len(g.Initializers))
	for name := range g.Initializers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Node is an ONNX NodeProto.
type Node struct {
	Name    string
	Domain  string // "" is ai.onnx
	Op      string
	Inputs  []Value
	Outputs []Value
	Attrs   []Attr
	Doc     string

	// Opsets are the versions by which the node is read where they are not the model's: nodes from the body of a function and those
	// of a gradient have their own. No file holds them.
	Opsets map[string]int64
}

// In returns input i, or the absent Value when the node has fewer.
func (n *Node) In(i int) Value {
	if i < len(n.Inputs) {
		return n.Inputs[i]
	}
	return ""
}

// Subgraphs lists the graphs in the node's attributes.
func (n *Node) Subgraphs() []*Graph {
	var list []*Graph
	for i := range n.Attrs {
		if g := n.Attrs[i].Graph; g != nil {
			list = append(list, g)
		}
		list = append(list, n.Attrs[i].Graphs...)
	}
	return list
}

// Walk calls f for the node and for those in its subgraphs.
func (n *Node) Walk(f func(*Node)) {
	f(n)
	for _, g := range n.Subgraphs() {
		for _, inner := range g.Nodes {
			inner.Walk(f)
		}
	}
}

// Attr is an ONNX AttributeProto; Kind says which field holds the value.
type Attr struct {
	Name    string
	Kind    AttrKind
	Ref     string // inside a function: the function attribute that gives the value
	Int     int64
	Float   float32
	Str     string
	Tensor  *tensor.Tensor
	Graph   *Graph
	Type    *ValueType
	Ints    []int64
	Floats  []float32
	Strs    []string
	Tensors []*tensor.Tensor
	Graphs  []*Graph
	Types   []*ValueType
	Sparse  *Sparse
	List    List // instead of Ints, Floats or Strs: a long list of an ai.onnx.ml node in a file; else nil
}

// Sparse is a SparseTensorProto: values (nnz) at indices (nnz) or (nnz, rank) of a tensor with the shape Dims.
type Sparse struct {
	Values, Indices *tensor.Tensor
	Dims            []int
}

// AttrKind is numbered as AttributeProto.AttributeType.
type AttrKind uint8

// The kinds of attribute. SPARSE_TENSORS (12) is not among them: no operator has one.
const (
	AttrFloat   AttrKind = 1
	AttrInt     AttrKind = 2
	AttrString  AttrKind = 3
	AttrTensor  AttrKind = 4
	AttrGraph   AttrKind = 5
	AttrFloats  AttrKind = 6
	AttrInts    AttrKind = 7
	AttrStrings AttrKind = 8
	AttrTensors AttrKind = 9
	AttrGraphs  AttrKind = 10
	AttrSparse  AttrKind = 11
	AttrTypes   AttrKind = 14
	AttrType    AttrKind = 13
)

// Attr returns the attribute of that name, nil when the node has none.
func (n *Node) Attr(name string) *Attr {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			return &n.Attrs[i]
		}
	}
	return nil
}

// Int returns an integer attribute, or def.
func (n *Node) Int(name string, def int64) int64 {
	if a := n.Attr(name); a != nil && a.Kind == AttrInt {
		return a.Int
	}
	return def
}

// Float returns a float attribute, or def.
func (n *Node) Float(name string, def float32) float32 {
	if a := n.Attr(name); a != nil && a.Kind == AttrFloat {
		return a.Float
	}
	return def
}

// Str returns a string attribute, or def.
func (n *Node) Str(name, def string) string {
	if a := n.Attr(name); a != nil && a.Kind == AttrString {
		return a.Str
	}
	return def
}

// Ints returns an integer-list attribute, nil when absent. One that is a List is read anew by every call.
func (n *Node) Ints(name string) []int64 {
	if a := n.Attr(name); a != nil && a.Kind == AttrInts {
		if a.List != nil {
			return read(a.List, a.List.Ints)
		}
		return a.Ints
	}
	return nil
}

// Floats returns a float-list attribute, nil when absent. One that is a List is read anew by every call.
func (n *Node) Floats(name string) []float32 {
	if a := n.Attr(name); a != nil && a.Kind == AttrFloats {
		if a.List != nil {
			return read(a.List, a.List.Floats)
		}
		return a.Floats
	}
	return nil
}

// Strs returns a string-list attribute, nil when absent. One that is a List is read anew by every call.
func (n *Node) Strs(name string) []string {
	if a := n.Attr(name); a != nil && a.Kind == AttrStrings {
		if a.List != nil {
			return read(a.List, a.List.Strs)
		}
		return a.Strs
	}
	return nil
}
