// Package linear learns models that are linear in their features: ridge, lasso and elastic-net regression, binomial and
// multinomial logistic regression, and support vector machines. Parameters carry scikit-learn's names, and the optimum is
// scikit-learn's; solvers work in float64 on features that are centred and scaled inside, so that unscaled and collinear
// data does no harm.
package linear

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
)

// design is the matrix of features as solvers see it: centred, each feature j multiplied by scale[j]. Rows are handled
// in blocks whose number depends on the data only, so that sums do not depend on the number of workers, and within a
// block in chunks that stay in cache.
type design struct {
	fit.Data
	mean, scale []float64 // (cols)
	block       int       // rows in one block
	blocks      int
}

// chunk is how many rows are handled at a time.
const chunk = 128

func newDesign(d fit.Data, mean, scale []float64) *design {
	m := &design{Data: d, mean: mean, scale: scale}
	m.block = max(512, (d.Rows+63)/64)
	m.blocks = (d.Rows + m.block - 1) / m.block
	return m
}

// chunks calls f for each chunk of a block, rows from…to, while ctx lasts.
func (m *design) chunks(ctx context.Context, block int, f func(from, to int)) {
	last := min(m.Rows, (block+1)*m.block)
	for from := block * m.block; from < last && ctx.Err() == nil; from += chunk {
		f(from, min(last, from+chunk))
	}
}

// x are the features of rows from…to.
func (m *design) x(from, to int) []float32 { return m.X[from*m.Cols : to*m.Cols] }

// raw turns coefficients of the scaled features into coefficients of the features themselves.
func (m *design) raw(v []float64) []float64 {
	out := make([]float64, m.Cols)
	for j := range out {
		out[j] = v[j] * m.scale[j]
	}
	return out
}

// reduce returns Σ a·z (cols) over the scaled rows z; f writes the numbers a of rows from…to.
func (m *design) reduce(ctx context.Context, f func(a []float64, from, to int)) ([]float64, error) {
	sums := make([][]float64, m.blocks)
	fit.Parallel(m.Workers(), m.blocks, func(b int) {
		sums[b] = make([]float64, m.Cols)
		a := make([]float64, chunk)
		m.chunks(ctx, b, func(from, to int) {
			f(a[:to-from], from, to)
			kernel.WideSums(sums[b], m.x(from, to), m.mean, a[:to-from])
		})
	})
	total := sums[0]
	for _, sum := range sums[1:] {
		for j, v := range sum {
			total[j] += v
		}
	}
	for j := range total {
		total[j] *= m.scale[j]
	}
	return total, fit.Stopped(ctx)
}

// emit appends x · weight + bias to b, from x (rows, cols) to (rows, outs). weight (outs, cols) and bias (outs) refer
// to the centred features; the centring goes into the bias, or in front where float32 would lose by that.
func emit(b *graph.Builder, x graph.Value, s fit.Standard, weight [][]float64, bias []float64) graph.Value {
	cols, outs := len(s.Mean), len(weight)
	foldable := s.Foldable()
	if !foldable {
		x = s.Append(b, x)
	}
	w, c := make([]float64, cols*outs), append([]float64(nil), bias...)
	for k, row := range weight {
		for j, v := range row {
			switch {
			case s.Scale[j] == 0:
				v = 0
			case foldable:
				c[k] -= v * s.Mean[j]
			default:
				v /= s.Scale[j]
			}
			w[j*outs+k] = v
		}
	}
	y := b.Op("MatMul", x, b.Floats("weight", fit.Narrow(w), cols, outs))
	return b.Op("Add", y, b.Floats("bias", fit.Narrow(c)))
}
