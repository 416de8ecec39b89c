//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// NegativeLogLikelihoodLoss: y = -w[t]·x[n, t, …] for x (batch, classes, …) and targets t (batch, …), or the sum or weighted mean of these.
// Targets of ignore_index count nothing. https://onnx.ai/onnx/operators/onnx__NegativeLogLikelihoodLoss.html
// SoftmaxCrossEntropyLoss: the same of the logarithm of the softmax over the classes, which is output 1.
// https://onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html
func init() {
	x := f64s([]int{2, 3}, -1, -2, -3, -4, -5, -6)
	attr := func(reduction string, more ...graph.Attr) []graph.Attr {
		return append([]graph.Attr{graph.StringAttr("reduction", reduction)}, more...)
	}
	loss := func(name string, outputs int, cases ...Case) {
		register(&Spec{
			Name: name, Since: 12, Half: true, Attrs: []string{"ignore_index", "reduction"}, In: Arity{2, 3}, Out: Arity{1, outputs},
			Infer: inferLoss, Compile: compileLoss, Grad: gradLoss, Cases: cases,
		})
	}
	loss("NegativeLogLikelihoodLoss", 1,
		Case{In: in(x, i64v(2, 0)), Out: in(f64s(nil, 3.5))},
		Case{Name: "weights", In: in(x, i32v(2, 0), f64v(1, 2, 3)), Out: in(f64s(nil, 13./4))},
		Case{Name: "none", Attrs: attr("none"), In: in(x, i64v(2, 0), f64v(1, 2, 3)), Out: in(f64v(9, 4))},
		Case{Name: "sum", Attrs: attr("sum", graph.IntAttr("ignore_index", -7)), In: in(x, i64v(-7, 1)), Out: in(f64s(nil, 5))},
		Case{Name: "places", Attrs: attr("none"), In: in(f64s([]int{1, 2, 3}, 1, 2, 3, 4, 5, 6), i64s([]int{1, 3}, 0, 1, 0)), Out: in(f64s([]int{1, 3}, -1, -5, -3))},
		Case{Name: "weighted places", Attrs: attr("mean", graph.IntAttr("ignore_index", -1)), In: in(f64s([]int{1, 2, 3}, 1, 2, 3, 4, 5, 6), i32m(1, 3, 0, 1, -1), f64v(1, 2)), Out: in(f64s(nil, -11./3))},
		Case{Name: "weighted sum", Attrs: attr("sum"), In: in(x, i64v(2, 0), f64v(1, 2, 3)), Out: in(f64s(nil, 13))},
		Case{Name: "no such class", In: in(x, i64v(3, 0)), Err: "class 3"},
		Case{Name: "misfit", In: in(x, i64v(1, 0, 0)), Err: "target"})
	p := math.Log(1 + math.Exp(-1) + math.Exp(-2))
	loss("SoftmaxCrossEntropyLoss", 2,
		Case{In: in(x, i64v(2, 0)), Out: in(f64s(nil, (2+p+p)/2))},
		Case{Name: "logarithms", Attrs: attr("none"), In: in(x, i64v(2, 0)), Out: in(f64v(2+p, p), f64s([]int{2, 3}, -p, -1-p, -2-p, -p, -1-p, -2-p))},
		Case{Name: "weights", Attrs: attr("mean", graph.IntAttr("ignore_index", 1)), In: in(f64s([]int{3, 3}, -1, -2, -3, -4, -5, -6, 1, 2, 3), i32v(2, 0, 1), f64v(1, 2, 3)), Out: in(f64s(nil, (3*(2+p)+p)/4))},
		Case{Name: "places", Attrs: attr("sum"), In: in(f64s([]int{1, 3, 2}, -1, -4, -2, -5, -3, -6), i64s([]int{1, 2}, 2, 0)), Out: in(f64s(nil, 2+2*p), f64s([]int{1, 3, 2}, -p, -p, -1-p, -1-p, -2-p, -2-p))},
		Case{Name: "other", Attrs: attr("max"), In: in(x, i64v(2, 0)), Err: "reduction"})
}

func inferLoss(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "ignore_index", graph.AttrInt); err != nil {
		return nil, err
	}
	if err := kind(n, "reduction", graph.AttrString); err != nil {
		return nil, err
	}
	x, target := site.Types[0], site.Types[1]
	if err := oneOf(n, x, floats...); err != nil {
		return nil, err
	}
	if err := oneOf(n, target, indexTypes...); err != nil {
		return nil, err
	}
	if n.In(2) != "" && site.typ(2).DType != x.DType {
		return nil, bad(n, "weights of another type than the scores")
	}
	y := tensor.TypeOf(x.DType)
	switch v := n.Str("reduction", "mean"); v {
	case "none":
		y = target
		y.DType = x.DType
	case "sum", "mean":
	default:
		return nil, bad(n, "a reduction that is none of none, sum and mean: "+v)
	}
	return []tensor.Type{y, x}[:len(n.Outputs)], nil
}

func compileLoss(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return lossKernel(n, site, tensor.Data[float32]), nil
	}
	return lossKernel(n, site, tensor.Data[float64]), nil
}

// lossShape checks how scores, targets and weights go together: x (batch, classes, …), of which places are the product of the rest.
func lossShape(op string, in []*tensor.Tensor) (batch, classes, places int, err error) {
	x, t := in[0].Shape(), in[1].Shape()
	if len(x) < 2 {
		return 0, 0, 0, misfit(op, "scores without classes: "+shapeText(x))
	}
	fits, places := len(t) == len(x)-1 && t[0] == x[0], 1
	for i := 2; i < len(x) && fits; i++ {
		fits = t[i-1] == x[i]
		places *= x[i]
	}
	if !fits {
		return 0, 0, 0, misfit(op, "a target "+shapeText(t)+" for scores "+shapeText(x))
	}
	if len(in) > 2 && in[2] != nil && in[2].Len() != x[1] {
		return 0, 0, 0, misfit(op, "weights "+shapeText(in[2].Shape())+" for scores "+shapeText(x))
	}
	return x[0], x[1], places, nil
}

func lossKernel[T float](n *graph.Node, site *Site, data lane[T]) Kernel {
	var runs kept[softmaxRun[T]]
	threads := site.Threads
	op, reduction, soft := n.Op, n.Str("reduction", "mean"), n.Op == "SoftmaxCrossEntropyLoss"
	ignore, ignores := n.Int("ignore_index", 0), n.Attr("ignore_index") != nil
	var pool scratch[T]
	var places scratch[int64]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, target := in[0], in[1]
		batch, classes, width, err := lossShape(op, in)
		if err != nil {
			return err
		}
		score := data(x)
		if soft {
			var logs []T
			if len(out) > 1 && out[1] != nil {
				if err := Reset(ctx, out[1], x.DType(), x.Shape()...); err != nil {
					return err
				}
				logs = data(out[1])
			} else {
				held := pool.take(x.Len())
				defer pool.put(held)
				logs = *held
			}
			if len(logs) > 0 {
				r := runs.take()
				*r = softmaxRun[T]{logs, score, classes, width, true}
				err := sweep(ctx, threads, batch, max(1, dearGrain/(classes*width)), r)
				runs.put(r)
				if err != nil {
					return err
				}
			}
			score = logs
		}
		var weight []T
		if len(in) > 2 && in[2] != nil {
			weight = data(in[2])
		}
		var each []T // one loss for each target
		if out[0] != nil && reduction == "none" {
			if err := Reset(ctx, out[0], x.DType(), target.Shape()...); err != nil {
				return err
			}
			each = data(out[0])
		}
		held := places.take(target.Len())
		defer places.put(held)
		var sum, total float64
		for i, t := range intsOf((*held)[:0], target) {
			var y, w float64
			switch {
			case ignores && t == ignore:
			case t < 0 || t >= int64(classes):
				return misfit(op, "a target of class "+itoa(t)+" among "+itoa(int64(classes)))
			default:
				if w = 1; weight != nil {
					w = float64(weight[t])
				}
				y = -w * float64(score[(i/width*classes+int(t))*width+i%width])
			}
			if each != nil {
				each[i] = T(y)
			}
			sum, total = sum+y, total+w
		}
		if out[0] == nil || reduction == "none" {
			return nil
		}
		if reduction == "mean" {
			sum /= total
		}
		if err := Reset(ctx, out[0], x.DType()); err != nil {
			return err
		}
		data(out[0])[0] = T(sum)
		return nil
	}
}
