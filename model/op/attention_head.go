//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// HeadAttention, a private operator that package exec makes of what exporters write for attention: y = softmax(q·k'·scale + mask)·v for
// q (batch, heads, n, width), k (batch, heads, t, width) and v (batch, heads, t, width of y). All of these broadcast, the mask
// to (batch, heads, n, t), as they do where the nodes stand alone; where nothing is visible the result is NaN, as theirs is. inside says for q, k,
// v and y whether they lie as (batch, n, heads, width): so transposing them is left out.
func init() {
	q, k := f32s([]int{1, 1, 2, 1}, 1, 2), f32s([]int{1, 1, 2, 1}, 0, 1)
	v := f32s([]int{1, 1, 2, 2}, 1, 2, 3, 4)
	one, two := 1/(1+math.Exp(-1)), 1/(1+math.Exp(-2))
	register(&Spec{
		Domain: Private, Name: "HeadAttention", Since: 1, Attrs: []string{"inside", "scale"}, In: Arity{3, 4}, Out: Arity{1, 1},
		Infer: inferHeadAttention, Compile: compileHeadAttention, Grad: gradHeadAttention, Cases: []Case{
			{In: in(q, k, v), Out: in(f32s([]int{1, 1, 2, 2}, 2.4621172, 3.4621172, 2.7615942, 3.7615942))},
			{
				Name: "heads inside, mask", Attrs: []graph.Attr{graph.FloatAttr("scale", .5), graph.IntsAttr("inside", 1, 0, 0, 1)},
				In: in(f32s([]int{1, 1, 2, 1}, 2, 4), f32s([]int{1, 1, 2, 1}, 0, 1), v, f32s([]int{2, 1}, 0, 7)), Out: in(f32s([]int{1, 2, 2, 2}, 2.4621172, 3.4621172, 2.7615942, 3.7615942, 2.4621172, 3.4621172, 2.7615942, 3.7615942)),
			},
			{Name: "misfit", In: in(q, k, f32s([]int{1, 1, 3, 1}, 1, 2, 3)), Err: "shapes"},
			{
				Name: "float64, stretched", Attrs: []graph.Attr{graph.FloatAttr("scale", .5), graph.IntsAttr("inside", 1, 0, 0, 1)},
				In:  in(f64s([]int{1, 1, 2, 1}, 2, 4), f64s([]int{1, 1, 2, 1}, 0, 1), f64s([]int{2, 1, 2, 2}, 1, 2, 3, 4, 4, 3, 2, 1), f64s([]int{2, 1}, 0, 7)),
				Out: in(f64s([]int{2, 2, 2, 2}, 1+2*one, 2+2*one, 1+2*two, 2+2*two, 1+2*one, 2+2*one, 1+2*two, 2+2*two, 4-2*one, 3-2*one, 4-2*two, 3-2*two, 4-2*one, 3-2*one, 4-2*two, 3-2*two)),
			},
			{
				Name: "float64, heads inside", Attrs: []graph.Attr{graph.IntsAttr("inside", 1, 1, 1, 0)},
				In:  in(f64s([]int{1, 1, 2, 1}, 1, 2), f64s([]int{1, 2, 2, 1}, 0, 3, 1, 3), f64s([]int{1, 2, 2, 1}, 1, 2, 3, 4), f64s([]int{1, 2}, 0, 0)),
				Out: in(f64s([]int{1, 2, 1, 1}, 1+2*one, 3)),
			},
		},
	})
}

func inferHeadAttention(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := oneOf(n, site.Types[0], floats...); err != nil {
		return nil, err
	}
	for i := range site.Types {
		if site.Types[i].DType == tensor.Undefined {
			continue
		}
		if err := oneOf(n, site.Types[i], site.Types[0].DType); err != nil {
			return nil, err
		}
		if t := site.Types[i]; i < 3 && !t.Unranked && len(t.Dims) != 4 {
			return nil, bad(n, "an operand that has not 4 dimensions: "+t.String())
		}
	}
	y := []tensor.Dim{free, free, free, free}
	inside := func(i int) bool { at := n.Ints("inside"); return i < len(at) && at[i] != 0 }
	dim := func(i, d int) tensor.Dim { // dimension d of operand i as (batch, heads, n, width)
		if inside(i) && (d == 1 || d == 2) {
			d = 3 - d
		}
		if t := site.Types[i]; !t.Unranked && d < len(t.Dims) {
			return t.Dims[d]
		}
		return free
	}
	known := func(i, d int) tensor.Dim { // the same where it is sure not to be stretched
		x := dim(i, d)
		if x.Size > 1 || x.Size == tensor.Free && x.Name != "" && (d > 1 || dim(1, d) == x && dim(2, d) == x && len(site.Types) == 3) {
			return x
		}
		return free
	}
	for d := range 3 {
		y[d] = known(0, d)
	}
	if y[3] = known(2, 3); inside(3) {
		y[1], y[2] = y[2], y[1]
	}
	return []tensor.Type{{DType: site.Types[0].DType, Dims: y}}, nil
}

// headAttention is what is known when a node is compiled.
type headAttention[T float] struct {
	attention[T]
	inside [4]bool // of q, k, v, y
}

func compileHeadAttention(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return newHeadAttention(tensor.Data[float32], n, site, headWeights).run, nil
	}
	return newHeadAttention(tensor.Data[float64], n, site, headWeights64).run, nil
}

func newHeadAttention[T float](data lane[T], n *graph.Node, site *Site, weights func(row []T, scale T, mask []T)) *headAttention[T] {
	h := &headAttention[T]{attention: attention[T]{
		data: data, dtype: site.Types[0].DType, scale: float64(n.Float("scale", 1)), threads: max(site.Threads, 1), weights: weights,
	}}
	for i, v := range n.Ints("inside") {
		if i < len(h.inside) {
			h.inside[i] = v != 0
		}
	}
	return h
}

// headWeights makes the softmax of row·scale + mask; the mask is absent, one number, or as long as the row.
func headWeights(row []float32, scale float32, mask []float32) {
	if scale != 1 {
		kernel.Line(row, row, scale, 0)
	}
	if mask != nil {
		kernel.Pair(kernel.Add, row, row, mask)
	}
	kernel.Softmax(row, row)
}

// headWeights64 is headWeights for float64.
func headWeights64(row []float64, scale float64, mask []float64) {
	scaleRow(row, scale)
	if mask != nil {
		add(row, row, mask)
	}
	softmax(row, row, len(row), 1, false)
}

// headedAs sees x (batch, heads, n, width), or (batch, n, heads, width) when inside, as vectors.
func headedAs[T float](x []T, s []int, inside bool) headed[T] {
	h := headed[T]{data: x, batches: s[0], heads: s[1], n: s[2], width: s[3], row: s[3], head: s[2] * s[3], batch: s[1] * s[2] * s[3]}
	if inside {
		h.heads, h.n, h.head, h.row = s[2], s[1], s[3], s[2]*s[3]
	}
	return h
}

// stretch makes a dimension as long as n, where it is 1, and tells whether n fits.
func stretch(size *int, n int) bool {
	if *size == 1 {
		*size = n
	}
	return n == 1 || n == *size
}

// spreadTo repeats the vectors of h along dimensions that have length 1 there and more here; rows only where asked.
func (h *headed[T]) spreadTo(batches, heads, n int) {
	for _, d := range []struct {
		size, step *int
		n          int
	}{{&h.batches, &h.batch, batches}, {&h.heads, &h.head, heads}, {&h.n, &h.row, n}} {
		if *d.size == 1 && d.n != 1 {
			*d.size, *d.step = d.n, 0
		}
	}
}

// call sees the operands and the mask as vectors, stretched to each other.
func (a *headAttention[T]) call(in []*tensor.Tensor) (c attentionCall[T], err error) {
	c = attentionCall[T]{attention: &a.attention, scale: T(a.scale)}
	views := [3]*headed[T]{&c.q, &c.k, &c.v}
	for i, h := range views {
		if in[i].Rank() != 4 {
			return c, misfit("HeadAttention", "an operand that has not 4 dimensions")
		}
		*h = headedAs(a.data(in[i]), in[i].Shape(), a.inside[i])
	}
	mask, err := c.spread4(inputOf(in, 3))
	if mask != nil && err == nil {
		c.mask = a.data(mask)
	}
	return c, err
}

func (a *headAttention[T]) run(ctx context.Context, in, out []*tensor.Tensor) error {
	c, err := a.call(in)
	if err != nil {
		return err
	}
	to := a.shape(3, c.q.batches, c.q.heads, c.q.n, c.v.width)
	if err := Reset(ctx, out[0], a.dtype, to[:]...); err != nil {
		return err
	}
	if out[0].Len() == 0 {
		return nil
	}
	if c.k.n == 0 { // a sum of nothing
		clear(a.data(out[0]))
		return nil
	}
	c.y = headedAs(a.data(out[0]), to[:], a.inside[3])
	return c.all(ctx)
}

// shape is that of q, k, v or y (operand 0 to 3) of so many vectors.
func (a *headAttention[T]) shape(operand, batches, heads, n, width int) [4]int {
	if a.inside[operand] {
		heads, n = n, heads
	}
	return [4]int{batches, heads, n, width}
}

// spread4 broadcasts the operands and the mask, which it returns, against each other.
func (c *attentionCall[T]) spread4(mask *tensor.Tensor) (*tensor.Tensor, error) {
	full := [4]int{c.q.batches, c.q.heads, c.q.n, c.k.n} // of the scores
	var own [4]int
	ok := c.q.width == c.k.width && stretch(&full[0], c.k.batches) && stretch(&full[1], c.k.heads)
	if mask != nil {
		shape := mask.Shape()
		if len(shape) > 4 {
			return nil, misfit("HeadAttention", "a mask "+shapeText(shape))
		}
		for i := range own {
			own[i] = 1
			if at := i - 4 + len(shape); at >= 0 {
				own[i] = shape[at]
			}
			ok = ok && stretch(&full[i], own[i])
		}
		var step [4]int
		width := 1
		for i := 3; i >= 0; i-- {
			if own[i] > 1 {
				step[i] = width
			}
			width *= own[i]
		}
		c.maskBatch, c.maskHead, c.maskRow, c.maskLen = step[0], step[1], step[2], own[3]
	}
	ok = ok && stretch(&full[0], c.v.batches) && stretch(&full[1], c.v.heads) && c.v.n == full[3]
	if !ok {
		return nil, misfit("HeadAttention", "shapes do not fit")
	}
	c.q.spreadTo(full[0], full[1], full[2])
	c.k.spreadTo(full[0], full[1], full[3])
	c.v.spreadTo(full[0], full[1], full[3])
	return mask, nil
}
