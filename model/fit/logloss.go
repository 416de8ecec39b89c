package fit

import (
	"context"
	"math"
	"slices"
)

// LogLoss is the mean of -log p(class) over the rows of d under their weights, each at most 700. score writes the
// logarithms of numbers that p is proportional to (classes). It ends early when ctx ends.
func LogLoss(ctx context.Context, d Data, score func(row []float32, out []float64)) float64 {
	var sum, total float64
	z := make([]float64, d.Classes)
	for i := 0; i < d.Rows && ctx.Err() == nil; i++ {
		w := d.W(i)
		total += w
		score(d.Row(i), z)
		own := z[d.Class[i]]
		sum += w * min(Normalise(z)-own, 700)
	}
	if total == 0 {
		return 0
	}
	return sum / total
}

// Normalise turns logarithms into probabilities that sum to 1, and returns the logarithm of the sum before.
func Normalise(z []float64) float64 {
	top := slices.Max(z)
	var sum float64
	for k, v := range z {
		z[k] = math.Exp(v - top)
		sum += z[k]
	}
	for k := range z {
		z[k] /= sum
	}
	return top + math.Log(sum)
}
