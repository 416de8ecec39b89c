//go:build !lean

package op

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Einsum: the sum of products that an equation in Einstein's notation names: each letter is a dimension, one that the result lacks is summed over, an
// ellipsis stands for dimensions that broadcast. https://onnx.ai/onnx/operators/onnx__Einsum.html
// Operands are contracted from left to right, each step one batch of matrix products: einsum_plan.go.
func init() {
	eq := func(v string) []graph.Attr { return []graph.Attr{graph.StringAttr("equation", v)} }
	a, b := f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), f64s([]int{3, 2}, 1, 0, 2, 1, 0, 3)
	register(&Spec{Name: "Einsum", Since: 12, Attrs: []string{"equation"}, In: Arity{1, Many}, Out: Arity{1, 1}, Half: true, Infer: inferEinsum, Compile: compileEinsum, Grad: gradEinsum, Cases: []Case{
		{Attrs: eq("ij, jk -> ik"), In: in(a, b), Out: in(f64s([]int{2, 2}, 5, 11, 14, 23))},
		{Name: "implicit", Attrs: eq("ba"), In: in(a), Out: in(f64s([]int{3, 2}, 1, 4, 2, 5, 3, 6))},
		{Name: "diagonal", Attrs: eq("ii->i"), In: in(f64s([]int{2, 2}, 1, 2, 3, 4)), Out: in(f64v(1, 4))},
		{Name: "trace", Attrs: eq("ii"), In: in(f64s([]int{2, 2}, 1, 2, 3, 4)), Out: in(f64s(nil, 5))},
		{Name: "three", Attrs: eq("ij,jk,k->i"), In: in(a, b, f64v(1, 2)), Out: in(f64v(27, 60))},
		{Name: "outer", Attrs: eq("i,j->ji"), In: in(f64v(1, 2), f64v(3, 4)), Out: in(f64s([]int{2, 2}, 3, 6, 4, 8))},
		{Name: "ellipsis", Attrs: eq("...ij,...j->...i"), In: in(f64s([]int{2, 1, 2}, 1, 2, 3, 4), f64s([]int{1, 2}, 1, 10)), Out: in(f64s([]int{2, 1}, 21, 43))},
		{Name: "summed ellipsis", Attrs: eq("...i->i"), In: in(a), Out: in(f64v(5, 7, 9))},
		{Name: "batches", Attrs: eq("bij,bkj->bik"), In: in(f64s([]int{2, 1, 2}, 1, 2, 3, 4), f64s([]int{2, 1, 2}, 5, 6, 7, 8)), Out: in(f64s([]int{2, 1, 1}, 17, 53))},
		{Name: "transposed", Attrs: eq("ji,kj->ik"), In: in(b, f64s([]int{2, 3}, 1, 0, 2, 0, 1, 1)), Out: in(f64s([]int{2, 2}, 1, 2, 6, 4))},
		{Name: "alone", Attrs: eq("ij,k->i"), In: in(a, f64v(1, 2)), Out: in(f64v(18, 45))},
		{Name: "one for all", Attrs: eq("ij,ij->i"), In: in(a, f64s([]int{1, 3}, 1, 0, 2)), Out: in(f64v(7, 16))},
		{Name: "twice", Attrs: eq("iij,...j->...i"), In: in(f64s([]int{2, 2, 2}, 1, 2, 3, 4, 5, 6, 7, 8), f64s([]int{2, 2}, 1, 2, 3, 4)), Out: in(f64s([]int{2, 2}, 5, 23, 11, 53))},
		{Name: "bytes", Attrs: eq("i,i->"), In: in(tensor.FromSlice(tensor.Uint8, []uint8{200, 2}), tensor.FromSlice(tensor.Uint8, []uint8{1, 100})), Out: in(shaped(tensor.Uint8, nil, []uint8{144}))},
		{Name: "misfit", Attrs: eq("ij,jk->ik"), In: in(a, a), Err: "length"},
		{Name: "unknown letter", Attrs: eq("i->j"), In: in(f64v(1)), Err: "equation"},
	}})
}

// einDots marks an ellipsis among the letters of a term.
const einDots = 0

// einEquation is a parsed equation: letters, and einDots, of each operand and of the result.
type einEquation struct {
	terms  [][]int
	result []int
}

func einTerm(n *graph.Node, text string) ([]int, error) {
	term := []int{}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == ' ':
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			term = append(term, int(c))
		case strings.HasPrefix(text[i:], "...") && !slices.Contains(term, einDots):
			term = append(term, einDots)
			i += 2
		default:
			return nil, bad(n, "an equation that cannot be read")
		}
	}
	return term, nil
}

func einParse(n *graph.Node) (*einEquation, error) {
	text := n.Str("equation", "")
	left, right, explicit := strings.Cut(text, "->")
	e := &einEquation{}
	seen := map[int]int{}
	for part := range strings.SplitSeq(left, ",") {
		term, err := einTerm(n, part)
		if err != nil {
			return nil, err
		}
		e.terms = append(e.terms, term)
		for _, l := range term {
			seen[l]++
		}
	}
	if len(e.terms) != len(n.Inputs) || n.Attr("equation") == nil {
		return nil, bad(n, "an equation that has not one term for each input")
	}
	if !explicit { // the ellipsis, then the letters that stand once, in order
		if seen[einDots] > 0 {
			e.result = append(e.result, einDots)
		}
		for l := 'A'; l <= 'z'; l++ {
			if seen[int(l)] == 1 {
				e.result = append(e.result, int(l))
			}
		}
		return e, nil
	}
	var err error
	if e.result, err = einTerm(n, right); err != nil {
		return nil, err
	}
	for i, l := range e.result {
		if l != einDots && seen[l] == 0 || slices.Contains(e.result[:i], l) {
			return nil, bad(n, "an equation whose result has a letter twice, or one that no term has")
		}
	}
	return e, nil
}

// einSpread gives each of rank dimensions its label: letters, and -1, -2, … for those of the ellipsis, from the last on.
func einSpread(term []int, rank int) ([]int, bool) {
	at := slices.Index(term, einDots)
	if at < 0 {
		return term, len(term) == rank
	}
	dots := rank - (len(term) - 1)
	if dots < 0 {
		return nil, false
	}
	labels := slices.Clone(term[:at])
	for k := dots; k > 0; k-- {
		labels = append(labels, -k)
	}
	return append(labels, term[at+1:]...), true
}

func inferEinsum(n *graph.Node, site *Site) ([]tensor.Type, error) {
	e, err := einParse(n)
	if err != nil {
		return nil, err
	}
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	d := site.Types[0].DType
	if err := oneOf(n, site.Types[0], tensor.Float32, tensor.Float64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64); err != nil {
		return nil, err
	}
	dims, dots := map[int]tensor.Dim{}, 0
	for i, t := range site.Types {
		if t.DType == tensor.Undefined {
			return nil, bad(n, "an input is absent")
		}
		if t.Unranked {
			return []tensor.Type{unranked(d)}, nil
		}
		labels, ok := einSpread(e.terms[i], len(t.Dims))
		if !ok {
			return nil, bad(n, "an input that has not the rank of its term")
		}
		dots = max(dots, len(t.Dims)-len(e.terms[i])+1)
		for k, l := range labels {
			if was, ok := dims[l]; !ok {
				dims[l] = t.Dims[k]
			} else if dims[l], ok = broadcastDim(was, t.Dims[k]); !ok {
				return nil, bad(n, "dimensions of one letter and of different length")
			}
		}
	}
	out := tensor.Type{DType: d, Dims: []tensor.Dim{}}
	labels, _ := einSpread(e.result, len(e.result)-1+dots)
	if !slices.Contains(e.result, einDots) {
		labels = e.result
	}
	for _, l := range labels {
		dim, ok := dims[l]
		if !ok {
			return nil, bad(n, "an equation whose result has dimensions that no term has")
		}
		out.Dims = append(out.Dims, dim)
	}
	return []tensor.Type{out}, nil
}

func compileEinsum(n *graph.Node, site *Site) (Kernel, error) {
	e, err := einParse(n)
	if err != nil {
		return nil, err
	}
	switch site.Types[0].DType {
	case tensor.Float32:
		return newEinsum(e, tensor.Data[float32], tensor.Float32, site).run, nil
	case tensor.Float64:
		return newEinsum(e, tensor.Data[float64], tensor.Float64, site).run, nil
	case tensor.Int32, tensor.Uint32: // sums and products wrap alike
		return newEinsum(e, tensor.Data[int32], tensor.Int32, site).run, nil
	case tensor.Int64, tensor.Uint64:
		return newEinsum(e, tensor.Data[int64], tensor.Int64, site).run, nil
	}
	narrow := newEinsum(e, tensor.Data[int64], tensor.Int64, site)
	narrow.cast = true
	return narrow.run, nil
}

// einsum is a compiled node.
type einsum[T kernel.Number] struct {
	equation *einEquation
	data     lane[T]
	dtype    tensor.DType // in which is computed
	cast     bool         // operands and result have another
	gemm     gemm[T]
	last     atomic.Pointer[einPlan] // most runs want the same shapes again
	slots    scratch[tensor.Tensor]
	lists    scratch[[]T]
}

func newEinsum[T kernel.Number](e *einEquation, data lane[T], d tensor.DType, site *Site) *einsum[T] {
	return &einsum[T]{equation: e, data: data, dtype: d, gemm: gemm[T]{threads: site.Threads}}
}

// plan is that for operands of these shapes.
func (e *einsum[T]) plan(in []*tensor.Tensor) (*einPlan, error) {
	if p := e.last.Load(); p != nil && p.fits(in) {
		return p, nil
	}
	p, err := newEinPlan(e.equation, in)
	if err == nil {
		e.last.Store(p)
	}
	return p, err
}

func (e *einsum[T]) run(ctx context.Context, in, out []*tensor.Tensor) error {
	p, err := e.plan(in)
	if err != nil {
		return err
	}
	if err := Reset(ctx, out[0], in[0].DType(), p.shape...); err != nil {
		return err
	}
	if p.nothing {
		clear(out[0].Bytes())
		return nil
	}
	slots, lists := e.slots.take(len(p.counts)), e.lists.take(len(p.counts))
	defer e.slots.put(slots)
	defer func() { clear(*lists); e.lists.put(lists) }() // keeps no operand alive
	if err := e.values(ctx, p, in, out[0], *slots, *lists); err != nil {
		return err
	}
	for i := range p.steps {
		if err := e.do(ctx, &p.steps[i], *lists); err != nil {
			return err
		}
	}
	if e.cast {
		return castInto(out[0], &(*slots)[len(in)])
	}
	return nil
}

// values finds the memory of each value of a plan.
func (e *einsum[T]) values(ctx context.Context, p *einPlan, in []*tensor.Tensor, out *tensor.Tensor, slots []tensor.Tensor, lists [][]T) error {
	for i, n := range p.counts {
		switch {
		case i < len(in) && !e.cast:
			lists[i] = e.data(in[i])
			continue
		case i == len(in) && !e.cast:
			lists[i] = e.data(out)
			continue
		}
		if err := Reset(ctx, &slots[i], e.dtype, n); err != nil {
			return err
		}
		if i < len(in) {
			if err := castInto(&slots[i], in[i]); err != nil {
				return err
			}
		}
		lists[i] = e.data(&slots[i])
	}
	return nil
}

// do takes a step of a plan.
func (e *einsum[T]) do(ctx context.Context, s *einStep, values [][]T) error {
	to, a := values[s.to], values[s.a]
	switch s.kind {
	case einCopy:
		moveElements(to, 0, a, 0, &s.walk)
	case einSum:
		for i := range to {
			var sum T
			for _, x := range a[i*s.k:][:s.k] {
				sum += x
			}
			to[i] = sum
		}
	case einProduct:
		b := values[s.b]
		for i := 0; i < s.batch && ctx.Err() == nil; i++ {
			e.gemm.into(ctx, e.gemm.threads, s.m, s.k, s.n, a[i*s.m*s.k:], s.lda, s.ta, b[i*s.k*s.n:], s.ldb, s.tb, nil, to[i*s.m*s.n:], s.n, false)
		}
	}
	return ctx.Err()
}
