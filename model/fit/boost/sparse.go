package boost

import "github.com/jarvis-ml/jarvis/model/fit"

// sparse is how rows are kept where most of them have the same bin in most features: pixels at the edge, columns of one category each. Histograms are summed of
// what is unusual, and the usual bin of a feature gets what is left of the total.
type sparse struct {
	usual []uint8  // (cols) the most frequent bin
	start []int    // (rows+1) where the list of a row begins
	bins  []uint32 // their places in a histogram
}

// unusual is the share of unusual bins up to which lists are worth their four bytes an entry.
const unusual = .35

// thin makes lists of the rows where that pays, in place of byRow.
func (m *binned) thin(workers int) {
	usual, share := m.usual(workers)
	if share > unusual {
		return
	}
	s := &sparse{usual: usual, start: make([]int, m.rows+1)}
	const block = 1 << 10
	parts := (m.rows + block - 1) / block
	each := func(f func(row int)) {
		fit.Parallel(workers, parts, func(p int) {
			for r := p * block; r < min(m.rows, (p+1)*block); r++ {
				f(r)
			}
		})
	}
	each(func(r int) {
		for f, b := range m.row(r) {
			if b != usual[f] {
				s.start[r+1]++
			}
		}
	})
	for r := range m.rows {
		s.start[r+1] += s.start[r]
	}
	s.bins = make([]uint32, s.start[m.rows])
	each(func(r int) {
		at := s.start[r]
		for f, b := range m.row(r) {
			if b != usual[f] {
				s.bins[at] = m.offset[f] + uint32(b)
				at++
			}
		}
	})
	m.sparse, m.byRow = s, nil
}

// row are the bins of a row.
func (m *binned) row(r int) []uint8 { return m.byRow[r*m.cols : (r+1)*m.cols] }

// usual are the most frequent bins of the features, and the share of all bins that are others, by some of the rows.
func (m *binned) usual(workers int) (usual []uint8, share float64) {
	const most = 1 << 14
	step := max(1, m.rows/most)
	usual = make([]uint8, m.cols)
	others := make([]int, m.cols)
	fit.Parallel(workers, m.cols, func(f int) {
		var count [256]int
		seen := 0
		for r := 0; r < m.rows; r += step {
			count[m.byCol[f*m.rows+r]]++
			seen++
		}
		for b, n := range count {
			if n > count[usual[f]] {
				usual[f] = uint8(b)
			}
		}
		others[f] = seen - count[usual[f]]
	})
	sum := 0
	for _, n := range others {
		sum += n
	}
	return usual, float64(sum) / float64(m.cols) / float64((m.rows+step-1)/step)
}

// complete gives the usual bins what is left of a node's total.
func (s *sparse) complete(offset []uint32, hist []uint64, total uint64) {
	for f, b := range s.usual {
		rest := total
		for _, v := range hist[offset[f]:offset[f+1]] {
			rest -= v
		}
		hist[offset[f]+uint32(b)] = rest
	}
}
