package boost

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/trees"
)

// Objectives of targets from 0 up, whose scores z are logarithms of predictions. Losses are negative log likelihoods without the terms that no model can change.

// logMean is the score that predicts the mean.
func logMean(d fit.Data, rows []int32) []float64 {
	return []float64{math.Log(max(targets(d, rows), 1e-16))}
}

// each goes through a block: f gives loss and derivatives from the target and the score.
func (b *block) each(f func(y, z float64) (loss, g, h float64)) {
	for i, y := range b.y {
		loss, g, h := f(float64(y), b.base[0]+float64(b.s[0][i]))
		b.g[0][i], b.h[0][i] = float32(g), float32(max(h, leastHessian))
		if b.loss != nil {
			b.loss[i] = loss
		}
	}
}

// poisson: e^z - y·z. Second derivatives are raised by step, which bounds leaves where predictions are tiny (XGBoost's max_delta_step).
type poisson struct{ step float64 }

func (poisson) base(d fit.Data, rows []int32) []float64 { return logMean(d, rows) }
func (poisson) link() trees.Link                        { return trees.Exp }

func (o poisson) derive(b *block) {
	b.each(func(y, z float64) (loss, g, h float64) {
		p := math.Exp(z)
		return p - y*z, p - y, math.Exp(z + o.step)
	})
}

// gamma: z + y·e^-z.
type gamma struct{ exponential }

func (gamma) base(d fit.Data, rows []int32) []float64 { return logMean(d, rows) }

func (gamma) derive(b *block) {
	b.each(func(y, z float64) (loss, g, h float64) {
		ratio := y * math.Exp(-z)
		return z + ratio, 1 - ratio, ratio
	})
}

// tweedie: -y·e^((1-ρ)z)/(1-ρ) + e^((2-ρ)z)/(2-ρ), ρ being between 1 (Poisson) and 2 (gamma).
type tweedie struct{ power float64 }

func (tweedie) base(d fit.Data, rows []int32) []float64 { return logMean(d, rows) }
func (tweedie) link() trees.Link                        { return trees.Exp }

func (o tweedie) derive(b *block) {
	one, two := 1-o.power, 2-o.power
	b.each(func(y, z float64) (loss, g, h float64) {
		first, second := y*math.Exp(one*z), math.Exp(two*z)
		return -first/one + second/two, -first + second, -one*first + two*second
	})
}
