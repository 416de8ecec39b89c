package discriminant

import (
	"context"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Linear is linear discriminant analysis: boundaries are planes. Without shrinkage it does what scikit-learn's svd
// solver does, and leaves out directions in which no class varies; with shrinkage what its lsqr solver does.
// X must be finite, with 2048 features at most. A class without weight gets the probability 0.
type Linear struct {
	Shrinkage float64 `json:"shrinkage,omitempty"` // 0 … 1, how far covariances move to equal variances; negative: by Ledoit and Wolf 2004 ("auto"); default 0
	Tol       float64 `json:"tol,omitempty"`       // without shrinkage, singular values below it count as 0; 0 means 1e-4
}

var _ fit.Estimator = Linear{}

// Fit implements fit.Estimator for classification. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (l Linear) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	m, err := l.learn(ctx, d)
	if err != nil {
		return "", err
	}
	return finish(ctx, d, m, b, x, report)
}

// planes are linear in z.
type planes struct {
	*groups
	coef [][]float64 // (classes, cols)
	bias []float64   // (classes)
}

func (l Linear) learn(ctx context.Context, d fit.Data) (*planes, error) {
	if l.Tol == 0 {
		l.Tol = 1e-4
	}
	switch {
	case !(l.Tol > 0):
		return nil, fault.New(fault.Invalid, "tol must be above 0").At("tol")
	case !(l.Shrinkage <= 1):
		return nil, fault.New(fault.Invalid, "shrinkage must be 1 at most, or negative for the amount of Ledoit and Wolf").At("shrinkage")
	}
	g, err := group(ctx, d, "linear")
	if err != nil {
		return nil, err
	}
	var whiten *mat.Dense // (cols, directions): coef = means · whiten · whitenᵀ
	if l.Shrinkage == 0 {
		whiten, err = l.scalings(ctx, g)
	} else {
		whiten, err = l.shrunken(ctx, g)
	}
	if err != nil {
		return nil, err
	}
	return g.planes(whiten), nil
}

// planes are the boundaries between normal distributions whose covariance has the inverse whiten · whitenᵀ.
func (g *groups) planes(whiten *mat.Dense) *planes {
	m := &planes{groups: g}
	middle := g.middle()
	for k, mean := range g.mean {
		bias := g.logPrior(k)
		coef := make([]float64, g.Cols)
		if g.weight[k] > 0 && whiten != nil {
			distance := mat.NewVecDense(g.Cols, nil)
			distance.SubVec(mat.NewVecDense(g.Cols, mean), middle)
			var white mat.VecDense
			white.MulVec(whiten.T(), distance)
			out := mat.NewVecDense(g.Cols, coef)
			out.MulVec(whiten, &white)
			bias -= mat.Dot(&white, &white)/2 + mat.Dot(out, middle)
		}
		m.coef, m.bias = append(m.coef, coef), append(m.bias, bias)
	}
	return m
}

// middle is the mean of all rows.
func (g *groups) middle() *mat.VecDense {
	out := mat.NewVecDense(g.Cols, nil)
	for k, mean := range g.mean {
		out.AddScaledVec(out, g.weight[k], mat.NewVecDense(g.Cols, mean))
	}
	return out
}

// scalings whitens the covariance within classes, and keeps the directions in which the means differ. nil: none.
func (l Linear) scalings(ctx context.Context, g *groups) (*mat.Dense, error) {
	within, err := g.scatter(ctx, g.all())
	if err != nil {
		return nil, err
	}
	whiten, err := inverseRoot(within, l.Tol*l.Tol)
	if err != nil || whiten == nil {
		return nil, err
	}
	middle := g.middle()
	between := mat.NewDense(g.Classes, g.Cols, nil)
	for k, mean := range g.mean {
		for j, v := range mean {
			between.Set(k, j, math.Sqrt(g.weight[k])*(v-middle.AtVec(j)))
		}
	}
	var seen mat.Dense
	seen.Mul(between, whiten)
	var svd mat.SVD
	if !svd.Factorize(&seen, mat.SVDThin) {
		return nil, fault.New(fault.Invalid, "the class means have no numerically stable directions").At("model").Try("use logistic regression")
	}
	values := svd.Values(nil)
	rank := 0
	for rank < len(values) && values[rank] > l.Tol*values[0] {
		rank++
	}
	if rank == 0 {
		return nil, nil
	}
	var right, out mat.Dense
	svd.VTo(&right)
	rows, _ := right.Dims()
	out.Mul(whiten, right.Slice(0, rows, 0, rank))
	return &out, nil
}

// all are the rows that have a weight, in the order of classes.
func (g *groups) all() []int32 {
	var out []int32
	for _, rows := range g.rows {
		out = append(out, rows...)
	}
	return out
}

// inverseRoot returns R (cols, rank) with R · Rᵀ the inverse of a covariance, in the directions whose eigenvalue is above
// least once every feature has the variance 1; nil where there is none.
func inverseRoot(covariance *mat.SymDense, least float64) (*mat.Dense, error) {
	n := covariance.SymmetricDim()
	scale := make([]float64, n)
	for j := range scale {
		scale[j] = 1
		if v := covariance.At(j, j); v > 0 {
			scale[j] = 1 / math.Sqrt(v)
		}
	}
	unit := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			unit.SetSym(i, j, covariance.At(i, j)*scale[i]*scale[j])
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(unit, true) {
		return nil, fault.New(fault.Invalid, "the covariance of the features has no numerically stable inverse").At("model").
			Try("drop features that are copies of each other, or set shrinkage")
	}
	values := eigen.Values(nil) // ascending
	first := 0
	for first < n && values[first] <= least {
		first++
	}
	if first == n {
		return nil, nil
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	out := mat.NewDense(n, n-first, nil)
	for j := range n {
		for k := first; k < n; k++ {
			out.Set(j, k-first, scale[j]*vectors.At(j, k)/math.Sqrt(values[k]))
		}
	}
	return out, nil
}

func (m *planes) joint(row []float32, out []float64) {
	z := make([]float64, m.Cols)
	m.scaled(z, row)
	for k, coef := range m.coef {
		out[k] = m.bias[k]
		for j, v := range coef {
			out[k] += v * z[j]
		}
	}
}

func (m *planes) emit(b *graph.Builder, x graph.Value) graph.Value {
	weight := make([]float64, m.Cols*m.Classes)
	for k, coef := range m.coef {
		for j, v := range coef {
			weight[j*m.Classes+k] = v
		}
	}
	z := fit.Standard{Mean: m.center, Scale: m.scale}.Append(b, x)
	z = b.Op("MatMul", z, b.Floats("weight", fit.Narrow(weight), m.Cols, m.Classes))
	return b.Op("Add", z, b.Floats("bias", fit.Narrow(m.bias)))
}
