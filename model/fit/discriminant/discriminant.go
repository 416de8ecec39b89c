// Package discriminant learns classifiers that hold each class for a normal distribution: linear discriminant analysis,
// where all classes share one covariance, and quadratic, where each has its own. Parameters carry scikit-learn's names,
// and the answers are scikit-learn's (1.9: covariances are divided by the number of rows).
//
// Sums are taken in float64 of features that are centred and scaled. Row weights, which scikit-learn has none of here,
// weight priors, means and covariances: a row of weight 2 counts as two rows.
package discriminant

import (
	"context"
	"math"
	"strconv"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// widest is the number of features up to which covariances are factored: the time grows with its third power.
const widest = 2048

// groups are the classes as both methods see them, in features z = (x - center) * scale.
type groups struct {
	fit.Data
	center, scale []float64   // (cols), numbers that float32 holds, so that what is learned refers to what a graph computes
	weight        []float64   // (classes), shares of the weight; 0 for a class without rows
	mean          [][]float64 // (classes, cols), of z
	rows          [][]int32   // rows of each class that have a weight
	total         float64     // sum of weights
}

// group verifies the data and measures its classes. Errors: fault.Invalid, fault.Canceled.
func group(ctx context.Context, d fit.Data, name string) (*groups, error) {
	if d.Task != fit.Classification {
		return nil, fault.New(fault.Invalid, name+" discriminant analysis learns classes, not numbers").At("model").Try("use ridge regression or boosting")
	}
	if err := d.Check(false); err != nil {
		return nil, err
	}
	if d.Cols > widest {
		return nil, fault.New(fault.Invalid, name+" discriminant analysis takes "+strconv.Itoa(widest)+" features at most, and these are "+strconv.Itoa(d.Cols)).
			At("model").Try("use logistic regression or boosting")
	}
	s := fit.Standardize(d).Rounded()
	g := &groups{Data: d, center: s.Mean, scale: s.Scale, weight: make([]float64, d.Classes), rows: make([][]int32, d.Classes)}
	for i, k := range d.Class {
		if w := d.W(i); w > 0 {
			g.weight[k] += w
			g.total += w
			g.rows[k] = append(g.rows[k], int32(i))
		}
	}
	z := make([]float64, d.Cols)
	for k, rows := range g.rows {
		if err := fit.Stopped(ctx); err != nil {
			return nil, err
		}
		mean := make([]float64, d.Cols)
		for _, r := range rows {
			g.scaled(z, d.Row(int(r)))
			for j, v := range z {
				mean[j] += d.W(int(r)) / g.weight[k] * v
			}
		}
		g.mean = append(g.mean, mean)
		g.weight[k] /= g.total
	}
	return g, nil
}

// scaled writes z of a row.
func (g *groups) scaled(z []float64, row []float32) {
	for j, v := range row {
		z[j] = (float64(v) - g.center[j]) * g.scale[j]
	}
}

// scatter is the mean of (z - mean of its class)(z - mean of its class)ᵀ over rows (cols, cols), under the weights.
// Rows are summed in parts that depend on the data only, so that the sum does not depend on the number of workers.
func (g *groups) scatter(ctx context.Context, rows []int32) (*mat.SymDense, error) {
	n := g.Cols
	var total float64
	for _, r := range rows {
		total += g.W(int(r))
	}
	parts := max(1, min((len(rows)+511)/512, 64, (64<<20)/(8*n*n)))
	sums := make([]blas64.Symmetric, parts)
	fit.Parallel(g.Workers(), parts, func(p int) {
		sums[p] = blas64.Symmetric{N: n, Stride: n, Uplo: blas.Upper, Data: make([]float64, n*n)}
		panel := blas64.General{Cols: n, Stride: n, Data: make([]float64, 128*n)}
		from, to := p*len(rows)/parts, (p+1)*len(rows)/parts
		for ; from < to && ctx.Err() == nil; from += panel.Rows {
			panel.Rows = min(128, to-from)
			for i, r := range rows[from : from+panel.Rows] {
				g.residual(panel.Data[i*n:(i+1)*n], int(r), math.Sqrt(g.W(int(r))/total))
			}
			blas64.Syrk(blas.Trans, 1, panel, 1, sums[p])
		}
	})
	for _, s := range sums[1:] {
		for i, v := range s.Data {
			sums[0].Data[i] += v
		}
	}
	return mat.NewSymDense(n, sums[0].Data), fit.Stopped(ctx)
}

// residual writes by * (z - mean of its class) of row r.
func (g *groups) residual(z []float64, r int, by float64) {
	g.scaled(z, g.Row(r))
	for j, v := range g.mean[g.Class[r]] {
		z[j] = by * (z[j] - v)
	}
}

// logPrior is the logarithm of the share of a class, and for one without rows what no likelihood makes up for.
func (g *groups) logPrior(k int) float64 {
	if g.weight[k] == 0 {
		return -math.MaxFloat32
	}
	return math.Log(g.weight[k])
}

// model is what was learned: the logarithm of prior times density of each class, but for what classes share.
type model interface {
	joint(row []float32, out []float64)               // in float64, for the loss and for tests
	emit(b *graph.Builder, x graph.Value) graph.Value // the same in a graph: from x (rows, cols) to (rows, classes)
}

// finish reports the loss and appends the probabilities.
func finish(ctx context.Context, d fit.Data, m model, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	if report != nil {
		report(fit.Progress{Step: 1, Steps: 1, Loss: fit.LogLoss(ctx, d, m.joint), Valid: math.NaN()})
	}
	if err := fit.Stopped(ctx); err != nil {
		return "", err
	}
	return b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, m.emit(b, x)), nil
}
