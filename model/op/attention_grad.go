//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// HeadAttentionGrad(dy, q, k, v, mask): the gradients of the inputs of HeadAttention, each in its input's shape.
// AttentionGrad(Q, K, V, mask, past_key, past_value, nonpad; dY, dpresent_key, dpresent_value, dqk): those of Attention; gradients that do not flow are
// absent. Both are checked as gradients of what they belong to.
func init() {
	types := func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		first := 0
		if n.Op == "HeadAttentionGrad" {
			first = 1
		}
		out := make([]tensor.Type, len(n.Outputs))
		for i := range out {
			if out[i] = site.typ(i + first); out[i].DType != site.Types[0].DType { // absent, or a mask that has no gradient
				out[i] = unranked(site.Types[0].DType)
			}
		}
		return out, oneOf(n, site.Types[0], floats...)
	}
	register(&Spec{Domain: Private, Name: "HeadAttentionGrad", Since: 1, Attrs: []string{"inside", "scale"}, In: Arity{4, 5}, Out: Arity{1, 4}, Infer: types, Compile: compileHeadAttentionGrad})
	register(&Spec{
		Domain: Private, Name: "AttentionGrad", Since: 1, Attrs: attentionAttrs, In: Arity{3, 11}, Out: Arity{1, 6}, Infer: types, Compile: compileAttentionGrad,
	})
}

func gradHeadAttention(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	in := append([]graph.Value{dy[0]}, n.Inputs...)
	return b.Node(Private, "HeadAttentionGrad", in, len(n.Inputs), n.Attrs...), nil
}

func gradAttention(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	in := make([]graph.Value, 11)
	copy(in, n.Inputs)
	copy(in[7:], dy)
	return append(b.Node(Private, "AttentionGrad", in, 6, n.Attrs...), "")[:len(n.Inputs)], nil
}

func compileHeadAttentionGrad(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return newHeadBack(tensor.Data[float32], n, site, headWeights).run, nil
	}
	return newHeadBack(tensor.Data[float64], n, site, headWeights64).run, nil
}

// headBack is what is known when a HeadAttentionGrad is compiled.
type headBack[T float] struct {
	*headAttention[T]
	calls kept[attentionBack[T]]
	full  scratch[tensor.Tensor] // gradients of operands that were stretched
}

func newHeadBack[T float](data lane[T], n *graph.Node, site *Site, weights func(row []T, scale T, mask []T)) *headBack[T] {
	return &headBack[T]{headAttention: newHeadAttention(data, n, site, weights)}
}

func (a *headBack[T]) run(ctx context.Context, in, out []*tensor.Tensor) error {
	call, err := a.call(in[1:])
	if err != nil {
		return err
	}
	c := a.calls.take()
	defer a.calls.put(c)
	*c = attentionBack[T]{attentionCall: call, ctx: ctx}
	shape := a.shape(3, c.q.batches, c.q.heads, c.q.n, c.v.width)
	if c.dy = headedAs(a.data(in[0]), shape[:], a.inside[3]); len(c.dy.data) != shape[0]*shape[1]*shape[2]*shape[3] {
		return misfit("HeadAttentionGrad", "shapes do not fit")
	}
	held := a.full.take(4)
	defer a.full.put(held)
	full := *held
	for i, at := range [3]*headed[T]{&c.q, &c.k, &c.v} {
		if outputOf(out, i) == nil {
			continue
		}
		s := a.shape(i, at.batches, at.heads, at.n, at.width)
		t, err := a.whole(ctx, out[i], &full[i], in[1+i], s[:])
		if err != nil {
			return err
		}
		d := [3]*headed[T]{&c.dq, &c.dk, &c.dv}[i]
		*d = headedAs(a.data(t), s[:], a.inside[i])
		clear(d.data)
	}
	if outputOf(out, 3) != nil && inputOf(in, 4) != nil {
		t, err := a.whole(ctx, out[3], &full[3], in[4], []int{c.q.batches, c.q.heads, c.q.n, c.maskLen})
		if err != nil {
			return err
		}
		c.dmask = a.data(t)
	}
	if err := c.all(); err != nil {
		return err
	}
	for i := range full {
		if i < len(out) && out[i] != nil && full[i].Len() > 0 {
			sumInto(a.data(out[i]), out[i].Shape(), a.data(&full[i]), full[i].Shape())
		}
	}
	return nil
}

// whole gives out the shape of x, and returns where a gradient of a shape that x was stretched to is made: out, or full where they differ.
func (a *attention[T]) whole(ctx context.Context, out, full, x *tensor.Tensor, shape []int) (*tensor.Tensor, error) {
	full.Reset(a.dtype, 0)
	if err := Reset(ctx, out, a.dtype, x.Shape()...); err != nil {
		return nil, err
	}
	n, err := tensor.Elements(shape)
	if err != nil || n == x.Len() {
		return out, err
	}
	return full, Reset(ctx, full, a.dtype, shape...)
}

func compileAttentionGrad(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return newAttentionBack(newAttention(tensor.Data[float32], n, site, expRow)).run, nil
	}
	return newAttentionBack(newAttention(tensor.Data[float64], n, site, expRow64)).run, nil
}

// wholeBack is what is known when an AttentionGrad is compiled.
type wholeBack[T float] struct {
	*attention[T]
	calls kept[attentionBack[T]]
	full  scratch[tensor.Tensor] // the gradients of all keys and values, past ones too, and of the mask
}

func newAttentionBack[T float](a *attention[T]) *wholeBack[T] { return &wholeBack[T]{attention: a} }

func (a *wholeBack[T]) run(ctx context.Context, in, out []*tensor.Tensor) error {
	q, k, v, err := a.operands(in)
	if err != nil {
		return err
	}
	c := a.calls.take()
	defer a.calls.put(c)
	*c = attentionBack[T]{attentionCall: attentionCall[T]{attention: a.attention, q: q, scale: T(a.scale)}, ctx: ctx}
	if a.scaleByDefault {
		c.scale = T(1 / math.Sqrt(float64(q.width)))
	}
	if past := inputOf(in, 4); past != nil && past.Rank() == 4 {
		c.past = past.Shape()[2]
	}
	var memory *[]T
	if c.k, memory, err = a.join(ctx, "past_key", inputOf(in, 4), k, nil, &a.keys); err != nil {
		return err
	}
	defer a.keys.put(memory)
	if c.v, memory, err = a.join(ctx, "past_value", inputOf(in, 5), v, nil, &a.vals); err != nil {
		return err
	}
	defer a.vals.put(memory)
	if c.k.n != c.v.n {
		return misfit("AttentionGrad", "keys and values of different number")
	}
	if err := c.lengths(inputOf(in, 6)); err != nil {
		return err
	}
	mask, err := c.setMask(ctx, inputOf(in, 3))
	defer a.masks.put(mask)
	if err != nil {
		return err
	}
	held := a.full.take(3)
	defer a.full.put(held)
	if err := a.prepare(c, in, out, *held); err != nil {
		return err
	}
	if err := c.all(); err != nil {
		return err
	}
	for i, joined := range []*headed[T]{&c.dk, &c.dv} {
		a.part(joined, outputOf(out, 4+i), outputOf(out, 1+i), c.past)
	}
	if t := &(*held)[2]; c.dmask != nil && t.Len() > 0 {
		sumInto(a.data(out[3]), out[3].Shape(), a.data(t), t.Shape())
	}
	return nil
}

// prepare finds the memory of the gradients.
func (a *wholeBack[T]) prepare(c *attentionBack[T], in, out []*tensor.Tensor, full []tensor.Tensor) (err error) {
	ctx := c.ctx
	for i, t := range out {
		if t == nil || inputOf(in, i) == nil {
			continue
		}
		if err := Reset(ctx, t, a.dtype, in[i].Shape()...); err != nil {
			return err
		}
	}
	if out[0] != nil {
		if c.dq, err = headedOf("AttentionGrad", "dQ", a.data(out[0]), in[0].Shape(), int64(c.q.heads)); err != nil {
			return err
		}
		clear(c.dq.data)
	}
	if dy := inputOf(in, 7); dy != nil {
		if c.dy, err = headedOf("AttentionGrad", "dY", a.data(dy), dy.Shape(), int64(c.q.heads)); err != nil {
			return err
		}
		if len(c.dy.data) != c.q.batches*c.q.heads*c.q.n*c.v.width {
			return misfit("AttentionGrad", "shapes do not fit")
		}
	}
	for i, x := range []*headed[T]{&c.k, &c.v} { // all keys, values: (batch, kv heads, t, width)
		if outputOf(out, 1+i) == nil && outputOf(out, 4+i) == nil {
			continue
		}
		if err := Reset(ctx, &full[i], a.dtype, x.batches, x.heads, x.n, x.width); err != nil {
			return err
		}
		d := packedHeads(a.data(&full[i]), x.batches, x.heads, x.n, x.width)
		if present := inputOf(in, 8+i); present == nil {
			clear(d.data)
		} else if copy(d.data, a.data(present)) != present.Len() {
			return misfit("AttentionGrad", "shapes do not fit")
		}
		*[2]*headed[T]{&c.dk, &c.dv}[i] = d
	}
	if dqk := inputOf(in, 10); dqk != nil {
		if c.dqk = a.data(dqk); len(c.dqk) != c.q.batches*c.q.heads*c.q.n*c.k.n {
			return misfit("AttentionGrad", "shapes do not fit")
		}
	}
	full[2].Reset(a.dtype, 0)
	if outputOf(out, 3) != nil && inputOf(in, 3) != nil && in[3].DType() == a.dtype {
		t, err := a.whole(ctx, out[3], &full[2], in[3], []int{c.q.batches, c.q.heads, c.q.n, c.maskLen})
		if err != nil {
			return err
		}
		c.dmask = a.data(t)
	}
	return nil
}

// part divides the gradient of all keys, or values, among the past ones and the new ones, where they are wanted.
func (a *wholeBack[T]) part(all *headed[T], past, now *tensor.Tensor, before int) {
	if len(all.data) == 0 {
		return
	}
	var old, to headed[T]
	if past != nil {
		old = packedHeads(a.data(past), all.batches, all.heads, before, all.width)
	}
	if now != nil {
		to, _ = headedOf("", "", a.data(now), now.Shape(), int64(all.heads))
	}
	for b := range all.batches {
		for h := range all.heads {
			if len(old.data) > 0 {
				copy(old.at(b, h, 0)[:before*all.width], all.at(b, h, 0))
			}
			for i := range to.n {
				copy(to.at(b, h, i)[:all.width], all.at(b, h, before+i))
			}
		}
	}
}
