package linear

import (
	"context"
	"math"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Ridge is linear regression with a penalty on the squares of the coefficients, the intercept excepted. It minimises
// Σ weight·(y - x·coef - intercept)² + alpha·Σ coef².
//
// Up to 2048 features it solves the normal equations by Cholesky, and where they are singular to working precision by
// their eigenvalues (the smallest of all solutions). With more it uses conjugate gradients to a relative residual of
// 1e-9. X must be finite.
type Ridge struct {
	Alpha float64 `json:"alpha,omitempty"` // strength of the penalty, above 0; 0 means 1
}

var _ fit.Estimator = Ridge{}

// direct is the number of features up to which the normal equations are formed.
const direct = 2048

// Fit implements fit.Estimator for regression. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (r Ridge) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	if r.Alpha == 0 {
		r.Alpha = 1
	}
	if !(r.Alpha > 0) || math.IsInf(r.Alpha, 1) {
		return "", fault.New(fault.Invalid, "alpha must be a number above 0").At("alpha")
	}
	if d.Task != fit.Regression {
		return "", fault.New(fault.Invalid, "ridge learns numbers, not classes").At("model").Try("use logistic regression")
	}
	if err := d.Check(false); err != nil {
		return "", err
	}
	s := fit.Standardize(d)
	coef, bias, loss, err := r.solve(ctx, d, s)
	if err != nil {
		return "", err
	}
	if report != nil {
		report(fit.Progress{Step: 1, Steps: 1, Loss: loss, Valid: math.NaN()})
	}
	return emit(b, x, s, [][]float64{coef}, []float64{bias}), nil
}

// solve returns coefficients (cols), the mean target and the mean squared error.
func (r Ridge) solve(ctx context.Context, d fit.Data, s fit.Standard) (coef []float64, bias, loss float64, err error) {
	var total float64
	for i, y := range d.Y {
		total += d.W(i)
		bias += d.W(i) * float64(y)
	}
	bias /= total
	// With this scale the matrix Zᵀ W Z + alpha·scale² has ones on its diagonal: the best diagonal preconditioner.
	scale := make([]float64, d.Cols)
	for j, inverse := range s.Scale {
		if inverse != 0 {
			scale[j] = 1 / math.Sqrt(total/(inverse*inverse)+r.Alpha)
		}
	}
	m := newDesign(d, s.Mean, scale)
	right, err := m.moment(ctx, bias)
	if err != nil {
		return nil, 0, 0, err
	}
	var v []float64
	if d.Cols <= direct {
		v, err = m.normal(ctx, right, r.Alpha)
	} else {
		v, err = m.conjugate(ctx, right, r.Alpha)
	}
	if err != nil {
		return nil, 0, 0, err
	}
	coef = m.raw(v)
	for i, y := range d.Y {
		e := float64(y) - bias - m.dot(d.Row(i), coef)
		loss += d.W(i) * e * e
	}
	return coef, bias, loss / total, nil
}

// moment returns Zᵀ W (y - center) (cols).
func (m *design) moment(ctx context.Context, center float64) ([]float64, error) {
	return m.reduce(ctx, func(i int) float64 { return m.W(i) * (float64(m.Y[i]) - center) })
}

// reduce returns Σ a(i)·z(i) (cols) over the scaled rows z.
func (m *design) reduce(ctx context.Context, a func(i int) float64) ([]float64, error) {
	sums := make([][]float64, m.blocks)
	fit.Parallel(m.Workers(), m.blocks, func(b int) {
		sum := make([]float64, m.Cols)
		from, to := m.rows(b)
		for i := from; i < to && ctx.Err() == nil; i++ {
			m.add(sum, a(i), m.Row(i))
		}
		sums[b] = sum
	})
	total := make([]float64, m.Cols)
	for _, sum := range sums {
		for j, v := range sum {
			total[j] += v
		}
	}
	for j := range total {
		total[j] *= m.scale[j]
	}
	return total, fit.Stopped(ctx)
}

// normal solves (Zᵀ W Z + alpha·scale²) v = right by factoring.
func (m *design) normal(ctx context.Context, right []float64, alpha float64) ([]float64, error) {
	g, err := m.gram(ctx)
	if err != nil {
		return nil, err
	}
	for j, s := range m.scale {
		g.Data[j*g.N+j] += alpha * s * s
		if s == 0 {
			g.Data[j*g.N+j] = 1 // a constant feature: v = 0
		}
	}
	a := mat.NewSymDense(g.N, g.Data)
	v := mat.NewVecDense(g.N, nil)
	var chol mat.Cholesky
	if chol.Factorize(a) && chol.Cond() < 1e13 && chol.SolveVecTo(v, mat.NewVecDense(g.N, right)) == nil {
		return v.RawVector().Data, nil
	}
	return smallest(a, right)
}

// smallest solves a singular symmetric system by its eigenvalues, leaving out those that are zero but for rounding.
func smallest(a *mat.SymDense, right []float64) ([]float64, error) {
	var eigen mat.EigenSym
	if !eigen.Factorize(a, true) {
		return nil, fault.New(fault.Invalid, "the features have no numerically stable solution").
			Try("drop features that are copies of each other, or raise alpha")
	}
	values := eigen.Values(nil)
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	out := make([]float64, len(right))
	for k, value := range values {
		if value <= 1e-12*values[len(values)-1] {
			continue
		}
		column := vectors.ColView(k)
		factor := mat.Dot(column, mat.NewVecDense(len(right), right)) / value
		for j := range out {
			out[j] += factor * column.AtVec(j)
		}
	}
	return out, nil
}

// conjugate solves the same system without forming it (Hestenes and Stiefel 1952), for many features.
func (m *design) conjugate(ctx context.Context, right []float64, alpha float64) ([]float64, error) {
	n := len(right)
	vector := func(x []float64) blas64.Vector { return blas64.Vector{N: n, Inc: 1, Data: x} }
	v, p := make([]float64, n), append([]float64(nil), right...)
	residual := append([]float64(nil), right...)
	square := blas64.Dot(vector(residual), vector(residual))
	limit := square * 1e-18
	for range 1000 {
		if square <= limit || square == 0 {
			break
		}
		u := m.raw(p)
		q, err := m.reduce(ctx, func(i int) float64 { return m.W(i) * m.dot(m.Row(i), u) })
		if err != nil {
			return nil, err
		}
		for j, s := range m.scale {
			q[j] += alpha * s * s * p[j]
		}
		step := square / blas64.Dot(vector(p), vector(q))
		blas64.Axpy(step, vector(p), vector(v))
		blas64.Axpy(-step, vector(q), vector(residual))
		next := blas64.Dot(vector(residual), vector(residual))
		blas64.Scal(next/square, vector(p))
		blas64.Axpy(1, vector(residual), vector(p))
		square = next
	}
	return v, nil
}

func root(x float64) float64 {
	if x == 1 {
		return 1
	}
	return math.Sqrt(x)
}
