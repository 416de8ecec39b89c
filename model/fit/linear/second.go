package linear

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/kernel"
)

// second are the second moments of features and target about their means: all that least squares needs to know of data
// with more rows than columns, exact to what float64 sums lose.
type second struct {
	fit.Standard
	total  float64   // of the weights
	center float64   // mean of the target
	gram   []float64 // Xᵀ W X of the centred features (cols, cols)
	right  []float64 // Xᵀ W y (cols)
	square float64   // yᵀ W y
}

// measure goes over the data once, with sums about a guess of the means; a second time where the guess is far off.
func measure(ctx context.Context, d fit.Data) (*second, error) {
	m := newDesign(d, fit.Center(d), nil)
	var center float64
	for i := 0; i < d.Rows; i += max(1, d.Rows/4096) {
		center += float64(d.Y[i])
	}
	center /= float64((d.Rows-1)/max(1, d.Rows/4096) + 1)
	s, good, err := m.second(ctx, center)
	if err == nil && !good {
		s, _, err = newDesign(d, s.Mean, nil).second(ctx, s.center)
	}
	return s, err
}

// second sums products of the columns of (features, target, 1) about m.mean and center; good tells whether these are
// near enough to the means.
func (m *design) second(ctx context.Context, center float64) (*second, bool, error) {
	n := m.Cols
	ld := (n + 2 + kernel.WideColumns - 1) / kernel.WideColumns * kernel.WideColumns
	g, err := m.products(ctx, ld, center)
	if err != nil {
		return nil, false, err
	}
	total := g[(n+1)*ld+n+1]
	shift := func(j int) float64 { return g[j*ld+n+1] / total } // from the guess to the mean
	at := func(i, j int) float64 { return g[i*ld+j] - float64(g[i*ld+n+1]*shift(j)) }
	s := &second{total: total, center: center + shift(n), gram: make([]float64, n*n), right: make([]float64, n), square: max(0, at(n, n))}
	mean, variance := make([]float64, n), make([]float64, n)
	good := !fit.FarOff(center, shift(n), s.square/total)
	for i := range n {
		for j := i; j < n; j++ {
			v := at(i, j)
			s.gram[i*n+j], s.gram[j*n+i] = v, v
		}
		s.right[i] = at(i, n)
		mean[i], variance[i] = m.mean[i]+shift(i), max(0, s.gram[i*n+i]/total)
		good = good && !fit.FarOff(m.mean[i], shift(i), variance[i])
	}
	s.Standard = fit.NewStandard(mean, variance)
	for i, scale := range s.Scale {
		if scale == 0 { // a constant feature
			s.right[i] = 0
			for j := range n {
				s.gram[i*n+j], s.gram[j*n+i] = 0, 0
			}
		}
	}
	return s, good, nil
}

// products returns Zᵀ W Z (ld, ld), its upper triangle, for Z = (features, target, 1, 0…) about m.mean and center.
func (m *design) products(ctx context.Context, ld int, center float64) ([]float64, error) {
	const panel = 64 // rows whose products are summed while they are in the first cache
	parts := min(m.blocks, max(4, (64<<20)/(8*ld*ld)))
	sums := make([][]float64, parts)
	fit.Parallel(m.Workers(), parts, func(p int) {
		g, right, left, a, one := make([]float64, ld*ld), make([]float64, panel*ld), []float64(nil), make([]float64, panel), ones(panel)
		space := make([]float64, kernel.WideSpace(panel, ld))
		if left = right; m.Weight != nil {
			left = make([]float64, panel*ld)
		}
		for b := p; b < m.blocks; b += parts {
			m.chunks(ctx, b, func(from, to int) {
				for ; from < to; from += panel {
					rows := min(panel, to-from)
					m.fill(right, ld, from, rows, center, one)
					if m.Weight != nil {
						for i := range rows {
							a[i] = m.W(from + i)
						}
						m.fill(left, ld, from, rows, center, a)
					}
					kernel.WideGram(g, left[:rows*ld], right[:rows*ld], rows, ld, space)
				}
			})
		}
		sums[p] = g
	})
	for _, s := range sums[1:] {
		for i, v := range s {
			sums[0][i] += v
		}
	}
	return sums[0], fit.Stopped(ctx)
}

// fill writes rows of (features, target, 1), each times its element of a, into z (rows, ld).
func (m *design) fill(z []float64, ld, from, rows int, center float64, a []float64) {
	kernel.WideRows(z, ld, m.x(from, from+rows), m.mean, a[:rows])
	for i := range rows {
		tail := z[i*ld+m.Cols:][:2]
		tail[0], tail[1] = a[i]*(float64(m.Y[from+i])-center), a[i]
	}
}

func ones(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1
	}
	return out
}
