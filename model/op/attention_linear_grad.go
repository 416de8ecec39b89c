//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// LinearAttentionGrad(query, key, value, past_state, decay, beta, dY, d_present): the gradients of the first six. What is 0, or was not given, may be absent.
// It is checked as the gradient of LinearAttention.
//
// From the last token to the first, with R = ∂L/∂S of the state S behind a token, S' that state before the token's k⊗c was added, u = v - S'ᵀk and c = beta·u (c = v
// without beta):
//
//	R += scale·q⊗dy       dq = scale·S·dy        dk = R·c - S'·du      du = beta·Rᵀk    dv = du    dbeta = u·Rᵀk
//	R -= k⊗du             d decay = Σ R∘S'       R = e^decay·R, which goes on to the token before
//
// The terms with du in dk and R are those of beta alone. States are kept at every √n-th token, and computed again from there for the tokens behind it (as Chen
// et al. 2016 do it for layers): 2·√n states for each goroutine.
func init() {
	register(&Spec{
		Domain: Private, Name: "LinearAttentionGrad", Since: 1, Attrs: []string{"chunk_size", "kv_num_heads", "q_num_heads", "scale", "update_rule"}, In: Arity{3, 8}, Out: Arity{1, 6}, Half: true,
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			types := make([]tensor.Type, len(n.Outputs))
			for i := range types {
				types[i] = site.typ(i)
			}
			return types, oneOf(n, site.Types[0], tensor.Float32)
		},
		Compile: compileLinearAttentionGrad,
	})
}

func gradLinearAttention(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	in := make([]graph.Value, 8)
	copy(in, n.Inputs)
	copy(in[6:], dy)
	out := b.Node(Private, "LinearAttentionGrad", in, len(n.Inputs), n.Attrs...)
	for i, v := range n.Inputs {
		if v == "" {
			out[i] = "" // of the node, too: a gradient of nothing has no type
		}
	}
	return out, nil
}

// linearBack is one call.
type linearBack struct {
	linearAttention
	dy            headed[float32]
	dPresent      []float32
	dq, dk, dv    headed[float32]
	dPast, dDecay []float32
	dBeta         []float32 // (b, t, kv), whatever the shape of beta
	every         int       // tokens between two states that are kept
}

var linearBacks crew[linearBack]

func compileLinearAttentionGrad(n *graph.Node, site *Site) (Kernel, error) {
	heads, kv, scale, threads := n.Int("q_num_heads", 0), n.Int("kv_num_heads", 0), n.Float("scale", 0), site.Threads
	var memory, rates, unwanted scratch[float32]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		l, err := linearAttentionOf(n.Op, in, heads, kv, scale)
		if err != nil {
			return err
		}
		r := linearBack{linearAttention: l, every: max(1, int(math.Sqrt(float64(l.k.n))))}
		r.ctx, r.seen = ctx, &memory
		if err := r.arrived(n.Op, in, heads); err != nil {
			return err
		}
		for i, t := range out {
			if t == nil || in[i] == nil {
				continue
			}
			if err := Reset(ctx, t, tensor.Float32, in[i].Shape()...); err != nil {
				return err
			}
		}
		of, into := [3]*headed[float32]{&r.q, &r.k, &r.v}, [3]*headed[float32]{&r.dq, &r.dk, &r.dv}
		for i, h := range into {
			*h = *of[i]
			if t := outputOf(out, i); t != nil {
				h.data = t.F32()
				continue
			}
			m := unwanted.take(len(h.data))
			defer unwanted.put(m)
			h.data = *m
		}
		if t := outputOf(out, 3); t != nil {
			r.dPast = t.F32()
		}
		if t := outputOf(out, 4); t != nil {
			r.dDecay = t.F32()
		}
		beta := rates.take(l.k.batches * l.k.n * l.k.heads)
		defer rates.put(beta)
		r.dBeta = *beta
		linearBacks.run(ctx, threads, l.k.batches*l.k.heads, 1, r, (*linearBack).some)
		if t := outputOf(out, 5); t != nil {
			r.betas(t.F32())
		}
		return ctx.Err()
	}, nil
}

// arrived takes in the gradients that flow.
func (r *linearBack) arrived(op string, in []*tensor.Tensor, heads int64) (err error) {
	if len(in) > 6 && in[6] != nil {
		if r.dy, err = headedOf(op, "gradient", in[6].F32(), in[6].Shape(), heads); err != nil {
			return err
		}
		if in[6].Rank() != 3 || r.dy.batches != r.q.batches || r.dy.n != r.q.n || r.dy.width != r.v.width {
			return misfit(op, "the gradient "+shapeText(in[6].Shape())+" does not fit")
		}
	}
	if len(in) > 7 && in[7] != nil {
		if r.dPresent = in[7].F32(); len(r.dPresent) != r.k.batches*r.k.heads*r.k.width*r.v.width {
			return misfit(op, "the gradient "+shapeText(in[7].Shape())+" does not fit")
		}
	}
	return nil
}

// some does the kv heads lo to hi of all batches.
func (r *linearBack) some(lo, hi int) {
	for i := lo; i < hi; i++ {
		r.head(i/r.k.heads, i%r.k.heads)
	}
}

// head goes back over all tokens of one kv head.
func (r *linearBack) head(b, h int) {
	size, n, width := r.k.width*r.v.width, r.k.n, r.v.width
	parts := (n + r.every - 1) / r.every
	memory := r.seen.take((2+parts+r.every)*size + 2*width)
	defer r.seen.put(memory)
	back, state, rest := (*memory)[:size], (*memory)[size:2*size], (*memory)[2*size:]
	kept, rest := rest[:parts*size], rest[parts*size:]
	inside, rest := rest[:r.every*size], rest[r.every*size:]
	u, du := rest[:width], rest[width:2*width]
	r.begin(state, b, h)
	for t := range n {
		if t%r.every == 0 {
			copy(kept[t/r.every*size:], state)
		}
		r.token(state, u, b, h, t)
	}
	clear(back)
	if r.dPresent != nil {
		copy(back, r.dPresent[(b*r.k.heads+h)*size:])
	}
	for part := parts - 1; part >= 0 && r.ctx.Err() == nil; part-- {
		first, last := part*r.every, min(n, (part+1)*r.every)
		before := kept[part*size:][:size]
		for t := first; t < last; t++ {
			s := inside[(t-first)*size:][:size]
			copy(s, before)
			r.token(s, u, b, h, t)
			before = s
		}
		for t := last - 1; t >= first; t-- {
			if copy(state, kept[part*size:][:size]); t > first {
				copy(state, inside[(t-first-1)*size:][:size])
			}
			r.read(back, inside[(t-first)*size:][:size], b, h, t)
			r.before(back, state, u, du, b, h, t)
		}
	}
	if r.dPast != nil {
		copy(r.dPast[(b*r.k.heads+h)*size:], back)
	}
}

// read goes back over the queries of a token, which read the state behind it.
func (r *linearBack) read(back, state []float32, b, h, t int) {
	group, width := r.q.heads/r.k.heads, r.v.width
	for g := range group {
		q, dq := r.q.at(b, h*group+g, t), r.dq.at(b, h*group+g, t)[:r.q.width]
		if r.dy.data == nil {
			clear(dq)
			continue
		}
		dy := r.dy.at(b, h*group+g, t)[:width]
		for i := range dq {
			dq[i] = r.scale * float32(kernel.Dot(state[i*width:][:width], dy))
			kernel.Accumulate(back[i*width:][:width], dy, r.scale*q[i])
		}
	}
}

// before goes back over what a token did to the state, of which it is told how it was before. u and du are memory.
func (r *linearBack) before(back, state, u, du []float32, b, h, t int) {
	at, width := b*r.k.n+t, r.v.width
	k, dk := r.k.at(b, h, t)[:r.k.width], r.dk.at(b, h, t)
	if r.decay != nil {
		r.forget(state, at, h)
	}
	copy(u, r.v.at(b, h, t)[:width])
	clear(du)
	for i, x := range k {
		kernel.Accumulate(du, back[i*width:][:width], x)
	}
	rate := float32(1)
	if r.beta != nil {
		r.missed(u, state, k)
		rate = r.rate(at, h)
		r.dBeta[at*r.k.heads+h] = float32(kernel.Dot(u, du))
	}
	for i := range du {
		du[i] *= rate
	}
	for i, x := range k {
		row, s := back[i*width:][:width], state[i*width:][:width]
		dk[i] = rate * float32(kernel.Dot(row, u))
		if r.beta != nil {
			dk[i] -= float32(kernel.Dot(s, du))
			kernel.Accumulate(row, du, -x)
		}
	}
	copy(r.dv.at(b, h, t)[:width], du)
	if r.decay != nil {
		r.forgotten(back, state, at, h)
	}
}

// forgotten goes back over the decay. The decay of a head gets the sum of what its elements get.
func (r *linearBack) forgotten(back, state []float32, at, h int) {
	width, sum := r.v.width, float32(0)
	for i := range r.k.width {
		row := back[i*width:][:width]
		g := float32(kernel.Dot(row, state[i*width:][:width]))
		if sum += g; r.wideDecay && r.dDecay != nil {
			r.dDecay[(at*r.k.heads+h)*r.k.width+i] = g
		}
		keep := r.keep(at, h, i)
		for j := range row {
			row[j] *= keep
		}
	}
	if !r.wideDecay && r.dDecay != nil {
		r.dDecay[at*r.k.heads+h] = sum
	}
}

// betas writes the gradients of beta, which all heads may share.
func (r *linearBack) betas(to []float32) {
	if !r.beta1 {
		copy(to, r.dBeta)
		return
	}
	for at := range to {
		to[at] = 0
		for _, g := range r.dBeta[at*r.k.heads:][:r.k.heads] {
			to[at] += g
		}
	}
}
