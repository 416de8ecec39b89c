//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ReduceProdGrad(x, axes, dy): dx = dy·Π of the other elements, which is known where one of them is 0, too. Axes are read as ReduceProd reads them.
func init() {
	register(&Spec{
		Domain: Private, Name: "ReduceProdGrad", Since: 1, Attrs: []string{"axes", "keepdims", "noop_with_empty_axes"}, In: Arity{3, 3}, Out: Arity{1, 1},
		Infer: inferAs(0), Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, productBack(n, tensor.Data[float32]), productBack(n, tensor.Data[float64]))
		},
	})
}

func gradReduceProd(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	axes := n.In(1)
	if axes == "" {
		axes = b.Ints("axes", n.Ints("axes"))
	}
	return withInputs(n, b.Node(Private, "ReduceProdGrad", []graph.Value{n.Inputs[0], axes, dy[0]}, 1, n.Attrs...)[0]), nil
}

// factors are the elements that went into a product: how many of them are 0, and the product of the others.
type factors struct {
	zeros   int
	product float64
}

func productBack[T float](n *graph.Node, data lane[T]) Kernel {
	var pool scratch[factors]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		l, err := layoutOf(n, in[:2], nil, false)
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), in[0].Shape()...); err != nil {
			return err
		}
		x, dy, dx := data(in[0]), data(in[2]), data(out[0])
		held := pool.take(len(dy))
		defer pool.put(held)
		all := *held
		fill(all, factors{product: 1})
		if len(x) == 0 {
			return nil
		}
		if len(x) != len(dy)*l.count {
			return misfit("ReduceProdGrad", "shapes do not fit")
		}
		g := &l.grid
		g.each(func(_ int, o [3]int) {
			for i, v := range x[o[1]:][:g.inner] {
				if f := &all[o[0]+i*g.unit[0]]; v == 0 {
					f.zeros++
				} else {
					f.product *= float64(v)
				}
			}
		})
		g.each(func(_ int, o [3]int) {
			for i, v := range x[o[1]:][:g.inner] {
				at := o[0] + i*g.unit[0]
				others := 0.
				switch f := all[at]; {
				case f.zeros == 0:
					others = f.product / float64(v)
				case f.zeros == 1 && v == 0:
					others = f.product
				}
				dx[o[1]+i] = T(others) * dy[at]
			}
		})
		return nil
	}
}
