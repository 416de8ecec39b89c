//go:build lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// What byte-pair encoding needs of operators that the lean browser build has no room for: CumSum and ScatterElements along the rows of an int64
// matrix, Unique of texts in the order in which they come. All else is refused.
func init() {
	register(&Spec{Name: "CumSum", Since: 11, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferRows, Compile: rowsKernel(sumRow)})
	register(&Spec{Name: "ScatterElements", Since: 16, Attrs: []string{"axis"}, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: inferRows, Compile: rowsKernel(scatterRow)})
	register(&Spec{Name: "Unique", Since: 11, Attrs: []string{"sorted"}, In: Arity{1, 1}, Out: Arity{1, 4}, Infer: inferUniqueTexts, Compile: func(*graph.Node, *Site) (Kernel, error) { return uniqueTexts, nil }})
}

func inferRows(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if n.Op == "ScatterElements" && n.Int("axis", 0) != 1 {
		return nil, refuseAttr(n, "axis", itoa(n.Int("axis", 0)))
	}
	for _, t := range site.Types {
		if t.DType != tensor.Int64 {
			return nil, refuse(n, t.DType)
		}
	}
	return site.Types[:1], nil
}

// rowsKernel calls f for the rows of all inputs.
func rowsKernel(f func(y, x, u []int64) error) compileFunc {
	return func(n *graph.Node, _ *Site) (Kernel, error) {
		return func(ctx context.Context, in, out []*tensor.Tensor) error {
			x := in[0]
			last, width := in[len(in)-1], 0
			if n.Op == "CumSum" {
				if last.Len() != 1 || last.I64()[0] != int64(x.Rank()-1) {
					return misfit(n.Op, "this build sums along the last axis only")
				}
				last = x
			}
			if x.Rank() == 0 || last.Rank() != x.Rank() || x.Rank() > 2 {
				return misfit(n.Op, "this build takes vectors and matrices only")
			}
			rows := 1
			if x.Rank() == 2 {
				rows = x.Shape()[0]
			}
			if err := Copy(ctx, out[0], x); err != nil || rows == 0 {
				return err
			}
			if last.Len()%rows != 0 || in[1] != last && n.Op == "ScatterElements" && in[1].Len() != last.Len() {
				return misfit(n.Op, "shapes that do not fit")
			}
			width = last.Len() / rows
			from := in[1].I64()
			if n.Op == "CumSum" {
				from = x.I64()
			}
			y, step := out[0].I64(), x.Len()/rows
			for r := range rows {
				if err := f(y[r*step:][:step], from[r*width:][:width], last.I64()[r*width:][:width]); err != nil {
					return err
				}
			}
			return ctx.Err()
		}, nil
	}
}

func sumRow(y, _, _ []int64) error {
	for i := 1; i < len(y); i++ {
		y[i] += y[i-1]
	}
	return nil
}

func scatterRow(y, places, u []int64) error {
	for i, at := range places {
		if at < 0 || at >= int64(len(y)) {
			return misfit("ScatterElements", "index "+itoa(at)+" on an axis of length "+itoa(int64(len(y))))
		}
		y[at] = u[i]
	}
	return nil
}

func inferUniqueTexts(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if n.Int("sorted", 1) != 0 || site.Types[0].DType != tensor.String {
		return nil, refuse(n, site.Types[0].DType)
	}
	list := tensor.TypeOf(tensor.Int64, tensor.Free)
	return []tensor.Type{tensor.TypeOf(tensor.String, tensor.Free), list, list, list}[:len(n.Outputs)], nil
}
