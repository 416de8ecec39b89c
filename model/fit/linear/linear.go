// Package linear learns models that are linear in their features: ridge regression and multinomial logistic
// regression. Parameters carry scikit-learn's names, and the optimum is scikit-learn's; solvers work in float64 on
// features that are centred and scaled inside, so that unscaled and collinear data does no harm.
package linear

import (
	"context"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// design is the matrix of features as solvers see it: centred, each feature j multiplied by scale[j]. Rows are handled
// in blocks whose number depends on the data only, so that sums do not depend on the number of workers.
type design struct {
	fit.Data
	mean, scale []float64 // (cols)
	block       int       // rows in one block
	blocks      int
}

func newDesign(d fit.Data, mean, scale []float64) *design {
	m := &design{Data: d, mean: mean, scale: scale}
	m.block = max(512, (d.Rows+63)/64)
	m.blocks = (d.Rows + m.block - 1) / m.block
	return m
}

// rows are the first row of a block and the row after its last.
func (m *design) rows(block int) (int, int) {
	return block * m.block, min(m.Rows, (block+1)*m.block)
}

// raw turns coefficients of the scaled features into coefficients of the features themselves.
func (m *design) raw(v []float64) []float64 {
	out := make([]float64, m.Cols)
	for j := range out {
		out[j] = v[j] * m.scale[j]
	}
	return out
}

// dot is row · u, where row is centred and u holds coefficients of the features themselves.
func (m *design) dot(row []float32, u []float64) float64 {
	var s float64
	mean := m.mean[:len(row)]
	u = u[:len(row)]
	for j, x := range row {
		s += (float64(x) - mean[j]) * u[j]
	}
	return s
}

// add adds a times the centred row to sum (cols).
func (m *design) add(sum []float64, a float64, row []float32) {
	mean := m.mean[:len(row)]
	sum = sum[:len(row)]
	for j, x := range row {
		sum[j] += a * (float64(x) - mean[j])
	}
}

// gram returns the upper triangle of Zᵀ W Z (cols, cols), Z the scaled features and W the weights.
func (m *design) gram(ctx context.Context) (blas64.Symmetric, error) {
	n := m.Cols
	parts := min(m.blocks, max(1, (64<<20)/(8*n*n)))
	sums := make([]blas64.Symmetric, parts)
	fit.Parallel(m.Workers(), parts, func(p int) {
		sums[p] = blas64.Symmetric{N: n, Stride: n, Uplo: blas.Upper, Data: make([]float64, n*n)}
		panel := blas64.General{Cols: n, Stride: n, Data: make([]float64, 128*n)}
		for b := p; b < m.blocks && ctx.Err() == nil; b += parts {
			from, to := m.rows(b)
			for ; from < to; from += panel.Rows {
				panel.Rows = min(128, to-from)
				m.fill(panel, from)
				blas64.Syrk(blas.Trans, 1, panel, 1, sums[p])
			}
		}
	})
	for _, s := range sums[1:] {
		for i, v := range s.Data {
			sums[0].Data[i] += v
		}
	}
	return sums[0], fit.Stopped(ctx)
}

// fill writes the scaled rows from, from+1 … into panel (rows, cols), each times the root of its weight.
func (m *design) fill(panel blas64.General, from int) {
	for i := range panel.Rows {
		out := panel.Data[i*m.Cols : (i+1)*m.Cols]
		w := root(m.W(from + i))
		for j, x := range m.Row(from + i) {
			out[j] = w * (float64(x) - m.mean[j]) * m.scale[j]
		}
	}
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
