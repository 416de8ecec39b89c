//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Trilu: the elements with column - row ≥ k of the last two dimensions (upper=0: ≤ k), 0 elsewhere.
// https://onnx.ai/onnx/operators/onnx__Trilu.html
func init() {
	x := f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	lower := []graph.Attr{graph.IntAttr("upper", 0)}
	register(&Spec{Name: "Trilu", Since: 14, Attrs: []string{"upper"}, In: Arity{1, 2}, Out: Arity{1, 1}, Infer: inferTrilu, Compile: compileTrilu, Grad: gradSelf, Cases: []Case{
		{In: in(x), Out: in(f64s([]int{2, 3}, 1, 2, 3, 0, 5, 6))},
		{Name: "lower", Attrs: lower, In: in(x), Out: in(f64s([]int{2, 3}, 1, 0, 0, 4, 5, 0))},
		{Name: "above", In: in(x, i64s(nil, 1)), Out: in(f64s([]int{2, 3}, 0, 2, 3, 0, 0, 6))},
		{Name: "far", Attrs: lower, In: in(x, i64s(nil, -1<<63)), Out: in(f64s([]int{2, 3}, 0, 0, 0, 0, 0, 0))},
		{Name: "vector", In: in(f64v(1)), Err: "matrix"},
	}})
}

func inferTrilu(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "upper", graph.AttrInt); err != nil {
		return nil, err
	}
	return []tensor.Type{site.Types[0]}, wants(n, site, 1, tensor.Int64)
}

func compileTrilu(n *graph.Node, _ *Site) (Kernel, error) {
	upper := n.Int("upper", 1) != 0
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, shape := in[0], in[0].Shape()
		if len(shape) < 2 {
			return misfit("Trilu", "wants a matrix, not the shape "+shapeText(shape))
		}
		rows, columns := int64(shape[len(shape)-2]), int64(shape[len(shape)-1])
		k := int64(0)
		if t := presentIn(in, 1); t != nil {
			v, err := oneInt("Trilu", t)
			if err != nil {
				return err
			}
			k = min(max(v, -rows), columns)
		}
		if err := Reset(ctx, out[0], x.DType(), shape...); err != nil || x.Len() == 0 {
			return err
		}
		for i := range x.Len() / int(columns) {
			at, row := i*int(columns), int64(i)%rows
			lo, hi := 0, int(columns) // what stays
			if upper {
				lo = int(min(max(row+k, 0), columns))
			} else {
				hi = int(min(max(row+k+1, 0), columns))
			}
			fillFrom(out[0], at, lo, nil)
			moveBlock(out[0], at+lo, x, at+lo, hi-lo)
			fillFrom(out[0], at+hi, int(columns)-hi, nil)
		}
		return nil
	}, nil
}
