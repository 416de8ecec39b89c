//go:build !lean

package op

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// EinsumGrad(dy, operands…; equation, term): the gradient of an operand, the sum of products of dy with the other operands over all letters that it
// lacks. A letter that only it has repeats the result, one that stands twice in it has its diagonal, a dimension of 1 that was broadcast is summed.
func init() {
	register(&Spec{
		Domain: Private, Name: "EinsumGrad", Since: 1, Attrs: []string{"equation", "term"}, In: Arity{2, Many}, Out: Arity{1, 1},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			term := n.Int("term", 0)
			if term < 0 || term > int64(len(site.Types)-2) {
				return nil, bad(n, "no such term")
			}
			return []tensor.Type{site.Types[1+term]}, oneOf(n, site.Types[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			e, err := einParse(&graph.Node{Op: n.Op, Inputs: n.Inputs[1:], Attrs: n.Attrs})
			if err != nil {
				return nil, err
			}
			term := int(n.Int("term", 0))
			return byFloat(n, site, newEinsumBack(e, term, tensor.Data[float32], tensor.Float32, site), newEinsumBack(e, term, tensor.Data[float64], tensor.Float64, site))
		},
	})
}

func gradEinsum(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	in := append([]graph.Value{dy[0]}, n.Inputs...)
	var dx []graph.Value
	for i := range n.Inputs {
		dx = append(dx, b.Node(Private, "EinsumGrad", in, 1, graph.StringAttr("equation", n.Str("equation", "")), graph.IntAttr("term", int64(i)))[0])
	}
	return dx, nil
}

// einBackPlan is a plan for dy and the other operands, whose result lies dense without what repeats.
type einBackPlan struct {
	einPlan
	shapes [][]int // of dy and all operands
	spread grid    // operand 0 is the gradient, operand 1 the plan's result
	holes  bool    // the gradient has zeros beside a diagonal
}

func newEinsumBack[T kernel.Number](e *einEquation, term int, data lane[T], d tensor.DType, site *Site) Kernel {
	run := newEinsum(e, data, d, site)
	var last atomic.Pointer[einBackPlan]
	var lists lists
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		p := last.Load()
		if p == nil || !p.fits(in) {
			var err error
			if p, err = newEinBackPlan(e, term, in); err != nil {
				return err
			}
			last.Store(p)
		}
		operand := in[1+term]
		if err := Reset(ctx, out[0], d, operand.Shape()...); err != nil {
			return err
		}
		if p.nothing || p.holes {
			clear(out[0].Bytes())
		}
		if p.nothing || out[0].Len() == 0 {
			return nil
		}
		held := lists.take(in...)
		defer lists.put(held)
		others := append((*held)[:1+term], (*held)[2+term:]...)
		slots, values := run.slots.take(len(p.counts)), run.lists.take(len(p.counts))
		defer run.slots.put(slots)
		defer func() { clear(*values); run.lists.put(values) }() // keeps no operand alive
		result := &(*slots)[len(others)]
		if err := Reset(ctx, result, d, p.counts[len(others)]); err != nil {
			return err
		}
		if err := run.values(ctx, &p.einPlan, others, result, *slots, *values); err != nil {
			return err
		}
		for i := range p.steps {
			if err := run.do(ctx, &p.steps[i], *values); err != nil {
				return err
			}
		}
		moveElements(data(out[0]), 0, data(result), 0, &p.spread)
		return nil
	}
}

// fits tells whether the plan is for inputs of these shapes.
func (p *einBackPlan) fits(in []*tensor.Tensor) bool {
	for i, t := range in {
		if !slices.Equal(p.shapes[i], t.Shape()) {
			return false
		}
	}
	return true
}

func newEinBackPlan(e *einEquation, term int, in []*tensor.Tensor) (*einBackPlan, error) {
	p := &einPlanner{sizes: map[int]int{}}
	dots, err := p.measure(e, in[1:])
	if err != nil {
		return nil, err
	}
	result := e.result
	if slices.Contains(result, einDots) {
		result, _ = einSpread(result, len(result)-1+dots)
	}
	if len(result) != in[0].Rank() {
		return nil, misfit("EinsumGrad", "shapes do not fit")
	}
	for k, l := range result {
		if p.sizes[l] != in[0].Shape()[k] {
			return nil, misfit("EinsumGrad", "shapes do not fit")
		}
	}
	back := &einBackPlan{}
	views := []einView{einViewOf(0, result, in[0].Shape())}
	p.counts = append(p.counts, in[0].Len())
	back.shapes = append(back.shapes, slices.Clone(in[0].Shape()))
	for i, t := range in[1:] {
		back.shapes = append(back.shapes, slices.Clone(t.Shape()))
		if i == term {
			continue
		}
		labels, _ := einSpread(e.terms[i], t.Rank())
		views = append(views, einViewOf(len(views), labels, t.Shape()))
		p.counts = append(p.counts, t.Len())
	}
	for _, d := range p.sizes {
		p.nothing = p.nothing || d == 0
	}
	labels, _ := einSpread(e.terms[term], in[1+term].Rank())
	own := einViewOf(-1, labels, in[1+term].Shape())
	for _, l := range own.labels {
		if slices.ContainsFunc(views, func(v einView) bool { return slices.Contains(v.labels, l) }) {
			p.want = append(p.want, l)
		}
	}
	p.counts = append(p.counts, p.size(p.want))
	if !p.nothing {
		p.contract(views)
	}
	steps, filled := p.dense(p.want), 1
	for k := len(own.labels) - 1; k >= 0; k-- {
		step := [3]int{own.steps[k], 0}
		if at := slices.Index(p.want, own.labels[k]); at >= 0 {
			step[1] = steps[at]
		}
		back.spread.push(p.sizes[own.labels[k]], step)
		filled *= p.sizes[own.labels[k]]
	}
	back.spread.finish()
	back.holes = filled < in[1+term].Len()
	back.einPlan = p.einPlan
	return back, p.err
}
