package boost

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// objective gives a loss and its derivatives by the scores of a row (outs). Scores are relative to the base.
type objective interface {
	// derive writes first and second derivatives of the loss of row i by its scores s, and returns the loss.
	derive(i int, s, g, h []float64) float64
}

// least second derivative: XGBoost's.
const leastHessian = 1e-16

type squared struct {
	y    []float32
	base float64
}

func (o squared) derive(i int, s, g, h []float64) float64 {
	e := s[0] - (float64(o.y[i]) - o.base)
	g[0], h[0] = e, 1
	return e * e
}

type logistic struct {
	class []int32
	base  float64
}

func (o logistic) derive(i int, s, g, h []float64) float64 {
	z := o.base + s[0]
	p := 1 / (1 + math.Exp(-z))
	y := float64(o.class[i])
	g[0], h[0] = p-y, max(p*(1-p), leastHessian)
	return max(z, 0) - z*y + math.Log1p(math.Exp(-math.Abs(z)))
}

type softmax struct {
	class []int32
	base  []float64
}

func (o softmax) derive(i int, s, g, h []float64) float64 {
	top, sum, own := math.Inf(-1), 0.0, int(o.class[i])
	for k := range s {
		top = max(top, o.base[k]+s[k])
	}
	for k := range s {
		g[k] = math.Exp(o.base[k] + s[k] - top)
		sum += g[k]
	}
	loss := top + math.Log(sum) - o.base[own] - s[own]
	for k := range g {
		p := g[k] / sum
		g[k], h[k] = p, max(2*p*(1-p), leastHessian)
	}
	g[own]--
	return loss
}

// start chooses the objective, and the base: the scores that a model without trees gives (outs).
func start(d fit.Data, rows []int32) (objective, []float64) {
	if d.Task == fit.Regression {
		var sum, total float64
		for _, r := range rows {
			sum += d.W(int(r)) * float64(d.Y[r])
			total += d.W(int(r))
		}
		base := sum / max(total, math.SmallestNonzeroFloat64)
		return squared{d.Y, base}, []float64{base}
	}
	share := make([]float64, d.Classes)
	var total float64
	for _, r := range rows {
		share[d.Class[r]] += d.W(int(r))
		total += d.W(int(r))
	}
	for k := range share { // a class that does not occur keeps a small share, so that its score is finite
		share[k] = math.Log(max(share[k]/max(total, math.SmallestNonzeroFloat64), 1e-6))
	}
	if d.Classes == 2 {
		base := share[1] - share[0]
		return logistic{d.Class, base}, []float64{base}
	}
	return softmax{d.Class, share}, share
}
