package boost

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// binned holds the features as bin numbers. Bin b of feature f holds values in (cuts[f][b-1], cuts[f][b]]; the last
// bin has no upper cut. Where values are missing, they have the bin behind the last.
type binned struct {
	rows, cols int
	byRow      []uint8     // (rows, cols): histograms read whole rows
	byCol      []uint8     // (cols, rows): partitions read one feature
	cuts       [][]float32 // ascending, of each feature
	missing    []bool      // which features have a bin of missing values
	offset     []uint32    // (cols+1) where each feature's bins start in a histogram
}

// values is the number of bins of feature f without the one of missing values.
func (m *binned) values(f int) int { return len(m.cuts[f]) + 1 }

// sampled is the number of rows up to which cuts are exact; of more rows about as many are sampled.
const sampled = 200_000

func bin(d fit.Data, maxBin int) *binned {
	m := &binned{
		rows: d.Rows, cols: d.Cols, byRow: make([]uint8, d.Rows*d.Cols), byCol: make([]uint8, d.Rows*d.Cols),
		cuts: make([][]float32, d.Cols), missing: make([]bool, d.Cols), offset: make([]uint32, d.Cols+1),
	}
	rows := sample(d)
	fit.Parallel(d.Workers(), d.Cols, func(f int) {
		for i := f; i < len(d.X) && !m.missing[f]; i += d.Cols {
			m.missing[f] = d.X[i] != d.X[i]
		}
		limit := maxBin
		if m.missing[f] {
			limit--
		}
		column := make([]float32, 0, len(rows))
		for _, r := range rows {
			if v := d.X[int(r)*d.Cols+f]; v == v {
				column = append(column, v)
			}
		}
		m.cuts[f] = cut(column, limit)
	})
	for f := range d.Cols {
		n := m.values(f)
		if m.missing[f] {
			n++
		}
		m.offset[f+1] = m.offset[f] + uint32(n)
	}
	const block = 64 // rows: a block of X stays in the first-level cache
	fit.Parallel(d.Workers(), (d.Rows+block-1)/block, func(p int) {
		m.assign(d.X, p*block, min(d.Rows, (p+1)*block))
	})
	return m
}

// sample returns the rows that cuts are taken from.
func sample(d fit.Data) []int32 {
	share := uint64(1<<63) / uint64(max(d.Rows, sampled)) * sampled
	var rows []int32
	for i := range d.Rows {
		if d.Rows <= sampled || mix(d.Seed, 0, i)>>1 < share {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// cut chooses at most bins-1 cuts of a column, which it sorts: between all values where they are few, else such that
// bins hold about equal numbers of rows. A cut lies at or above the value below it and under the value above it, so
// that comparing in float32 tells them apart.
func cut(column []float32, bins int) []float32 {
	slices.Sort(column)
	var values []float32
	var upto []int // rows with this value or a smaller one
	for i, v := range column {
		if len(values) == 0 || v != values[len(values)-1] {
			values, upto = append(values, v), append(upto, i)
		}
		upto[len(upto)-1] = i + 1
	}
	var cuts []float32
	done := 0 // rows in the bins that are closed
	for k := 0; k+1 < len(values) && len(cuts) < bins-1; k++ {
		left := bins - len(cuts) // bins still open
		if len(values)-k > left && (upto[k]-done)*left < len(column)-done {
			continue
		}
		cuts, done = append(cuts, between(values[k], values[k+1])), upto[k]
	}
	return cuts
}

// between returns the middle of two numbers a < b, rounded such that a <= middle < b.
func between(a, b float32) float32 {
	middle := float32((float64(a) + float64(b)) / 2)
	if middle >= b {
		return a
	}
	return middle
}

// assign writes the bins of rows from … to-1.
func (m *binned) assign(x []float32, from, to int) {
	for f, cuts := range m.cuts {
		column := m.byCol[f*m.rows : (f+1)*m.rows]
		for i := from; i < to; i++ {
			b := m.find(cuts, x[i*m.cols+f])
			column[i] = b
			m.byRow[i*m.cols+f] = b
		}
	}
}

// find returns the number of cuts below v, and of a missing value the number of the bin behind the last.
func (m *binned) find(cuts []float32, v float32) uint8 {
	if v != v {
		return uint8(len(cuts) + 1)
	}
	low, n := 0, len(cuts)
	for n > 0 {
		half := (n + 1) / 2
		if cuts[low+half-1] < v {
			low += half
			n -= half
		} else {
			n = half - 1
		}
	}
	return uint8(low)
}

// mix is a hash of three numbers (splitmix64, Steele et al. 2014): randomness that does not depend on order.
func mix(seed uint64, stream, i int) uint64 {
	z := seed + 0x9e3779b97f4a7c15*uint64(stream+1)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z += 0x9e3779b97f4a7c15 * uint64(i+1)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
