package gaussian

import "math"

// The logistic as a mixture of normal distributions, 1/(1+e^-x) = Σ share · Φ(slope · x) to 2e-9 (Monahan and Stefanski
// 1992, "Normal scale mixture approximations to F*(z) and computation of the logistic-normal integral"). So its mean over
// a normal number is a sum of error functions too, at any variance.
var (
	mixtureShares = []float64{
		0.003246343272134, 0.051517477033972, 0.195077912673858, 0.315569823632818,
		0.274149576158423, 0.131076880695470, 0.027912418727972, 0.001449567805354,
	}
	mixtureSlopes = []float64{
		1.365340806296348, 1.059523971016916, 0.830791313765644, 0.650732166639391,
		0.508135425366489, 0.396313345166341, 0.308904252267995, 0.238212616409306,
	}
)

// squashed is the mean of the logistic of a normal number.
func squashed(mean, variance float64) float64 {
	var sum float64
	for i, s := range mixtureSlopes {
		sum += mixtureShares[i] * math.Erfc(-mean*s/math.Sqrt(2*(1+s*s*variance))) / 2
	}
	return sum
}
