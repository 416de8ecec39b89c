//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// DropoutTraining is Dropout whose training_mode is not known to be false when the program is compiled; random_draw.go tells how it draws.
func init() {
	seed := []graph.Attr{graph.IntAttr("seed", 3)} // numpy's RandomState(3) gives .55, .71, .29, .51
	yes := boolv(true)
	register(&Spec{
		Domain: Private, Name: "DropoutTraining", Since: 1, Random: true, Attrs: []string{"seed"}, In: Arity{1, 3}, Out: Arity{1, 2},
		Infer: inferDropoutTraining, Compile: compileDropoutTraining, Cases: []Case{
			{Attrs: seed, In: in(f64v(1, 2, 3, 4), f32s(nil, .6), yes), Out: in(f64v(0, 5, 0, 0), boolv(false, true, false, false))},
			{Name: "half of it", Attrs: seed, In: in(f32v(1, 2, 3, 4), nil, yes), Out: in(f32v(2, 4, 0, 8))},
			{Name: "predicting", Attrs: seed, In: in(f32v(1, 2), f32s(nil, .5), boolv(false)), Out: in(f32v(1, 2), boolv(true, true))},
			{Name: "everything", In: in(f32v(1, 2), f32s(nil, 1), yes), Err: "ratio"},
		},
	})
}

func inferDropoutTraining(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "seed", graph.AttrInt); err != nil {
		return nil, err
	}
	if n.In(2) == "" || site.typ(2).DType != tensor.Bool {
		return nil, bad(n, "a training_mode that is not bool")
	}
	mask := site.Types[0]
	mask.DType = tensor.Bool
	return []tensor.Type{site.Types[0], mask}[:len(n.Outputs)], oneOf(n, site.Types[0], append(halfTypes[:2:2], floats...)...)
}

func compileDropoutTraining(n *graph.Node, site *Site) (Kernel, error) {
	from := newSource(float64(n.Int("seed", 0)), n.Attr("seed") != nil)
	var pool scratch[bool]
	var slots scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, ratio := in[0], .5
		if in[2].Len() != 1 {
			return misfit("Dropout", "a training_mode that is not a scalar")
		}
		if in[1] != nil {
			var err error
			if ratio, err = scalarFloat("Dropout", "a ratio", in[1]); err != nil {
				return err
			}
		}
		if !(ratio >= 0 && ratio < 1) {
			return misfit("Dropout", "a ratio outside of [0, 1)")
		}
		var keep []bool
		if len(out) > 1 && out[1] != nil {
			if err := Reset(ctx, out[1], tensor.Bool, x.Shape()...); err != nil {
				return err
			}
			keep = tensor.Data[bool](out[1])
		} else {
			held := pool.take(x.Len())
			defer pool.put(held)
			keep = *held
		}
		fill(keep, true)
		if !tensor.Data[bool](in[2])[0] {
			ratio = 0
		}
		if ratio > 0 {
			g := from.take()
			defer from.put(g)
			for i := range keep {
				if i%dearGrain == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
				keep[i] = g.uniform() >= ratio
			}
		}
		if out[0] == nil {
			return nil
		}
		if err := Reset(ctx, out[0], x.DType(), x.Shape()...); err != nil {
			return err
		}
		return dropInto(ctx, &slots, out[0], x, keep, 1/(1-ratio))
	}, nil
}

// dropInto scales what is kept.
func dropInto(ctx context.Context, slots *scratch[tensor.Tensor], y, x *tensor.Tensor, keep []bool, scale float64) error {
	switch x.DType() {
	case tensor.Float32:
		dropRun(y.F32(), x.F32(), keep, float32(scale))
		return nil
	case tensor.Float64:
		dropRun(tensor.Data[float64](y), tensor.Data[float64](x), keep, scale)
		return nil
	}
	held := slots.take(1)
	defer slots.put(held)
	wide := &(*held)[0]
	if err := Reset(ctx, wide, tensor.Float32, x.Shape()...); err != nil {
		return err
	}
	if err := castInto(wide, x); err != nil {
		return err
	}
	dropRun(wide.F32(), wide.F32(), keep, float32(scale))
	return castInto(y, wide)
}

func dropRun[T float](dst, src []T, keep []bool, scale T) {
	dst, keep = dst[:len(src)], keep[:len(src)]
	for i, x := range src {
		if keep[i] {
			dst[i] = x * scale
		} else {
			dst[i] = 0
		}
	}
}
