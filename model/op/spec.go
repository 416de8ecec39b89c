// Package op declares operators: for each, shape inference, kernel and gradient, one file per operator or close family.
// It knows single nodes only; package exec runs graphs of them.
package op

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Newest opsets whose operators were read for this package. A model that asks for more is refused, not guessed at.
const (
	NewestOpset   = 27
	NewestOpsetML = 5
)

// Private is the domain of operators that gradients use. They never leave training: no file holds them.
const Private = "ai.jarvis"

// Spec is all that Jarvis knows about one operator from one opset on.
type Spec struct {
	Domain string // "" is ai.onnx
	Name   string
	Since  int64 // opset from which this entry holds; older semantics are entries of their own

	Attrs []string // attributes that this entry understands; any other is refused
	In    Arity    // inputs; those below Min must be present
	Out   Arity    // outputs

	// Half: the executor computes nodes of float16 and bfloat16 in float32 (see Types), so that Infer and Compile never see those types.
	// Float32Out is a mask of the outputs that stay float32 then; HalfLike names, by output, the input whose type it has where the inputs may
	// differ (without it, or where that input is absent: the first half input).
	Half       bool
	Float32Out uint
	HalfLike   []int

	// Random: the outputs are drawn anew in every run, so that the node is never folded.
	Random bool

	// View: output 0 is always made by Alias of input 0. The executor keeps the input's memory alive as long as it.
	View bool

	// Simplify, where set, may give a node of the same outputs that does less, by what is known about the inputs; nil keeps n.
	Simplify func(n *graph.Node, site *Site) *graph.Node

	// Infer gives the types of the outputs from what is known about the inputs. A type may be less exact than the
	// kernel's result, never different from it. It may rely on Attrs, In and Out having been checked.
	Infer func(n *graph.Node, site *Site) ([]tensor.Type, error)

	// Compile is called once per node and graph, after Infer: it reads attributes, prepacks constant inputs and chooses
	// a kernel.
	Compile func(n *graph.Node, site *Site) (Kernel, error)

	// Grad is nil where the operator is not differentiable.
	Grad Gradient

	// Cases are run by this package's tests: values, inferred types and, where Grad is set, gradients.
	Cases []Case
}

// Arity bounds a number of inputs or outputs; a Max of Many has no bound.
type Arity struct{ Min, Max int }

// Many is the Max of a variadic list.
const Many = 1 << 30

// Site is what is known about a node's surroundings when it is compiled.
type Site struct {
	Opset    int64            // version of the node's domain
	Types    []tensor.Type    // inferred types of the inputs; zero where absent, Unranked where the shape is not known
	Constant []*tensor.Tensor // the inputs that never change, nil elsewhere
	Threads  int              // goroutines that one kernel call may use; 0 and 1 both mean the caller's alone

	// Body compiles the subgraph in an attribute for formal inputs of the given types, once for equal types. What the subgraphs of a
	// node take from outside stands behind the node's own inputs: their number is Own.
	Body func(attr string, formals []tensor.Type) (Body, error)
	Own  int
}

// Body is a compiled subgraph.
type Body interface {
	Outputs() []tensor.Type
	// Run computes the outputs from the formal inputs and from captured, the tail of the node's inputs.
	Run(ctx context.Context, formals, captured, out []*tensor.Tensor) error
}

// constant returns constant input i, nil when it is absent or varies.
func (s *Site) constant(i int) *tensor.Tensor {
	if i < len(s.Constant) {
		return s.Constant[i]
	}
	return nil
}

// typ returns the type of input i, zero when it is absent.
func (s *Site) typ(i int) tensor.Type {
	if i < len(s.Types) {
		return s.Types[i]
	}
	return tensor.Type{}
}

// Kernel computes the outputs of one node. in holds nil for absent inputs, in the node's number or fewer where the tail
// is absent; out holds one slot per output, nil where nobody uses it. The kernel gives each slot its shape with Reset
// (or Alias, for a view of an input) and fills it. It must not keep or change in. Runs of one program may overlap, so a
// Kernel keeps no state of a run.
type Kernel func(ctx context.Context, in, out []*tensor.Tensor) error

// Gradient appends the gradient of n to b, in nodes of the opset that Builder writes: from dy, the gradients of the outputs (absent where none
// flows), to the gradients of the inputs (absent where they do not matter, or where the output does not change with small changes of them). A
// gradient may have the shape that its input was broadcast to: the caller sums it back. It may have n keep more for the way back: further
// outputs, or another operator in its place.
type Gradient func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error)

// Case is one example of an operator: run by tests, and the seed of finite differences for the gradient.
type Case struct {
	Name   string
	Opset  int64 // 0: the opset that Builder writes, or Since where that is newer
	Attrs  []graph.Attr
	In     []*tensor.Tensor // nil for an absent input
	Out    []*tensor.Tensor // nil: not compared
	Tol    float64          // absolute and relative; 0 means 1e-6
	Err    string           // instead of Out: part of the error's text
	NoGrad bool             // the case stands on a kink, where finite differences do not hold
}

var specs = map[[2]string][]*Spec{}

// register adds a Spec; called from the init function of the operator's file.
func register(s *Spec) {
	complete(s)
	k := [2]string{s.Domain, s.Name}
	specs[k] = append(specs[k], s)
}

// Lookup returns the entry of an operator that holds at an opset version: the newest that is not newer. Nil when there
// is none.
func Lookup(domain, name string, opset int64) *Spec {
	if domain == "ai.onnx" {
		domain = ""
	}
	var best *Spec
	for _, s := range specs[[2]string{domain, name}] {
		if s.Since <= opset && (best == nil || s.Since > best.Since) {
			best = s
		}
	}
	return best
}

// MakesSequence tells whether the first output of an operator is a sequence, so that its gradient is one.
func MakesSequence(op string) bool {
	switch op {
	case "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SplitToSequence":
		return true
	}
	return false
}

// All returns every entry, ordered by domain, name and version.
func All() []*Spec {
	var all []*Spec
	for _, list := range specs {
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b *Spec) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Since, b.Since))
	})
	return all
}

// Node makes the node of a case: inputs and outputs are named x0, x1 … and y0, y1 …, absent ones are left out.
func (s *Spec) Node(c *Case) *graph.Node {
	n := &graph.Node{Domain: s.Domain, Op: s.Name, Attrs: c.Attrs}
	for i, t := range c.In {
		name := graph.Value("")
		if t != nil {
			name = graph.Value("x" + strconv.Itoa(i))
		}
		n.Inputs = append(n.Inputs, name)
	}
	for i := range max(len(c.Out), s.Out.Min) {
		n.Outputs = append(n.Outputs, graph.Value("y"+strconv.Itoa(i)))
	}
	return n
}

// Version is the opset at which a case runs.
func (s *Spec) Version(c *Case) int64 {
	switch {
	case c.Opset != 0:
		return c.Opset
	case s.Domain == Private:
		return 1
	case s.Domain == graph.ML:
		return max(graph.OpsetMLVersion, s.Since)
	}
	return max(graph.OpsetVersion, s.Since)
}
