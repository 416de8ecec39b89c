//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// The way back of operators that take parts: zeros like x, with dy added where the parts were taken.
//
//	GatherGrad(dy, x, indices; axis), GatherElementsGrad(dy, x, indices; axis), GatherNDGrad(dy, x, indices; batch_dims),
//	CompressGrad(dy, x, condition; axis).
func init() {
	axis := func(v int64) []graph.Attr { return []graph.Attr{graph.IntAttr("axis", v)} }
	six := f64s([]int{2, 3}, 0, 0, 0, 0, 0, 0)
	taking := func(name, attr string, f32, f64 func(n *graph.Node, site *Site) Kernel, cases ...Case) {
		register(&Spec{
			Domain: Private, Name: name, Since: 1, Attrs: []string{attr}, In: Arity{3, 3}, Out: Arity{1, 1}, Half: true, HalfLike: []int{0}, Infer: inferAs(1),
			Compile: func(n *graph.Node, site *Site) (Kernel, error) { return byFloat(n, site, f32(n, site), f64(n, site)) }, Cases: cases,
		})
	}
	taking("GatherGrad", "axis", gatherGrad[float32], gatherGrad[float64],
		Case{In: in(f64v(1, 2, 3), f64v(0, 0, 0, 0), i64v(1, 3, 1)), Out: in(f64v(0, 4, 0, 2))},
		Case{Name: "columns", Attrs: axis(-1), In: in(f64s([]int{2, 2}, 1, 2, 3, 4), six, i64v(2, -1)), Out: in(f64s([]int{2, 3}, 0, 0, 3, 0, 0, 7))},
		Case{Name: "outside", In: in(f64v(1), f64v(0, 0), i64v(2)), Err: "index 2"})
	taking("GatherElementsGrad", "axis", gatherElementsGrad[float32], gatherElementsGrad[float64],
		Case{Attrs: axis(1), In: in(f64s([]int{2, 2}, 1, 2, 3, 4), six, i64s([]int{2, 2}, 0, 0, 2, 1)), Out: in(f64s([]int{2, 3}, 3, 0, 0, 0, 4, 3))})
	taking("GatherNDGrad", "batch_dims", gatherNDGrad[float32], gatherNDGrad[float64],
		Case{In: in(f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), six, i64s([]int{2, 1}, 1, 1)), Out: in(f64s([]int{2, 3}, 0, 0, 0, 5, 7, 9))})
	taking("CompressGrad", "axis", compressGrad[float32], compressGrad[float64],
		Case{In: in(f64v(1, 2), six, boolv(false, true, false, false, true)), Out: in(f64s([]int{2, 3}, 0, 1, 0, 0, 2, 0))})
}

// blocks adds rows of dy (outer, len(at), inner) to those rows of dx (outer, length, inner) that at names. However many goroutines there are, each
// element of dx belongs to one of them, which adds in the order of at: the sums do not depend on timing.
type blocks[T float] struct {
	dx, dy               []T
	at                   []int
	outer, length, inner int
	columns              bool // the work is cut by columns of inner, else by rows of dx
	add                  func(dst, src []T)
}

// wideBlock is a number of columns that is worth a goroutine of its own.
const wideBlock = 64

type blockAdder[T float] struct {
	runs   kept[blocks[T]]
	places scratch[int]
	clears kept[clearing[T]]
	add    func(dst, src []T)
}

func newBlockAdder[T float]() *blockAdder[T] { return &blockAdder[T]{add: sumOf[T]().take} }

// run clears dx and adds.
func (a *blockAdder[T]) run(ctx context.Context, threads int, b blocks[T]) error {
	b.add = a.add
	c := a.clears.take()
	c.dst = b.dx
	spread(ctx, threads, len(b.dx), 1<<18, c)
	a.clears.put(c)
	r := a.runs.take()
	defer a.runs.put(r)
	*r = b
	rows := b.outer * b.length
	switch {
	case threads > 1 && len(b.dy) > cheapGrain && b.inner >= 2*wideBlock:
		r.columns = true
		spread(ctx, threads, b.inner, wideBlock, r)
	case threads > 1 && len(b.dy) > cheapGrain && b.inner >= 8:
		spread(ctx, threads, rows, (rows+threads-1)/threads, r)
	default:
		r.Do(0, rows)
	}
	return ctx.Err()
}

type clearing[T any] struct{ dst []T }

func (c *clearing[T]) Do(lo, hi int) { clear(c.dst[lo:hi]) }

func (b *blocks[T]) Do(lo, hi int) {
	first, last, from, to := 0, b.outer*b.length, lo, hi
	if !b.columns {
		first, last, from, to = lo, hi, 0, b.inner
	}
	if last <= first || to <= from {
		return
	}
	for o := first / b.length; o*b.length < last; o++ {
		top, end := max(first-o*b.length, 0), min(last-o*b.length, b.length)
		dx, dy := b.dx[o*b.length*b.inner:], b.dy[o*len(b.at)*b.inner:]
		if to-from == 1 {
			for i, at := range b.at {
				if at >= top && at < end {
					dx[at*b.inner+from] += dy[i*b.inner+from]
				}
			}
			continue
		}
		for i, at := range b.at {
			if at >= top && at < end {
				b.add(dx[at*b.inner+from:at*b.inner+to], dy[i*b.inner+from:i*b.inner+to])
			}
		}
	}
}

func gatherGrad[T float](n *graph.Node, site *Site) Kernel {
	wanted, threads, adder := n.Int("axis", 0), site.Threads, newBlockAdder[T]()
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		dy, shape, idx := tensor.Data[T](in[0]), in[1].Shape(), in[2]
		axis, err := axisOf("GatherGrad", wanted, len(shape))
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		outer, inner := around(shape, axis)
		if len(dy) != outer*idx.Len()*inner {
			return misfit("GatherGrad", "shapes do not fit")
		}
		at := adder.places.take(idx.Len())
		defer adder.places.put(at)
		for i := range *at {
			if (*at)[i], err = indexAt("GatherGrad", idx, i, shape[axis]); err != nil {
				return err
			}
		}
		return adder.run(ctx, threads, blocks[T]{dx: tensor.Data[T](out[0]), dy: dy, at: *at, outer: outer, length: shape[axis], inner: inner})
	}
}

func gatherElementsGrad[T float](n *graph.Node, site *Site) Kernel {
	wanted, threads, adder := n.Int("axis", 0), site.Threads, newBlockAdder[T]()
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, idx := in[1], in[2]
		axis, err := axisOf("GatherElementsGrad", wanted, x.Rank())
		if err != nil {
			return err
		}
		if in[0].Len() != idx.Len() {
			return misfit("GatherElementsGrad", "shapes do not fit")
		}
		if err := Reset(ctx, out[0], in[0].DType(), x.Shape()...); err != nil {
			return err
		}
		all := adder.places.take(idx.Len())
		defer adder.places.put(all)
		err = elementPlaces(ctx, "GatherElementsGrad", x.Shape(), idx, axis, func(at int, places []int) { copy((*all)[at:], places) })
		if err != nil {
			return err
		}
		return adder.run(ctx, threads, blocks[T]{dx: tensor.Data[T](out[0]), dy: tensor.Data[T](in[0]), at: *all, outer: 1, length: out[0].Len(), inner: 1})
	}
}

func gatherNDGrad[T float](n *graph.Node, site *Site) Kernel {
	batch, threads, adder := int(n.Int("batch_dims", 0)), site.Threads, newBlockAdder[T]()
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[1].Shape()
		t, err := tuplesOf("GatherNDGrad", shape, in[2], batch)
		if err != nil {
			return err
		}
		batches, step := 1, t.inner
		for i, d := range shape[:batch+t.depth] {
			if i >= batch {
				step *= d
			} else if batches *= d; in[2].Shape()[i] != d {
				return misfit("GatherNDGrad", "batches of different length")
			}
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		count := 0
		if t.inner > 0 {
			count = in[0].Len() / t.inner
		}
		if batches == 0 || count*t.depth > len(t.indices) || count%batches != 0 {
			return misfit("GatherNDGrad", "shapes do not fit")
		}
		at := adder.places.take(count)
		defer adder.places.put(at)
		for i := range *at {
			place, err := t.place(i)
			if err != nil {
				return err
			}
			(*at)[i] = (i/(count/batches)*step + place) / t.inner
		}
		return adder.run(ctx, threads, blocks[T]{dx: tensor.Data[T](out[0]), dy: tensor.Data[T](in[0]), at: *at, outer: 1, length: out[0].Len() / max(t.inner, 1), inner: t.inner})
	}
}

func compressGrad[T float](n *graph.Node, _ *Site) Kernel {
	along, wanted := n.Attr("axis") != nil, n.Int("axis", 0)
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, keep := in[1], tensor.Data[bool](in[2])
		outer, length, inner := 1, x.Len(), 1
		if along {
			axis, err := axisOf("CompressGrad", wanted, x.Rank())
			if err != nil {
				return err
			}
			outer, inner = around(x.Shape(), axis)
			length = x.Shape()[axis]
		}
		if err := Reset(ctx, out[0], in[0].DType(), x.Shape()...); err != nil {
			return err
		}
		kept := 0
		for i, k := range keep {
			if k && i >= length {
				return misfit("CompressGrad", "the condition takes more than there is")
			}
			if k {
				kept++
			}
		}
		if kept*outer*inner != in[0].Len() {
			return misfit("CompressGrad", "shapes do not fit")
		}
		dx, dy := tensor.Data[T](out[0]), tensor.Data[T](in[0])
		clear(dx)
		from := 0
		for o := range outer {
			for i, k := range keep {
				if k {
					copy(dx[(o*length+i)*inner:][:inner], dy[from:])
					from += inner
				}
			}
		}
		return nil
	}
}

// gradTaking makes the gradient by the operator that puts back what n took by its second input.
func gradTaking(attr string) Gradient {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		var attrs []graph.Attr
		if a := n.Attr(attr); a != nil {
			attrs = append(attrs, *a)
		}
		return []graph.Value{b.Node(Private, n.Op+"Grad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 1, attrs...)[0], ""}, nil
	}
}

// gradTopK puts the gradient of the values back where they stood.
func gradTopK(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := make([]graph.Value, len(n.Inputs))
	if dy[0] == "" {
		return dx, nil
	}
	places := keptOutput(b, n, 1)
	dx[0] = b.Node(Private, "GatherElementsGrad", []graph.Value{dy[0], n.Inputs[0], places}, 1, graph.IntAttr("axis", n.Int("axis", -1)))[0]
	return dx, nil
}

// gradUnique gives the gradient of a different element to the first that is equal to it.
func gradUnique(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	if dy[0] == "" {
		return []graph.Value{""}, nil
	}
	first, x := keptOutput(b, n, 1), n.Inputs[0]
	if n.Attr("axis") != nil {
		return []graph.Value{b.Node(Private, "GatherGrad", []graph.Value{dy[0], x, first}, 1, graph.IntAttr("axis", n.Int("axis", 0)))[0]}, nil
	}
	flat := b.Op("Reshape", x, b.Ints("all", []int64{-1}))
	dx := b.Node(Private, "GatherGrad", []graph.Value{dy[0], flat, first}, 1)[0]
	return []graph.Value{b.OpWith("Reshape", []graph.Attr{graph.IntAttr("allowzero", 1)}, dx, b.Op("Shape", x))}, nil
}
