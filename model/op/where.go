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
				return whereKernel(texts), nil
			case 1:
				return whereKernel(tensor.Data[uint8]), nil
			case 2:
				return whereKernel(tensor.Data[uint16]), nil
			case 4:
				return whereKernel(tensor.Data[uint32]), nil
			case 8:
				return whereKernel(tensor.Data[uint64]), nil
			default:
				return whereKernel(tensor.Data[complex128]), nil
			}
		},
		Grad: gradWhere,
		Cases: []Case{
			{In: in(boolv(true, false), f64v(1, 2), f64v(3, 4)), Out: in(f64v(1, 4))},
			{Name: "broadcast", In: in(tensor.FromSlice(tensor.Bool, []bool{true, false}, 2, 1), f64v(1, 2), f64s(nil, 9)), Out: in(f64s([]int{2, 2}, 1, 2, 9, 9))},
			{Name: "strings", In: in(boolv(true, false), strv("a"), strv("b", "c")), Out: in(strv("a", "c"))},
			{Name: "misfit", In: in(boolv(true, false), f64v(1, 2, 3), f64v(1)), Err: "broadcast"},
		},
	})
}

func whereKernel[T any](data lane[T]) Kernel {
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
		var g grid
		g.set(shape, c.Shape(), x.Shape(), y.Shape())
		dst, cond, xs, ys := data(out[0]), tensor.Data[bool](c), data(x), data(y)
		g.each(func(at int, o [3]int) {
			i, j, k := o[0], o[1], o[2]
			for m := range dst[at : at+g.inner] {
				if cond[i] {
					dst[at+m] = xs[j]
				} else {
					dst[at+m] = ys[k]
				}
				i, j, k = i+g.unit[0], j+g.unit[1], k+g.unit[2]
			}
		})
		return nil
	}
}

// dx = dy where the condition holds, dz = dy where not.
func gradWhere(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	zero := scalarLike(b, 0, dy[0])
	return []graph.Value{"", b.Op("Where", n.Inputs[0], dy[0], zero), b.Op("Where", n.Inputs[0], zero, dy[0])}, nil
}
