package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Where: y = x where the condition holds, else z, with broadcasting. https://onnx.ai/onnx/operators/onnx__Where.html
func init() {
	register(&Spec{
		Name: "Where", Since: 9, In: Arity{3, 3}, Out: Arity{1, 1},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			if site.Types[0].DType != tensor.Bool {
				return nil, bad(n, "a condition that is not bool")
			}
			if err := sameDType(n, site, 1); err != nil {
				return nil, err
			}
			t, err := broadcastTypes(n, site.Types[1].DType, site.Types...)
			return []tensor.Type{t}, err
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			switch d := site.Types[1].DType; d.Size() {
			case 0:
				return whereKernel(site.Threads, texts), nil
			case 1:
				return whereKernel(site.Threads, tensor.Data[uint8]), nil
			case 2:
				return whereKernel(site.Threads, tensor.Data[uint16]), nil
			case 4:
				return whereKernel(site.Threads, tensor.Data[uint32]), nil
			case 8:
				return whereKernel(site.Threads, tensor.Data[uint64]), nil
			default:
				return whereKernel(site.Threads, tensor.Data[complex128]), nil
			}
		},
		Grad: differentiable(gradWhere),
		Cases: tested(func() []Case {
			return []Case{
				{In: in(boolv(true, false), f64v(1, 2), f64v(3, 4)), Out: in(f64v(1, 4))},
				{Name: "broadcast", In: in(tensor.FromSlice(tensor.Bool, []bool{true, false}, 2, 1), f64v(1, 2), f64s(nil, 9)), Out: in(f64s([]int{2, 2}, 1, 2, 9, 9))},
				{Name: "rows", In: in(tensor.FromSlice(tensor.Bool, []bool{true, false}, 2, 1), f64v(1, 2), f64v(8, 9)), Out: in(f64s([]int{2, 2}, 1, 2, 8, 9))},
				{Name: "other scalar", In: in(boolv(true, false), f64s(nil, 7), f64v(1, 2)), Out: in(f64v(7, 2))},
				{Name: "strings", In: in(boolv(true, false), strv("a"), strv("b", "c")), Out: in(strv("a", "c"))},
				{Name: "misfit", In: in(boolv(true, false), f64v(1, 2, 3), f64v(1)), Err: "broadcast"},
			}
		}),
	})
}

func whereKernel[T any](threads int, data lane[T]) Kernel {
	var runs kept[whereRun[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		c, x, y := in[0], in[1], in[2]
		var ab, bb [MaxRank]int
		shape, err := broadcastShape("Where", ab[:0], c.Shape(), x.Shape())
		if err != nil {
			return err
		}
		if shape, err = broadcastShape("Where", bb[:0], shape, y.Shape()); err != nil {
			return err
		}
		if err := Reset(ctx, out[0], x.DType(), shape...); err != nil {
			return err
		}
		if out[0].Len() == 0 {
			return nil
		}
		r := runs.take()
		defer runs.put(r)
		*r = whereRun[T]{dst: data(out[0]), cond: tensor.Data[bool](c), x: data(x), y: data(y)}
		r.grid.set(shape, c.Shape(), x.Shape(), y.Shape())
		rows := r.grid.dims[r.grid.rank-1]
		if len(r.dst) <= cheapGrain {
			r.Do(0, rows)
			return nil
		}
		return sweep(ctx, threads, rows, max(cheapGrain*rows/len(r.dst), 1), r)
	}
}

// whereRun is one call.
type whereRun[T any] struct {
	dst  []T
	cond []bool
	x, y []T
	grid grid
}

// Do goes over a part of the outermost dimension.
func (r *whereRun[T]) Do(lo, hi int) {
	g, o := r.grid.part(lo, hi)
	rows := r.grid.dims[g.rank-1]
	dst, c, x, y := r.dst[lo*(len(r.dst)/rows):], r.cond[o[0]:], r.x[o[1]:], r.y[o[2]:]
	g.each(func(at int, o [3]int) { choose(dst[at:at+g.inner], c[o[0]:], x[o[1]:], y[o[2]:], g.unit) })
}

// choose fills one run; unit is the step, 0 or 1, of the condition and the two operands.
func choose[T any](dst []T, cond []bool, xs, ys []T, unit [3]int) {
	n := len(dst)
	switch unit {
	case [3]int{1, 1, 1}:
		cond, xs, ys = cond[:n], xs[:n], ys[:n]
		for m, c := range cond {
			v := ys[m]
			if c {
				v = xs[m]
			}
			dst[m] = v
		}
	case [3]int{1, 1, 0}:
		cond, xs = cond[:n], xs[:n]
		y := ys[0]
		for m, c := range cond {
			v := y
			if c {
				v = xs[m]
			}
			dst[m] = v
		}
	case [3]int{1, 0, 1}:
		cond, ys = cond[:n], ys[:n]
		x := xs[0]
		for m, c := range cond {
			v := ys[m]
			if c {
				v = x
			}
			dst[m] = v
		}
	default:
		i, j, k := 0, 0, 0
		for m := range dst {
			if cond[i] {
				dst[m] = xs[j]
			} else {
				dst[m] = ys[k]
			}
			i, j, k = i+unit[0], j+unit[1], k+unit[2]
		}
	}
}

// dx = dy where the condition holds, dz = dy where not.
func gradWhere(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	zero := scalarLike(b, 0, dy[0])
	return []graph.Value{"", b.Op("Where", n.Inputs[0], dy[0], zero), b.Op("Where", n.Inputs[0], zero, dy[0])}, nil
}
