package metric

import "math"

// shownForNumbers are the metrics that Regression returns.
var shownForNumbers = []string{RMSE, MAE, R2}

// Regression compares targets truth (rows) with predictions pred (rows). It returns rmse, mae and, from two rows on,
// r2, which is 1 for a constant target that is met exactly and 0 for one that is not. Without rows it is empty.
// It panics when the lengths differ: that is a defect of the caller.
func Regression(truth, pred []float32) map[string]float64 {
	out := map[string]float64{}
	for _, name := range shownForNumbers {
		if v, ok := OfNumbers(name, truth, pred, nil); ok {
			out[name] = v
		}
	}
	return out
}

// OfNumbers is the metric of that name for targets truth (rows), predictions pred (rows) and weights (rows), nil for
// equal ones; pinball is that of the median. It is false where the metric is not defined: without rows or without
// weight, for the r2 of one row, and for a name that is not a metric of numbers. It panics when the lengths differ:
// that is a defect of the caller.
func OfNumbers(name string, truth, pred, weight []float32) (float64, bool) {
	switch name {
	case R2:
		return determination(truth, pred, weight)
	case RMSE:
		v, ok := meanOf(truth, pred, weight, func(t, p float64) float64 { return (t - p) * (t - p) })
		return math.Sqrt(v), ok
	case MAE:
		return meanOf(truth, pred, weight, func(t, p float64) float64 { return math.Abs(t - p) })
	case MAPE: // a target of zero divides by the float64 machine epsilon, as in scikit-learn
		return meanOf(truth, pred, weight, func(t, p float64) float64 { return math.Abs(t-p) / max(math.Abs(t), 0x1p-52) })
	case PinballLoss:
		return Pinball(.5, truth, pred, weight)
	}
	return 0, false
}

// Pinball is the mean loss that the quantile of a distribution makes smallest: quantile times what the prediction falls
// short of the target, and 1-quantile times what it exceeds it (Koenker and Bassett 1978). quantile lies between 0 and
// 1; weight may be nil. It is false without rows, without weight, or for another quantile.
func Pinball(quantile float64, truth, pred, weight []float32) (float64, bool) {
	v, ok := meanOf(truth, pred, weight, func(t, p float64) float64 { return max(quantile*(t-p), (quantile-1)*(t-p)) })
	return v, ok && quantile >= 0 && quantile <= 1
}

// meanOf is the weighted mean of a loss over rows.
func meanOf(truth, pred, weight []float32, loss func(t, p float64) float64) (float64, bool) {
	if len(pred) != len(truth) || (weight != nil && len(weight) != len(truth)) {
		panic("metric: as many predictions and weights as targets are needed")
	}
	var total, weights float64
	for i, t := range truth {
		w := rowWeight(weight, i)
		total += w * loss(float64(t), float64(pred[i]))
		weights += w
	}
	return share(total, weights)
}

func determination(truth, pred, weight []float32) (float64, bool) {
	center, ok := meanOf(truth, truth, weight, func(t, _ float64) float64 { return t })
	squared, _ := meanOf(truth, pred, weight, func(t, p float64) float64 { return (t - p) * (t - p) })
	spread, _ := meanOf(truth, truth, weight, func(t, _ float64) float64 { return (t - center) * (t - center) })
	ok = ok && len(truth) > 1
	switch {
	case spread > 0:
		return 1 - squared/spread, ok
	case squared == 0:
		return 1, ok
	case math.IsNaN(squared):
		return squared, ok
	}
	return 0, ok
}

func mean(x []float32) float64 {
	var s float64
	for _, v := range x {
		s += float64(v)
	}
	return s / float64(max(1, len(x)))
}

// BaselineRegression are the metrics of always answering with the mean of train: what any model must beat.
func BaselineRegression(train, truth []float32) map[string]float64 {
	pred := make([]float32, len(truth))
	center := float32(mean(train))
	for i := range pred {
		pred[i] = center
	}
	return Regression(truth, pred)
}
