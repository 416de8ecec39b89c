package kernel

import (
	"unsafe"

	"github.com/jarvis-ml/jarvis/model/reuse"
)

const (
	// few is the number of rows up to which A and, where it is not constant, B are read where they lie.
	few = 2 * tileRows
	// aRows is how many rows of A make a block, which stays in the second-level cache.
	aRows = 96
	// packFrom is how many columns B must have for packed rows of A to pay off.
	packFrom = 384
	// bColumns is how many columns of B are packed at a time, where it is not constant.
	bColumns = 1024
	// finish is how many columns of C are made before Epilogue.Func goes over them.
	finish = 8 * tileColumns
	// grain is how many multiplications are worth a goroutine.
	grain = 1 << 19
	// rowGrain is the same for a single row.
	rowGrain = 3 << 14
)

// productF32 is one product of matrices, as GemmF32 and ProductF32 tell. A(i, p) is a[i·rs + p·cs].
type productF32 struct {
	m, k, n int
	a       []float32
	rs, cs  int
	left    []float32 // A as LeftF32 has it, instead of a, or nil
	packed  []float32 // B, or nil
	kBlock  int
	b       []float32 // B where it is not packed
	ldb     int
	transB  bool
	c       []float32
	ldc     int
	e       Epilogue
}

// right is a block of B: columns j0 and on of some rows.
type right struct {
	p      unsafe.Pointer
	j0     int
	ps, bs uintptr // from panel to panel, from row to row
	last   uintptr // from row to row of a last panel that is at most 8 wide
	padded bool    // B is packed: rows are 8 or 16 wide where fewer columns count
}

// run checks that all lies within the slices, and divides the work.
func (g *productF32) run(threads int, e *Epilogue) {
	if e != nil {
		g.e = *e
	}
	if g.m <= 0 || g.n <= 0 {
		return
	}
	_ = g.c[(g.m-1)*g.ldc+g.n-1]
	if g.e.ColBias != nil {
		_ = g.e.ColBias[g.n-1]
	}
	if g.e.RowBias != nil {
		_ = g.e.RowBias[g.m-1]
	}
	if g.k <= 0 {
		g.empty()
		return
	}
	if g.left != nil {
		_ = g.left[LeftLenF32(g.m, g.k)-1]
	} else {
		_ = g.a[(g.m-1)*g.rs+(g.k-1)*g.cs]
	}
	switch {
	case g.packed != nil:
		_ = g.packed[g.k*padded(g.n)-1]
	case g.transB:
		_ = g.b[(g.n-1)*g.ldb+g.k-1]
	default:
		_ = g.b[(g.k-1)*g.ldb+g.n-1]
	}
	if pieces := g.pieces(threads); pieces > 1 {
		g.spread(threads, pieces)
		return
	}
	g.part(0, g.m, 0, g.n)
}

// empty is run where there is nothing to sum: the epilogue alone.
func (g *productF32) empty() {
	t := tile{act: int(g.e.Act), lo: g.e.Lo, hi: g.e.Hi}
	for i := range g.m {
		c := g.c[i*g.ldc:][:g.n]
		if !g.e.Add {
			clear(c)
		}
		for j := range c {
			if g.e.ColBias != nil {
				c[j] += g.e.ColBias[j]
			}
			if g.e.RowBias != nil {
				c[j] += g.e.RowBias[i]
			}
		}
		t.end(c, unsafe.Pointer(&c[0]))
		g.e.End.Over(c, g.n, 1, g.n)
		if g.e.Func != nil {
			g.e.Func(c)
		}
	}
}

// pieces is how many parts the work is cut into: some more than goroutines, because one of them may come late.
func (g *productF32) pieces(threads int) int {
	if threads < 2 {
		return 1
	}
	each := 2
	if g.packed != nil {
		each = 4
	}
	work := g.m * g.n / 64 * g.k / (grain / 64)
	if g.m == 1 { // to read B takes longer than to multiply it
		work = g.n * g.k / rowGrain
	}
	return min(threads*each, work)
}

// spread cuts C into a grid of so many pieces, such that little of A and B is read or packed twice.
func (g *productF32) spread(threads, pieces int) {
	byRow := g.rowsOf(pieces)
	if g.packed == nil && g.m < 2*few*byRow && pieces > threads { // to pack B for each of so few rows takes longer than what one who comes late costs
		pieces = threads
		byRow = g.rowsOf(pieces)
	}
	byColumn := pieces / byRow
	s := grids.Take()
	s.g = *g
	high := tileHigh()
	s.h = ((g.m+byRow-1)/byRow + high - 1) / high * high
	for rest := g.m % s.h; g.left != nil && s.h < g.m && 0 < rest && rest < high; rest = g.m % s.h { // the last tiles would be cut otherwise than A was
		s.h += high
	}
	s.w = ((g.n+byColumn-1)/byColumn + tileColumns - 1) &^ (tileColumns - 1)
	s.across = (g.n + s.w - 1) / s.w
	tasks := (g.m + s.h - 1) / s.h * s.across
	Share(g.e.Done, threads, tasks, tasks, s)
	s.g = productF32{} // keeps no operands alive
	grids.Put(s)
}

// rowsOf is how many rows of pieces a grid of so many should have.
func (g *productF32) rowsOf(pieces int) int {
	best, cost := 1, 0
	for r := 1; r <= pieces; r++ {
		if pieces%r != 0 {
			continue
		}
		q := pieces / r
		h, w := (g.m+r-1)/r, (g.n+q-1)/q
		now := q*g.m + r*g.n + max(0, few-h)*g.n + max(0, finish/2-w)*g.m
		if r == 1 || now < cost {
			best, cost = r, now
		}
	}
	return best
}

// grid is a product cut into pieces of C, h rows and w columns each.
type grid struct {
	g            productF32
	h, w, across int
}

var grids reuse.Pool[grid]

// Do implements Work.
func (s *grid) Do(lo, hi int) {
	for t := lo; t < hi; t++ {
		i, j := t/s.across*s.h, t%s.across*s.w
		s.g.part(i, min(i+s.h, s.g.m), j, min(j+s.w, s.g.n))
	}
}

// part computes the rows i0…i1 and columns j0…j1 of C. j0 is a multiple of 16.
func (g *productF32) part(i0, i1, j0, j1 int) {
	m := i1 - i0
	switch {
	case g.packed != nil:
		w := padded(g.n)
		for p := 0; p < g.k; p += g.kBlock {
			rows := min(g.kBlock, g.k-p)
			b := right{bs: tileColumns * 4, ps: uintptr(rows) * tileColumns * 4, last: half * 4, j0: j0, padded: true}
			b.p = unsafe.Pointer(&g.packed[p*w+j0*rows])
			g.block(i0, i1, j0, j1, p, rows, b)
		}
	case m <= few && !g.transB:
		high := 128 // rows of B that are read together: where they are long, fewer, or they are found in too many pages
		if g.n > bColumns {
			high = 64
		}
		for p := 0; p < g.k; p += high {
			rows := min(high, g.k-p)
			b := right{bs: uintptr(g.ldb) * 4, ps: tileColumns * 4, last: uintptr(g.ldb) * 4, j0: j0}
			b.p = unsafe.Pointer(&g.b[p*g.ldb+j0])
			g.block(i0, i1, j0, j1, p, rows, b)
		}
	default:
		g.packing(i0, i1, j0, j1)
	}
}

// packing is part for B that is packed on the way, block by block.
func (g *productF32) packing(i0, i1, j0, j1 int) {
	columns := bColumns
	if i1-i0 <= aRows {
		columns = 4 * tileColumns // each is used once, while it is in cache
	}
	need := g.kBlock * min(columns, padded(j1-j0))
	if columns == bColumns { // what one product needs is little less than what the next does: it is taken once
		need = kMost * bColumns
	}
	memory := floats.Take(need)
	defer floats.Put(memory)
	for ; j0 < j1; j0 += columns {
		j2 := min(j0+columns, j1)
		for p := 0; p < g.k; p += g.kBlock {
			rows := min(g.kBlock, g.k-p)
			fillBlock(*memory, rows, g.b, p, j0, j2, g.ldb, g.transB)
			g.block(i0, i1, j0, j2, p, rows, right{unsafe.Pointer(unsafe.SliceData(*memory)), j0, uintptr(rows) * tileColumns * 4, tileColumns * 4, half * 4, true})
		}
	}
}

// block adds the product of the columns p…p+k of A with a block of B to C, rows i0…i1 and columns j0…j1.
func (g *productF32) block(i0, i1, j0, j1, p, k int, b right) {
	rows := i1 - i0
	packs := rows > few && g.left == nil && g.packsLeft(j1-j0)
	rows = (rows + aRows - 1) / aRows
	high := tileHigh()
	rows = ((i1-i0+rows-1)/rows + high - 1) / high * high
	var memory *[]float32
	if packs {
		memory = floats.Take(rows*k + half)
		defer floats.Put(memory)
	}
	t := tile{k: k, ldc: uintptr(g.ldc) * 4, rs: uintptr(g.rs) * 4, cs: uintptr(g.cs) * 4, count: 1, padded: b.padded}
	if p > 0 || g.e.Add {
		t.add = 1
	}
	done := p+k >= g.k
	if done {
		t.act, t.lo, t.hi = int(g.e.Act), g.e.Lo, g.e.Hi
	}
	tail := g.tail(j0, j1)
	for i0 < i1 && !isDone(g.e.Done) {
		i2 := min(i0+rows, i1)
		if g.left != nil && i1-i2 < high {
			i2 = i1
		}
		l := left{i0: i0, i1: i2, p: p, k: k}
		if packs {
			if g.cs == 1 {
				packA(*memory, g.a[i0*g.rs+p:], i2-i0, k, g.rs, high)
			} else {
				packTurned(*memory, g.a[i0*g.rs+p*g.cs:], i2-i0, k, g.cs, high)
			}
			l.packed = *memory
		}
		for j := j0; j < j1; j += finish {
			j2 := min(j+finish, j1)
			stop := min(j2, j1-tail)
			if i2-i0 <= few {
				g.rowsFirst(&l, &t, j, stop, b)
			} else {
				g.panelsFirst(&l, &t, j, stop, b)
			}
			if j2 == j1 {
				for k := range tail {
					g.column(&l, &t, j1-tail+k, &b)
				}
			}
			if !done {
				continue
			}
			g.e.End.Over(g.c[i0*g.ldc+j:], g.ldc, i2-i0, j2-j)
			if g.e.Func != nil {
				for i := i0; i < i2; i++ {
					g.e.Func(g.c[i*g.ldc+j:][:j2-j])
				}
			}
		}
		i0 = i2
	}
}

// packsLeft tells whether rows of A that are used for so many columns are worth packing. Where neighbours of a column lie a multiple of some powers of
// two apart, they drive each other out of the caches, and packing pays early.
func (g *productF32) packsLeft(columns int) bool {
	switch {
	case columns >= packFrom:
		return true
	case columns > 4*tileColumns:
		return g.cs > 1 || g.rs%512 == 0
	}
	return columns > tileColumns && (g.cs%256 == 0 || g.rs%512 == 0)
}

// cut divides m rows into so many tiles of six and up to two smaller ones.
func cut(m int) (six, more, last int) { return cutBy(m, tileRows) }

// cutBy divides m rows into so many tiles of high rows and up to two smaller ones; a tile of one or two rows would have to wait for its own sums.
func cutBy(m, high int) (whole, more, last int) {
	whole, more = m/high, m%high
	if whole > 0 && more > 0 && more < 4 {
		whole, more = whole-1, more+high
		last = more / 2
		more -= last
	}
	return whole, more, last
}

// left is the rows i0…i1 and the columns p…p+k of A, packed or not.
type left struct {
	i0, i1, p, k int
	packed       []float32
}

// at points t to m rows of A from i on, and returns the distance of tiles of m rows.
func (g *productF32) at(l *left, t *tile, i, m int) uintptr {
	if g.left != nil {
		t.a, t.rs, t.cs = &g.left[i*g.k+l.p*m], 4, uintptr(m)*4
		return uintptr(m*g.k) * 4
	}
	if l.packed != nil {
		t.a, t.rs, t.cs = &l.packed[(i-l.i0)*l.k], 4, uintptr(m)*4
		return uintptr(m*l.k) * 4
	}
	t.a = &g.a[i*g.rs+l.p*g.cs]
	return uintptr(m) * t.rs
}

// to points t to the columns from j on, in row i.
func (g *productF32) to(l *left, t *tile, i, j int, b *right) {
	t.c = &g.c[i*g.ldc+j]
	t.b = (*float32)(unsafe.Add(b.p, uintptr((j-b.j0)/tileColumns)*b.ps))
	if l.p == 0 && g.e.ColBias != nil {
		t.colBias = &g.e.ColBias[j]
	} else {
		t.colN = 0 // nil stays nil
	}
	if l.p == 0 && g.e.RowBias != nil {
		t.rowBias = &g.e.RowBias[i]
	} else {
		t.rowN = 0
	}
}

// panelsFirst goes down all rows with as many panels of B as a tile is wide, which stay in the first-level cache.
func (g *productF32) panelsFirst(l *left, t *tile, j, j1 int, b right) {
	high := tileHigh()
	whole, more, last := cutBy(l.i1-l.i0, high)
	t.ps = b.ps
	var n int
	for ; j < j1; j += n {
		n = span(high, j1-j)
		t.bs = b.bs
		if n <= half {
			t.bs = b.last
		}
		t.bn, t.colN, t.rowN = 0, 0, uintptr(high)*4
		i := l.i0
		if whole > 0 {
			t.count, t.an, t.cn = whole, g.at(l, t, i, high), uintptr(high)*t.ldc
			g.to(l, t, i, j, &b)
			t.run(high, n)
			t.count = 1
			i += whole * high
		}
		for _, m := range [2]int{more, last} {
			if m > 0 {
				g.at(l, t, i, m)
				g.to(l, t, i, j, &b)
				t.run(m, n)
				i += m
			}
		}
	}
}

// rowsFirst goes over all panels of B with a few rows, which stay in the first-level cache.
func (g *productF32) rowsFirst(l *left, t *tile, j0, j1 int, b right) {
	high := tileHigh()
	whole, more, last := cutBy(l.i1-l.i0, high)
	i := l.i0
	for range whole {
		g.row(l, t, i, high, j0, j1, b)
		i += high
	}
	for _, m := range [2]int{more, last} {
		if m > 0 {
			g.row(l, t, i, m, j0, j1, b)
			i += m
		}
	}
}

// row computes m rows from i on, as wide as a tile may be.
func (g *productF32) row(l *left, t *tile, i, m, j, j1 int, b right) {
	g.at(l, t, i, m)
	t.an, t.rowN = 0, 0
	t.bs, t.ps = b.bs, b.ps
	for j < j1 {
		n := span(m, j1-j)
		t.count = max(1, (j1-j)/n)
		if n <= half {
			t.bs = b.last
		}
		t.bn, t.cn, t.colN = uintptr(n/tileColumns)*b.ps, uintptr(n)*4, uintptr(n)*4
		g.to(l, t, i, j, &b)
		t.run(m, n)
		j += t.count * n
	}
	t.count = 1
}

// span is how wide a tile of m rows may be where so many columns are left.
func span(m, columns int) int {
	switch {
	case m == 1 && columns >= 4*tileColumns && wide():
		return 4 * tileColumns
	case (m <= 3 || tall) && columns >= 2*tileColumns && wide():
		return 2 * tileColumns
	}
	return min(tileColumns, columns)
}

// small is GemmF32 for few rows and one block of B, where dividing the work would cost more than the work. It reports whether it was that.
func (b *PackedF32) small(threads, m int, a []float32, lda int, c []float32, ldc int, e *Epilogue) bool {
	k, n := b.K, b.N
	if uint(m-1) >= few || k == 0 || n == 0 || k > kMost || m*n*k >= grain || e != nil && (e.Func != nil || e.End.Act != EndNone) || m == 1 && threads > 1 && n*k >= 2*rowGrain {
		return false
	}
	_, _, _ = a[(m-1)*lda+k-1], c[(m-1)*ldc+n-1], b.data[k*padded(n)-1]
	t := tile{k: k, rs: uintptr(lda) * 4, cs: 4, ps: uintptr(k) * tileColumns * 4, ldc: uintptr(ldc) * 4, padded: true}
	var col, row []float32
	if e != nil {
		col, row = e.ColBias, e.RowBias
		t.act, t.lo, t.hi = int(e.Act), e.Lo, e.Hi
		if e.Add {
			t.add = 1
		}
	}
	if col != nil {
		_ = col[n-1]
	}
	high := tileHigh()
	whole, more, last := cutBy(m, high)
	var rows int
	for i := 0; i < m; i += rows {
		switch {
		case whole > 0:
			rows, whole = high, whole-1
		case more > 0:
			rows, more = more, 0
		default:
			rows = last
		}
		t.a = &a[i*lda]
		if row != nil {
			t.rowBias = &row[i : i+rows][0]
		}
		for j := 0; j < n; {
			w := span(rows, n-j)
			t.b, t.c = &b.data[j*k], &c[i*ldc+j]
			t.bs = tileColumns * 4
			if w <= half {
				t.bs = half * 4
			}
			t.count, t.bn, t.cn = max(1, (n-j)/w), uintptr(w/tileColumns)*t.ps, uintptr(w)*4
			if col != nil {
				t.colBias, t.colN = &col[j], t.cn
			}
			t.run(rows, w)
			j += t.count * w
		}
	}
	return true
}

// packA copies A (m, k), rows ld apart, to dst by tiles of up to high rows: the columns of a tile one after another. It writes up to eight elements
// more than m·k.
func packA(dst, a []float32, m, k, ld, high int) {
	whole, more, last := cutBy(m, high)
	i := 0
	for range whole {
		weaveTile(dst[i*k:], high, a[i*ld:], k, ld)
		i += high
	}
	for _, n := range [2]int{more, last} {
		if n > 0 {
			weaveTile(dst[i*k:], n, a[i*ld:], k, ld)
			i += n
		}
	}
}

// packTurned is packA for A' (k, m), rows ld apart: a tile takes up to high neighbours of each row. Some rows at a time are gone through, so that
// both sides are met line by line.
func packTurned(dst, a []float32, m, k, ld, high int) {
	const together = 8
	whole, more, last := cutBy(m, high)
	for p0 := 0; p0 < k; p0 += together {
		rows, i := min(together, k-p0), 0
		for _, t := range [3]struct{ n, tiles int }{{high, whole}, {more, 1}, {last, 1}} {
			if t.n*t.tiles > 0 {
				turnTiles(dst[i*k+p0*t.n:], t.n*k, a[p0*ld+i:], ld, rows, t.n, t.tiles)
				i += t.n * t.tiles
			}
		}
	}
}

// turnTiles cuts rows of a, ld apart, into tiles of n columns, distance from one to the next; the rows of a tile follow one another.
func turnTiles(dst []float32, distance int, a []float32, ld, rows, n, tiles int) {
	if turnMachine(dst, distance, a, ld, rows, n, tiles) {
		return
	}
	for t := range tiles {
		for p := range rows {
			copy(dst[t*distance+p*n:][:n], a[p*ld+t*n:])
		}
	}
}

// weaveTile is weave for a tile of n rows, the last ones first: what weave writes behind them is overwritten.
func weaveTile(dst []float32, n int, a []float32, k, ld int) {
	if n > half {
		weave(dst[half:], n, n-half, a[half*ld:], k, ld)
	}
	weave(dst, n, min(n, half), a, k, ld)
}

// floats is memory that products borrow.
var floats reuse.Slices[float32]
