//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// LinearAttention: a state S (d, v) by kv head that every token changes and every query reads, y = scale·qᵀS.
// https://onnx.ai/onnx/operators/onnx__LinearAttention.html
//
//	linear       S += k⊗v                    gated        S = e^decay·S + k⊗v
//	delta        S += beta·k⊗(v - Sᵀk)       gated_delta  S = e^decay·S, then as delta
//
// query (b, t, heads·d), key (b, t, kv·d), value (b, t, kv·v), state (b, kv, d, v), decay (b, t, kv) or (b, t, kv·d), beta (b, t, kv) or
// (b, t, 1). chunk_size is a hint for other ways to compute the same.
func init() {
	heads := []graph.Attr{graph.IntAttr("q_num_heads", 1), graph.IntAttr("kv_num_heads", 1), graph.FloatAttr("scale", 1)}
	rule := func(name string) []graph.Attr { return append(heads[:3:3], graph.StringAttr("update_rule", name)) }
	one := func(v float32) *tensor.Tensor { return f32s([]int{1, 1, 1}, v) }
	register(&Spec{
		Name: "LinearAttention", Since: 27, Half: true, HalfLike: []int{0, 3}, Attrs: []string{"chunk_size", "kv_num_heads", "q_num_heads", "scale", "update_rule"}, In: Arity{3, 6}, Out: Arity{1, 2},
		Infer: inferLinearAttention, Compile: compileLinearAttention, Grad: gradLinearAttention, Cases: []Case{
			{
				Name: "linear", Attrs: rule("linear"), In: in(f32s([]int{1, 2, 1}, 1, 2), f32s([]int{1, 2, 1}, 3, 4), f32s([]int{1, 2, 1}, 5, 6)),
				Out: in(f32s([]int{1, 2, 1}, 15, 78), f32s([]int{1, 1, 1, 1}, 39)),
			},
			{
				Name: "gated", Attrs: rule("gated"), In: in(one(1), one(2), one(3), f32s([]int{1, 1, 1, 1}, 4), one(-math.Ln2)),
				Out: in(one(8), f32s([]int{1, 1, 1, 1}, 8)),
			},
			{
				Name: "gated delta", Attrs: heads, In: in(one(1), one(2), one(3), f32s([]int{1, 1, 1, 1}, 4), one(-math.Ln2), one(.5)),
				Out: in(one(1), f32s([]int{1, 1, 1, 1}, 1)),
			},
			{Name: "no beta", Attrs: rule("delta"), In: in(one(1), one(2), one(3)), Err: "beta"},
		},
	})
}

func inferLinearAttention(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "chunk_size", "kv_num_heads", "q_num_heads"); err != nil {
		return nil, err
	}
	if err := kind(n, "scale", graph.AttrFloat); err != nil {
		return nil, err
	}
	if err := kind(n, "update_rule", graph.AttrString); err != nil {
		return nil, err
	}
	heads, kv := n.Int("q_num_heads", 0), n.Int("kv_num_heads", 0)
	if kv < 1 || heads < 1 || heads%kv != 0 || heads > 1<<30 {
		return nil, bad(n, "q_num_heads is not a positive multiple of kv_num_heads")
	}
	gated, delta, err := linearRule(n)
	if err != nil {
		return nil, err
	}
	if has := site.typ(4).DType != tensor.Undefined; has != gated {
		return nil, bad(n, "decay goes with the rules gated and gated_delta, and only with them")
	}
	if has := site.typ(5).DType != tensor.Undefined; has != delta {
		return nil, bad(n, "beta goes with the rules delta and gated_delta, and only with them")
	}
	if err := oneOf(n, site.Types[0], tensor.Float32); err != nil {
		return nil, err
	}
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	dim := func(i, axis int, by int64) tensor.Dim {
		t := site.typ(i)
		if t.Unranked || axis >= len(t.Dims) || t.Dims[axis].Size == tensor.Free {
			return free
		}
		if by == 1 {
			return t.Dims[axis]
		}
		return tensor.Dim{Size: t.Dims[axis].Size / int(by)}
	}
	width := dim(2, 2, kv)
	hidden := free
	if width.Size != tensor.Free {
		hidden.Size = width.Size * int(heads)
	}
	batch := dim(0, 0, 1)
	return []tensor.Type{
		{DType: tensor.Float32, Dims: []tensor.Dim{batch, dim(0, 1, 1), hidden}},
		{DType: tensor.Float32, Dims: []tensor.Dim{batch, {Size: int(kv)}, dim(1, 2, kv), width}},
	}[:len(n.Outputs)], nil
}

// linearRule reads update_rule.
func linearRule(n *graph.Node) (gated, delta bool, err error) {
	switch rule := n.Str("update_rule", "gated_delta"); rule {
	case "linear":
		return false, false, nil
	case "gated":
		return true, false, nil
	case "delta":
		return false, true, nil
	case "gated_delta":
		return true, true, nil
	default:
		return false, false, refuseAttr(n, "update_rule", rule)
	}
}

// linearAttention is one call.
type linearAttention struct {
	q, k, v, y       headed[float32]
	state            headed[float32]
	past             []float32 // the state before the first token, nil for zeros
	decay, beta      []float32
	wideDecay, beta1 bool // decay by element of the key; beta for all heads
	scale            float32
	ctx              context.Context
	seen             *scratch[float32]
}

var linearAttentions crew[linearAttention]

func compileLinearAttention(n *graph.Node, site *Site) (Kernel, error) {
	heads, kv, scale, threads := n.Int("q_num_heads", 0), n.Int("kv_num_heads", 0), n.Float("scale", 0), site.Threads
	var memory, states scratch[float32]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		l, err := linearAttentionOf(n.Op, in, heads, kv, scale)
		if err != nil {
			return err
		}
		l.ctx, l.seen = ctx, &memory
		if out[0] == nil {
			out[0] = new(tensor.Tensor)
		}
		if err := Reset(ctx, out[0], tensor.Float32, l.q.batches, l.q.n, l.q.heads*l.v.width); err != nil {
			return err
		}
		if l.y, err = headedOf(n.Op, "output", out[0].F32(), out[0].Shape(), heads); err != nil {
			return err
		}
		if present := outputOf(out, 1); present != nil {
			if err := Reset(ctx, present, tensor.Float32, l.k.batches, l.k.heads, l.k.width, l.v.width); err != nil {
				return err
			}
			l.state = packedHeads(present.F32(), l.k.batches, l.k.heads, l.k.width, l.v.width)
		} else {
			m := states.take(l.k.batches * l.k.heads * l.k.width * l.v.width)
			defer states.put(m)
			l.state = packedHeads(*m, l.k.batches, l.k.heads, l.k.width, l.v.width)
		}
		linearAttentions.run(ctx, threads, l.k.batches*l.k.heads, 1, l, (*linearAttention).some)
		return ctx.Err()
	}, nil
}

// linearAttentionOf sees the inputs of a call.
func linearAttentionOf(op string, in []*tensor.Tensor, heads, kv int64, scale float32) (l linearAttention, err error) {
	if l.q, err = headedOf(op, "query", in[0].F32(), in[0].Shape(), heads); err != nil {
		return l, err
	}
	if l.k, err = headedOf(op, "key", in[1].F32(), in[1].Shape(), kv); err != nil {
		return l, err
	}
	if l.v, err = headedOf(op, "value", in[2].F32(), in[2].Shape(), kv); err != nil {
		return l, err
	}
	if in[0].Rank() != 3 || in[1].Rank() != 3 || in[2].Rank() != 3 || l.q.batches != l.k.batches || l.q.batches != l.v.batches || l.q.n != l.k.n || l.q.n != l.v.n || l.q.width != l.k.width {
		return l, misfit(op, "shapes do not fit: "+shapeText(in[0].Shape())+", "+shapeText(in[1].Shape())+" and "+shapeText(in[2].Shape()))
	}
	if l.scale = scale; scale == 0 {
		l.scale = float32(1 / math.Sqrt(float64(l.q.width)))
	}
	if len(in) > 3 && in[3] != nil {
		if s := in[3].Shape(); len(s) != 4 || s[0] != l.k.batches || s[1] != l.k.heads || s[2] != l.k.width || s[3] != l.v.width {
			return l, misfit(op, "past_state "+shapeText(s)+" does not fit")
		}
		l.past = in[3].F32()
	}
	return l, l.gates(op, in[:min(len(in), 6)])
}

// gates takes in decay and beta.
func (l *linearAttention) gates(op string, in []*tensor.Tensor) error {
	for i := 4; i < len(in); i++ {
		if in[i] == nil {
			continue
		}
		s := in[i].Shape()
		if len(s) != 3 || s[0] != l.k.batches || s[1] != l.k.n {
			return misfit(op, "decay or beta "+shapeText(s)+" does not fit")
		}
		switch {
		case i == 4 && s[2] == l.k.heads:
			l.decay = in[i].F32()
		case i == 4 && s[2] == l.k.heads*l.k.width:
			l.decay, l.wideDecay = in[i].F32(), true
		case i == 5 && s[2] == l.k.heads:
			l.beta = in[i].F32()
		case i == 5 && s[2] == 1:
			l.beta, l.beta1 = in[i].F32(), true
		default:
			return misfit(op, "decay or beta "+shapeText(s)+" does not fit")
		}
	}
	return nil
}

// some does the kv heads lo to hi of all batches.
func (l *linearAttention) some(lo, hi int) {
	for i := lo; i < hi; i++ {
		l.head(i/l.k.heads, i%l.k.heads)
	}
}

// head does all tokens of one kv head.
func (l *linearAttention) head(b, h int) {
	d, width := l.k.width, l.v.width
	memory := l.seen.take(width)
	defer l.seen.put(memory)
	state := l.state.at(b, h, 0)[:d*width]
	l.begin(state, b, h)
	for t := 0; t < l.k.n && l.ctx.Err() == nil; t++ {
		l.token(state, *memory, b, h, t)
		group := l.q.heads / l.k.heads
		for g := range group {
			y := l.y.at(b, h*group+g, t)[:width]
			clear(y)
			for i, x := range l.q.at(b, h*group+g, t)[:d] {
				kernel.Accumulate(y, state[i*width:][:width], x*l.scale)
			}
		}
	}
}

// begin makes the state of a head what it is before the first token.
func (l *linearAttention) begin(state []float32, b, h int) {
	if l.past == nil {
		clear(state)
		return
	}
	copy(state, l.past[(b*l.k.heads+h)*len(state):])
}

// token has a token change the state of its head by k⊗change, change (width) being filled.
func (l *linearAttention) token(state, change []float32, b, h, t int) {
	at, width := b*l.k.n+t, l.v.width
	if l.decay != nil {
		l.forget(state, at, h)
	}
	k := l.k.at(b, h, t)[:l.k.width]
	copy(change, l.v.at(b, h, t)[:width])
	if l.beta != nil {
		l.missed(change, state, k)
		rate := l.rate(at, h)
		for i := range change {
			change[i] *= rate
		}
	}
	for i, x := range k {
		kernel.Accumulate(state[i*width:][:width], change, x)
	}
}

// missed takes from v, in change, what the state gives for the key k: v - Sᵀk.
func (l *linearAttention) missed(change, state, k []float32) {
	for i, x := range k {
		kernel.Accumulate(change, state[i*len(change):][:len(change)], -x)
	}
}

// rate is beta of a head at a token, which is counted through all batches.
func (l *linearAttention) rate(at, h int) float32 {
	return l.beta[at*l.betaWidth()+h*(l.betaWidth()/l.k.heads)]
}

// betaWidth is the last dimension of beta.
func (l *linearAttention) betaWidth() int {
	if l.beta1 {
		return 1
	}
	return l.k.heads
}

// forget multiplies the state by e^decay.
func (l *linearAttention) forget(state []float32, at, h int) {
	width := l.v.width
	for i := range l.k.width {
		keep := l.keep(at, h, i)
		for j := range state[i*width:][:width] {
			state[i*width+j] *= keep
		}
	}
}

// keep is e^decay for row i of the state of a head.
func (l *linearAttention) keep(at, h, i int) float32 {
	at = at*l.k.heads + h
	if l.wideDecay {
		at = at*l.k.width + i
	}
	return float32(math.Exp(float64(l.decay[at])))
}
