// Package op declares operators: for each, shape inference, kernel and gradient, one file per operator or close family.
// It knows single nodes only; package exec runs graphs of them.
package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Spec is all that Jarvis knows about one operator from one opset on.
type Spec struct {
	Domain string // "" is ai.onnx
	Name   string
	Since  int64 // opset from which this entry holds; older semantics are entries of their own

	// Infer gives the types of the outputs from those of the inputs (the zero Type for an absent one). A type may be
	// less exact than the kernel's result, never different from it.
	Infer func(n *graph.Node, in []tensor.Type) ([]tensor.Type, error)

	// Compile is called once per node and graph: it reads attributes, prepacks constant inputs and chooses a kernel.
	Compile func(n *graph.Node, site *Site) (Kernel, error)

	// Grad appends the gradient of n to b: from dy, the gradients of the outputs (absent where none flows), to the
	// gradients of the inputs (absent where not differentiable). A nil Grad: the operator is not differentiable.
	Grad func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error)

	// Cases are run by this package's tests: values, inferred types and, where Grad is set, gradients.
	Cases []Case
}

// Site is what is known about a node's surroundings when it is compiled.
type Site struct {
	Opset    int64            // version of the node's domain
	Types    []tensor.Type    // inferred types of the inputs; zero where unknown or absent
	Constant []*tensor.Tensor // the inputs that never change, nil elsewhere
}

// Kernel computes the outputs of one node. in holds nil for absent inputs; out holds one slot per output, nil where
// nobody uses it. The kernel gives each slot its shape with Reset (or Alias, for a view of an input) and fills it. It
// must not keep or change in. Runs of one program may overlap, so a Kernel keeps no state of a run.
type Kernel func(ctx context.Context, in, out []*tensor.Tensor) error

// Case is one example of an operator: run by tests, and the seed of finite differences for the gradient.
type Case struct {
	Name  string
	Attrs []graph.Attr
	In    []*tensor.Tensor // nil for an absent input
	Out   []*tensor.Tensor
	Tol   float64 // absolute and relative; 0 means 1e-6
}

var specs = map[[2]string][]*Spec{}

// register adds a Spec; called from the init function of the operator's file.
func register(s *Spec) { k := [2]string{s.Domain, s.Name}; specs[k] = append(specs[k], s) }

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
