package linear

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// ElasticNet is linear regression with a penalty on sizes and squares of the coefficients, the intercept excepted. It
// minimises 1/(2·Σ weight)·Σ weight·(y - x·coef - intercept)² + alpha·l1_ratio·Σ |coef| + ½·alpha·(1-l1_ratio)·Σ coef²
// by coordinate descent (Friedman, Hastie and Tibshirani 2010), until the duality gap is below tol·Σ weight·(y - mean)².
//
// Up to 2048 features it descends on their products, which are formed in one go over the data; with more it descends on
// the features, in a copy of them by columns. Where it has not converged after MaxIter it keeps the best point found, as
// scikit-learn does. X must be finite.
type ElasticNet struct {
	Alpha   float64 `json:"alpha,omitempty"`    // strength of the penalty, above 0; 0 means 1
	L1Ratio float64 `json:"l1_ratio,omitempty"` // share of the penalty on sizes, above 0 and up to 1; 0 means 0.5
	MaxIter int     `json:"max_iter,omitempty"` // rounds over the features at most; 0 means 1000
	Tol     float64 `json:"tol,omitempty"`      // 0 means 1e-4
}

// Lasso is ElasticNet with an l1_ratio of 1: it penalises sizes alone, and leaves out what helps little.
type Lasso struct {
	Alpha   float64 `json:"alpha,omitempty"`    // strength of the penalty, above 0; 0 means 1
	MaxIter int     `json:"max_iter,omitempty"` // rounds over the features at most; 0 means 1000
	Tol     float64 `json:"tol,omitempty"`      // 0 means 1e-4
}

var (
	_ fit.Estimator = ElasticNet{}
	_ fit.Estimator = Lasso{}
)

// Fit implements fit.Estimator for regression. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (l Lasso) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	return ElasticNet{Alpha: l.Alpha, L1Ratio: 1, MaxIter: l.MaxIter, Tol: l.Tol}.Fit(ctx, d, b, x, report)
}

// Fit implements fit.Estimator for regression. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (e ElasticNet) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	e, err := e.defaults()
	if err != nil {
		return "", err
	}
	if d.Task != fit.Regression {
		return "", fault.New(fault.Invalid, "this linear regression learns numbers, not classes").At("model").Try("use logistic regression with an l1 penalty")
	}
	if err := d.Check(false); err != nil {
		return "", err
	}
	coef, bias, s, err := e.solve(ctx, d, report)
	if err != nil {
		return "", err
	}
	return emit(b, x, s, [][]float64{coef}, []float64{bias}), nil
}

func (e ElasticNet) defaults() (ElasticNet, error) {
	if e.Alpha == 0 {
		e.Alpha = 1
	}
	if e.L1Ratio == 0 {
		e.L1Ratio = .5
	}
	if e.MaxIter == 0 {
		e.MaxIter = 1000
	}
	if e.Tol == 0 {
		e.Tol = 1e-4
	}
	switch {
	case !(e.Alpha > 0) || math.IsInf(e.Alpha, 1):
		return e, fault.New(fault.Invalid, "alpha must be a number above 0").At("alpha")
	case !(e.L1Ratio > 0 && e.L1Ratio <= 1):
		return e, fault.New(fault.Invalid, "l1_ratio must be above 0 and at most 1").At("l1_ratio").Try("without a penalty on sizes it is ridge regression")
	}
	return e, checkSolver(1, e.MaxIter, e.Tol)
}

// solve returns coefficients (cols) of the centred features and the mean target.
func (e ElasticNet) solve(ctx context.Context, d fit.Data, report func(fit.Progress)) ([]float64, float64, fit.Standard, error) {
	if d.Cols > direct {
		s := fit.Standardize(d)
		total, mean := center(d)
		coef, err := e.descend(ctx, newColumns(d, s, mean), total, report)
		return coef, mean, s, err
	}
	s, err := measure(ctx, d)
	if err != nil {
		return nil, 0, fit.Standard{}, err
	}
	coef, err := e.descend(ctx, newGramian(s), s.total, report)
	return coef, s.center, s.Standard, err
}

// descend goes over the features until the gap says that the optimum is near.
func (e ElasticNet) descend(ctx context.Context, on coordinates, total float64, report func(fit.Progress)) ([]float64, error) {
	l1, l2 := e.Alpha*e.L1Ratio*total, e.Alpha*(1-e.L1Ratio)*total
	coef, square := make([]float64, on.features()), on.target()
	for step := 1; step <= e.MaxIter; step++ {
		if err := fit.Stopped(ctx); err != nil {
			return nil, err
		}
		var moved, size float64
		for j, old := range coef {
			curvature := on.curvature(j)
			if curvature == 0 {
				continue // a constant feature
			}
			now := shrink(on.slope(j)+curvature*old, l1) / (curvature + l2)
			if now != old {
				on.move(j, now-old)
				coef[j] = now
			}
			moved, size = max(moved, math.Abs(now-old)*math.Sqrt(curvature)), max(size, math.Abs(now)*math.Sqrt(curvature))
		}
		slopes, squares, along := on.residual(coef)
		gap := dualGap(coef, slopes, squares, along, l1, l2)
		if report != nil {
			report(fit.Progress{Step: step, Steps: e.MaxIter, Loss: squares / total, Valid: math.NaN()})
		}
		if gap <= e.Tol*square || moved <= 1e-15*size {
			break
		}
	}
	return coef, fit.Stopped(ctx)
}

// coordinates are the data as coordinate descent sees it: centred features and target, and the residual r = y - X·coef of
// the coefficients so far.
type coordinates interface {
	features() int
	target() float64                                                    // yᵀ W y
	curvature(j int) float64                                            // xⱼᵀ W xⱼ
	slope(j int) float64                                                // xⱼᵀ W r
	move(j int, by float64)                                             // coef[j] += by
	residual(coef []float64) (slopes []float64, squares, along float64) // Xᵀ W r, rᵀ W r, rᵀ W y
}

// dualGap is an upper bound of what the objective lies above its minimum (as in scikit-learn, after Kim et al. 2007).
func dualGap(coef, slopes []float64, squares, along, l1, l2 float64) float64 {
	var steep, sizes, norm float64
	for j, v := range coef {
		steep = max(steep, math.Abs(slopes[j]-l2*v))
		sizes += math.Abs(v)
		norm += v * v
	}
	shrunk := 1.0
	if steep > l1 {
		shrunk = l1 / steep
	}
	return squares*(1+shrunk*shrunk)/2 + l1*sizes - shrunk*along + l2/2*(1+shrunk*shrunk)*norm
}
