//go:build !lean

package op

import (
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// PreviewTraining is the domain of the optimizers that ONNX defines.
const PreviewTraining = "ai.onnx.preview.training"

// Momentum, Adagrad, Adam: one step from tensors x with gradients g and statistics of earlier steps. Inputs: learning rate r, number of
// steps so far t, then all x, all g and each kind of statistic; outputs: the new x and statistics in the same order.
// https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Momentum.html and so on.
func init() {
	f := graph.FloatAttr
	r, zero, three := f64s(nil, .1), i64s(nil, 0), i64s(nil, 3)
	optimizer := func(name string, kinds int, attrs []string, prepare func(*graph.Node) (*update, error), cases ...Case) {
		register(&Spec{
			Domain: PreviewTraining, Name: name, Since: 1, Attrs: attrs, In: Arity{2 + kinds, Many}, Out: Arity{kinds - 1, Many}, Cases: cases,
			Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) { return inferOptimizer(n, site, kinds) },
			Compile: func(n *graph.Node, _ *Site) (Kernel, error) {
				u, err := prepare(n)
				return optimizerKernel(n, kinds, u), err
			},
		})
	}
	momentum := []graph.Attr{f("alpha", .5), f("beta", 2), f("norm_coefficient", .25), graph.StringAttr("mode", "standard")}
	nesterov := append(momentum[:3:3], graph.StringAttr("mode", "nesterov"))
	optimizer("Momentum", 3, []string{"alpha", "beta", "mode", "norm_coefficient"}, momentumOf,
		Case{Attrs: momentum, In: in(r, zero, f64v(4), f64v(2), f64v(8)), Out: in(f64v(3.3), f64v(7))},
		Case{Name: "later", Attrs: momentum, In: in(r, three, f64v(4), f64v(2), f64v(8)), Out: in(f64v(3), f64v(10))},
		Case{Name: "nesterov, two tensors", Attrs: nesterov, In: in(r, zero, f64v(4), f64v(0), f64v(2), f64v(1), f64v(8), f64v(2)), Out: in(f64v(3.35), f64v(-.2), f64v(7), f64v(2))},
		Case{Name: "misfit", Attrs: momentum, In: in(r, zero, f64v(4), f64v(2, 3), f64v(8)), Err: "shape"})
	optimizer("Adagrad", 3, []string{"decay_factor", "epsilon", "norm_coefficient"}, adagradOf,
		Case{Attrs: []graph.Attr{f("decay_factor", .5), f("epsilon", 1), f("norm_coefficient", .25)}, In: in(r, i64s(nil, 2), f64v(4), f64v(2), f64v(16)), Out: in(f64v(4-.05*3/6), f64v(25))})
	optimizer("Adam", 4, []string{"alpha", "beta", "epsilon", "norm_coefficient", "norm_coefficient_post"}, adamOf,
		Case{Attrs: []graph.Attr{f("alpha", .5), f("beta", .75), f("epsilon", 1)}, In: in(r, zero, f64v(4), f64v(2), f64v(8), f64v(20)), Out: in(f64v(3.9), f64v(5), f64v(16))},
		Case{Name: "later", Attrs: []graph.Attr{f("alpha", .5), f("beta", .75), f("epsilon", 1), f("norm_coefficient_post", .5)}, In: in(r, i64s(nil, 1), f64v(4), f64v(2), f64v(8), f64v(20)), Out: in(f64v(1.95), f64v(5), f64v(16))})
}

// update is an optimizer. rates gives what all steps of a run have in common, from the learning rate and the number of runs before; step makes one step of
// one element: from x, its gradient and its statistics to the new ones.
type update struct {
	rates func(r float64, t int64) [2]float64
	step  func(rates [2]float64, x, g float64, s [2]float64) (float64, [2]float64)
}

func momentumOf(n *graph.Node) (*update, error) {
	if err := kinds(n, graph.AttrFloat, "alpha", "beta", "norm_coefficient"); err != nil {
		return nil, err
	}
	mode := n.Str("mode", "")
	if mode != "standard" && mode != "nesterov" {
		return nil, refuseAttr(n, "mode", mode)
	}
	alpha, beta, norm := float64(n.Float("alpha", 0)), float64(n.Float("beta", 0)), float64(n.Float("norm_coefficient", 0))
	rates := func(r float64, t int64) [2]float64 {
		if t <= 0 {
			return [2]float64{r, 1}
		}
		return [2]float64{r, beta}
	}
	return &update{rates, func(rates [2]float64, x, g float64, s [2]float64) (float64, [2]float64) {
		g += norm * x
		s[0] = alpha*s[0] + rates[1]*g
		if mode == "nesterov" {
			return x - rates[0]*(g+alpha*s[0]), s
		}
		return x - rates[0]*s[0], s
	}}, nil
}

func adagradOf(n *graph.Node) (*update, error) {
	if err := kinds(n, graph.AttrFloat, "decay_factor", "epsilon", "norm_coefficient"); err != nil {
		return nil, err
	}
	decay, epsilon, norm := float64(n.Float("decay_factor", 0)), float64(n.Float("epsilon", 1e-6)), float64(n.Float("norm_coefficient", 0))
	rates := func(r float64, t int64) [2]float64 { return [2]float64{r / (1 + float64(t)*decay)} }
	return &update{rates, func(rates [2]float64, x, g float64, s [2]float64) (float64, [2]float64) {
		g += norm * x
		s[0] += g * g
		return x - rates[0]*g/(math.Sqrt(s[0])+epsilon), s
	}}, nil
}

func adamOf(n *graph.Node) (*update, error) {
	if err := kinds(n, graph.AttrFloat, "alpha", "beta", "epsilon", "norm_coefficient", "norm_coefficient_post"); err != nil {
		return nil, err
	}
	alpha, beta := float64(n.Float("alpha", .9)), float64(n.Float("beta", .999))
	epsilon, norm, post := float64(n.Float("epsilon", 1e-6)), float64(n.Float("norm_coefficient", 0)), float64(n.Float("norm_coefficient_post", 0))
	rates := func(r float64, t int64) [2]float64 {
		if t > 0 { // the statistics began at 0 and are too small at first
			r *= math.Sqrt(1-math.Pow(beta, float64(t))) / (1 - math.Pow(alpha, float64(t)))
		}
		return [2]float64{r}
	}
	return &update{rates, func(rates [2]float64, x, g float64, s [2]float64) (float64, [2]float64) {
		g += norm * x
		s[0] = alpha*s[0] + (1-alpha)*g
		s[1] = beta*s[1] + (1-beta)*g*g
		return (1 - post) * (x - rates[0]*s[0]/(math.Sqrt(s[1])+epsilon)), s
	}}, nil
}

func inferOptimizer(n *graph.Node, site *Site, kinds int) ([]tensor.Type, error) {
	count := (len(n.Inputs) - 2) / kinds
	if 2+count*kinds != len(n.Inputs) || count*(kinds-1) != len(n.Outputs) {
		return nil, bad(n, "numbers of inputs and outputs that do not go together")
	}
	if err := oneOf(n, site.Types[0], floats...); err != nil {
		return nil, err
	}
	if err := oneOf(n, site.Types[1], tensor.Int64); err != nil {
		return nil, err
	}
	types := make([]tensor.Type, len(n.Outputs))
	for i := range site.Types[2:] {
		t := site.Types[2+i]
		if err := oneOf(n, t, floats...); err != nil {
			return nil, err
		}
		if t.DType != site.Types[2+i%count].DType {
			return nil, bad(n, "a tensor and its statistics of different types")
		}
		switch k := i / count; {
		case k == 0:
			types[i] = t
		case k > 1: // the gradients are no output
			types[i-count] = t
		}
	}
	return types, nil
}

func optimizerKernel(n *graph.Node, kinds int, u *update) Kernel {
	op := n.Op
	var slots scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		r, err := scalarFloat(op, "the learning rate", in[0])
		if err != nil {
			return err
		}
		t, err := scalarIndex(op, "a number of steps", in[1])
		if err != nil {
			return err
		}
		rates, count := u.rates(r, t), (len(in)-2)/kinds
		held := slots.take(kinds - 1)
		defer slots.put(held)
		for i := range count {
			var from, to [4]*tensor.Tensor // x, g and statistics; the new x and statistics
			for k := range kinds {
				from[k] = in[2+k*count+i]
				if !slices.Equal(from[k].Shape(), from[0].Shape()) {
					return misfit(op, "a tensor and its statistics of different shapes")
				}
			}
			for k := range kinds - 1 {
				if to[k] = out[k*count+i]; to[k] == nil {
					to[k] = &(*held)[k] // nobody wants it
				}
				if err := Reset(ctx, to[k], from[0].DType(), from[0].Shape()...); err != nil {
					return err
				}
			}
			if from[0].DType() == tensor.Float32 {
				err = optimize(ctx, tensor.Data[float32], &from, &to, kinds, u, rates)
			} else {
				err = optimize(ctx, tensor.Data[float64], &from, &to, kinds, u, rates)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func optimize[T float](ctx context.Context, data lane[T], from, to *[4]*tensor.Tensor, kinds int, u *update, rates [2]float64) error {
	var src, dst [4][]T
	for k := range kinds {
		src[k] = data(from[k])
	}
	for k := range kinds - 1 {
		dst[k] = data(to[k])
	}
	for i := range src[0] {
		if i%dearGrain == 0 && ctx.Err() != nil {
			break
		}
		var s [2]float64
		for k := 2; k < kinds; k++ {
			s[k-2] = float64(src[k][i])
		}
		x, s := u.step(rates, float64(src[0][i]), float64(src[1][i]), s)
		dst[0][i] = T(x)
		for k := 1; k < kinds-1; k++ {
			dst[k][i] = T(s[k-1])
		}
	}
	return ctx.Err()
}
