//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Pad: y is x with elements added at the start and end of dimensions, all of one value or taken from x: reflect mirrors at the outermost element, edge
// repeats it, wrap goes on from the other end (opset 19). A negative number takes elements away, before any are added.
// https://onnx.ai/onnx/operators/onnx__Pad.html
func init() {
	mode := func(v string) []graph.Attr { return []graph.Attr{graph.StringAttr("mode", v)} }
	x := f64s([]int{2, 2}, 1, 2, 3, 4)
	row := f64v(1, 2, 3)
	register(&Spec{Name: "Pad", Since: 19, Attrs: []string{"mode"}, In: Arity{2, 4}, Out: Arity{1, 1}, Infer: inferPad, Compile: compilePad, Grad: gradPad, Cases: []Case{
		{Opset: 19, Attrs: mode("wrap"), In: in(row, i64v(2, 4)), Out: in(f64v(2, 3, 1, 2, 3, 1, 2, 3, 1))},
		{Name: "cropped first", Opset: 19, Attrs: mode("wrap"), In: in(row, i64v(-1, 2)), Out: in(f64v(2, 3, 2, 3))},
	}})
	register(&Spec{Name: "Pad", Since: 18, Attrs: []string{"mode"}, In: Arity{2, 4}, Out: Arity{1, 1}, Infer: inferPad, Compile: compilePad, Grad: gradPad, Cases: []Case{
		{Opset: 18, In: in(x, i64v(1, 1), nil, i64v(-1)), Out: in(f64s([]int{2, 4}, 0, 1, 2, 0, 0, 3, 4, 0))},
		{Name: "value", Opset: 18, In: in(x, i64v(0, 1), f64s(nil, 7), i32v(0)), Out: in(f64s([]int{3, 2}, 1, 2, 3, 4, 7, 7))},
	}})
	register(&Spec{Name: "Pad", Since: 11, Attrs: []string{"mode"}, In: Arity{2, 3}, Out: Arity{1, 1}, Infer: inferPad, Compile: compilePad, Grad: gradPad, Cases: []Case{
		{In: in(x, i64v(1, 0, 0, 1)), Out: in(f64s([]int{3, 3}, 0, 0, 0, 1, 2, 0, 3, 4, 0))},
		{Name: "strings", In: in(strv("a"), i64v(1, 0), strs(nil, "x")), Out: in(strv("x", "a"))},
		{Name: "reflect", Attrs: mode("reflect"), In: in(row, i64v(2, 3)), Out: in(f64v(3, 2, 1, 2, 3, 2, 1, 2))},
		{Name: "reflect one", Attrs: mode("reflect"), In: in(f64v(5), i64v(2, 0)), Out: in(f64v(5, 5, 5))},
		{Name: "edge", Attrs: mode("edge"), In: in(x, i64v(0, 2, 1, 0)), Out: in(f64s([]int{3, 4}, 1, 1, 1, 2, 3, 3, 3, 4, 3, 3, 3, 4))},
		{Name: "value", In: in(x, i64v(1, 0, 0, 1), f64s(nil, 7)), Out: in(f64s([]int{3, 3}, 7, 7, 7, 1, 2, 7, 3, 4, 7))},
		{Name: "planes", Attrs: mode("reflect"), In: in(f64s([]int{2, 1, 2}, 1, 2, 3, 4), i64v(0, 0, 1, 0, 0, 2)), Out: in(f64s([]int{2, 1, 5}, 2, 1, 2, 1, 2, 4, 3, 4, 3, 4))},
		{Name: "crop", In: in(row, i64v(-1, -1)), Out: in(f64v(2))},
		{Name: "crop and pad", In: in(row, i64v(-2, 1)), Out: in(f64v(3, 0))},
		{Name: "too much", In: in(row, i64v(-2, -2)), Err: "negative"},
		{Name: "nothing to repeat", Attrs: mode("edge"), In: in(f64s([]int{0}), i64v(1, 0)), Err: "empty"},
		{Name: "wrap", Attrs: mode("wrap"), In: in(row, i64v(1, 0)), Err: "mode=wrap"},
		{Name: "wrong length", In: in(row, i64v(1, 0, 0)), Err: "pads"},
	}})
	// old versions hold pads and value as attributes
	old := func(since int64, attr string) {
		register(&Spec{
			Name: "Pad", Since: since, Attrs: []string{"mode", "value", attr}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferPad, Compile: compilePad, Grad: gradPad, Half: true,
			Cases: []Case{{Opset: since, Attrs: []graph.Attr{graph.IntsAttr(attr, 0, 1, 0, 0), graph.FloatAttr("value", 9)}, In: in(x), Out: in(f64s([]int{2, 3}, 9, 1, 2, 9, 3, 4))}},
		})
	}
	old(2, "pads")
	old(1, "paddings")
}

// padAttr names the attribute that holds the pads before opset 11.
func padAttr(site *Site) string {
	if site.Opset < 2 {
		return "paddings"
	}
	return "pads"
}

func inferPad(n *graph.Node, site *Site) ([]tensor.Type, error) {
	t := site.Types[0]
	switch m := n.Str("mode", "constant"); {
	case m == "constant", m == "reflect", m == "edge", m == "wrap" && site.Opset >= 19:
	default:
		return nil, refuseAttr(n, "mode", m)
	}
	pads, known := n.Ints(padAttr(site)), site.Opset < 11
	var axes []int64
	if known {
		if err := oneOf(n, t, floats...); err != nil {
			return nil, err
		}
		if err := kind(n, padAttr(site), graph.AttrInts); err != nil || pads == nil {
			return nil, bad(n, "attribute "+padAttr(site)+" is missing")
		}
	} else {
		if site.Types[1].DType != tensor.Int64 {
			return nil, bad(n, "pads that are not int64")
		}
		if err := wants(n, site, 2, t.DType); err != nil {
			return nil, err
		}
		if err := wants(n, site, 3, indexTypes...); err != nil {
			return nil, err
		}
		c, a := site.constant(1), site.constant(3)
		if known = c != nil && (n.In(3) == "" || a != nil); known {
			if pads = c.I64(); a != nil {
				axes = intsOf(nil, a)
			}
		}
	}
	if t.Unranked || !known || len(t.Dims) > MaxRank {
		return []tensor.Type{blurred(t)}, nil
	}
	full, err := padsOf(n.Op, len(t.Dims), pads, axes, n.In(3) != "")
	if err != nil {
		return nil, err
	}
	dims := append([]tensor.Dim{}, t.Dims...)
	for i, p := range full[:len(dims)] {
		switch {
		case p == [2]int{}:
		case dims[i].Size == tensor.Free:
			dims[i] = free
		default:
			if dims[i].Size += p[0] + p[1]; dims[i].Size < 0 {
				return nil, bad(n, "a negative dimension")
			}
		}
	}
	return []tensor.Type{{DType: t.DType, Dims: dims}}, nil
}

// padsOf orders pads (starts, then ends, of the axes) by dimension.
func padsOf(op string, rank int, pads, axes []int64, some bool) (full [MaxRank][2]int, err error) {
	count := rank
	if some {
		count = len(axes)
		if _, err := marks(op, axes, rank); err != nil {
			return full, err
		}
	}
	if len(pads) != 2*count || rank > MaxRank {
		return full, misfit(op, itoa(int64(len(pads)))+" pads for "+itoa(int64(count))+" dimensions")
	}
	for i := range count {
		axis := i
		if some {
			axis, _ = axisOf(op, axes[i], rank) // marks has checked it
		}
		for k := range 2 {
			v := pads[k*count+i]
			if v > 1<<40 || v < -1<<40 {
				return full, misfit(op, "an absurd number of elements")
			}
			full[axis][k] = int(v)
		}
	}
	return full, nil
}

func compilePad(n *graph.Node, site *Site) (Kernel, error) {
	mode, pads, threads := n.Str("mode", "constant"), n.Ints(padAttr(site)), site.Threads
	var value *tensor.Tensor
	if a := n.Attr("value"); a != nil {
		if value = f32v(a.Float); site.Types[0].DType == tensor.Float64 {
			value = f64v(float64(a.Float))
		}
	}
	var borrowed scratch[int]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, value, pads := in[0], value, pads
		var axes []int64
		var buf [MaxRank]int64
		if len(in) > 1 {
			pads = in[1].I64()
			if v := presentIn(in, 2); v != nil && v.Len() > 0 {
				value = v
			}
			if a := presentIn(in, 3); a != nil {
				if a.Len() > MaxRank {
					return misfit("Pad", "too many axes")
				}
				axes = intsOf(buf[:0], a)
			}
		}
		full, err := padsOf("Pad", x.Rank(), pads, axes, axes != nil || presentIn(in, 3) != nil)
		if err != nil {
			return err
		}
		var tb [MaxRank]int
		to := tb[:x.Rank()]
		for i, d := range x.Shape() {
			p := full[i]
			to[i] = d + p[0] + p[1]
			if to[i] < 0 || d+min(p[0], 0)+min(p[1], 0) < 0 {
				return misfit("Pad", "a negative dimension")
			}
			if mode != "constant" && to[i] > 0 && d+min(p[0], 0)+min(p[1], 0) == 0 {
				return misfit("Pad", "an empty dimension has nothing to repeat")
			}
		}
		if err := Reset(ctx, out[0], x.DType(), to...); err != nil || out[0].Len() == 0 {
			return err
		}
		p := padder{x: x, y: out[0], value: value, mode: mode}
		total := 0
		for _, d := range to {
			total += d
		}
		table := borrowed.take(total)
		defer borrowed.put(table)
		p.plan(to, &full, *table)
		return p.run(ctx, threads)
	}, nil
}

// padder copies rows of the last dimension.
type padder struct {
	ctx         context.Context
	x, y, value *tensor.Tensor
	mode        string
	from        [MaxRank][]int // for each dimension of y, where in x its elements come from; -1: the value
	steps       [MaxRank]int   // of x
	lo, hi      int            // in the last dimension, what comes from x one to one
}

func (p *padder) plan(to []int, full *[MaxRank][2]int, table []int) {
	shape := p.x.Shape()
	strides(p.steps[:0], shape)
	for i, d := range to {
		p.from[i], table = table[:d], table[d:]
		skip, before := -min(full[i][0], 0), max(full[i][0], 0)
		length := shape[i] - skip + min(full[i][1], 0)
		for k := range p.from[i] {
			if at := padSource(p.mode, k-before, length); at >= 0 {
				p.from[i][k] = at + skip
			} else {
				p.from[i][k] = -1
			}
		}
		p.lo, p.hi = min(before, d), min(before+length, d)
	}
}

// padSource is the element of n that stands at place i, which may lie outside.
func padSource(mode string, i, n int) int {
	switch {
	case i >= 0 && i < n:
		return i
	case mode == "edge":
		return min(max(i, 0), n-1)
	case mode == "wrap":
		return ((i % n) + n) % n
	case mode == "reflect" && n == 1:
		return 0
	case mode == "reflect":
		period := 2 * (n - 1)
		if i = ((i % period) + period) % period; i >= n {
			i = period - i
		}
		return i
	}
	return -1
}

func (p *padder) run(ctx context.Context, threads int) error {
	rank := len(p.y.Shape())
	if rank == 0 {
		moveBlock(p.y, 0, p.x, 0, 1)
		return nil
	}
	width := p.y.Shape()[rank-1]
	p.ctx = ctx
	padders.run(ctx, threads, p.y.Len()/width, 1+(1<<15)/width, *p, (*padder).rows)
	return ctx.Err()
}

var padders crew[padder]

// rows fills the rows [lo, hi) of y.
func (p *padder) rows(lo, hi int) {
	rank := len(p.y.Shape())
	width := p.y.Shape()[rank-1]
	for row := lo; row < hi; row++ {
		if row%256 == 0 && p.ctx.Err() != nil {
			return
		}
		from, k := 0, row
		for d := rank - 2; d >= 0; d-- {
			n := p.y.Shape()[d]
			at := p.from[d][k%n]
			if k /= n; at < 0 {
				from = -1
				break
			}
			from += at * p.steps[d]
		}
		if from < 0 {
			fillFrom(p.y, row*width, width, p.value)
			continue
		}
		if p.hi > p.lo {
			moveBlock(p.y, row*width+p.lo, p.x, from+p.from[rank-1][p.lo], p.hi-p.lo)
		}
		p.outside(row*width, from, 0, p.lo)
		p.outside(row*width, from, p.hi, width)
	}
}

// outside fills the columns from lo to hi of a row.
func (p *padder) outside(to, from, lo, hi int) {
	if p.mode == "constant" {
		fillFrom(p.y, to+lo, hi-lo, p.value)
		return
	}
	moveAt(p.y, to+lo, p.x, from, p.from[len(p.y.Shape())-1][lo:hi])
}
