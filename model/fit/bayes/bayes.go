// Package bayes learns naive Bayes classifiers: each class has a prior and, for every feature by itself, a distribution
// (Gaussian) or a share (Bernoulli, Multinomial, Complement). One pass over the data fits them. Parameters carry
// scikit-learn's names, and the answers are scikit-learn's.
//
// Features that depend on each other are counted as often as they repeat each other, so classes may be right where
// probabilities are too sure of themselves: that is the method's nature, not this package's.
package bayes

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// model is what was learned: the logarithm of prior times likelihood of each class, but for what classes share.
type model interface {
	joint(row []float32, out []float64)               // in float64, for the loss and for tests
	emit(b *graph.Builder, x graph.Value) graph.Value // the same in a graph: from x (rows, cols) to (rows, classes)
}

// ready verifies what all of them need. Errors: fault.Invalid, fault.Canceled.
func ready(ctx context.Context, d fit.Data, name string) error {
	if d.Task != fit.Classification {
		return fault.New(fault.Invalid, name+" naive Bayes learns classes, not numbers").At("model").Try("use ridge regression or boosting")
	}
	if err := d.Check(false); err != nil {
		return err
	}
	return fit.Stopped(ctx)
}

// finish reports the loss and appends the probabilities.
func finish(ctx context.Context, d fit.Data, m model, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	if report != nil {
		report(fit.Progress{Step: 1, Steps: 1, Loss: fit.LogLoss(ctx, d, m.joint), Valid: math.NaN()})
	}
	if err := fit.Stopped(ctx); err != nil {
		return "", err
	}
	return b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, m.emit(b, x)), nil
}

// never is the logarithm of the prior of a class without weight: below all that float32 can hold beside it.
const never = -math.MaxFloat32

// logPriors are the logarithms of the shares of the classes, or of equal shares for those that occur.
func logPriors(weight []float64, uniform bool) []float64 {
	var total, present float64
	for _, w := range weight {
		total += w
		if w > 0 {
			present++
		}
	}
	out := make([]float64, len(weight))
	for k, w := range weight {
		switch {
		case w == 0:
			out[k] = never
		case uniform:
			out[k] = -math.Log(present)
		default:
			out[k] = math.Log(w / total)
		}
	}
	return out
}

// classWeights are the sums of weights of the classes.
func classWeights(d fit.Data) []float64 {
	out := make([]float64, d.Classes)
	for i, k := range d.Class {
		out[k] += d.W(i)
	}
	return out
}
