//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Attention: y = softmax(softcap(scale·Q·Kᵀ) + mask)·V by head. https://onnx.ai/onnx/operators/onnx__Attention.html
// Q (b, heads, l, d), K (b, kv heads, s, d), V (b, kv heads, s, v), or (b, l, heads·d) and so on with q_num_heads and kv_num_heads; query head
// h reads the kv head h·kv heads/heads. past_key and past_value stand before K and V, t keys in all; present_key and present_value are both
// together. The mask broadcasts to (b, heads, l, t); a short last dimension hides the rest. A query that sees no key gets zeros, as in
// onnxruntime. softmax_precision asks for a precision: at least that is used.
func init() {
	q, k, v := f64s([]int{1, 1, 2, 1}, 0, 1), f64s([]int{1, 1, 2, 1}, 1, 2), f64s([]int{1, 1, 2, 1}, 3, 5)
	e := math.E
	soft := 3/(1+e) + 5*e/(1+e)
	low, high := 2*math.Tanh(.5), 2*math.Tanh(1)
	tilted := math.Exp(high) / (math.Exp(high) + math.Exp(1+low))
	cases := []Case{
		{In: in(q, k, v), Out: in(f64s([]int{1, 1, 2, 1}, 4, soft))},
		{Name: "causal", Attrs: []graph.Attr{graph.IntAttr("is_causal", 1)}, In: in(q, k, v), Out: in(f64s([]int{1, 1, 2, 1}, 3, soft))},
		{Name: "hidden", In: in(q, k, v, boolMatrix(2, 2, false, false, true, false)), Out: in(f64s([]int{1, 1, 2, 1}, 0, 3))},
		{Name: "short mask", In: in(q, k, v, f64s([]int{1, 1}, 7)), Out: in(f64s([]int{1, 1, 2, 1}, 3, 3))},
		{
			Name: "past", Attrs: []graph.Attr{graph.IntAttr("is_causal", 1), graph.FloatAttr("scale", 2)}, In: in(f64s([]int{1, 1, 1, 1}, .5), f64s([]int{1, 1, 1, 1}, 2), f64s([]int{1, 1, 1, 1}, 5), nil, f64s([]int{1, 1, 1, 1}, 1), f64s([]int{1, 1, 1, 1}, 3)),
			Out: in(f64s([]int{1, 1, 1, 1}, soft), f64s([]int{1, 1, 2, 1}, 1, 2), f64s([]int{1, 1, 2, 1}, 3, 5), f64s([]int{1, 1, 1, 2}, 1, 2)),
		},
		{
			Name: "groups in rows", Attrs: []graph.Attr{graph.IntAttr("q_num_heads", 2), graph.IntAttr("kv_num_heads", 1), graph.FloatAttr("softcap", 1), graph.IntAttr("qk_matmul_output_mode", 1)},
			In:  in(f64s([]int{1, 1, 2}, 0, 1), f64s([]int{1, 2, 1}, 1, 1), f64s([]int{1, 2, 1}, 3, 5)),
			Out: in(f64s([]int{1, 1, 2}, 4, 4), f64s([]int{1, 1, 2, 1}, 1, 1), f64s([]int{1, 1, 2, 1}, 3, 5), f64s([]int{1, 2, 1, 2}, 0, 0, math.Tanh(1), math.Tanh(1))),
		},
		{
			Name: "learned mask", Attrs: []graph.Attr{graph.FloatAttr("softcap", 2), graph.IntAttr("qk_matmul_output_mode", 2)}, In: in(q, k, v, f64s([]int{1, 2}, 1, 0)),
			Out: in(f64s([]int{1, 1, 2, 1}, 3+2/(1+e), 3+2*tilted), f64s([]int{1, 1, 2, 1}, 1, 2), f64s([]int{1, 1, 2, 1}, 3, 5), f64s([]int{1, 1, 2, 2}, 1, 0, 1+low, high)),
		},
		{
			Name: "weights shown", Attrs: []graph.Attr{graph.IntAttr("is_causal", 1), graph.IntAttr("qk_matmul_output_mode", 3)}, In: in(q, k, v, f64s([]int{1, 1}, .5)),
			Out: in(f64s([]int{1, 1, 2, 1}, 3, 3), f64s([]int{1, 1, 2, 1}, 1, 2), f64s([]int{1, 1, 2, 1}, 3, 5), f64s([]int{1, 1, 2, 2}, 1, 0, 1, 0)),
		},
		{Name: "heads", In: in(f64s([]int{1, 3, 1, 1}, 1, 2, 3), f64s([]int{1, 2, 1, 1}, 1, 2), f64s([]int{1, 2, 1, 1}, 1, 2)), Err: "heads"},
	}
	register(&Spec{Name: "Attention", Since: 23, Half: true, HalfLike: []int{0, 1, 2, 0}, Attrs: attentionAttrs, In: Arity{3, 6}, Out: Arity{1, 4}, Infer: inferAttention, Compile: compileAttention, Grad: gradAttention, Cases: withOpset(23, cases)})
	register(&Spec{Name: "Attention", Since: 24, Half: true, HalfLike: []int{0, 1, 2, 0}, Attrs: attentionAttrs, In: Arity{3, 7}, Out: Arity{1, 4}, Infer: inferAttention, Compile: compileAttention, Grad: gradAttention, Cases: []Case{
		{Name: "padded", Opset: 24, In: in(q, k, v, nil, nil, nil, i64v(1)), Out: in(f64s([]int{1, 1, 2, 1}, 3, 3))},
	}})
}

// attentionAttrs are the attributes of Attention.
var attentionAttrs = []string{"is_causal", "kv_num_heads", "q_num_heads", "qk_matmul_output_mode", "scale", "softcap", "softmax_precision"}

// attentionMasks are the element types of masks; float16 and bfloat16 come as float32.
var attentionMasks = []tensor.DType{
	tensor.Bool, tensor.Float32, tensor.Float64, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64,
}

// withOpset gives cases an opset.
func withOpset(opset int64, cases []Case) []Case {
	for i := range cases {
		cases[i].Opset = opset
	}
	return cases
}

// boolMatrix is a bool tensor (rows, columns).
func boolMatrix(rows, columns int, v ...bool) *tensor.Tensor {
	return shaped(tensor.Bool, []int{rows, columns}, v)
}

func inferAttention(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "is_causal", "kv_num_heads", "q_num_heads", "qk_matmul_output_mode", "softmax_precision"); err != nil {
		return nil, err
	}
	if err := kinds(n, graph.AttrFloat, "scale", "softcap"); err != nil {
		return nil, err
	}
	if m := n.Int("qk_matmul_output_mode", 0); m < 0 || m > 3 {
		return nil, bad(n, "qk_matmul_output_mode is not 0, 1, 2 or 3")
	}
	if err := softmaxPrecision(n); err != nil {
		return nil, err
	}
	d := site.Types[0].DType
	if err := oneOf(n, site.Types[0], floats...); err != nil {
		return nil, err
	}
	for _, i := range []int{1, 2, 4, 5} {
		if t := site.typ(i); t.DType != tensor.Undefined && t.DType != d {
			return nil, bad(n, "inputs of different types: "+d.String()+" and "+t.DType.String())
		}
	}
	if m := site.typ(3); m.DType != tensor.Undefined {
		if err := oneOf(n, m, attentionMasks...); err != nil {
			return nil, err
		}
	}
	if (site.typ(4).DType == tensor.Undefined) != (site.typ(5).DType == tensor.Undefined) {
		return nil, bad(n, "past_key and past_value go together")
	}
	if t := site.typ(6); t.DType != tensor.Undefined && (t.DType != tensor.Int64 || site.typ(4).DType != tensor.Undefined) {
		return nil, bad(n, "nonpad_kv_seqlen is not int64, or stands beside past_key")
	}
	types, err := attentionTypes(n, site)
	if err != nil {
		return nil, err
	}
	return types[:len(n.Outputs)], nil
}

// softmaxPrecision checks the attribute of that name.
func softmaxPrecision(n *graph.Node) error {
	switch p := n.Int("softmax_precision", 1); p {
	case 1, 10, 11, 16:
		return nil
	default:
		return refuseAttr(n, "softmax_precision", itoa(p))
	}
}

// attentionTypes infers all four outputs.
func attentionTypes(n *graph.Node, site *Site) ([]tensor.Type, error) {
	q, k, v := site.Types[0], site.Types[1], site.Types[2]
	d := q.DType
	open := tensor.Type{DType: d, Dims: []tensor.Dim{free, free, free, free}}
	if q.Unranked {
		return []tensor.Type{unranked(d), open, open, open}, nil
	}
	rank := len(q.Dims)
	if rank != 3 && rank != 4 {
		return nil, bad(n, "Q has the type "+q.String()+", not 3 or 4 dimensions")
	}
	dim := func(t tensor.Type, i int) tensor.Dim {
		if t.Unranked || i >= len(t.Dims) {
			return free
		}
		return t.Dims[i]
	}
	total := dim(k, rank-2)
	if past := site.typ(4); past.DType != tensor.Undefined {
		if p := dim(past, 2); p.Size != tensor.Free && total.Size != tensor.Free {
			total = tensor.Dim{Size: p.Size + total.Size}
		} else {
			total = free
		}
	}
	if rank == 4 {
		batch, heads := dim(q, 0), dim(q, 1)
		return []tensor.Type{
			{DType: d, Dims: []tensor.Dim{batch, heads, dim(q, 2), dim(v, 3)}},
			{DType: d, Dims: []tensor.Dim{batch, dim(k, 1), total, dim(k, 3)}},
			{DType: d, Dims: []tensor.Dim{batch, dim(v, 1), total, dim(v, 3)}},
			{DType: d, Dims: []tensor.Dim{batch, heads, dim(q, 2), total}},
		}, nil
	}
	heads, kv := n.Int("q_num_heads", 0), n.Int("kv_num_heads", 0)
	if heads < 1 || kv < 1 || heads > 1<<30 || kv > 1<<30 {
		return nil, bad(n, "inputs of 3 dimensions without q_num_heads and kv_num_heads")
	}
	part := func(t tensor.Dim, by int64) tensor.Dim {
		if t.Size == tensor.Free {
			return free
		}
		return tensor.Dim{Size: t.Size / int(by)}
	}
	width := part(dim(v, 2), kv)
	hidden := free
	if width.Size != tensor.Free {
		hidden = tensor.Dim{Size: width.Size * int(heads)}
	}
	batch, count := dim(q, 0), tensor.Dim{Size: int(kv)}
	return []tensor.Type{
		{DType: d, Dims: []tensor.Dim{batch, dim(q, 1), hidden}},
		{DType: d, Dims: []tensor.Dim{batch, count, total, part(dim(k, 2), kv)}},
		{DType: d, Dims: []tensor.Dim{batch, count, total, width}},
		{DType: d, Dims: []tensor.Dim{batch, {Size: int(heads)}, dim(q, 1), total}},
	}, nil
}

func compileAttention(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return newAttention(tensor.Data[float32], n, site, expRow).run, nil
	}
	return newAttention(tensor.Data[float64], n, site, expRow64).run, nil
}

// attention is what is known when a node is compiled.
type attention[T float] struct {
	data           lane[T]
	dtype          tensor.DType
	heads, kv      int64 // of inputs with 3 dimensions
	scale          float64
	softcap        float64
	causal         bool
	mode           int64
	threads        int
	exps           func(row []T, top T) float64
	weights        func(row []T, scale T, mask []T) // nil, or what makes weights of scores in place of all that the fields above ask for
	gemm           gemm[T]
	rows           scratch[T]
	masks          scratch[tensor.Tensor]
	keys, vals     scratch[T]
	scaleByDefault bool
	parts          kept[attentionPart[T]]
}

func newAttention[T float](data lane[T], n *graph.Node, site *Site, exps func(row []T, top T) float64) *attention[T] {
	return &attention[T]{
		data: data, dtype: site.Types[0].DType, heads: n.Int("q_num_heads", 0), kv: n.Int("kv_num_heads", 0),
		scale: float64(n.Float("scale", 0)), scaleByDefault: n.Attr("scale") == nil, softcap: float64(n.Float("softcap", 0)),
		causal: n.Int("is_causal", 0) != 0, mode: n.Int("qk_matmul_output_mode", 0), threads: max(site.Threads, 1), exps: exps,
	}
}

// headed is a tensor of vectors (batch, heads, rows, width) as it lies in memory.
type headed[T float] struct {
	data                     []T
	batch, head, row         int // steps
	batches, heads, n, width int
}

// at is the data from a vector on.
func (h *headed[T]) at(b, head, row int) []T {
	if len(h.data) == 0 {
		return nil
	}
	return h.data[b*h.batch+head*h.head+row*h.row:]
}

// headedOf sees x (b, h, n, w), or (b, n, heads·w), as vectors.
func headedOf[T float](op, name string, x []T, shape []int, heads int64) (headed[T], error) {
	h := headed[T]{data: x}
	switch len(shape) {
	case 4:
		h.batches, h.heads, h.n, h.width = shape[0], shape[1], shape[2], shape[3]
		h.row, h.head = h.width, h.n*h.width
		h.batch = h.heads * h.head
		return h, nil
	case 3:
		if heads < 1 || heads > int64(shape[2]) || int64(shape[2])%heads != 0 {
			return h, misfit(op, name+" "+shapeText(shape)+" is not divisible into "+itoa(heads)+" heads")
		}
		h.batches, h.heads, h.n, h.width = shape[0], int(heads), shape[1], shape[2]/int(heads)
		h.row, h.head, h.batch = shape[2], h.width, h.n*shape[2]
		return h, nil
	}
	return h, misfit(op, name+" "+shapeText(shape)+" has not 3 or 4 dimensions")
}

// packedHeads sees vectors that lie one after the other.
func packedHeads[T float](x []T, batches, heads, n, width int) headed[T] {
	return headed[T]{data: x, batches: batches, heads: heads, n: n, width: width, row: width, head: n * width, batch: heads * n * width}
}

func (a *attention[T]) run(ctx context.Context, in, out []*tensor.Tensor) error {
	input := func(i int) *tensor.Tensor {
		if i < len(in) {
			return in[i]
		}
		return nil
	}
	q, k, v, err := a.operands(in)
	if err != nil {
		return err
	}
	c := attentionCall[T]{attention: a, q: q, scale: T(a.scale)}
	if a.scaleByDefault {
		c.scale = T(1 / math.Sqrt(float64(q.width)))
	}
	if past := input(4); past != nil {
		c.past = past.Rank() - 4 // 0, or refused by join
		if past.Rank() == 4 {
			c.past = past.Shape()[2]
		}
	}
	key, memory, err := a.join(ctx, "past_key", input(4), k, outputOf(out, 1), &a.keys)
	if err != nil {
		return err
	}
	defer a.keys.put(memory)
	value, memory, err := a.join(ctx, "past_value", input(5), v, outputOf(out, 2), &a.vals)
	if err != nil {
		return err
	}
	defer a.vals.put(memory)
	if c.k, c.v = key, value; c.k.n != c.v.n {
		return misfit("Attention", "keys and values of different number")
	}
	if err := c.lengths(input(6)); err != nil {
		return err
	}
	mask, err := c.setMask(ctx, input(3))
	defer a.masks.put(mask)
	if err != nil {
		return err
	}
	if qk := outputOf(out, 3); qk != nil {
		if err := Reset(ctx, qk, a.dtype, q.batches, q.heads, q.n, c.k.n); err != nil {
			return err
		}
		c.qk = a.data(qk)
	}
	if out[0] == nil {
		out[0] = new(tensor.Tensor)
	}
	if in[0].Rank() == 3 {
		err = Reset(ctx, out[0], a.dtype, q.batches, q.n, q.heads*c.v.width)
	} else {
		err = Reset(ctx, out[0], a.dtype, q.batches, q.heads, q.n, c.v.width)
	}
	if err != nil {
		return err
	}
	if c.y, err = headedOf("Attention", "Y", a.data(out[0]), out[0].Shape(), int64(q.heads)); err != nil {
		return err
	}
	return c.all(ctx)
}

// outputOf is output i, nil where nobody wants it.
func outputOf(out []*tensor.Tensor, i int) *tensor.Tensor {
	if i < len(out) {
		return out[i]
	}
	return nil
}

// operands checks Q, K and V against each other.
func (a *attention[T]) operands(in []*tensor.Tensor) (q, k, v headed[T], err error) {
	if q, err = headedOf("Attention", "Q", a.data(in[0]), in[0].Shape(), a.heads); err != nil {
		return
	}
	if k, err = headedOf("Attention", "K", a.data(in[1]), in[1].Shape(), a.kv); err != nil {
		return
	}
	if v, err = headedOf("Attention", "V", a.data(in[2]), in[2].Shape(), a.kv); err != nil {
		return
	}
	switch {
	case in[0].Rank() != in[1].Rank() || in[0].Rank() != in[2].Rank():
		err = misfit("Attention", "Q, K and V have different numbers of dimensions")
	case q.batches != k.batches || q.batches != v.batches || k.n != v.n || q.width != k.width:
		err = misfit("Attention", "shapes do not fit: "+shapeText(in[0].Shape())+", "+shapeText(in[1].Shape())+" and "+shapeText(in[2].Shape()))
	case k.heads != v.heads || k.heads == 0 && q.heads != 0 || k.heads != 0 && q.heads%k.heads != 0:
		err = misfit("Attention", itoa(int64(q.heads))+" heads of Q do not fit "+itoa(int64(k.heads))+" and "+itoa(int64(v.heads))+" of K and V")
	}
	return
}

// join writes past and x one after the other to out, or to borrowed memory when nobody wants them; without past and out it is x.
func (a *attention[T]) join(ctx context.Context, name string, past *tensor.Tensor, x headed[T], out *tensor.Tensor, memory *scratch[T]) (all headed[T], borrowed *[]T, err error) {
	before := 0
	var old headed[T]
	if past != nil {
		s := past.Shape()
		if len(s) != 4 || s[0] != x.batches || s[1] != x.heads || s[3] != x.width {
			return x, nil, misfit("Attention", name+" "+shapeText(s)+" does not fit")
		}
		old, before = packedHeads(a.data(past), s[0], s[1], s[2], s[3]), s[2]
	}
	if past == nil && out == nil {
		return x, nil, nil
	}
	total := before + x.n
	var data []T
	if out != nil {
		if err := Reset(ctx, out, a.dtype, x.batches, x.heads, total, x.width); err != nil {
			return x, nil, err
		}
		data = a.data(out)
	} else {
		borrowed = memory.take(x.batches * x.heads * total * x.width)
		data = *borrowed
	}
	all = packedHeads(data, x.batches, x.heads, total, x.width)
	if len(data) == 0 {
		return all, borrowed, nil
	}
	for b := range x.batches {
		for h := range x.heads {
			to := all.at(b, h, 0)
			copy(to[:before*x.width], old.at(b, h, 0))
			for i := range x.n {
				copy(to[(before+i)*x.width:][:x.width], x.at(b, h, i))
			}
		}
	}
	return all, borrowed, nil
}
