package boost

import (
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/trees"
)

// objective is a loss of scores. Scores are kept relative to the base, so that a far-off target costs no digits of float32.
type objective interface {
	// base returns the scores that a model without trees gives (outs), from the rows to learn from.
	base(d fit.Data, rows []int32) []float64
	// derive fills in the derivatives of a block.
	derive(b *block)
	// link is what turns scores into predictions.
	link() trees.Link
}

// renewed is an objective whose second derivatives say little: leaves get their values from the residuals of their rows, and not from a Newton step.
type renewed interface {
	// renew returns the value of a leaf from its residuals, which it may reorder, and their weights, nil where they are equal.
	renew(residuals, weights []float32) float32
}

// joint is an objective that looks at all rows at once.
type joint interface {
	deriveAll(t *trainer, rows []int32, keep bool) (loss float64)
}

// block is a number of rows whose derivatives are wanted. Weights are none of an objective's business.
type block struct {
	y       []float32 // targets
	class   []int32
	base    []float64
	s, g, h [][]float32 // scores, first and second derivatives: a slice of the rows for each output
	loss    []float64   // of each row, nil where nobody asks
}

// Names of the objectives, which are XGBoost's.
const (
	SquaredError     = "reg:squarederror"
	AbsoluteError    = "reg:absoluteerror"    // leaves are medians
	PseudoHuberError = "reg:pseudohubererror" // δ² (√(1 + (e/δ)²) - 1), δ being HuberSlope
	QuantileError    = "reg:quantileerror"    // leaves are quantiles, of QuantileAlpha
	Poisson          = "count:poisson"        // targets from 0 up
	Gamma            = "reg:gamma"            // targets above 0
	Tweedie          = "reg:tweedie"          // targets from 0 up, with TweedieVariancePower
	Logistic         = "binary:logistic"
	Softmax          = "multi:softprob"
	NDCG             = "rank:ndcg" // LambdaMART (Burges 2010): Y is relevance, rows of equal Group are ranked among each other
)

// Custom is an objective of one's own, for regression.
type Custom struct {
	// Base returns the score that a model without trees gives, from targets and their weights (nil: equal). nil means 0.
	Base func(y, weight []float32) float64
	// Derive writes the first and second derivatives of the loss of each row by its score, and, where loss is not nil, the loss.
	Derive func(y, score, g, h []float32, loss []float64)
}

// numbers are the objectives of regression.
var numbers = map[string]func(p *Boost) objective{
	SquaredError:     func(*Boost) objective { return squared{} },
	AbsoluteError:    func(*Boost) objective { return quantile{.5} },
	PseudoHuberError: func(p *Boost) objective { return huber{p.HuberSlope} },
	QuantileError:    func(p *Boost) objective { return quantile{p.QuantileAlpha} },
	Poisson:          func(p *Boost) objective { return poisson{p.MaxDeltaStep} },
	Gamma:            func(*Boost) objective { return gamma{} },
	Tweedie:          func(p *Boost) objective { return tweedie{p.TweedieVariancePower} },
	NDCG:             func(*Boost) objective { return &ndcg{} },
}

// objective returns the loss that p asks for, or that suits the task.
func (p *Boost) objective(d fit.Data) (objective, error) {
	wrong := func(message, hint string) error { return fault.New(fault.Invalid, message).At("objective").Try(hint) }
	if p.Custom != nil {
		if d.Task != fit.Regression || p.Objective != "" {
			return nil, wrong("an objective of one's own is for regression, and has no name beside it", "leave objective out")
		}
		return custom{p.Custom}, nil
	}
	if d.Task == fit.Classification {
		if p.Objective != "" && p.Objective != Logistic && p.Objective != Softmax || p.Objective == Logistic && d.Classes > 2 {
			return nil, wrong("no objective "+p.Objective+" for "+d.Classed(), "leave it out, and classes get theirs")
		}
		if d.Classes == 2 {
			return logistic{}, nil
		}
		return softmax{}, nil
	}
	name := p.Objective
	if name == "" {
		name = SquaredError
	}
	of := numbers[name]
	if of == nil {
		return nil, wrong("no objective "+name+" for regression", "reg:squarederror, reg:absoluteerror, reg:pseudohubererror, reg:quantileerror, count:poisson, reg:gamma, reg:tweedie or rank:ndcg")
	}
	least := math.Inf(-1)
	switch name {
	case Poisson, Tweedie, NDCG:
		least = 0
	case Gamma:
		least = math.SmallestNonzeroFloat32
	}
	if slices.Min(d.Y) < float32(least) {
		return nil, fault.New(fault.Invalid, "the objective "+name+" has no use for targets below 0, and reg:gamma none for 0").At("target").Try("reg:squarederror")
	}
	if name == NDCG && d.Group == nil {
		return nil, wrong("rank:ndcg ranks rows of a group among each other, and there are no groups", "say which column groups rows")
	}
	return of(p), nil
}

// mean is the weighted mean of what f says of rows.
func mean(d fit.Data, rows []int32, f func(r int32) float64) float64 {
	var sum, total float64
	for _, r := range rows {
		sum += d.W(int(r)) * f(r)
		total += d.W(int(r))
	}
	return sum / max(total, math.SmallestNonzeroFloat64)
}

// targets is the weighted mean of the targets.
func targets(d fit.Data, rows []int32) float64 {
	return mean(d, rows, func(r int32) float64 { return float64(d.Y[r]) })
}

// identity is the link of objectives whose scores are predictions.
type identity struct{}

func (identity) link() trees.Link { return trees.None }

// exponential is the link of objectives whose scores are logarithms.
type exponential struct{}

func (exponential) link() trees.Link { return trees.Exp }

type custom struct{ *Custom }

func (custom) link() trees.Link { return trees.None }

func (o custom) base(d fit.Data, rows []int32) []float64 {
	if o.Base == nil {
		return []float64{0}
	}
	y, w := make([]float32, len(rows)), []float32(nil)
	for i, r := range rows {
		y[i] = d.Y[r]
		if d.Weight != nil {
			w = append(w, d.Weight[r])
		}
	}
	return []float64{o.Base(y, w)}
}

func (o custom) derive(b *block) {
	s := make([]float32, len(b.y))
	for i, v := range b.s[0] {
		s[i] = float32(b.base[0] + float64(v))
	}
	o.Derive(b.y, s, b.g[0], b.h[0], b.loss)
}
