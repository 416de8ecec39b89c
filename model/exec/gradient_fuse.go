//go:build !lean

package exec

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
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
	s, ok := known(b, kept)
	if ok && spell(b, s) {
		s, ok = known(b, kept)
	}
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

// known infers the types of a graph that is being built, and what is constant in it, which none of learned is.
func known(b *graph.Builder, learned []graph.Value) (s *scope, ok bool) {
	g := b.Graph()
	opsets := b.Model().Opsets
	for _, n := range g.Nodes { // as differentiation.version has it
		if _, named := opsets[n.Domain]; !named && n.Domain != "ai.onnx" {
			opsets[n.Domain] = 1
		}
	}
	c := &compiler{opsets: opsets, threads: 1, limit: op.DefaultLimit, foldLimit: 1 << 20}
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	s = newScope(g, c)
	for _, v := range learned {
		delete(s.constants, v)
	}
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

// spell writes out nodes of composed operators that have no gradient of their own. It reports whether there were any.
func spell(b *graph.Builder, s *scope) (found bool) {
	g := b.Graph()
	var nodes []*graph.Node
	for _, n := range g.Nodes {
		if opset, err := s.opset(n); err == nil {
			spec := op.Lookup(n.Domain, n.Op, opset)
			site := s.site(n, opset)
			if d := site.Types; spec.Grad == nil && len(d) > 0 && (d[0].DType == tensor.Float32 || d[0].DType == tensor.Float64) {
				steps, constants, ok := spec.Spell(n, site, func() graph.Value { return b.Fresh(n.Op) })
				if ok {
					nodes, found = append(nodes, steps...), true
					for v, t := range constants {
						g.Initializers[v] = t
					}
					continue
				}
			}
		}
		nodes = append(nodes, n)
	}
	g.Nodes = nodes
	return found
}
