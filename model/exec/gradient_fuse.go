//go:build !lean

package exec

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
)

// joins are the rules by which a graph is rewritten before it is differentiated, with the operator that each makes: what exporters write out in many
// nodes has a shorter way back as one, which keeps less.
var joins = []struct {
	rule         func(f *fuser, i int) bool
	domain, made string
}{
	{fuseSwish, "", "Swish"},
	{fuseHardSwish, "", "HardSwish"},
	{fuseGelu, "", "Gelu"},
	{fuseLayerNorm, "", "LayerNormalization"},
	{fuseAttention, op.Private, "HeadAttention"},
	{fuseHeads, op.Private, "HeadAttention"},
}

// join puts patterns of nodes together in the graph that b builds. The values of kept stay. A graph whose types cannot be inferred stays as it is:
// compiling it will tell why.
func join(b *graph.Builder, kept []graph.Value) {
	g := b.Graph()
	s, ok := known(b)
	if !ok {
		return
	}
	f := &fuser{s: s, nodes: slices.Clone(g.Nodes)}
	f.index()
	for _, v := range kept {
		f.uses[v]++
	}
	for _, n := range g.Nodes {
		for _, v := range captures(n) {
			f.uses[v] += 2
		}
	}
	for i := range f.nodes {
		for _, j := range joins {
			if f.nodes[i] == nil {
				break
			}
			if s := op.Lookup(j.domain, j.made, op.NewestOpset); s != nil && s.Grad != nil && j.rule(f, i) {
				f.changed = true
			}
		}
	}
	if f.changed {
		g.Nodes = f.remaining()
	}
}

// known infers the types of a graph that is being built, and what is constant in it.
func known(b *graph.Builder) (s *scope, ok bool) {
	g := b.Graph()
	c := &compiler{opsets: b.Model().Opsets, threads: 1, limit: op.DefaultLimit, foldLimit: 1 << 20}
	defer func() { ok = ok && recover() == nil }()
	s = newScope(g, c)
	for _, in := range g.Inputs {
		if s.constants[in.Name] == nil {
			s.declare(in.Name, in.Type.Type())
		}
	}
	for _, n := range g.Nodes {
		if s.visit(n) != nil {
			return s, false
		}
	}
	return s, true
}
