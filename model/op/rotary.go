//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// RotaryEmbedding: each pair (u, v) of a vector becomes (u·cos - v·sin, u·sin + v·cos), the angle depending on the position and the pair.
// https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html
// X (b, heads, s, d), or (b, s, heads·d) with num_heads. The caches are (positions, r/2) with position_ids (b, s), else (b, s, r/2).
// Pairs are neighbours with interleaved=1, else element i and i + r/2; r is rotary_embedding_dim, 0 for d; elements from r on stay.
func init() {
	attrs := []string{"interleaved", "num_heads", "rotary_embedding_dim"}
	x := f32s([]int{1, 1, 2, 4}, 1, 2, 3, 4, 5, 6, 7, 8)
	cos, sin := f32s([]int{3, 2}, 9, 9, 0, 1, 1, 0), f32s([]int{3, 2}, 9, 9, 1, 0, 0, 1)
	register(&Spec{Name: "RotaryEmbedding", Since: 23, Half: true, Attrs: attrs, In: Arity{3, 4}, Out: Arity{1, 1}, Infer: inferRotary, Compile: compileRotary, Grad: gradRotary, Cases: []Case{
		{Opset: 23, In: in(x, cos, sin, i64s([]int{1, 2}, 1, 2)), Out: in(f32s([]int{1, 1, 2, 4}, -3, 2, 1, 4, 5, -8, 7, 6))},
		{Name: "interleaved", Opset: 23, Attrs: []graph.Attr{graph.IntAttr("interleaved", 1)}, In: in(x, cos, sin, i64s([]int{1, 2}, 1, 2)), Out: in(f32s([]int{1, 1, 2, 4}, -2, 1, 3, 4, 5, 6, -8, 7))},
		{
			Name: "part of the vector", Opset: 23, Attrs: []graph.Attr{graph.IntAttr("rotary_embedding_dim", 2), graph.IntAttr("num_heads", 2)},
			In: in(f32s([]int{1, 1, 6}, 1, 2, 3, 4, 5, 6), f32s([]int{1, 1, 1}, 0), f32s([]int{1, 1, 1}, 1)), Out: in(f32s([]int{1, 1, 6}, -2, 1, 3, -5, 4, 6)),
		},
		{
			Name: "halves, real", Opset: 23, In: in(f64s([]int{1, 1, 2, 4}, 1, 2, 3, 4, 5, 6, 7, 8), f64s([]int{3, 2}, 9, 9, 0, 1, 1, 0), f64s([]int{3, 2}, 9, 9, 1, 0, 0, 1), i64s([]int{1, 2}, 1, 2)),
			Out: in(f64s([]int{1, 1, 2, 4}, -3, 2, 1, 4, 5, -8, 7, 6)),
		},
		{
			Name: "pairs of a part, real", Opset: 23, Attrs: []graph.Attr{graph.IntAttr("interleaved", 1), graph.IntAttr("rotary_embedding_dim", 2), graph.IntAttr("num_heads", 2)},
			In: in(f64s([]int{1, 1, 6}, 1, 2, 3, 4, 5, 6), f64s([]int{1, 1, 1}, 0), f64s([]int{1, 1, 1}, 1)), Out: in(f64s([]int{1, 1, 6}, -2, 1, 3, -5, 4, 6)),
		},
		{Name: "outside", Opset: 23, In: in(x, cos, sin, i64s([]int{1, 2}, 1, 3)), Err: "index 3"},
	}})
}

func inferRotary(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "interleaved", "num_heads", "rotary_embedding_dim"); err != nil {
		return nil, err
	}
	x := site.Types[0]
	if err := oneOf(n, x, floats...); err != nil {
		return nil, err
	}
	if site.Types[1].DType != x.DType || site.Types[2].DType != x.DType {
		return nil, bad(n, "caches of another type than the input")
	}
	if p := site.typ(3); p.DType != tensor.Undefined && p.DType != tensor.Int64 {
		return nil, bad(n, "position_ids that are not int64")
	}
	return []tensor.Type{x}, nil
}

func compileRotary(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return rotaryKernel(tensor.Data[float32], n, site), nil
	}
	return rotaryKernel(tensor.Data[float64], n, site), nil
}

// rotary is one call.
type rotary[T float] struct {
	x, y        headed[T]
	cos, sin    []T
	half        int // pairs of a vector
	interleaved bool
	places      []int64 // (b, s) rows of the caches, nil: they lie in order
	perBatch    int     // rows of the caches, or of places, from one image to the next
	ctx         context.Context
}

func rotaryKernel[T float](data lane[T], n *graph.Node, site *Site) Kernel {
	threads := site.Threads
	var runs kept[rotary[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		r := runs.take()
		defer runs.put(r)
		if err := r.set(ctx, n, data(in[0]), in); err != nil {
			return err
		}
		r.cos, r.sin = data(in[1]), data(in[2])
		if err := Reset(ctx, out[0], in[0].DType(), in[0].Shape()...); err != nil {
			return err
		}
		if r.y.data = data(out[0]); len(r.y.data) == 0 {
			return nil
		}
		copy(r.y.data, r.x.data)
		if x := &r.x; threads < 2 || len(x.data) < 2*normGrain {
			r.Do(0, x.batches*x.n)
		} else {
			spread(ctx, threads, x.batches*x.n, 1+normGrain/(x.heads*x.width), r)
		}
		return ctx.Err()
	}
}

// set begins a call of node n on x, in[0], with caches and positions behind it.
func (r *rotary[T]) set(ctx context.Context, n *graph.Node, data []T, in []*tensor.Tensor) error {
	x, err := headedOf(n.Op, "X", data, in[0].Shape(), n.Int("num_heads", 0))
	if err != nil {
		return err
	}
	turned := n.Int("rotary_embedding_dim", 0)
	if turned == 0 {
		turned = int64(x.width)
	}
	if turned < 0 || turned > int64(x.width) || turned%2 != 0 {
		return misfit(n.Op, itoa(turned)+" elements of "+itoa(int64(x.width))+" cannot be turned in pairs")
	}
	*r = rotary[T]{ctx: ctx, x: x, y: x, half: int(turned / 2), interleaved: n.Int("interleaved", 0) != 0}
	var ids *tensor.Tensor
	if len(in) > 3 {
		ids = in[3]
	}
	return r.setCaches(n.Op, in[1].Shape(), in[2].Shape(), ids)
}

// setCaches checks the caches and the positions.
func (r *rotary[T]) setCaches(op string, cos, sin []int, ids *tensor.Tensor) error {
	rank := 3
	if ids != nil {
		rank = 2
	}
	wrong := func() error {
		return misfit(op, "caches "+shapeText(cos)+" and "+shapeText(sin)+" do not fit")
	}
	if len(cos) != rank || len(sin) != rank || cos[rank-1] != r.half || sin[rank-1] != r.half || cos[0] != sin[0] || cos[1] != sin[1] {
		return wrong()
	}
	if ids == nil {
		if cos[1] != r.x.n || cos[0] != r.x.batches && cos[0] != 1 {
			return wrong()
		}
		if cos[0] > 1 {
			r.perBatch = r.x.n
		}
		return nil
	}
	s := ids.Shape()
	if len(s) != 2 || s[1] != r.x.n || s[0] != r.x.batches && s[0] != 1 {
		return misfit(op, "position_ids "+shapeText(s)+" do not fit")
	}
	if s[0] > 1 {
		r.perBatch = r.x.n
	}
	r.places = ids.I64()
	for i := range r.places {
		if r.places[i] < 0 || r.places[i] >= int64(cos[0]) {
			return misfit(op, "index "+itoa(r.places[i])+" in a cache of "+itoa(int64(cos[0]))+" positions")
		}
	}
	return nil
}

// Do turns the positions lo to hi of (b, s).
func (r *rotary[T]) Do(lo, hi int) {
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		b, s := i/r.x.n, i%r.x.n
		place := b*r.perBatch + s
		if r.places != nil {
			place = int(r.places[place])
		}
		cos, sin := r.cos[place*r.half:][:r.half], r.sin[place*r.half:][:r.half]
		for h := range r.x.heads {
			if x, y := r.x.at(b, h, s), r.y.at(b, h, s); r.interleaved {
				rotatePairs(y[:2*r.half], x, cos, sin)
			} else {
				rotateHalves(y[:r.half], y[r.half:], x, x[r.half:], cos, sin)
			}
		}
	}
}

// rotateHalves turns the pairs (x1[i], x2[i]).
func rotateHalves[T float](y1, y2, x1, x2, cos, sin []T) {
	y2, x1, x2, cos, sin = y2[:len(y1)], x1[:len(y1)], x2[:len(y1)], cos[:len(y1)], sin[:len(y1)]
	for i := range y1 {
		u, v := x1[i], x2[i]
		y1[i] = cos[i]*u - sin[i]*v
		y2[i] = sin[i]*u + cos[i]*v
	}
}

// rotatePairs turns the pairs (x[2i], x[2i+1]).
func rotatePairs[T float](y, x, cos, sin []T) {
	sin = sin[:len(cos)]
	for i, c := range cos {
		u, v := x[2*i], x[2*i+1]
		y[2*i], y[2*i+1] = c*u-sin[i]*v, sin[i]*u+c*v
	}
}
