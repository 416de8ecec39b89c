package metric

import "math"

// epsilon is what log_loss keeps probabilities away from 0 and 1 by: the float32 machine epsilon, as in scikit-learn.
const epsilon = 0x1p-23

// mean is the weighted mean of a loss over the rows. A NaN stays NaN.
func (a answers) mean(loss func(row int) float64) (float64, bool) {
	var total, weights float64
	for i := range a.truth {
		w := rowWeight(a.weight, i)
		total += w * loss(i)
		weights += w
	}
	return share(total, weights)
}

func (a answers) logLoss(row int) float64 {
	p := float64(a.of(row)[a.truth[row]])
	if math.IsNaN(p) {
		return p
	}
	return -math.Log(min(max(p, epsilon), 1-epsilon))
}

// brier is the squared error of a row's probabilities, halved for two classes, whose errors are the same (Brier 1950).
func (a answers) brier(row int) float64 {
	var squares float64
	for k, p := range a.of(row) {
		e := float64(p)
		if k == int(a.truth[row]) {
			e = 1 - e
		}
		squares += e * e
	}
	if a.classes < 3 {
		return squares / 2
	}
	return squares
}
