//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// LossGrad(dy, target, score, weight; reduction, ignore_index, softmax): the gradients of scores and weights over NegativeLogLikelihoodLoss, where score
// is its input, or over SoftmaxCrossEntropyLoss (softmax=1), where score is its second output, the logarithms p: with g = dy·w[t], of a mean by Σw,
// dx = -g where the class is the target's, 0 elsewhere; with softmax, g·e^p is added.
func init() {
	p := f64s([]int{2, 2}, -1, -2, -3, -4)
	register(&Spec{
		Domain: Private, Name: "LossGrad", Since: 1, Half: true, Attrs: []string{"ignore_index", "reduction", "softmax"}, In: Arity{3, 4}, Out: Arity{1, 2},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			return []tensor.Type{site.Types[2], site.typ(3)}[:len(n.Outputs)], oneOf(n, site.Types[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, lossGrad(n, site, tensor.Data[float32]), lossGrad(n, site, tensor.Data[float64]))
		},
		Cases: []Case{
			{In: in(f64s(nil, 2), i64v(1, 0), p, f64v(1, 3)), Out: in(f64s([]int{2, 2}, 0, -1.5, -.5, 0), f64v(.375, -.125))},
			{Name: "no such class", In: in(f64s(nil, 2), i64v(1, 2), p), Err: "class 2"},
		},
	})
}

func gradLoss(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	soft := n.Op == "SoftmaxCrossEntropyLoss"
	score := n.Inputs[0]
	attrs := []graph.Attr{graph.StringAttr("reduction", n.Str("reduction", "mean"))}
	if a := n.Attr("ignore_index"); a != nil {
		attrs = append(attrs, *a)
	}
	if soft {
		score = keepOutput(b, n, 1, "log_prob")
		attrs = append(attrs, graph.IntAttr("softmax", 1))
	}
	dx := make([]graph.Value, len(n.Inputs))
	if dy[0] != "" {
		in := []graph.Value{dy[0], n.Inputs[1], score}
		outputs := 1
		if n.In(2) != "" {
			in, outputs = append(in, n.Inputs[2]), 2
		}
		grads := b.Node(Private, "LossGrad", in, outputs, attrs...)
		if dx[0] = grads[0]; outputs > 1 {
			dx[2] = grads[1]
		}
	}
	if len(dy) > 1 && dy[1] != "" {
		through := b.Node(Private, "LogSoftmaxGrad", []graph.Value{dy[1], score}, 1, graph.IntAttr("axis", 1))[0]
		if dx[0] != "" {
			through = b.Op("Add", dx[0], through)
		}
		dx[0] = through
	}
	return dx, nil
}

// lossBack is one call: dx and p (batch, classes, places).
type lossBack[T float] struct {
	ctx             context.Context
	dx, p           []T
	target          []int64 // (batch, places), -1 where it is ignored
	each            []T     // (batch, places): g
	classes, places int
	soft            bool
}

func lossGrad[T float](n *graph.Node, site *Site, data lane[T]) Kernel {
	reduction, soft, threads := n.Str("reduction", "mean"), n.Int("softmax", 0) != 0, site.Threads
	ignore, ignores := n.Int("ignore_index", 0), n.Attr("ignore_index") != nil
	var runs kept[lossBack[T]]
	var pool scratch[T]
	var places scratch[int64]
	var lists lists
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shapes := lists.take(in[2], in[1], nil)
		defer lists.put(shapes)
		var weight []T
		if len(in) > 3 && in[3] != nil {
			(*shapes)[2], weight = in[3], data(in[3])
		}
		batch, classes, width, err := lossShape("LossGrad", *shapes)
		if err != nil {
			return err
		}
		count, dy := batch*width, data(in[0])
		if reduction == "none" && len(dy) != count || reduction != "none" && len(dy) != 1 {
			return misfit("LossGrad", "shapes do not fit")
		}
		held, own := places.take(count), pool.take(count)
		defer places.put(held)
		defer pool.put(own)
		r := runs.take()
		defer runs.put(r)
		*r = lossBack[T]{ctx: ctx, p: data(in[2]), target: intsOf((*held)[:0], in[1]), each: *own, classes: classes, places: width, soft: soft}
		var total float64
		for i, t := range r.target {
			r.each[i] = 0
			switch {
			case ignores && t == ignore:
				r.target[i] = -1
				continue
			case t < 0 || t >= int64(classes):
				return misfit("LossGrad", "a target of class "+itoa(t)+" among "+itoa(int64(classes)))
			}
			if r.each[i] = 1; weight != nil {
				r.each[i] = weight[t]
			}
			total += float64(r.each[i])
		}
		if d := outputOf(out, 1); d != nil && weight != nil {
			if err := Reset(ctx, d, in[3].DType(), in[3].Shape()...); err != nil {
				return err
			}
			r.weights(data(d), dy, total, reduction == "mean")
		}
		if out[0] == nil {
			return nil
		}
		if err := Reset(ctx, out[0], in[2].DType(), in[2].Shape()...); err != nil {
			return err
		}
		r.dx = data(out[0])
		for i := range r.each {
			switch reduction {
			case "none":
				r.each[i] *= dy[i]
			case "mean":
				r.each[i] = T(float64(r.each[i]) * float64(dy[0]) / total)
			default:
				r.each[i] *= dy[0]
			}
			if r.target[i] < 0 { // what is ignored, and the mean of nothing
				r.each[i] = 0
			}
		}
		if count*classes == 0 {
			return nil
		}
		return sweep(ctx, threads, batch, max(1, dearGrain/(classes*width)), r)
	}
}

// weights writes the gradient of the weights: -dy·p of the targets of a class; of a mean, (-p - loss)/Σw.
func (r *lossBack[T]) weights(dw, dy []T, total float64, mean bool) {
	clear(dw)
	var loss float64
	score := func(i int) float64 {
		return float64(r.p[(i/r.places*r.classes+int(r.target[i]))*r.places+i%r.places])
	}
	if mean {
		for i, t := range r.target {
			if t >= 0 {
				loss -= float64(r.each[i]) * score(i) / total
			}
		}
	}
	for i, t := range r.target {
		switch {
		case t < 0:
		case mean:
			dw[t] += T(float64(dy[0]) * (-score(i) - loss) / total)
		default:
			dw[t] -= part(dy, i, i+1)[0] * T(score(i))
		}
	}
}

// Do does some of the batch.
func (r *lossBack[T]) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		size := r.classes * r.places
		dx, p, each := r.dx[i*size:][:size], r.p[i*size:][:size], r.each[i*r.places:][:r.places]
		if r.soft {
			exps(dx, p)
			if r.places == 1 {
				normLine(dx, dx, each[0], 0)
			} else {
				for at := 0; at < size; at += r.places {
					timesEach(dx[at:at+r.places], each)
				}
			}
		} else {
			clear(dx)
		}
		for k, g := range each {
			if t := r.target[i*r.places+k]; t >= 0 {
				dx[int(t)*r.places+k] -= g
			}
		}
	}
}

// timesEach multiplies dst by x, element by element.
func timesEach[T float](dst, x []T) {
	if d, ok := any(dst).([]float32); ok {
		kernel.Pair(kernel.Mul, d, d, any(x).([]float32))
		return
	}
	for i, v := range x {
		dst[i] *= v
	}
}
