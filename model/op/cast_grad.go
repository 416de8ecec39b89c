//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// CastGrad(dy, x, like): dy as the type of x, the gradient of x for y = CastLike(x, like); zeros where like holds no floats, as y changes in steps.
func init() {
	register(&Spec{
		Domain: Private, Name: "CastGrad", Since: 1, In: Arity{3, 3}, Out: Arity{1, 1},
		Infer: func(_ *graph.Node, site *Site) ([]tensor.Type, error) { return site.Types[1:2], nil },
		Simplify: func(n *graph.Node, site *Site) *graph.Node {
			if !hasFractions(site.Types[2].DType) {
				return nil
			}
			return &graph.Node{Name: n.Name, Op: "Cast", Attrs: castTo(site.Types[1].DType), Inputs: n.Inputs[:1], Outputs: n.Outputs}
		},
		Compile: func(_ *graph.Node, site *Site) (Kernel, error) {
			through := hasFractions(site.Types[2].DType)
			return func(ctx context.Context, in, out []*tensor.Tensor) error {
				if err := Reset(ctx, out[0], in[1].DType(), in[1].Shape()...); err != nil {
					return err
				}
				if !through {
					fillFrom(out[0], 0, out[0].Len(), nil)
					return nil
				}
				return castInto(out[0], in[0])
			}, nil
		},
		Cases: []Case{
			{In: in(f32v(1, 2), f64v(0, 0), f32v(0)), Out: in(f64v(1, 2))},
			{Name: "steps", In: in(f32v(1, 2), f64v(0, 0), i64v(0)), Out: in(f64v(0, 0))},
		},
	})
}

// hasFractions tells whether a type has fractions.
func hasFractions(d tensor.DType) bool {
	return slices.Contains(floats, d) || slices.Contains(halfTypes, d)
}
