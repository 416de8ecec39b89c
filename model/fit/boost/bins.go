package boost

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/memory"
)

// binned holds the features as bin numbers. Bin b of feature f holds values in (cuts[f][b-1], cuts[f][b]]; the last
// bin has no upper cut. Where values are missing, they have the bin behind the last.
type binned struct {
	rows, cols int
	byRow      []uint8     // (rows, cols): histograms read whole rows; nil where they are sparse
	sparse     *sparse     // nil where they are not
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
		rows: d.Rows, cols: d.Cols, byRow: memory.Make[uint8](d.Rows * d.Cols), byCol: memory.Make[uint8](d.Rows * d.Cols),
		cuts: make([][]float32, d.Cols), missing: missing(d), offset: make([]uint32, d.Cols+1),
	}
	rows := sample(d)
	table := gather(d, rows)
	steps := make([]ladder, d.Cols)
	fit.Parallel(d.Workers(), d.Cols, func(f int) {
		limit := maxBin
		if m.missing[f] {
			limit--
		}
		m.cuts[f] = cut(table[f*len(rows):(f+1)*len(rows)], limit)
		steps[f] = newLadder(m.cuts[f])
	})
	for f := range d.Cols {
		n := m.values(f)
		if m.missing[f] {
			n++
		}
		m.offset[f+1] = m.offset[f] + uint32(n)
	}
	fit.Parallel(d.Workers(), (d.Rows+binRows-1)/binRows, func(p int) {
		m.assign(steps, d.X, p*binRows, min(d.Rows, (p+1)*binRows))
	})
	m.thin(d.Workers())
	return m
}

// binRows is how many rows are looked at together: a block of them stays in the first-level cache.
const binRows = 64

// missing tells which features have missing values.
func missing(d fit.Data) []bool {
	const block = 1 << 12
	parts := make([][]bool, (d.Rows+block-1)/block)
	fit.Parallel(d.Workers(), len(parts), func(p int) {
		parts[p] = make([]bool, d.Cols)
		for i := p * block; i < min(d.Rows, (p+1)*block); i++ {
			for f, v := range d.Row(i) {
				if v != v {
					parts[p][f] = true
				}
			}
		}
	})
	out := make([]bool, d.Cols)
	for _, part := range parts {
		for f, there := range part {
			out[f] = out[f] || there
		}
	}
	return out
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

// gather returns the ordinals of features (cols, rows), of some rows.
func gather(d fit.Data, rows []int32) []uint32 {
	out := make([]uint32, d.Cols*len(rows))
	fit.Parallel(d.Workers(), (len(rows)+binRows-1)/binRows, func(p int) {
		from, to := p*binRows, min(len(rows), (p+1)*binRows)
		for f := range d.Cols {
			column := out[f*len(rows) : (f+1)*len(rows)]
			for i := from; i < to; i++ {
				column[i] = ordinal(d.X[int(rows[i])*d.Cols+f])
			}
		}
	})
	return out
}

// absent is the ordinal of missing values, behind all others.
const absent = math.MaxUint32

// ordinal maps numbers to integers of the same order; both zeros to one.
func ordinal(v float32) uint32 {
	if v != v {
		return absent
	}
	bits := math.Float32bits(v + 0)
	return bits ^ uint32(int32(bits)>>31|math.MinInt32)
}

// float is the number of an ordinal.
func float(o uint32) float32 {
	if o>>31 == 0 {
		return math.Float32frombits(^o)
	}
	return math.Float32frombits(o ^ 1<<31)
}

// cut chooses at most bins-1 cuts of a column of ordinals, which it sorts: between all values where they are few, else such that bins hold about equal numbers
// of rows. A cut lies at or above the value below it and under the value above it, so that comparing in float32 tells them apart.
func cut(column []uint32, bins int) []float32 {
	column = sorted(column)
	for len(column) > 0 && column[len(column)-1] == absent {
		column = column[:len(column)-1]
	}
	var values []uint32
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
		cuts, done = append(cuts, between(float(values[k]), float(values[k+1]))), upto[k]
	}
	return cuts
}

// sorted sorts by the digits of 11 bits, the last one first. It uses the memory of v.
func sorted(v []uint32) []uint32 {
	other := make([]uint32, len(v))
	for shift := 0; shift < 32; shift += 11 {
		var at [1 << 11]int
		for _, k := range v {
			at[k>>shift&(1<<11-1)]++
		}
		sum := 0
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for _, k := range v {
			d := k >> shift & (1<<11 - 1)
			other[at[d]] = k
			at[d]++
		}
		v, other = other, v
	}
	return v
}

// between returns the middle of two numbers a < b, rounded such that a <= middle < b.
func between(a, b float32) float32 {
	middle := float32((float64(a) + float64(b)) / 2)
	if middle >= b {
		return a
	}
	return middle
}

// ladder finds bins without a branch: the cuts of a feature as ordinals, filled up to a power of two less one.
type ladder struct {
	cuts  *[256]uint32
	first uint32 // step of the search
	after uint8  // the bin of missing values
}

func newLadder(cuts []float32) ladder {
	l := ladder{cuts: new([256]uint32), first: 1, after: uint8(len(cuts) + 1)}
	for i := range l.cuts {
		l.cuts[i] = absent
	}
	for i, c := range cuts {
		l.cuts[i] = ordinal(c)
	}
	for int(2*l.first) <= len(cuts) {
		l.first *= 2
	}
	return l
}

// step moves a search on: by s where the cut before is below v.
func (l *ladder) step(at, s, v uint32) uint32 {
	return at + s&uint32((int64(l.cuts[uint8(at+s-1)])-int64(v))>>63)
}

// assign writes the bins of rows from … to-1.
func (m *binned) assign(steps []ladder, x []float32, from, to int) {
	var column [binRows]uint8
	for f := range steps {
		m.find(&steps[f], &column, x[from*m.cols+f:], to-from)
		copy(m.byCol[f*m.rows+from:], column[:to-from])
		for i, b := range column[:to-from] {
			m.byRow[(from+i)*m.cols+f] = b
		}
	}
}

// find writes the bins of n values that lie cols apart, from x[0] on: the number of cuts below each, and of a missing value the bin behind the last. Four searches
// go on at a time, since each waits for its own steps.
func (m *binned) find(l *ladder, bins *[binRows]uint8, x []float32, n int) {
	var v [binRows]uint32
	for i := range n {
		v[i] = ordinal(x[i*m.cols])
	}
	for i := 0; i < n; i += 4 {
		k := v[i&(binRows-4):][:4:4]
		var a, b, c, d uint32
		for s := l.first; s > 0; s /= 2 {
			a, b, c, d = l.step(a, s, k[0]), l.step(b, s, k[1]), l.step(c, s, k[2]), l.step(d, s, k[3])
		}
		to := bins[i&(binRows-4):][:4:4]
		to[0], to[1], to[2], to[3] = uint8(a), uint8(b), uint8(c), uint8(d)
	}
	for i, k := range v[:n] {
		if k == absent {
			bins[i] = l.after
		}
	}
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
