package linear

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// SVM is a linear support vector machine.
//
// For classes it minimises ½·Σ coef² + C·Σ weight·max(0, 1-m)² (squared hinge), where m is the score towards the row's
// class: one machine for two classes, one for each class against the rest where there are more. A machine knows no
// probabilities, and the seam wants some: they are sigmoids of the scores (Platt 1999), fitted to the scores of five
// folds that were not trained on, from 32768 rows at most, and divided by their sum; as scikit-learn's
// CalibratedClassifierCV(LinearSVC(), ensemble=False).
//
// For numbers it minimises ½·Σ coef² + C·Σ weight·max(0, |y-prediction|-epsilon)² (squared epsilon-insensitive).
//
// Unlike in scikit-learn, whose intercept_scaling makes it small only where it is large, the penalty leaves out the
// intercept. It is solved by Newton's method (Keerthi and DeCoste 2005), with more than 1024 features by L-BFGS. X must
// be finite.
type SVM struct {
	C       float64 `json:"C,omitempty"`        // inverse strength of the penalty, above 0; 0 means 1
	Epsilon float64 `json:"epsilon,omitempty"`  // regression: errors that cost nothing, in the unit of the target, 0 or more
	MaxIter int     `json:"max_iter,omitempty"` // iterations at most, of each machine; 0 means 200
	Tol     float64 `json:"tol,omitempty"`      // stop when no partial derivative of the mean loss, by features of unit curvature, is larger; 0 means 1e-5
}

var _ fit.Estimator = SVM{}

// Fit implements fit.Estimator for both tasks. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (l SVM) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	l, err := l.defaults()
	if err != nil {
		return "", err
	}
	if err := d.Check(false); err != nil {
		return "", err
	}
	s := fit.Standardize(d)
	if d.Task == fit.Regression {
		coef, bias, err := l.numbers(ctx, d, s, &solver{tol: l.Tol, steps: l.MaxIter, report: report})
		if err != nil {
			return "", err
		}
		return emit(b, x, s, [][]float64{coef}, []float64{bias}), nil
	}
	weight, bias, err := l.classes(ctx, d, s, report)
	if err != nil {
		return "", err
	}
	if len(weight) == 1 { // two classes
		return softmax(b, x, s, weight, bias), nil
	}
	p := b.Op("Sigmoid", emit(b, x, s, weight, bias))
	p = b.Op("Max", p, b.Floats("least", []float32{1e-30})) // far from all classes they are alike
	return b.Op("Div", p, b.Op("ReduceSum", p, b.Ints("classes", []int64{1}))), nil
}

func (l SVM) defaults() (SVM, error) {
	if l.C == 0 {
		l.C = 1
	}
	if l.MaxIter == 0 {
		l.MaxIter = 200
	}
	if l.Tol == 0 {
		l.Tol = 1e-5
	}
	if !(l.Epsilon >= 0) || math.IsInf(l.Epsilon, 1) {
		return l, fault.New(fault.Invalid, "epsilon must be a number of at least 0").At("epsilon")
	}
	return l, checkSolver(l.C, l.MaxIter, l.Tol)
}

// classes returns what the sigmoids are taken of: coefficients (outs, cols) and intercepts (outs) of the centred features.
func (l SVM) classes(ctx context.Context, d fit.Data, s fit.Standard, report func(fit.Progress)) (weight [][]float64, bias []float64, err error) {
	first, machines := int32(0), d.Classes
	if d.Classes == 2 {
		first, machines = 1, 1
	}
	for k := range int32(machines) {
		by := &solver{tol: l.Tol, steps: l.MaxIter, report: nth(report, int(k), machines)}
		coef, intercept, err := l.machine(ctx, d, s, first+k, by)
		if err != nil {
			return nil, nil, err
		}
		a, b, err := l.calibrate(ctx, d, s, first+k)
		if err != nil {
			return nil, nil, err
		}
		weight, bias = append(weight, scaled(coef, a)), append(bias, a*intercept+b)
	}
	return weight, bias, nil
}

// nth reports the progress of the k-th of several solvers, each of which may take all its steps.
func nth(report func(fit.Progress), k, of int) func(fit.Progress) {
	if report == nil {
		return nil
	}
	return func(p fit.Progress) {
		p.Step, p.Steps = p.Step+k*p.Steps, p.Steps*of
		report(p)
	}
}

// machine returns coefficients (cols) and intercept of the machine of a class against all others.
func (l SVM) machine(ctx context.Context, d fit.Data, s fit.Standard, class int32, by *solver) ([]float64, float64, error) {
	o := newObjective(ctx, d, s, hinge{d, class}, 1, 2, 1/(l.C*weights(d)))
	theta, err := by.smooth(o)
	if err != nil {
		return nil, 0, err
	}
	return o.raw(theta), theta[d.Cols], nil
}

// numbers returns coefficients (cols) of the centred features and the intercept. Targets are standardised inside.
func (l SVM) numbers(ctx context.Context, d fit.Data, s fit.Standard, by *solver) ([]float64, float64, error) {
	target := fit.Standardize(fit.Data{Rows: d.Rows, Cols: 1, X: d.Y, Weight: d.Weight, Threads: d.Threads})
	mean, scale := target.Mean[0], target.Scale[0]
	if scale == 0 {
		scale = 1 // a constant target
	}
	o := newObjective(ctx, d, s, tube{d, mean, scale, l.Epsilon * scale}, 1, 2, 1/(l.C*weights(d)))
	theta, err := by.smooth(o)
	if err != nil {
		return nil, 0, err
	}
	return scaled(o.raw(theta), 1/scale), theta[d.Cols]/scale + mean, nil
}
