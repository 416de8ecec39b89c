package linear

import (
	"context"
	"math"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
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
	found, s, err := r.solve(ctx, d)
	if err != nil {
		return "", err
	}
	if report != nil {
		report(fit.Progress{Step: 1, Steps: 1, Loss: found.loss, Valid: math.NaN()})
	}
	return emit(b, x, s, [][]float64{found.coef}, []float64{found.bias}), nil
}

// line is what least squares finds: coefficients (cols) of the centred features, the mean target, and the mean squared
// error.
type line struct {
	coef       []float64
	bias, loss float64
}

func (r Ridge) solve(ctx context.Context, d fit.Data) (line, fit.Standard, error) {
	if d.Cols > direct {
		s := fit.Standardize(d)
		l, err := r.conjugate(ctx, d, s)
		return l, s, err
	}
	s, err := measure(ctx, d)
	if err != nil {
		return line{}, fit.Standard{}, err
	}
	coef, err := s.normal(r.Alpha)
	return line{coef, s.center, s.loss(coef)}, s.Standard, err
}

// loss is the mean squared error of coefficients.
func (s *second) loss(coef []float64) float64 {
	n := len(coef)
	squares := s.square
	for i, v := range coef {
		squares -= 2 * v * s.right[i]
		for j, w := range coef {
			squares += v * s.gram[i*n+j] * w
		}
	}
	return max(0, squares) / s.total
}

// preconditioner is the scale at which the matrix Zᵀ W Z + alpha·scale² has ones on its diagonal, Z the scaled features:
// the best one that is diagonal.
func preconditioner(s fit.Standard, total, alpha float64) []float64 {
	scale := make([]float64, len(s.Scale))
	for j, inverse := range s.Scale {
		if inverse != 0 {
			scale[j] = 1 / math.Sqrt(total/(inverse*inverse)+alpha)
		}
	}
	return scale
}

// normal solves (Xᵀ W X + alpha) coef = right by factoring.
func (s *second) normal(alpha float64) ([]float64, error) {
	n := len(s.right)
	scale := preconditioner(s.Standard, s.total, alpha)
	g, right := make([]float64, n*n), make([]float64, n)
	for i := range n {
		for j := range n {
			g[i*n+j] = s.gram[i*n+j] * scale[i] * scale[j]
		}
		g[i*n+i] += alpha * scale[i] * scale[i]
		if scale[i] == 0 {
			g[i*n+i] = 1 // a constant feature: its coefficient is 0
		}
		right[i] = s.right[i] * scale[i]
	}
	v, err := solveSymmetric(mat.NewSymDense(n, g), right)
	for j := range v {
		v[j] *= scale[j]
	}
	return v, err
}

func solveSymmetric(a *mat.SymDense, right []float64) ([]float64, error) {
	v := mat.NewVecDense(len(right), nil)
	var chol mat.Cholesky
	if chol.Factorize(a) && chol.Cond() < 1e13 && chol.SolveVecTo(v, mat.NewVecDense(len(right), right)) == nil {
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
func (r Ridge) conjugate(ctx context.Context, d fit.Data, s fit.Standard) (line, error) {
	total, bias := center(d)
	m := newDesign(d, s.Mean, preconditioner(s, total, r.Alpha))
	right, err := m.reduce(ctx, func(a []float64, from, _ int) {
		for i := range a {
			a[i] = m.W(from+i) * (float64(m.Y[from+i]) - bias)
		}
	})
	if err != nil {
		return line{}, err
	}
	v, err := m.conjugate(ctx, right, r.Alpha)
	if err != nil {
		return line{}, err
	}
	coef := m.raw(v)
	var loss float64
	for i, y := range d.Y {
		z := []float64{bias - float64(y)}
		kernel.WideDots(z, d.Row(i), m.mean, coef)
		loss += d.W(i) * z[0] * z[0]
	}
	return line{coef, bias, loss / total}, nil
}

// center returns the sum of the weights and the mean target.
func center(d fit.Data) (total, mean float64) {
	for i, y := range d.Y {
		total += d.W(i)
		mean += d.W(i) * float64(y)
	}
	return total, mean / total
}

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
		q, err := m.reduce(ctx, func(a []float64, from, to int) {
			clear(a)
			kernel.WideDots(a, m.x(from, to), m.mean, u)
			for i := range a {
				a[i] *= m.W(from + i)
			}
		})
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
