package job

import (
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/metric"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// score runs a model on rows and returns its metrics against their targets. The model's classes may stand in another
// order than the target's, or be fewer: a class that the model does not know has probability 0.
func score(ctx context.Context, m *predict.Model, t *table.Table, truth *target) (map[string]float64, *predict.Result, error) {
	result, err := m.Table(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	if truth.task == fit.Regression {
		if len(result.Prediction) != len(truth.y) {
			return nil, nil, fault.New(fault.Invalid, "the model does not predict numbers")
		}
		return scores(fit.Regression, 0, nil, truth.y, result.Prediction), result, nil
	}
	if result.Classes == nil {
		return nil, nil, fault.New(fault.Invalid, "the model does not predict classes")
	}
	proba := reorder(result, truth.classes)
	return scores(fit.Classification, len(truth.classes), truth.class, nil, proba), result, nil
}

// reorder gives probabilities (rows, len(classes)) in the order of classes.
func reorder(r *predict.Result, classes []string) []float32 {
	column := map[string]int{}
	for i, c := range r.Classes {
		column[c] = i
	}
	rows, width := len(r.Labels), len(r.Classes)
	out := make([]float32, rows*len(classes))
	for j, c := range classes {
		k, known := column[c]
		if !known {
			continue
		}
		for i := range rows {
			out[i*len(classes)+j] = r.Probabilities[i*width+k]
		}
	}
	return out
}

// baseline scores the model that knows only the shares of the classes, or the mean, of the rows to train on.
func (w *work) baseline() map[string]float64 {
	train, test := w.target.take(w.train), w.target.take(w.test)
	if w.target.task == fit.Regression {
		return defined(metric.BaselineRegression(train.y, test.y))
	}
	return defined(metric.BaselineClassification(len(w.target.classes), train.class, test.class))
}

// defined drops the metrics that have no value on these rows (AUC where one class is all there is): NaN is not JSON.
func defined(m map[string]float64) map[string]float64 {
	for name, v := range m {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(m, name)
		}
	}
	return m
}

// outputDistribution is the drift baseline of the predictions: shares of labels, or deciles of numbers.
func outputDistribution(r *predict.Result) card.Distribution {
	if r.Classes == nil {
		return deciles(r.Prediction)
	}
	d := card.Distribution{Name: predict.LabelOutput, Values: r.Classes, Shares: make([]float64, len(r.Classes))}
	at := map[string]int{}
	for i, c := range r.Classes {
		at[c] = i
	}
	for _, l := range r.Labels {
		d.Shares[at[l]] += 1 / float64(len(r.Labels))
	}
	return d
}

// deciles is the distribution of predicted numbers over their own deciles.
func deciles(values []float32) card.Distribution {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	d := card.Distribution{Name: predict.PredictionOutput}
	for i := range 11 {
		edge := float64(sorted[i*(len(sorted)-1)/10])
		if n := len(d.Edges); n == 0 || edge > d.Edges[n-1] {
			d.Edges = append(d.Edges, edge)
		}
	}
	d.Shares = make([]float64, max(len(d.Edges)-1, 0))
	for _, v := range values {
		for i := range d.Shares {
			if float64(v) <= d.Edges[i+1] || i == len(d.Shares)-1 {
				d.Shares[i] += 1 / float64(len(values))
				break
			}
		}
	}
	return d
}
