package linear

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Logistic is logistic regression: binomial for two classes, multinomial (softmax) for more. It minimises
// C·Σ weight·(-log p(class)) + penalty, the intercepts not penalised. The penalty is ½·Σ coef² (l2), Σ |coef| (l1),
// l1_ratio·Σ |coef| + ½·(1-l1_ratio)·Σ coef² (elasticnet), or none. X must be finite.
//
// Up to 1024 coefficients go by Newton's method, with l1 by its proximal form; more by L-BFGS and FISTA. Where it has
// not converged after MaxIter it keeps the best point found, as scikit-learn does.
type Logistic struct {
	C       float64 `json:"C,omitempty"`        // inverse strength of the penalty, above 0; 0 means 1
	Penalty string  `json:"penalty,omitempty"`  // "l2", "l1", "elasticnet" or "none"; "" means l2
	L1Ratio float64 `json:"l1_ratio,omitempty"` // share of l1 in elasticnet, above 0 and up to 1; 0 means 0.5
	MaxIter int     `json:"max_iter,omitempty"` // iterations at most; 0 means 200
	Tol     float64 `json:"tol,omitempty"`      // stop when no partial derivative of the mean loss, by features of unit curvature, is larger; 0 means 1e-5
}

var _ fit.Estimator = Logistic{}

// Fit implements fit.Estimator for classification. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (l Logistic) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	l, err := l.defaults()
	if err != nil {
		return "", err
	}
	if d.Task != fit.Classification {
		return "", fault.New(fault.Invalid, "logistic regression learns classes, not numbers").At("model").Try("use ridge regression")
	}
	if err := d.Check(false); err != nil {
		return "", err
	}
	s := fit.Standardize(d)
	weight, bias, err := l.solve(ctx, d, s, report)
	if err != nil {
		return "", err
	}
	return softmax(b, x, s, weight, bias), nil
}

// softmax appends a linear map and the softmax of what it gives; one score for two classes stands beside 0, for softmax
// of (0, z) is (1-σ(z), σ(z)).
func softmax(b *graph.Builder, x graph.Value, s fit.Standard, weight [][]float64, bias []float64) graph.Value {
	if len(weight) == 1 {
		weight = [][]float64{make([]float64, len(weight[0])), weight[0]}
		bias = []float64{0, bias[0]}
	}
	return b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, emit(b, x, s, weight, bias))
}

func (l Logistic) defaults() (Logistic, error) {
	if l.C == 0 {
		l.C = 1
	}
	if l.Penalty == "" {
		l.Penalty = "l2"
	}
	if l.L1Ratio == 0 {
		l.L1Ratio = .5
	}
	if l.MaxIter == 0 {
		l.MaxIter = 200
	}
	if l.Tol == 0 {
		l.Tol = 1e-5
	}
	switch l.Penalty {
	case "l2", "l1", "elasticnet", "none":
	default:
		return l, fault.New(fault.Invalid, "there is no penalty "+l.Penalty).At("penalty").Try("use l2, l1, elasticnet or none")
	}
	if !(l.L1Ratio > 0 && l.L1Ratio <= 1) {
		return l, fault.New(fault.Invalid, "l1_ratio must be above 0 and at most 1").At("l1_ratio").Try("without l1 the penalty is l2")
	}
	return l, checkSolver(l.C, l.MaxIter, l.Tol)
}

// checkSolver reports parameters that many learners have.
func checkSolver(c float64, maxIter int, tol float64) error {
	switch {
	case !(c > 0):
		return fault.New(fault.Invalid, "C must be above 0").At("C")
	case maxIter < 0:
		return fault.New(fault.Invalid, "max_iter must not be negative").At("max_iter")
	case !(tol > 0):
		return fault.New(fault.Invalid, "tol must be above 0").At("tol")
	}
	return nil
}

// solve returns coefficients (outs, cols) and intercepts (outs) of the centred features; outs is 1 for two classes.
func (l Logistic) solve(ctx context.Context, d fit.Data, s fit.Standard, report func(fit.Progress)) ([][]float64, []float64, error) {
	outs := d.Classes
	if outs == 2 {
		outs = 1
	}
	// The curvature of the mean loss along a feature is about ¼ of its variance.
	l1, l2 := l.strengths(weights(d))
	o := newObjective(ctx, d, s, likelihood{d}, outs, .25, l2)
	by := &solver{tol: l.Tol, steps: l.MaxIter, report: report}
	var theta []float64
	var err error
	if l1 > 0 {
		theta, err = by.sparse(o, l1)
	} else {
		theta, err = by.smooth(o)
	}
	if err != nil {
		return nil, nil, err
	}
	if !(largest(theta) <= math.MaxFloat64) {
		return nil, nil, fault.New(fault.Invalid, "logistic regression met a loss that is not finite").Try("scale the features, or lower C")
	}
	weight, bias := o.unpack(theta)
	return weight, bias, nil
}

// strengths are the factors of Σ |coef| and ½·Σ coef² beside the mean loss.
func (l Logistic) strengths(total float64) (l1, l2 float64) {
	all := 1 / (l.C * total)
	switch l.Penalty {
	case "none":
		return 0, 0
	case "l1":
		return all, 0
	case "elasticnet":
		return l.L1Ratio * all, (1 - l.L1Ratio) * all
	}
	return 0, all
}
