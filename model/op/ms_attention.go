//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// com.microsoft Attention: that of BERT, with the projection of the input (b, s, h) to queries, keys and values in one product; QAttention: the
// same of quantised input and weight; MultiHeadAttention: without projection; RotaryEmbedding. Masks are (b, keys) or (b, s, keys) of 0 and 1, or
// (b) of lengths; hidden keys get mask_filter_value added. Packed and 4-dimensional inputs of MultiHeadAttention are not built.
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
func init() {
	heads := graph.IntAttr("num_heads", 1)
	x, w := f32s([]int{1, 2, 1}, 0, 1), f32s([]int{1, 3}, 1, 1, 2)
	e := float32(math.E)
	soft := 2 * e / (1 + e)
	attrs := []string{"do_rotary", "mask_filter_value", "num_heads", "past_present_share_buffer", "rotary_embedding_dim", "scale", "unidirectional"}
	msSpec(microsoft, "Attention", 1, append([]string{"qkv_hidden_sizes"}, attrs...), Arity{3, 7}, Arity{1, 2}, true, func(n *graph.Node, p *msParts) []graph.Value {
		all := p.op("Add", nil, p.op("MatMul", nil, p.in(0), p.in(1)), p.in(2))
		if p.in(6) != "" {
			p.fail(bad(n, "past_sequence_length is not built"))
		}
		return p.bert(all, p.in(3), p.in(4), p.in(5))
	}).Cases = []Case{
		{Attrs: []graph.Attr{heads}, In: in(x, w, f32v(0, 0, 0)), Out: in(f32s([]int{1, 2, 1}, 1, soft))},
		{Name: "causal", Attrs: []graph.Attr{heads, graph.IntAttr("unidirectional", 1)}, In: in(x, w, f32v(0, 0, 0)), Out: in(f32s([]int{1, 2, 1}, 0, soft))},
		{Name: "lengths", Attrs: []graph.Attr{heads}, In: in(x, w, f32v(0, 0, 1), i32v(1)), Out: in(f32s([]int{1, 2, 1}, 1, 1))},
	}
	msSpec(microsoft, "QAttention", 1, attrs, Arity{5, 9}, Arity{1, 2}, true, func(n *graph.Node, p *msParts) []graph.Value {
		return p.bert(p.byteProduct(p.in(0), p.in(1), p.in(3), p.in(4), p.in(6), p.in(7), p.in(2)), p.in(5), p.in(8), "")
	}, 3, 3).Cases = []Case{{
		Attrs: []graph.Attr{heads}, In: in(shaped(tensor.Uint8, []int{1, 2, 1}, []uint8{3, 5}), shaped(tensor.Int8, []int{1, 3}, []int8{1, 1, 2}), f32v(0, 0, 0), f32s(nil, .5), f32s(nil, 1), nil, shaped(tensor.Uint8, nil, []uint8{3})),
		Out: in(f32s([]int{1, 2, 1}, 1, soft)),
	}}
	msSpec(microsoft, "MultiHeadAttention", 1, []string{"mask_filter_value", "num_heads", "scale", "unidirectional"}, Arity{3, 8}, Arity{1, 3}, true, bodyMultiHead).Cases = []Case{
		{Attrs: []graph.Attr{heads}, In: in(x, x, f32s([]int{1, 2, 1}, 0, 2), f32v(0, 0, 1)), Out: in(f32s([]int{1, 2, 1}, 2, soft+1))},
		{Name: "packed", Attrs: []graph.Attr{heads}, In: in(x, f32s([]int{1, 1, 2, 1}, 0, 2), f32s([]int{1, 1, 2, 1}, 0, 2)), Err: "dimensions"},
	}
	msSpec(microsoft, "RotaryEmbedding", 1, []string{"interleaved", "is_packed_batching", "num_heads", "rotary_embedding_dim", "scale"}, Arity{4, 4}, Arity{1, 1}, true, bodyMSRotary).Cases = []Case{
		{In: in(f32s([]int{1, 1, 2, 4}, 1, 2, 3, 4, 5, 6, 7, 8), i64v(1), f32s([]int{3, 2}, 9, 9, 0, 1, 1, 0), f32s([]int{3, 2}, 9, 9, 1, 0, 0, 1)), Out: in(f32s([]int{1, 1, 2, 4}, -3, 2, 1, 4, 5, -8, 7, 6))},
	}
}

// bert attends within all (b, s, q + k + v), the projections beside each other.
func (p *msParts) bert(all, mask, past, bias graph.Value) []graph.Value {
	n := p.n
	for _, name := range []string{"do_rotary", "past_present_share_buffer"} {
		if n.Int(name, 0) != 0 {
			p.fail(refuseAttr(n, name, "1"))
		}
	}
	shape := p.shape(all)
	if p.err == nil && len(shape) != 3 {
		p.fail(misfit(n.Op, "an input that has not 3 dimensions"))
	}
	if p.err != nil {
		return nil
	}
	sizes := n.Ints("qkv_hidden_sizes")
	if len(sizes) == 0 {
		third := int64(shape[2] / 3)
		sizes = []int64{third, third, int64(shape[2]) - 2*third}
	}
	if p.err == nil && (len(sizes) != 3 || min(sizes[0], sizes[1], sizes[2]) < 1) {
		p.fail(bad(n, "qkv_hidden_sizes that are not three positive numbers"))
	}
	if p.err != nil {
		return nil
	}
	parts := p.ops("Split", 3, []graph.Attr{graph.IntAttr("axis", -1)}, all, p.ints(sizes...))
	var pastKey, pastValue graph.Value
	if past != "" {
		halves := p.ops("Split", 2, []graph.Attr{graph.IntAttr("num_outputs", 2)}, past)
		pastKey, pastValue = p.op("Squeeze", nil, halves[0], p.ints(0)), p.op("Squeeze", nil, halves[1], p.ints(0))
	}
	out := p.attend(parts[0], parts[1], parts[2], all, mask, bias, pastKey, pastValue)
	if len(n.Outputs) < 2 {
		return out[:1]
	}
	both := p.op("Concat", []graph.Attr{graph.IntAttr("axis", 0)}, p.op("Unsqueeze", nil, out[1], p.ints(0)), p.op("Unsqueeze", nil, out[2], p.ints(0)))
	return []graph.Value{out[0], both}
}

// attend is Attention of ai.onnx with masks turned into what is added to the scores; keys (b, keys, …) is a value that tells their number. Outputs: y and both presents.
func (p *msParts) attend(q, k, v, keys, mask, bias, pastKey, pastValue graph.Value) []graph.Value {
	n := p.n
	heads := n.Int("num_heads", 0)
	if heads < 1 {
		p.fail(bad(n, "num_heads is missing"))
	}
	attrs := []graph.Attr{graph.IntAttr("q_num_heads", heads), graph.IntAttr("kv_num_heads", heads), graph.IntAttr("is_causal", n.Int("unidirectional", 0))}
	if s := n.Float("scale", 0); s != 0 {
		attrs = append(attrs, graph.FloatAttr("scale", s))
	}
	added := bias
	if mask != "" {
		added = p.hiding(mask, keys, pastKey)
		if bias != "" {
			added = p.op("Add", nil, added, bias)
		}
	}
	in := []graph.Value{q, k, v}
	if added != "" || pastKey != "" {
		in = append(in, added)
	}
	if pastKey != "" {
		in = append(in, pastKey, pastValue)
	}
	return p.ops("Attention", 3, attrs, in...)
}

// past is the number of keys before those of this run.
func (p *msParts) past(pastKey graph.Value) int {
	at := 2
	if p.n.Op != "MultiHeadAttention" { // (2, b, heads, keys, width)
		at, pastKey = 3, p.in(map[string]int{"Attention": 4, "QAttention": 8}[p.n.Op])
	}
	s := p.shape(pastKey)
	if p.err == nil && len(s) != at+2 {
		p.fail(misfit(p.n.Op, "a past of the shape "+shapeText(s)))
	}
	if p.err != nil {
		return 0
	}
	return s[at]
}

// hiding makes of a mask what is added to the scores (b, heads, s, keys): mask_filter_value where a key is hidden.
func (p *msParts) hiding(mask, like, pastKey graph.Value) graph.Value {
	ends := p.n.Op != "MultiHeadAttention"
	shape, keys := p.shape(mask), p.shape(like)
	if p.err != nil {
		return ""
	}
	var seen graph.Value
	switch len(shape) {
	case 1: // lengths, and for Attention perhaps starts behind them
		total := int64(keys[1])
		if pastKey != "" {
			total += int64(p.past(pastKey))
		}
		batch := int64(keys[0])
		if total > 1<<24 || int64(shape[0]) != batch && (!ends || int64(shape[0]) != 2*batch) {
			p.fail(misfit(p.n.Op, "a mask "+shapeText(shape)+" of another form than is built"))
			return ""
		}
		places := make([]int32, total)
		for i := range places {
			places[i] = int32(i)
		}
		at := p.constant(tensor.FromSlice(tensor.Int32, places))
		end := p.op("Slice", nil, mask, p.ints(0), p.ints(batch))
		seen = p.op("Less", nil, at, p.op("Unsqueeze", nil, end, p.ints(1)))
		if int64(shape[0]) == 2*batch {
			start := p.op("Slice", nil, mask, p.ints(batch), p.ints(2*batch))
			seen = p.op("And", nil, seen, p.op("GreaterOrEqual", nil, at, p.op("Unsqueeze", nil, start, p.ints(1))))
		}
		seen = p.op("Unsqueeze", nil, seen, p.ints(1, 2))
	case 2:
		seen = p.op("Unsqueeze", nil, p.op("Cast", castTo(tensor.Bool), mask), p.ints(1, 2))
	case 3:
		seen = p.op("Unsqueeze", nil, p.op("Cast", castTo(tensor.Bool), mask), p.ints(1))
	default:
		p.fail(misfit(p.n.Op, "a mask of "+itoa(int64(len(shape)))+" dimensions is not built"))
		return ""
	}
	return p.op("Where", nil, seen, p.scalar(0), p.scalar(p.n.Float("mask_filter_value", -10000)))
}

func bodyMultiHead(n *graph.Node, p *msParts) []graph.Value {
	q, k, v := p.in(0), p.in(1), p.in(2)
	for _, x := range []graph.Value{q, k, v} {
		p.wantRank(x, 3)
	}
	if b := p.in(3); b != "" {
		sizes := []int64{int64(p.shape(q)[2]), int64(p.shape(k)[2]), int64(p.shape(v)[2])}
		if p.err != nil {
			return nil
		}
		parts := p.ops("Split", 3, nil, b, p.ints(sizes...))
		q, k, v = p.op("Add", nil, q, parts[0]), p.op("Add", nil, k, parts[1]), p.op("Add", nil, v, parts[2])
	}
	if (p.in(6) == "") != (p.in(7) == "") {
		p.fail(bad(n, "past_key without past_value"))
	}
	return p.attend(q, k, v, p.in(1), p.in(4), p.in(5), p.in(6), p.in(7))
}

func bodyMSRotary(n *graph.Node, p *msParts) []graph.Value {
	x, places := p.in(0), p.in(1)
	if n.Int("is_packed_batching", 0) != 0 {
		p.fail(refuseAttr(n, "is_packed_batching", "1"))
	}
	if s := n.Float("scale", 1); s != 1 {
		p.fail(refuseAttr(n, "scale", "other than 1"))
	}
	shape, cache := p.shape(x), p.shape(p.in(2))
	rank := p.rank(places)
	if p.err != nil {
		return nil
	}
	var length int
	heads := n.Int("num_heads", 0)
	switch {
	case len(cache) != 2 || cache[1] == 0 || len(shape) != 3 && len(shape) != 4:
		p.fail(misfit(n.Op, "shapes "+shapeText(shape)+" and "+shapeText(cache)+" do not fit"))
		return nil
	case len(shape) == 4:
		length, heads = shape[2], 0
	default:
		length = shape[1]
		if heads == 0 { // the width of a head is that of the cache
			heads = int64(shape[2] / (2 * cache[1]))
		}
	}
	if rank == 1 { // where the first position stands
		steps := make([]int64, min(length, 1<<24))
		for i := range steps {
			steps[i] = int64(i)
		}
		places = p.op("Unsqueeze", nil, p.op("Add", nil, places, p.ints(steps...)), p.ints(0))
	}
	attrs := []graph.Attr{graph.IntAttr("interleaved", n.Int("interleaved", 0)), graph.IntAttr("rotary_embedding_dim", n.Int("rotary_embedding_dim", 0))}
	if heads > 0 {
		attrs = append(attrs, graph.IntAttr("num_heads", heads))
	}
	return []graph.Value{p.op("RotaryEmbedding", attrs, x, p.in(2), p.in(3), places)}
}
