//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// PadGrad(dy, x, pads, value, axes; mode): the gradients of x, which gets what its elements were copied to, and of the value.
func init() {
	register(&Spec{
		Domain: Private, Name: "PadGrad", Since: 1, Attrs: []string{"mode"}, In: Arity{3, 5}, Out: Arity{1, 2}, Half: true, HalfLike: []int{0, 0},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			types := []tensor.Type{site.Types[1]}
			if len(n.Outputs) > 1 {
				types = append(types, site.typ(3))
			}
			return types, oneOf(n, site.Types[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, padGrad[float32](n, site), padGrad[float64](n, site))
		},
		Cases: []Case{
			{In: in(f64v(1, 2, 4, 8), f64v(0, 0), i64v(1, 1), f64s(nil, 0)), Out: in(f64v(2, 4), f64s(nil, 9))},
			{Name: "reflect", Attrs: []graph.Attr{graph.StringAttr("mode", "reflect")}, In: in(f64v(1, 2, 4, 8), f64v(0, 0), i64v(1, 1)), Out: in(f64v(10, 5))},
		},
	})
}

func gradPad(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	ins := append([]graph.Value{dy[0]}, n.Inputs...)
	if len(n.Inputs) == 1 {
		pads := n.Ints("pads")
		if pads == nil {
			pads = n.Ints("paddings")
		}
		ins = append(ins, b.Ints("pads", pads))
	}
	var attrs []graph.Attr
	if a := n.Attr("mode"); a != nil {
		attrs = append(attrs, *a)
	}
	dx := make([]graph.Value, len(n.Inputs))
	outputs := 1
	if n.In(2) != "" {
		outputs = 2
	}
	grads := b.Node(Private, "PadGrad", ins, outputs, attrs...)
	if dx[0] = grads[0]; outputs == 2 {
		dx[2] = grads[1]
	}
	return dx, nil
}

// padBack is one call: planes of dy are added to those of dx.
type padBack[T float] struct {
	p        padder // x is dx, y is dy
	dx, dy   []T
	from, to int // elements of a plane of dx and of dy
	add      func(dst, src []T)
}

func padGrad[T float](n *graph.Node, site *Site) Kernel {
	mode, threads, add := n.Str("mode", "constant"), site.Threads, sumOf[T]().take
	var borrowed scratch[int]
	var runs kept[padBack[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		dy, x := in[0], in[1]
		var axes []int64
		var buf [MaxRank]int64
		a := presentIn(in, 4)
		if a != nil {
			if a.Len() > MaxRank {
				return misfit("PadGrad", "too many axes")
			}
			axes = intsOf(buf[:0], a)
		}
		rank := x.Rank()
		full, err := padsOf("PadGrad", rank, in[2].I64(), axes, a != nil)
		if err != nil {
			return err
		}
		total := 0
		fits := dy.Rank() == rank
		for i, d := range x.Shape() {
			fits = fits && dy.Shape()[i] == d+full[i][0]+full[i][1] && d+min(full[i][0], 0)+min(full[i][1], 0) >= 0
			if fits {
				total += dy.Shape()[i]
			}
		}
		if !fits {
			return misfit("PadGrad", "shapes do not fit")
		}
		r := runs.take()
		defer runs.put(r)
		table := borrowed.take(total)
		defer borrowed.put(table)
		r.p = padder{ctx: ctx, x: x, y: dy, mode: mode}
		r.dy, r.add = tensor.Data[T](dy), add
		r.p.plan(dy.Shape(), &full, *table)
		if out[0] != nil {
			if err := Reset(ctx, out[0], dy.DType(), x.Shape()...); err != nil {
				return err
			}
			r.dx = tensor.Data[T](out[0])
			planes := 1 // of leading dimensions without pads
			for i := 0; i < rank-1 && full[i] == [2]int{}; i++ {
				planes *= x.Shape()[i]
			}
			if len(r.dy) == 0 || planes == 0 {
				clear(r.dx)
			} else {
				r.from, r.to = len(r.dx)/planes, len(r.dy)/planes
				spread(ctx, threads, planes, 1+(1<<14)/r.to, r)
			}
		}
		if len(out) > 1 && out[1] != nil {
			v := in[3]
			if err := Reset(ctx, out[1], dy.DType(), v.Shape()...); err != nil {
				return err
			}
			if d := tensor.Data[T](out[1]); len(d) > 0 {
				clear(d)
				d[0] = T(r.value())
			}
		}
		return ctx.Err()
	}
}

// row is where in x the row of y begins to come from, less than 0 for one that holds the value alone.
func (p *padder) row(row int) int {
	rank := len(p.y.Shape())
	from := 0
	for d := rank - 2; d >= 0; d-- {
		n := p.y.Shape()[d]
		at := p.from[d][row%n]
		if row /= n; at < 0 {
			return -1
		}
		from += at * p.steps[d]
	}
	return from
}

func (r *padBack[T]) Do(lo, hi int) {
	clear(r.dx[lo*r.from : hi*r.from])
	rank := len(r.p.y.Shape())
	if rank == 0 {
		r.dx[0] = r.dy[0]
		return
	}
	width := r.p.y.Shape()[rank-1]
	for row := lo * r.to / width; row < hi*r.to/width; row++ {
		if row%256 == 0 && r.p.ctx.Err() != nil {
			return
		}
		from := r.p.row(row)
		if from < 0 {
			continue
		}
		dy, places := r.dy[row*width:][:width], r.p.from[rank-1]
		if n := r.p.hi - r.p.lo; n > 0 {
			at := from + places[r.p.lo]
			r.add(r.dx[at:at+n], dy[r.p.lo:r.p.hi])
		}
		for _, side := range [2][2]int{{0, r.p.lo}, {r.p.hi, width}} {
			for k := side[0]; k < side[1]; k++ {
				if at := places[k]; at >= 0 {
					r.dx[from+at] += dy[k]
				}
			}
		}
	}
}

// value sums the gradients of what is not from x.
func (r *padBack[T]) value() float64 {
	sum := 0.
	rank := len(r.p.y.Shape())
	if rank == 0 || len(r.dy) == 0 || r.p.mode != "constant" {
		return 0
	}
	width := r.p.y.Shape()[rank-1]
	for row := range len(r.dy) / width {
		dy := r.dy[row*width:][:width]
		lo, hi := r.p.lo, r.p.hi
		if r.p.row(row) < 0 || hi <= lo {
			lo, hi = width, width
		}
		for _, v := range dy[:lo] {
			sum += float64(v)
		}
		for _, v := range dy[hi:] {
			sum += float64(v)
		}
	}
	return sum
}
