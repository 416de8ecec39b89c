//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// attentionBlock is the number of queries whose scores are held at once.
const attentionBlock = 64

// attentionCall is one run of an attention.
type attentionCall[T float] struct {
	*attention[T]
	q, k, v, y headed[T]
	scale      T
	past       int     // keys before the first query, for is_causal
	nonpad     []int64 // by batch: the number of keys, nil for all

	mask                                  []T // nil for none
	maskBatch, maskHead, maskRow, maskLen int

	qk []T // (batch, heads, l, t), nil where nobody asks
}

// lengths takes in nonpad_kv_seqlen.
func (c *attentionCall[T]) lengths(t *tensor.Tensor) error {
	if t == nil {
		return nil
	}
	if t.Len() != c.q.batches {
		return misfit("Attention", "nonpad_kv_seqlen "+shapeText(t.Shape())+" does not fit the batch")
	}
	c.nonpad = t.I64()
	for _, n := range c.nonpad {
		if n < 0 || n > int64(c.k.n) {
			return misfit("Attention", "nonpad_kv_seqlen "+itoa(n)+" of "+itoa(int64(c.k.n))+" keys")
		}
	}
	return nil
}

// setMask takes in attn_mask; the slot that it borrows for another type is returned.
func (c *attentionCall[T]) setMask(ctx context.Context, t *tensor.Tensor) (borrowed *[]tensor.Tensor, err error) {
	if t == nil {
		return nil, nil
	}
	shape, full := t.Shape(), [4]int{c.q.batches, c.q.heads, c.q.n, c.k.n}
	if len(shape) > 4 || len(shape) == 0 {
		return nil, misfit("Attention", "attn_mask "+shapeText(shape)+" has not 1 to 4 dimensions")
	}
	var step [4]int
	width := 1
	for i := 3; i >= 4-len(shape); i-- {
		n := shape[i-4+len(shape)]
		if n > full[i] || i < 3 && n != 1 && n != full[i] {
			return nil, misfit("Attention", "attn_mask "+shapeText(shape)+" does not broadcast to "+shapeText(full[:]))
		}
		if n > 1 || i == 3 {
			step[i] = width
		}
		width *= n
	}
	c.maskBatch, c.maskHead, c.maskRow, c.maskLen = step[0], step[1], step[2], shape[len(shape)-1]
	if t.DType() == c.dtype {
		if c.mask = c.data(t); c.mask == nil {
			c.mask = []T{}
		}
		return nil, nil
	}
	borrowed = c.masks.take(1)
	added := &(*borrowed)[0]
	if err := Reset(ctx, added, c.dtype, t.Len()); err != nil {
		return borrowed, err
	}
	if c.mask = c.data(added); c.mask == nil {
		c.mask = []T{}
	}
	if t.DType() != tensor.Bool {
		return borrowed, castInto(added, t)
	}
	for i, on := range tensor.Data[bool](t) {
		if c.mask[i] = 0; !on {
			c.mask[i] = T(math.Inf(-1))
		}
	}
	return borrowed, nil
}

// all does the whole batch: a piece of work is some queries of the heads that share a kv head.
func (c *attentionCall[T]) all(ctx context.Context) error {
	if len(c.y.data) == 0 && len(c.qk) == 0 {
		return nil
	}
	pairs := c.k.batches * c.k.heads
	rows := c.q.heads / c.k.heads * c.q.n // that share a kv head
	if c.threads < 2 || pairs*rows*c.k.n < 1<<12 {
		for p := range pairs {
			c.some(ctx, p, 0, rows)
		}
		return ctx.Err()
	}
	c.spread(ctx, pairs, rows)
	return ctx.Err()
}

// spread divides the pairs, and where they are few their rows, among goroutines.
func (c *attentionCall[T]) spread(ctx context.Context, pairs, rows int) {
	cuts := 1
	if pairs < c.threads {
		cuts = min(max((c.threads+pairs-1)/pairs, 1), (rows+3)/4)
	}
	p := c.parts.take()
	*p = attentionPart[T]{*c, ctx, rows, cuts}
	spread(ctx, c.threads, pairs*cuts, 1, p)
	c.parts.put(p)
}

// attentionPart is a call whose pairs are cut into so many parts each.
type attentionPart[T float] struct {
	attentionCall[T]
	ctx        context.Context
	rows, cuts int
}

func (p *attentionPart[T]) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		cut := i % p.cuts
		p.some(p.ctx, i/p.cuts, p.rows*cut/p.cuts, p.rows*(cut+1)/p.cuts)
	}
}

// some does the rows lo to hi of one pair of batch and kv head; row r is query r%l of the group's head r/l.
func (c *attentionCall[T]) some(ctx context.Context, pair, lo, hi int) {
	b, kv := pair/c.k.heads, pair%c.k.heads
	group, l, t, width := c.q.heads/c.k.heads, c.q.n, c.k.n, c.k.width
	if c.nonpad != nil && c.qk == nil {
		t = int(c.nonpad[b]) // the rest has no weight
	}
	var keys, values *panels[T]
	if min(hi-lo, l) >= 4 && t > 0 && width > 0 && c.v.width > 0 {
		keys, values = c.gemm.borrow(c.k.at(b, kv, 0), width, t, c.k.row, true), c.gemm.borrow(c.v.at(b, kv, 0), t, c.v.width, c.v.row, false)
		defer c.gemm.giveBack(keys)
		defer c.gemm.giveBack(values)
	}
	memory := c.rows.take(min(attentionBlock, hi-lo) * t)
	defer c.rows.put(memory)
	for r := lo; r < hi && ctx.Err() == nil; {
		head, query := kv*group+r/l, r%l
		n := min(attentionBlock, l-query, hi-r)
		scores := (*memory)[:n*t]
		c.gemm.into(ctx, 1, n, width, t, c.q.at(b, head, query), c.q.row, false, c.k.at(b, kv, 0), c.k.row, true, keys, scores, t, false)
		for i := range n {
			c.weigh(scores[i*t:][:t], b, head, query+i)
		}
		if c.v.width > 0 {
			c.gemm.into(ctx, 1, n, t, c.v.width, scores, t, false, c.v.at(b, kv, 0), c.v.row, false, values, c.y.at(b, head, query), c.y.row, false)
		}
		r += n
	}
}

// weigh makes the weights of one query from its products with the keys.
func (c *attentionCall[T]) weigh(row []T, b, head, query int) {
	if c.weights != nil {
		var mask []T
		if c.mask != nil {
			mask = c.mask[b*c.maskBatch+head*c.maskHead+query*c.maskRow:][:c.maskLen]
		}
		c.weights(row, c.scale, mask)
		return
	}
	scaleRow(row, c.scale)
	c.show(0, row, b, head, query)
	if c.softcap > 0 {
		for i, x := range row {
			row[i] = T(c.softcap * math.Tanh(float64(x)/c.softcap))
		}
	}
	c.show(1, row, b, head, query)
	seen := len(row) // the keys from here on are hidden
	if c.causal {
		seen = min(seen, c.past+query+1)
	}
	if c.nonpad != nil {
		seen = min(seen, int(c.nonpad[b]))
	}
	if c.mask != nil {
		seen = min(seen, c.maskLen)
		at := b*c.maskBatch + head*c.maskHead + query*c.maskRow
		for i, m := range c.mask[at : at+seen] {
			row[i] += m
		}
	}
	if c.mode == 2 {
		fill(row[seen:], T(math.Inf(-1)))
		c.show(2, row, b, head, query)
	}
	clear(row[seen:])
	softmaxWeights(row[:seen], c.exps)
	c.show(3, row, b, head, query)
}

// show copies a row to qk_matmul_output where that asks for this stage.
func (c *attentionCall[T]) show(stage int64, row []T, b, head, query int) {
	if c.qk != nil && c.mode == stage {
		copy(c.qk[((b*c.q.heads+head)*c.q.n+query)*c.k.n:], row)
	}
}

// softmaxWeights makes the softmax of a row; zeros where all is -Inf.
func softmaxWeights[T float](row []T, exps func([]T, T) float64) {
	top := greatestOf(row)
	if top == T(math.Inf(-1)) { // nothing to see, unless NaN hides what there is
		for i, x := range row {
			if x == top {
				row[i] = 0
			}
		}
		return
	}
	scaleRow(row, T(1/exps(row, top)))
}

// greatestOf is the greatest element that is not NaN, -Inf where there is none.
func greatestOf[T float](row []T) T {
	if v, ok := any(row).([]float32); ok {
		return T(kernel.Greatest(v))
	}
	least := T(math.Inf(-1))
	t0, t1, t2, t3 := least, least, least, least
	i := 0
	for ; i+4 <= len(row); i += 4 {
		v := (*[4]T)(row[i:])
		if v[0] > t0 {
			t0 = v[0]
		}
		if v[1] > t1 {
			t1 = v[1]
		}
		if v[2] > t2 {
			t2 = v[2]
		}
		if v[3] > t3 {
			t3 = v[3]
		}
	}
	for _, x := range row[i:] {
		if x > t0 {
			t0 = x
		}
	}
	return max(t0, t1, t2, t3)
}

// scaleRow multiplies by a.
func scaleRow[T float](row []T, a T) {
	if v, ok := any(row).([]float32); ok {
		kernel.Line(v, v, float32(a), 0)
		return
	}
	i := 0
	for ; i+4 <= len(row); i += 4 {
		v := (*[4]T)(row[i:])
		v[0] *= a
		v[1] *= a
		v[2] *= a
		v[3] *= a
	}
	for ; i < len(row); i++ {
		row[i] *= a
	}
}
