package exec

import (
	"math"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// sines are numbers between -1 and 1.
func sines(seed int, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(math.Sin(float64(seed+2) * float64(i+1)))
	}
	return t
}

// TestGradientOfLinearAttention: every rule and layout of decay and beta, over more tokens than one kept state covers.
func TestGradientOfLinearAttention(t *testing.T) {
	for _, c := range []struct {
		name, rule  string
		heads, kv   int
		decay, beta int // their last dimension, or 0
		past        bool
	}{
		{name: "linear, two queries a head", rule: "linear", heads: 4, kv: 2},
		{name: "decay of a head", rule: "gated", heads: 2, kv: 2, decay: 2, past: true},
		{name: "decay of an element", rule: "gated", heads: 2, kv: 1, decay: 3},
		{name: "delta, one beta", rule: "delta", heads: 2, kv: 2, beta: 1},
		{name: "all", rule: "gated_delta", heads: 4, kv: 2, decay: 6, beta: 2, past: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			const b, tokens, d, v = 2, 5, 3, 2
			in := []*tensor.Tensor{sines(1, b, tokens, c.heads*d), sines(2, b, tokens, c.kv*d), sines(3, b, tokens, c.kv*v), nil, nil, nil}
			if c.past {
				in[3] = sines(4, b, c.kv, d, v)
			}
			if c.decay > 0 {
				in[4] = sines(5, b, tokens, c.decay)
			}
			if c.beta > 0 {
				in[5] = sines(6, b, tokens, c.beta)
			}
			n := op.Case{
				Attrs: []graph.Attr{graph.IntAttr("q_num_heads", int64(c.heads)), graph.IntAttr("kv_num_heads", int64(c.kv)), graph.StringAttr("update_rule", c.rule)},
				In:    in,
				Out:   []*tensor.Tensor{sines(0, b, tokens, c.heads*v), sines(0, b, c.kv, d, v)},
			}
			checkGradientOf(t, op.Lookup("", "LinearAttention", 27), &n, tensor.Float32)
			n.Out = n.Out[:1]
			checkGradientOf(t, op.Lookup("", "LinearAttention", 27), &n, tensor.Float32)
		})
	}
}
