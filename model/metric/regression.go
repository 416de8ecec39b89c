package metric

import "math"

// Regression compares targets truth (rows) with predictions pred (rows). It returns rmse, mae and, from two rows on,
// r2, which is 1 for a constant target that is met exactly and 0 for one that is not. Without rows it is empty.
// It panics when the lengths differ: that is a defect of the caller.
func Regression(truth, pred []float32) map[string]float64 {
	if len(pred) != len(truth) {
		panic("metric: as many predictions as targets are needed")
	}
	if len(truth) == 0 {
		return map[string]float64{}
	}
	center := mean(truth)
	var squared, absolute, spread float64
	for i, t := range truth {
		d := float64(t) - float64(pred[i])
		squared += d * d
		absolute += math.Abs(d)
		spread += (float64(t) - center) * (float64(t) - center)
	}
	n := float64(len(truth))
	out := map[string]float64{RMSE: math.Sqrt(squared / n), MAE: absolute / n}
	if len(truth) > 1 {
		out[R2] = determination(squared, spread)
	}
	return out
}

func determination(squared, spread float64) float64 {
	switch {
	case spread > 0:
		return 1 - squared/spread
	case squared == 0:
		return 1
	case math.IsNaN(squared):
		return squared
	}
	return 0
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
