//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// CumProdGrad(dy, x, axis): dx = (Π of the elements before)·g, where g, which runs the other way, is the gradient of the products of those after:
// no quotient, so that zeros do not matter.
func init() {
	register(&Spec{
		Domain: Private, Name: "CumProdGrad", Since: 1, Attrs: []string{"exclusive", "reverse"}, In: Arity{3, 3}, Out: Arity{1, 1},
		Infer: inferAs(1), Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, cumProdBack(n, tensor.Data[float32]), cumProdBack(n, tensor.Data[float64]))
		},
	})
}

// dx is the sum of dy from the other end.
func gradCumSum(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	attrs := []graph.Attr{graph.IntAttr("exclusive", n.Int("exclusive", 0)), graph.IntAttr("reverse", 1-min(1, n.Int("reverse", 0)))}
	return []graph.Value{b.OpWith("CumSum", attrs, dy[0], n.Inputs[1]), ""}, nil
}

func gradCumProd(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return []graph.Value{b.Node(Private, "CumProdGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 1, n.Attrs...)[0], ""}, nil
}

func cumProdBack[T float](n *graph.Node, data lane[T]) Kernel {
	exclusive, reverse := n.Int("exclusive", 0) != 0, n.Int("reverse", 0) != 0
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[1].Shape()
		wanted, err := scalarIndex("CumProdGrad", "an axis", in[2])
		if err != nil {
			return err
		}
		axis, err := axisOf("CumProdGrad", wanted, len(shape))
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[1].DType(), shape...); err != nil {
			return err
		}
		dy, x, dx := data(in[0]), data(in[1]), data(out[0])
		if len(dy) != len(x) {
			return misfit("CumProdGrad", "shapes do not fit")
		}
		outer, inner := around(shape, axis)
		size := shape[axis]
		for line := range outer * inner {
			first, step := line/inner*size*inner+line%inner, inner
			if reverse {
				first, step = first+(size-1)*inner, -inner
			}
			var g, after T // g of the element after, and that element's factor
			for i := size - 1; i >= 0; i-- {
				at := first + i*step
				if exclusive { // y holds the elements before only
					dx[at] = g
					g = dy[at] + x[at]*g
					continue
				}
				g = dy[at] + after*g
				after, dx[at] = x[at], g
			}
			before := T(1)
			for i := range size {
				at := first + i*step
				dx[at] *= before
				before *= x[at]
			}
		}
		return ctx.Err()
	}
}
