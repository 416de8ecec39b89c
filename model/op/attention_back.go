//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

// attentionBack is the way back of one call of an attention. Nothing of the way forward is kept: the weights are computed again, for some queries at
// a time, as by Dao et al., "FlashAttention", 2022, algorithm 4, but whole rows of them, so that no statistics are needed either.
//
//	P = softmax(S + mask), S = softcap(scale·Q·Kᵀ)    dV = Pᵀ·dY    dP = dY·Vᵀ    dS = P∘(dP - rowsum(P∘dP))    dQ = scale·dS·K    dK = scale·dSᵀ·Q
type attentionBack[T float] struct {
	attentionCall[T]
	ctx        context.Context
	dy         headed[T] // no data where no gradient flows through y
	dq, dk, dv headed[T] // dq is overwritten, dk and dv are added to
	dmask      []T       // (batch, heads, l, maskLen), nil where nobody wants it
	dqk        []T       // gradient of qk_matmul_output (batch, heads, l, t), or nil
}

// backMemory holds rows of weights, of their gradients, and of the products with the keys, (queries, t) each.
type backMemory[T float] struct{ weights, slopes, raw []T }

// all does the whole batch: a piece of work is what shares a kv head, whose gradients are summed in order.
func (c *attentionBack[T]) all() error {
	if c.k.n > 0 && c.q.n > 0 {
		spread(c.ctx, c.threads, c.k.batches*c.k.heads, 1, c)
	} else {
		clear(c.dq.data)
	}
	return c.ctx.Err()
}

func (c *attentionBack[T]) Do(lo, hi int) {
	for p := lo; p < hi && c.ctx.Err() == nil; p++ {
		c.pair(p/c.k.heads, p%c.k.heads)
	}
}

// pair does the queries that read kv head kv of image b.
func (c *attentionBack[T]) pair(b, kv int) {
	group, l, t, width, out := c.q.heads/c.k.heads, c.q.n, c.k.n, c.k.width, c.v.width
	block := min(attentionBlock, l)
	memory := c.rows.take(3 * block * t)
	defer c.rows.put(memory)
	m := backMemory[T]{(*memory)[:block*t], (*memory)[block*t : 2*block*t], (*memory)[2*block*t:]}
	k, v := c.k.at(b, kv, 0), c.v.at(b, kv, 0)
	var keys, turned, values *panels[T]
	if l >= 4 && width > 0 && out > 0 {
		keys, turned, values = c.gemm.borrow(k, width, t, c.k.row, true), c.gemm.borrow(k, t, width, c.k.row, false), c.gemm.borrow(v, out, t, c.v.row, true)
		defer c.gemm.giveBack(keys)
		defer c.gemm.giveBack(turned)
		defer c.gemm.giveBack(values)
	}
	into := func(m, k, n int, a []T, lda int, ta bool, b []T, ldb int, tb bool, packed *panels[T], to []T, ldc int, add bool) {
		c.gemm.into(c.ctx, 1, m, k, n, a, lda, ta, b, ldb, tb, packed, to, ldc, add)
	}
	for r := 0; r < group*l && c.ctx.Err() == nil; {
		head, query := kv*group+r/l, r%l
		n := min(attentionBlock, l-query)
		p, d := m.weights[:n*t], m.slopes[:n*t]
		q := c.q.at(b, head, query)
		into(n, width, t, q, c.q.row, false, k, c.k.row, true, keys, p, t, false)
		if c.softcap > 0 {
			copy(m.raw, p)
		}
		for i := range n {
			c.weigh(p[i*t:][:t], b, head, query+i)
		}
		if dy := c.dy.at(b, head, query); dy != nil {
			into(n, out, t, dy, c.dy.row, false, v, c.v.row, true, values, d, t, false)
			if c.dv.data != nil {
				into(t, n, out, p, t, true, dy, c.dy.row, false, nil, c.dv.at(b, kv, 0), c.dv.row, true)
			}
		} else {
			clear(d)
		}
		for i := range n {
			c.slope(d[i*t:][:t], p[i*t:][:t], m.raw[i*t:][:t], b, head, query+i)
		}
		if c.dq.data != nil {
			into(n, t, width, d, t, false, k, c.k.row, false, turned, c.dq.at(b, head, query), c.dq.row, false)
		}
		if c.dk.data != nil {
			into(t, n, width, d, t, true, q, c.q.row, false, nil, c.dk.at(b, kv, 0), c.dk.row, true)
		}
		r += n
	}
}

// slope makes of the gradient d of the weights p of one query that of its products with the keys, raw.
func (c *attentionBack[T]) slope(d, p, raw []T, b, head, query int) {
	c.shown(3, d, b, head, query)
	factor := c.scale
	plain := c.softcap <= 0 && c.dmask == nil && c.dqk == nil
	if !plain {
		factor = 1
	}
	softmaxSlope(d, p, factor)
	if plain {
		return
	}
	c.shown(2, d, b, head, query)
	if c.dmask != nil {
		copy(c.dmask[((b*c.q.heads+head)*c.q.n+query)*c.maskLen:][:c.maskLen], d)
		if c.maskLen == 1 && len(d) > 1 { // one number for all keys
			var sum T
			for _, v := range d {
				sum += v
			}
			c.dmask[(b*c.q.heads+head)*c.q.n+query] = sum
		}
	}
	c.shown(1, d, b, head, query)
	if c.softcap > 0 {
		for i, x := range raw {
			h := math.Tanh(float64(c.scale*x) / c.softcap)
			d[i] *= T(1 - h*h)
		}
	}
	c.shown(0, d, b, head, query)
	scaleRow(d, c.scale)
}

// shown adds the gradient of what qk_matmul_output showed at a stage.
func (c *attentionBack[T]) shown(stage int64, d []T, b, head, query int) {
	if c.dqk != nil && c.mode == stage {
		row := c.dqk[((b*c.q.heads+head)*c.q.n+query)*c.k.n:][:len(d)]
		add(d, d, row)
	}
}

// softmaxSlope makes d = factor·p∘(d - Σ p∘d), the gradient of a softmax p.
func softmaxSlope[T float](d, p []T, factor T) {
	d32, ok := any(d).([]float32)
	if !ok {
		var sum T
		for i, v := range p {
			sum += v * d[i]
		}
		for i, v := range p {
			d[i] = factor * v * (d[i] - sum)
		}
		return
	}
	p32, f := any(p).([]float32), float32(factor)
	kernel.Line(d32, d32, f, -f*float32(kernel.Dot(p32, d32)))
	kernel.Pair(kernel.Mul, d32, d32, p32)
}
