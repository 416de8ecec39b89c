//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Tile: x repeated along each dimension. https://onnx.ai/onnx/operators/onnx__Tile.html
func init() {
	x := f64s([]int{2, 2}, 1, 2, 3, 4)
	register(&Spec{Name: "Tile", Since: 6, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferTile, Compile: compileTile, Grad: gradTile, Cases: []Case{
		{In: in(x, i64v(2, 1)), Out: in(f64s([]int{4, 2}, 1, 2, 3, 4, 1, 2, 3, 4))},
		{Name: "both", In: in(f64s([]int{2, 1, 2}, 1, 2, 3, 4), i64v(2, 3, 2)), Out: in(f64s([]int{4, 3, 4}, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4))},
		{Name: "columns", In: in(x, i64v(1, 2)), Out: in(f64s([]int{2, 4}, 1, 2, 1, 2, 3, 4, 3, 4))},
		{Name: "strings", In: in(strv("a", "b"), i64v(2)), Out: in(strv("a", "b", "a", "b"))},
		{Name: "never", In: in(x, i64v(0, 1)), Out: in(f64s([]int{0, 2}))},
		{Name: "wrong length", In: in(x, i64v(2)), Err: "repeats"},
		{Name: "absurd", In: in(x, i64v(1<<62, 1)), Err: "repeats"},
	}})
	register(&Spec{Name: "Tile", Since: 1, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: inferTile, Compile: compileTile, Grad: gradTile, Cases: []Case{
		{Opset: 5, In: in(x, f32s(nil, 2), f32s(nil, 1)), Out: in(f64s([]int{2, 4}, 1, 2, 1, 2, 3, 4, 3, 4))},
	}})
}

func inferTile(n *graph.Node, site *Site) ([]tensor.Type, error) {
	t := site.Types[0]
	if len(n.Inputs) == 3 {
		return []tensor.Type{blurred(t)}, nil
	}
	if site.Types[1].DType != tensor.Int64 {
		return nil, bad(n, "repeats that are not int64")
	}
	c := site.constant(1)
	if t.Unranked || c == nil {
		return []tensor.Type{blurred(t)}, nil
	}
	if c.Len() != len(t.Dims) {
		return nil, bad(n, "repeats that are not one for each dimension")
	}
	dims := append([]tensor.Dim{}, t.Dims...)
	for i, r := range c.I64() {
		if r < 0 || r > 1<<40 {
			return nil, bad(n, "absurd repeats")
		}
		switch {
		case r == 1:
		case dims[i].Size == tensor.Free || dims[i].Size > 1<<20:
			dims[i] = free
		default:
			dims[i].Size *= int(r)
		}
	}
	return []tensor.Type{{DType: t.DType, Dims: dims}}, nil
}

// tileRepeats reads the repeats of each dimension.
func tileRepeats(in []*tensor.Tensor, buf []int64) ([]int64, error) {
	rank := in[0].Rank()
	if len(in) == 2 {
		if in[1].Len() != rank {
			return nil, misfit("Tile", itoa(int64(in[1].Len()))+" repeats for "+itoa(int64(rank))+" dimensions")
		}
		return append(buf, in[1].I64()...), nil
	}
	for range rank {
		buf = append(buf, 1)
	}
	var v [2]int64 // tiles, axis
	for i, t := range in[1:] {
		var err error
		if v[i], err = oneInt("Tile", t); err != nil {
			return nil, err
		}
	}
	axis, err := axisOf("Tile", v[1], rank)
	if err != nil {
		return nil, err
	}
	buf[axis] = v[0]
	return buf, nil
}

func compileTile(*graph.Node, *Site) (Kernel, error) {
	var runs kept[tiling]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, shape := in[0], in[0].Shape()
		if len(shape) > MaxRank {
			return fault.New(fault.Unsupported, "Tile: too many dimensions")
		}
		t := runs.take()
		defer runs.put(t)
		repeats, err := tileRepeats(in, t.buf[:0])
		if err != nil {
			return err
		}
		var tb [MaxRank]int
		to := tb[:len(shape)]
		for i, r := range repeats {
			if r < 0 || r > 1<<40 || shape[i] > 1<<40/int(max(r, 1)) {
				return misfit("Tile", "absurd repeats: "+itoa(r))
			}
			to[i] = shape[i] * int(r)
		}
		if err := Reset(ctx, out[0], x.DType(), to...); err != nil || out[0].Len() == 0 {
			return err
		}
		t.ctx, t.x, t.y, t.shape, t.repeats = ctx, x, out[0], shape, repeats
		t.dim(0)
		return ctx.Err()
	}, nil
}

// tiling fills y in order: each dimension once from x, then by copies of what is there.
type tiling struct {
	ctx     context.Context
	x, y    *tensor.Tensor
	shape   []int
	repeats []int64
	buf     [MaxRank]int64 // of repeats
	from    int            // elements of x that were read
	to      int            // elements of y that were written
}

func (t *tiling) dim(d int) {
	rest, last := 1, d
	for i := d; i < len(t.shape); i++ {
		if rest *= t.shape[i]; t.repeats[i] != 1 {
			last = i + 1
		}
	}
	if last == d { // no repeats from here on
		moveBlock(t.y, t.to, t.x, t.from, rest)
		t.from, t.to = t.from+rest, t.to+rest
		return
	}
	start := t.to
	if last == d+1 {
		moveBlock(t.y, t.to, t.x, t.from, rest)
		t.from, t.to = t.from+rest, t.to+rest
	} else {
		for range t.shape[d] {
			t.dim(d + 1)
		}
	}
	if t.ctx.Err() != nil {
		return
	}
	size := (t.to - start) * int(t.repeats[d])
	for t.to-start < size { // doubling
		n := min(t.to-start, size-(t.to-start))
		moveBlock(t.y, t.to, t.y, start, n)
		t.to += n
	}
}
