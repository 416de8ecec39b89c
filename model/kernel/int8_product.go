package kernel

import "github.com/jarvis-ml/jarvis/model/reuse"

// byteJob is one product of bytes: a (m, k) by panels of b, k being whole steps, one of them weights.
type byteJob struct {
	m, n, k, ld int
	a, b        []byte
	rows        bool // a is the weights
	w           *byteWeights
	start       []int32 // what the sums of each column begin with, or zeros for one panel
	one         bool    // start is for one panel
	sink        ByteSums
	h, across   int // rows and panels of a piece, for Do
	wide        int
	memory      []int32
}

var byteJobs reuse.Pool[byteJob]

// GemmBytes gives (A - zero)·B to sink: rows of a (m, k), unsigned bytes, are ld apart and at least ByteK(k) long, what lies behind k elements being
// of no matter. It runs on up to so many goroutines, this one included; when done is closed, it may leave parts out.
func GemmBytes(done <-chan struct{}, threads, m int, a []byte, ld int, zero int32, b *PackedBytes, sink ByteSums) {
	if m <= 0 || b.N <= 0 {
		return
	}
	j := byteJobs.Take()
	j.m, j.n, j.k, j.ld, j.a, j.b, j.rows, j.w, j.one, j.sink = m, b.N, ByteK(b.K), ld, a, b.w.data, false, &b.w, false, sink
	_ = a[:(m-1)*ld+j.k]
	if columns := len(b.w.sums); cap(j.memory) < columns {
		j.memory = make([]int32, columns)
	}
	j.start = j.memory[:len(b.w.sums)]
	for i, s := range b.w.sums {
		j.start[i] = -zero * s
	}
	j.run(done, threads)
}

// Product gives A·B to sink; the zero point of B, whatever it is, is for the sink to take off by Sums.
func (a *ByteRows) Product(done <-chan struct{}, threads int, b *BytePanels, sink ByteSums) {
	if a.M <= 0 || b.N <= 0 {
		return
	}
	j := byteJobs.Take()
	j.m, j.n, j.k, j.ld, j.a, j.b, j.rows, j.w, j.one, j.sink = a.M, b.N, ByteK(a.K), ByteK(a.K), a.w.data, b.data, true, &a.w, true, sink
	j.start = noSums[:]
	j.run(done, threads)
}

var noSums [byteColumns]int32

// run divides the work and gives j back.
func (j *byteJob) run(done <-chan struct{}, threads int) {
	panels := (j.n + byteColumns - 1) / byteColumns
	pieces := min(threads*4, j.m*j.n/64*max(j.k, 1)/(byteGrain/64))
	if threads < 2 || pieces < 2 {
		j.h, j.wide, j.across = j.m, panels, 1
		j.Do(0, 1)
	} else {
		j.wide = max(1, (panels+pieces-1)/pieces)
		j.across = (panels + j.wide - 1) / j.wide
		high := min((j.m+byteTile-1)/byteTile, (pieces+j.across-1)/j.across) // pieces one above the other
		j.h = ((j.m+high-1)/high + byteTile - 1) &^ (byteTile - 1)
		tasks := j.across * ((j.m + j.h - 1) / j.h)
		Share(done, threads, tasks, tasks, j)
	}
	j.a, j.b, j.w, j.start, j.sink = nil, nil, nil, nil, nil // keeps nothing alive
	byteJobs.Put(j)
}

// Do implements Work.
func (j *byteJob) Do(lo, hi int) {
	memory := byteMemory.Take()
	defer byteMemory.Put(memory)
	panels := (j.n + byteColumns - 1) / byteColumns
	for t := lo; t < hi; t++ {
		i, p := t/j.across*j.h, t%j.across*j.wide
		j.part(i, min(i+j.h, j.m), p, min(p+j.wide, panels), memory[:])
	}
}

var byteMemory reuse.Pool[[byteRows * byteColumns]int32]

// part computes the rows from i0 to i1 of the panels from p0 to p1.
func (j *byteJob) part(i0, i1, p0, p1 int, memory []int32) {
	height := min(byteRows, max(2*byteTile, byteBlock/max(j.k, 1)&^(byteTile-1)))
	for i := i0; i < i1; i += height {
		rows := min(height, i1-i)
		for p := p0; p < p1; p++ {
			sums := memory[:rows*byteColumns]
			j.panel(i, rows, p, sums)
			c := p * byteColumns
			j.sink.Take(i, rows, c, min(byteColumns, j.n-c), sums)
		}
	}
}

// panel computes the sums of rows from i on and one panel.
func (j *byteJob) panel(i, rows, p int, sums []int32) {
	start := j.start
	if !j.one {
		start = start[p*byteColumns:]
	}
	panel := j.b[p*j.k*byteColumns:][:j.k*byteColumns]
	if j.k == 0 {
		for r := range rows {
			copy(sums[r*byteColumns:], start[:byteColumns])
		}
	}
	high := byteHigh()
	for k := 0; k < j.k; k += byteMost {
		terms := min(byteMost, j.k-k)
		part := panel[k*byteColumns:][:terms*byteColumns]
		for r := 0; r < rows; r += high {
			h := min(high, rows-r)
			c, a := sums[r*byteColumns:][:h*byteColumns], j.a[(i+r)*j.ld+k:]
			if k == 0 {
				tileBytes(j.rows, c, start, 0, a, j.ld, h, part)
			} else {
				tileBytes(j.rows, c, c, byteColumns, a, j.ld, h, part)
			}
		}
	}
	if len(j.w.at) > 0 {
		j.rest(i, rows, p, sums, panel)
	}
}

// rest adds what the weights have besides.
func (j *byteJob) rest(i, rows, p int, sums []int32, panel []byte) {
	w := j.w
	if j.rows {
		for r := range rows {
			if lo, hi := w.from[i+r], w.from[i+r+1]; lo < hi {
				moreRows(sums[r*byteColumns:][:byteColumns], w.more[4*lo:4*hi], panel, w.at[lo:hi])
			}
		}
		return
	}
	lo, hi := w.from[p], w.from[p+1]
	if lo == hi {
		return
	}
	for r := 0; r < rows; r += byteTile {
		h := min(byteTile, rows-r)
		moreBytes(sums[r*byteColumns:][:h*byteColumns], j.a[(i+r)*j.ld:], j.ld, h, w.more[64*lo:64*hi], w.at[lo:hi])
	}
}

// tileBytes makes sums (m, 16) of m rows of a, ld apart, and a part of a panel; row r begins with those at from[r·step]. The signed bytes are a's
// where rows is set, else the panel's.
func tileBytes(rows bool, sums, from []int32, step int, a []byte, ld, m int, panel []byte) {
	if tileBytesMachine(rows, sums, from, step, a, ld, m, panel) {
		return
	}
	for i := range m {
		c := (*[byteColumns]int32)(sums[i*byteColumns:])
		*c = [byteColumns]int32(from[i*step:])
		row := a[i*ld:][:len(panel)/byteColumns]
		for p := 0; p+4 <= len(row); p += 4 {
			four(c, row[p:p+4], panel[p*byteColumns:], rows)
		}
	}
}

// four adds the products of four terms.
func four(c *[byteColumns]int32, a, panel []byte, rows bool) {
	b := (*[4 * byteColumns]byte)(panel)
	if rows {
		x, y, z, t := int32(int8(a[0])), int32(int8(a[1])), int32(int8(a[2])), int32(int8(a[3]))
		for j := range c {
			c[j] += x*int32(b[4*j]) + y*int32(b[4*j+1]) + z*int32(b[4*j+2]) + t*int32(b[4*j+3])
		}
		return
	}
	x, y, z, t := int32(a[0]), int32(a[1]), int32(a[2]), int32(a[3])
	for j := range c {
		c[j] += x*int32(int8(b[4*j])) + y*int32(int8(b[4*j+1])) + z*int32(int8(b[4*j+2])) + t*int32(int8(b[4*j+3]))
	}
}

// moreBytes adds products of m rows with the groups more, which stand for groups of a panel.
func moreBytes(sums []int32, a []byte, ld, m int, more []byte, at []int32) {
	if moreBytesMachine(sums, a, ld, m, more, at) {
		return
	}
	for g, q := range at {
		for i := range m {
			four((*[byteColumns]int32)(sums[i*byteColumns:]), a[i*ld+4*int(q):][:4], more[g*4*byteColumns:], false)
		}
	}
}

// moreRows adds products of one row's groups more with groups of a panel.
func moreRows(sums []int32, more, panel []byte, at []int32) {
	if moreRowsMachine(sums, more, panel, at) {
		return
	}
	for g, q := range at {
		four((*[byteColumns]int32)(sums), more[4*g:4*g+4], panel[int(q)*4*byteColumns:], true)
	}
}
