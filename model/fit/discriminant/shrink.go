package discriminant

import (
	"context"

	"gonum.org/v1/gonum/mat"
)

// shrunken whitens the mean of the classes' covariances, each moved towards equal variances.
func (l Linear) shrunken(ctx context.Context, g *groups) (*mat.Dense, error) {
	mean := mat.NewSymDense(g.Cols, nil)
	for k, rows := range g.rows {
		if len(rows) == 0 {
			continue
		}
		covariance, err := g.scatter(ctx, rows)
		if err != nil {
			return nil, err
		}
		if l.Shrinkage < 0 {
			g.ledoitWolf(covariance, rows)
		} else {
			g.shrink(covariance, l.Shrinkage)
		}
		for i := range g.Cols {
			for j := i; j < g.Cols; j++ {
				mean.SetSym(i, j, mean.At(i, j)+g.weight[k]*covariance.At(i, j))
			}
		}
	}
	return inverseRoot(mean, 1e-12)
}

// shrink moves a covariance of z so far as moves that of x by amount towards mean variance · identity.
func (g *groups) shrink(covariance *mat.SymDense, amount float64) {
	var middle float64 // mean variance of x
	for j, s := range g.scale {
		if s != 0 {
			middle += covariance.At(j, j) / (s * s) / float64(g.Cols)
		}
	}
	toward(covariance, amount, func(j int) float64 { return middle * g.scale[j] * g.scale[j] })
}

// ledoitWolf moves the covariance of rows to their own variances, by the amount that is best where each feature has the
// variance 1 (Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices", lemma 3.3).
func (g *groups) ledoitWolf(covariance *mat.SymDense, rows []int32) {
	n := g.Cols
	inverse := make([]float64, n) // of each variance
	var trace float64
	for j := range inverse {
		inverse[j] = 1
		if v := covariance.At(j, j); v > 0 {
			inverse[j] = 1 / v
			trace++
		}
	}
	var square float64 // sum of squares of the correlations
	for i := range n {
		for j := range n {
			square += covariance.At(i, j) * covariance.At(i, j) * inverse[i] * inverse[j]
		}
	}
	fourth, effective := g.moments(rows, inverse)
	middle := trace / float64(n)
	beta := (fourth - square) / (float64(n) * effective)
	delta := (square - 2*middle*trace + float64(n)*middle*middle) / float64(n)
	if beta = min(beta, delta); beta <= 0 {
		return
	}
	toward(covariance, beta/delta, func(j int) float64 { return middle / inverse[j] })
}

// moments are the mean of the fourth powers of the lengths of the scaled residuals, and the number of rows that weights
// leave, (Σ weight)² / Σ weight².
func (g *groups) moments(rows []int32, inverse []float64) (fourth, effective float64) {
	var sum, squares float64
	z := make([]float64, g.Cols)
	for _, r := range rows {
		g.residual(z, int(r), 1)
		var length float64
		for j, v := range z {
			length += v * v * inverse[j]
		}
		w := g.W(int(r)) / g.total
		sum += w
		squares += w * w
		fourth += w * length * length
	}
	return fourth / sum, sum * sum / squares
}

// toward replaces m by (1-amount) · m + amount · diagonal.
func toward(m *mat.SymDense, amount float64, diagonal func(j int) float64) {
	n := m.SymmetricDim()
	for i := range n {
		for j := i; j < n; j++ {
			v := (1 - amount) * m.At(i, j)
			if i == j {
				v += amount * diagonal(i)
			}
			m.SetSym(i, j, v)
		}
	}
}
