package linear

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/kernel"
)

// loss is a convex function of the scores that a linear model gives to a row. z holds scores of some rows, those of each
// output together: (outs, rows). Weights of rows are part of what the methods return.
type loss interface {
	// of is the same loss for other rows.
	of(d fit.Data) loss
	// slope replaces scores of the rows from on by the derivatives of their losses, and returns the sum of the losses.
	slope(z [][]float64, from int) float64
	// curve replaces them by what pair needs.
	curve(z [][]float64, from int)
	// pair writes the second derivatives by the scores of outputs k and l, where z is what curve made.
	pair(a []float64, z [][]float64, k, l, from int)
}

// objective is the mean loss with its penalty, penalty/2·Σ coef², as a function of theta (outs, cols+1): coefficients
// of the scaled features, and behind them the intercept, which is not penalised.
type objective struct {
	*design
	loss
	ctx            context.Context
	total, penalty float64
	outs           int
}

// newObjective scales features such that the curvature of the mean loss along each is about 1, where curvature is that
// of the loss by a score.
func newObjective(ctx context.Context, d fit.Data, s fit.Standard, l loss, outs int, curvature, penalty float64) *objective {
	o := &objective{loss: l, ctx: ctx, total: weights(d), penalty: penalty, outs: outs}
	o.design = newDesign(d, s.Mean, preconditioner(s, curvature, penalty))
	return o
}

func weights(d fit.Data) (total float64) {
	if d.Weight == nil {
		return float64(d.Rows)
	}
	for i := range d.Rows {
		total += d.W(i)
	}
	return total
}

func (o *objective) unpack(theta []float64) (weight [][]float64, bias []float64) {
	for k := range o.outs {
		part := theta[k*(o.Cols+1) : (k+1)*(o.Cols+1)]
		weight = append(weight, o.raw(part))
		bias = append(bias, part[o.Cols])
	}
	return weight, bias
}

// scores writes those of the rows from…to into z.
func (o *objective) scores(z [][]float64, weight [][]float64, bias []float64, from, to int) {
	for k := range z {
		z[k] = z[k][:to-from]
		for i := range z[k] {
			z[k][i] = bias[k]
		}
		kernel.WideDots(z[k], o.x(from, to), o.mean, weight[k])
	}
}

func matrix(rows, cols int) [][]float64 {
	out := make([][]float64, rows)
	for i := range out {
		out[i] = make([]float64, cols)
	}
	return out
}

// evaluate returns value and gradient at theta.
func (o *objective) evaluate(theta []float64) (value float64, gradient []float64) {
	weight, bias := o.unpack(theta)
	values, sums := make([]float64, o.blocks), make([][]float64, o.blocks)
	fit.Parallel(o.Workers(), o.blocks, func(b int) {
		z, sum := matrix(o.outs, chunk), make([]float64, len(theta))
		o.chunks(o.ctx, b, func(from, to int) {
			o.scores(z, weight, bias, from, to)
			values[b] += o.slope(z, from)
			for k, r := range z {
				g := sum[k*(o.Cols+1) : (k+1)*(o.Cols+1)]
				kernel.WideSums(g[:o.Cols], o.x(from, to), o.mean, r)
				for _, v := range r {
					g[o.Cols] += v
				}
			}
		})
		sums[b] = sum
	})
	gradient = make([]float64, len(theta))
	for b, g := range sums {
		value += values[b] / o.total
		for i, v := range g {
			gradient[i] += v / o.total
		}
	}
	for i, v := range theta {
		j := i % (o.Cols + 1)
		if j == o.Cols {
			continue
		}
		value += o.penalty / 2 * v * v * o.scale[j] * o.scale[j]
		gradient[i] = gradient[i]*o.scale[j] + o.penalty*v*o.scale[j]*o.scale[j]
	}
	return value, gradient
}

// hessian returns the second derivatives at theta (len(theta), len(theta)).
func (o *objective) hessian(theta []float64) []float64 {
	n := o.Cols + 1
	ld := (n + kernel.WideColumns - 1) / kernel.WideColumns * kernel.WideColumns
	sums := o.curvatures(theta, ld)
	size := o.outs * n
	h := make([]float64, size*size)
	scale := append(append([]float64(nil), o.scale...), 1)
	pair := 0
	for k := range o.outs {
		for l := k; l < o.outs; l++ {
			g := sums[pair*ld*ld:]
			pair++
			for i := range n {
				for j := i; j < n; j++ {
					v := g[i*ld+j] / o.total * scale[i] * scale[j]
					for _, at := range [][2]int{{k*n + i, l*n + j}, {k*n + j, l*n + i}} {
						h[at[0]*size+at[1]], h[at[1]*size+at[0]] = v, v
					}
				}
			}
		}
		for j, s := range o.scale {
			h[(k*n+j)*(size+1)] += o.penalty * s * s
		}
	}
	return h
}

// curvatures returns Xᵀ D X (ld, ld), its upper triangle, for each pair of outputs, where X are features and 1, and D
// the second derivatives by the scores.
func (o *objective) curvatures(theta []float64, ld int) []float64 {
	const panel = 64
	weight, bias := o.unpack(theta)
	size := o.outs * (o.outs + 1) / 2 * ld * ld
	parts := min(o.blocks, max(4, (64<<20)/(8*size)))
	sums := make([][]float64, parts)
	fit.Parallel(o.Workers(), parts, func(p int) {
		sum, left, right := make([]float64, size), make([]float64, panel*ld), make([]float64, panel*ld)
		space := make([]float64, kernel.WideSpace(panel, ld))
		z, a, one := matrix(o.outs, panel), make([]float64, panel), ones(panel)
		for b := p; b < o.blocks; b += parts {
			o.chunks(o.ctx, b, func(from, to int) {
				for ; from < to; from += panel {
					rows := min(panel, to-from)
					o.scores(z, weight, bias, from, from+rows)
					o.curve(z, from)
					o.edge(right, ld, from, one[:rows])
					pair := 0
					for k := range o.outs {
						for l := k; l < o.outs; l++ {
							o.pair(a[:rows], z, k, l, from)
							o.edge(left, ld, from, a[:rows])
							kernel.WideGram(sum[pair*ld*ld:][:ld*ld], left[:rows*ld], right[:rows*ld], rows, ld, space)
							pair++
						}
					}
				}
			})
		}
		sums[p] = sum
	})
	for _, s := range sums[1:] {
		for i, v := range s {
			sums[0][i] += v
		}
	}
	return sums[0]
}

// edge writes rows of features and 1, each times its element of a, into z (rows, ld).
func (o *objective) edge(z []float64, ld, from int, a []float64) {
	kernel.WideRows(z, ld, o.x(from, from+len(a)), o.mean, a)
	for i, v := range a {
		z[i*ld+o.Cols] = v
	}
}
