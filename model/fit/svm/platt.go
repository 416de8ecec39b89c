package svm

import "math"

// line turns a decision f into the logarithm of the odds of the first class: a·f + b.
type line struct{ a, b float64 }

// certain is the logarithm of odds that counts as certainty.
const certain = 50

// platt fits the logistic of a line to decisions and classes (true: the first), by Newton's method with backtracking
// (Lin, Lin and Weng 2007, "A note on Platt's probabilistic outputs for support vector machines"). Weights are at most 1.
func platt(decision []float64, first []bool, weight []float64) line {
	var sums [2]float64
	for i, is := range first {
		sums[index(is)] += weight[i]
	}
	targets := [2]float64{(sums[0] + 1) / (sums[0] + 2), 1 / (sums[1] + 2)} // of the first and of the second class
	at := line{0, math.Log((sums[0] + 1) / (sums[1] + 1))}
	value := at.loss(decision, first, weight, targets)
	for range 100 {
		haa, hab, hbb, ga, gb := 1e-12, 0.0, 1e-12, 0.0, 0.0
		for i, f := range decision {
			p := logistic(at.a*f + at.b)
			slope, curve := weight[i]*(p-targets[index(first[i])]), weight[i]*p*(1-p)
			ga += slope * f
			gb += slope
			haa += curve * f * f
			hab += curve * f
			hbb += curve
		}
		if math.Abs(ga) < 1e-9 && math.Abs(gb) < 1e-9 {
			break
		}
		det := haa*hbb - hab*hab
		da, db := -(hbb*ga-hab*gb)/det, -(haa*gb-hab*ga)/det
		step, fall := 1.0, ga*da+gb*db
		for ; step >= 1e-10; step /= 2 {
			next := line{at.a + step*da, at.b + step*db}
			if v := next.loss(decision, first, weight, targets); v < value+1e-4*step*fall {
				at, value = next, v
				break
			}
		}
		if step < 1e-10 {
			break
		}
	}
	return at
}

// loss is the cross entropy between the targets and the logistic of the line.
func (l line) loss(decision []float64, first []bool, weight []float64, targets [2]float64) float64 {
	var sum float64
	for i, f := range decision {
		z, t := l.a*f+l.b, targets[index(first[i])]
		sum += weight[i] * (math.Max(z, 0) - t*z + math.Log1p(math.Exp(-math.Abs(z))))
	}
	return sum
}

func logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

func index(first bool) int {
	if first {
		return 0
	}
	return 1
}
