package boost

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// Gradients are packed as g<<32 + h, where g is a signed and h an unsigned integer. The scales keep sums over all rows
// within 31 bits, so that a sum of packed numbers is the packed sum, and a difference the packed difference.

// packed are the gradients of one tree.
type packed struct {
	gh             []uint64 // (rows)
	scaleG, scaleH float64  // integers per unit
	noise          float64  // gain below which a split is rounding: tiny beside one average row's
}

func unpack(v uint64) (g, h int64) { return int64(v) >> 32, int64(v & math.MaxUint32) }

// pack rounds the derivatives of rows to integers: to the next ones at random, in proportion, so that sums are right
// on average. The random numbers depend on seed, tree and row only.
func (p *packed) pack(workers int, g, h []float32, rows []int32, seed uint64, tree int) {
	var sumG, sumH float64
	for _, r := range rows {
		sumG += math.Abs(float64(g[r]))
		sumH += float64(h[r])
	}
	p.scaleG, p.scaleH = power(1<<30, sumG), power(1<<31, sumH)
	if p.noise = 0; sumH > 0 {
		p.noise = 1e-10 * sumG / float64(len(rows)) * (sumG / sumH)
	}
	const block = 1 << 14
	fit.Parallel(workers, (len(rows)+block-1)/block, func(b int) {
		for _, r := range rows[b*block : min(len(rows), (b+1)*block)] {
			u := mix(seed, tree, int(r))
			gi := math.Floor(float64(g[r])*p.scaleG + float64(uint32(u))*0x1p-32)
			hi := math.Floor(float64(h[r])*p.scaleH + float64(u>>32)*0x1p-32)
			p.gh[r] = uint64(int64(gi))<<32 + uint64(hi)
		}
	})
}

// power returns the largest power of two that times sum is at most limit: second derivatives of 1 stay exact.
func power(limit, sum float64) float64 {
	if sum <= 0 {
		return 1
	}
	return math.Exp2(max(-1000, min(1000, math.Floor(math.Log2(limit/sum)))))
}

// accumulate adds the packed gradients of rows to hist (bins), for all features. It is where training spends its time.
func (m *binned) accumulate(hist, gh []uint64, rows []int32) {
	offset := m.offset[:m.cols]
	for _, r := range rows {
		v := gh[r]
		row := m.byRow[int(r)*m.cols : int(r)*m.cols+m.cols]
		row = row[:len(offset)]
		for f, o := range offset {
			hist[o+uint32(row[f])] += v
		}
	}
}

// accumulateSome is accumulate for some of the features.
func (m *binned) accumulateSome(hist, gh []uint64, rows, features []int32) {
	for _, r := range rows {
		v := gh[r]
		row := m.byRow[int(r)*m.cols : int(r)*m.cols+m.cols]
		for _, f := range features {
			hist[m.offset[f]+uint32(row[f])] += v
		}
	}
}

// histogram returns the sums of packed gradients of rows in each bin; the caller releases it.
func (t *grower) histogram(rows []int32) []uint64 {
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
		if len(t.features) == t.bins.cols {
			t.bins.accumulate(hists[p], t.gh, part)
		} else {
			t.bins.accumulateSome(hists[p], t.gh, part, t.features)
		}
	})
	for _, h := range hists[1:] {
		for i, v := range h {
			hists[0][i] += v
		}
		t.release(h)
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
