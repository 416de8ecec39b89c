//go:build !lean

package op

import (
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// FlexAttention: y = prob_mod(softmax(score_mod(scale·Q·Kᵀ)))·V by head; the two are subgraphs that may change all scores, or weights, (b, heads,
// l, s) in the type that softmax_precision names, by default float32, float64 for inputs of float64.
// https://onnx.ai/onnx/operators/onnx_aionnxpreview_FlexAttention.html
// Q (b, heads, l, d), K (b, kv heads, s, d), V (b, kv heads, s, v): heads as those of Attention.
func init() {
	q, k, v := f64s([]int{1, 1, 2, 1}, 0, 1), f64s([]int{1, 1, 2, 1}, 1, 2), f64s([]int{1, 1, 2, 1}, 3, 5)
	e := math.E
	register(&Spec{
		Domain: "ai.onnx.preview", Name: "FlexAttention", Since: 1, Attrs: []string{"prob_mod", "scale", "score_mod", "softmax_precision"}, In: Arity{3, 3}, Out: Arity{1, 1},
		Infer: inferFlex, Compile: compileFlex, Cases: []Case{
			{Opset: 1, In: in(q, k, v), Out: in(f64s([]int{1, 1, 2, 1}, 4, 3/(1+e)+5*e/(1+e)))},
			{Name: "scaled", Opset: 1, Attrs: []graph.Attr{graph.FloatAttr("scale", 0)}, In: in(q, k, v), Out: in(f64s([]int{1, 1, 2, 1}, 4, 4))},
			{Name: "rank", Opset: 1, In: in(f64v(1), k, v), Err: "dimensions"},
		},
	})
}

// flexType is the element type of the subgraphs' inputs.
func flexType(n *graph.Node, d tensor.DType) tensor.DType {
	if n.Attr("softmax_precision") != nil {
		return tensor.DType(n.Int("softmax_precision", 1))
	}
	if d == tensor.Float64 {
		return d
	}
	return tensor.Float32
}

func inferFlex(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrGraph, "score_mod", "prob_mod"); err != nil {
		return nil, err
	}
	if err := kind(n, "softmax_precision", graph.AttrInt); err != nil {
		return nil, err
	}
	if err := kind(n, "scale", graph.AttrFloat); err != nil {
		return nil, err
	}
	if err := softmaxPrecision(n); err != nil {
		return nil, err
	}
	q := site.Types[0]
	if err := oneOf(n, q, tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16); err != nil {
		return nil, err
	}
	for _, t := range site.Types[:3] {
		if t.DType != q.DType {
			return nil, bad(n, "inputs of different types")
		}
		if !t.Unranked && len(t.Dims) != 4 {
			return nil, bad(n, "an input has the type "+t.String()+", not 4 dimensions")
		}
	}
	types, err := flexTypes(n, site)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"score_mod", "prob_mod"} {
		body, err := flexBody(n, site, name, types[3])
		if err != nil {
			return nil, err
		}
		if body == nil {
			continue
		}
		if out := body.Outputs(); len(out) != 1 || out[0].DType != flexType(n, q.DType) {
			return nil, bad(n, name+" does not give one tensor of the type of its input")
		}
	}
	return types[:1], nil
}

// flexTypes is attentionTypes for inputs of four dimensions.
func flexTypes(n *graph.Node, site *Site) ([]tensor.Type, error) {
	q := site.Types[0]
	if q.Unranked {
		q = tensor.Type{DType: q.DType, Dims: []tensor.Dim{free, free, free, free}}
	}
	return attentionTypes(n, &Site{Types: []tensor.Type{q, site.Types[1], site.Types[2]}})
}

// flexBody compiles a subgraph for scores of the type t; nil where there is none.
func flexBody(n *graph.Node, site *Site, name string, t tensor.Type) (Body, error) {
	if n.Attr(name) == nil {
		return nil, nil
	}
	return site.Body(name, []tensor.Type{{DType: flexType(n, t.DType), Dims: t.Dims}})
}

// flex is what is known when a node is compiled.
type flex[T float] struct {
	*attention[T]
	score, prob Body
	formal      tensor.DType
	own         int
	calls       kept[flexCall[T]]
	slots       scratch[tensor.Tensor] // scores, what a subgraph gets and what it gives
	wide        scratch[tensor.Tensor] // q, k, v and y of half precision
	lists       scratch[*tensor.Tensor]
}

func compileFlex(n *graph.Node, site *Site) (Kernel, error) {
	f32 := site.Types[0].DType != tensor.Float64
	types, err := flexTypes(n, site)
	if err != nil {
		return nil, err
	}
	score, err := flexBody(n, site, "score_mod", types[3])
	if err != nil {
		return nil, err
	}
	prob, err := flexBody(n, site, "prob_mod", types[3])
	if err != nil {
		return nil, err
	}
	own := max(site.Own, 3)
	if f32 {
		a := newAttention(tensor.Data[float32], n, site, expRow)
		a.dtype = tensor.Float32
		f := &flex[float32]{attention: a, score: score, prob: prob, formal: flexType(n, site.Types[0].DType), own: own}
		if isHalf(site.Types[0].DType) {
			return f.half, nil
		}
		return f.run, nil
	}
	f := &flex[float64]{attention: newAttention(tensor.Data[float64], n, site, expRow64), score: score, prob: prob, formal: flexType(n, tensor.Float64), own: own}
	return f.run, nil
}

// half runs inputs of half precision in float32.
func (f *flex[T]) half(ctx context.Context, in, out []*tensor.Tensor) error {
	if out[0] == nil {
		return nil
	}
	wide, list := f.wide.take(4), f.lists.take(len(in)+1)
	defer f.wide.put(wide)
	defer func() { clear(*list); f.lists.put(list) }() // keeps no input alive
	given, made := (*list)[:len(in)], (*list)[len(in):]
	copy(given, in)
	for i, t := range in[:3] {
		given[i] = &(*wide)[i]
		if err := Reset(ctx, given[i], tensor.Float32, t.Shape()...); err != nil {
			return err
		}
		widenInto(given[i].F32(), t)
	}
	y := &(*wide)[3]
	made[0] = y
	if err := f.run(ctx, given, made); err != nil {
		return err
	}
	if err := Reset(ctx, out[0], in[0].DType(), y.Shape()...); err != nil {
		return err
	}
	narrowInto(out[0], y.F32())
	return nil
}

func (f *flex[T]) run(ctx context.Context, in, out []*tensor.Tensor) error {
	if out[0] == nil {
		return nil
	}
	if in[0].Rank() != 4 {
		return misfit("FlexAttention", "Q "+shapeText(in[0].Shape())+" has not 4 dimensions")
	}
	if f.score == nil && f.prob == nil {
		return f.attention.run(ctx, in[:3], out)
	}
	q, k, v, err := f.operands(in)
	if err != nil {
		return err
	}
	if err := Reset(ctx, out[0], f.dtype, q.batches, q.heads, q.n, v.width); err != nil {
		return err
	}
	scale := T(f.scale)
	if f.scaleByDefault {
		scale = T(1 / math.Sqrt(float64(q.width)))
	}
	slots := f.slots.take(3)
	defer f.slots.put(slots)
	scores := &(*slots)[0]
	if err := Reset(ctx, scores, f.dtype, q.batches, q.heads, q.n, k.n); err != nil {
		return err
	}
	c := f.calls.take()
	defer f.calls.put(c)
	*c = flexCall[T]{ctx: ctx, f: f, q: q, k: k, v: v, y: packedHeads(f.data(out[0]), q.batches, q.heads, q.n, v.width), scale: scale}
	c.scores = packedHeads(f.data(scores), q.batches, q.heads, q.n, k.n)
	c.each(flexProducts)
	if err := c.change(f.score, *slots, in); err != nil {
		return err
	}
	c.each(flexWeights)
	if err := c.change(f.prob, *slots, in); err != nil {
		return err
	}
	c.each(flexValues)
	return ctx.Err()
}

// flexCall is one run with subgraphs.
type flexCall[T float] struct {
	ctx        context.Context
	f          *flex[T]
	q, k, v, y headed[T]
	scores     headed[T]
	scale      T
	step       flexStep
	in, out    [1]*tensor.Tensor // of a subgraph
}

// flexStep is what is done with every head between the subgraphs.
type flexStep int

const (
	flexProducts flexStep = iota
	flexWeights
	flexValues
)

// each takes a step for every head.
func (c *flexCall[T]) each(step flexStep) {
	if len(c.scores.data) == 0 && len(c.y.data) == 0 {
		return
	}
	c.step = step
	spread(c.ctx, c.f.threads, c.q.batches*c.q.heads, 1, c)
}

func (c *flexCall[T]) Do(lo, hi int) {
	heads := c.q.heads
	for i := lo; i < hi && c.ctx.Err() == nil; i++ {
		b, head := i/heads, i%heads
		kv := head / (heads / c.k.heads)
		switch c.step {
		case flexProducts:
			c.products(b, head, kv)
		case flexWeights:
			c.weights(b, head)
		case flexValues:
			c.values(b, head, kv)
		}
	}
}

// products makes the scores of one head.
func (c *flexCall[T]) products(b, head, kv int) {
	s := c.scores.at(b, head, 0)[:min(c.q.n*c.k.n, len(c.scores.data))]
	if len(s) > 0 {
		c.f.gemm.into(c.ctx, 1, c.q.n, c.q.width, c.k.n, c.q.at(b, head, 0), c.q.row, false, c.k.at(b, kv, 0), c.k.row, true, nil, s, c.k.n, false)
	}
	for i := range s {
		s[i] *= c.scale
	}
}

// weights makes the softmax of one head's scores.
func (c *flexCall[T]) weights(b, head int) {
	for i := range c.q.n {
		if c.k.n > 0 {
			softmaxWeights(c.scores.at(b, head, i)[:c.k.n], c.f.exps)
		}
	}
}

// values makes one head's result.
func (c *flexCall[T]) values(b, head, kv int) {
	if len(c.y.data) == 0 {
		return
	}
	y := c.y.at(b, head, 0)[:c.q.n*c.v.width]
	c.f.gemm.into(c.ctx, 1, c.q.n, c.k.n, c.v.width, c.scores.at(b, head, 0), c.k.n, false, c.v.at(b, kv, 0), c.v.row, false, nil, y, c.v.width, false)
}

// change replaces the scores, the first of slots, by what a subgraph makes of them.
func (c *flexCall[T]) change(body Body, slots []tensor.Tensor, in []*tensor.Tensor) error {
	if body == nil {
		return nil
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	scores, changed := &slots[0], &slots[2]
	formal := scores
	if c.f.formal != c.f.dtype {
		formal = &slots[1]
		if err := Reset(c.ctx, formal, c.f.formal, scores.Shape()...); err != nil {
			return err
		}
		if err := castInto(formal, scores); err != nil {
			return err
		}
	}
	c.in[0], c.out[0] = formal, changed
	if err := body.Run(c.ctx, c.in[:], in[c.f.own:], c.out[:]); err != nil {
		return err
	}
	if changed.DType() != c.f.formal || !slices.Equal(changed.Shape(), scores.Shape()) {
		return misfit("FlexAttention", "a subgraph made "+changed.Type().String()+" of "+formal.Type().String())
	}
	return castInto(scores, changed)
}
