package boost

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/kernel"
)

// Gradients are packed as g<<32 + h, where g is a signed and h an unsigned integer. The scales keep sums over all rows
// within 31 bits, so that a sum of packed numbers is the packed sum, and a difference the packed difference.

// packed are the gradients of one tree.
type packed struct {
	gh             []uint64 // (rows)
	scaleG, scaleH float64  // integers per unit
	unitG, unitH   float64  // and units per integer
	noise          float64  // gain below which a split is rounding: tiny beside one average row's
}

func unpack(v uint64) (g, h int64) { return int64(v) >> 32, int64(v & math.MaxUint32) }

// pack rounds the derivatives of rows to integers: to the next ones at random, in proportion, so that sums are right on average. The random numbers depend on
// seed, tree and row only. It reports false where a derivative is not finite.
// The tree is to be grown from these rows.
func (t *grower) pack(g, h []float32, rows []int32) bool {
	const block = 1 << 14
	blocks := (len(rows) + block - 1) / block
	part := func(b int) []int32 { return rows[b*block : min(len(rows), (b+1)*block)] }
	sums := make([][2]float64, blocks)
	fit.Parallel(t.workers, blocks, func(b int) {
		var sumG, sumH float64
		for _, r := range part(b) {
			sumG += math.Abs(float64(g[r]))
			sumH += float64(h[r])
		}
		sums[b] = [2]float64{sumG, sumH}
	})
	var sumG, sumH float64
	for _, s := range sums {
		sumG += s[0]
		sumH += s[1]
	}
	if sumG-sumG != 0 || sumH-sumH != 0 {
		return false
	}
	t.scale(sumG, sumH, len(rows))
	t.rows = append(t.rows[:0], rows...)
	seed, tree := t.data.Seed, 2*t.stream+2
	fit.Parallel(t.workers, blocks, func(b int) {
		for _, r := range part(b) {
			u := mix(seed, tree, int(r))
			gi := math.Floor(float64(g[r])*t.scaleG + float64(uint32(u))*0x1p-32)
			hi := math.Floor(float64(h[r])*t.scaleH + float64(u>>32)*0x1p-32)
			t.gh[r] = uint64(int64(gi))<<32 + uint64(hi)
		}
	})
	return true
}

// scale chooses the integers per unit.
func (p *packed) scale(sumG, sumH float64, rows int) {
	p.scaleG, p.scaleH = power(1<<30, sumG), power(1<<31, sumH)
	p.unitG, p.unitH = 1/p.scaleG, 1/p.scaleH
	if p.noise = 0; sumH > 0 {
		p.noise = 1e-10 * sumG / float64(rows) * (sumG / sumH)
	}
}

// power returns the largest power of two that times sum is at most limit: second derivatives of 1 stay exact.
func power(limit, sum float64) float64 {
	if sum <= 0 {
		return 1
	}
	return math.Exp2(max(-1000, min(1000, math.Floor(math.Log2(limit/sum)))))
}

// accumulate adds the packed gradients of rows to hist (bins), for some of the features. It is where training spends its time. Where most features are wanted,
// adding all of them is quicker.
func (m *binned) accumulate(hist, gh []uint64, rows, features []int32) {
	if m.sparse != nil {
		kernel.HistogramLists(hist, m.sparse.start, m.sparse.bins, gh, rows)
		return
	}
	if 3*len(features) > m.cols {
		kernel.Histogram(hist, m.offset[:m.cols], m.byRow, m.cols, gh, rows)
		return
	}
	for _, r := range rows {
		v := gh[r]
		row := m.byRow[int(r)*m.cols : int(r)*m.cols+m.cols]
		for _, f := range features {
			hist[m.offset[f]+uint32(row[f])] += v
		}
	}
}

// histogram returns the sums of packed gradients of rows in each bin, in all total; the caller releases it.
func (t *grower) histogram(rows []int32, total uint64) []uint64 {
	parts := 1
	if len(rows)*len(t.features) > 1<<17 {
		parts = min(t.workers, 16)
	}
	hists := make([][]uint64, parts)
	for p := range hists {
		hists[p] = t.take()
	}
	fit.Parallel(t.workers, parts, func(p int) {
		part := rows[p*len(rows)/parts : (p+1)*len(rows)/parts]
		t.bins.accumulate(hists[p], t.gh, part, t.features)
	})
	for _, h := range hists[1:] {
		for i, v := range h {
			hists[0][i] += v
		}
		t.release(h)
	}
	if s := t.bins.sparse; s != nil {
		s.complete(t.bins.offset, hists[0], total)
	}
	return hists[0]
}

// take returns a cleared histogram.
func (t *grower) take() []uint64 {
	if n := len(t.free); n > 0 {
		h := t.free[n-1]
		t.free = t.free[:n-1]
		clear(h)
		return h
	}
	return make([]uint64, t.bins.offset[t.bins.cols])
}

func (t *grower) release(h []uint64) {
	if h != nil {
		t.free = append(t.free, h)
	}
}
