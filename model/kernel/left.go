package kernel

import (
	"unsafe"

	"github.com/jarvis-ml/jarvis/model/memory"
)

// LeftF32 is A (m, k) of a product, constant, laid out once: cut into tiles of rows, each tile contiguous by columns, so that a product with few
// columns, which uses each element of A a few times only, reads it as it lies in memory.
type LeftF32 struct {
	M, K int
	data []float32
}

// LeftLenF32 is the number of elements that LeftF32 holds.
func LeftLenF32(m, k int) int { return m*k + half }

// PackLeftF32 lays out A (m, k) with rows ld apart.
func PackLeftF32(a []float32, m, k, ld int) *LeftF32 {
	l := &LeftF32{M: m, K: k, data: memory.Make[float32](LeftLenF32(m, k))}
	if m > 0 && k > 0 {
		packA(l.data, a, m, k, ld, tileHigh())
	}
	return l
}

// ProductLeftF32 is ProductF32 for such A and B (k, n) with rows ldb apart.
func ProductLeftF32(threads int, a *LeftF32, n int, b []float32, ldb int, c []float32, ldc int, e *Epilogue) {
	g := productF32{m: a.M, k: a.K, n: n, left: a.data, cs: 1, b: b, ldb: ldb, kBlock: kBlock(a.K), c: c, ldc: ldc}
	g.run(threads, e)
}

// tail is how many of the columns j0…j1, the last ones, are not worth tiles.
func (g *productF32) tail(j0, j1 int) int {
	const most = 2 // a tile of eight columns takes longer than two columns
	if rest := g.n % tileColumns; g.left != nil && j1 == g.n && rest <= most && j1-j0 >= rest && !tall && columnMachine(nil, nil, 0, nil, 0, 0, 0, 0) {
		return rest
	}
	return 0
}

// column adds the product of the columns of A that l tells with column j of B to C.
func (g *productF32) column(l *left, t *tile, j int, b *right) {
	var with [kMost]float32
	from := unsafe.Add(b.p, uintptr((j-b.j0)/tileColumns)*b.ps+uintptr(j%tileColumns)*4)
	for i := range l.k {
		with[i] = *(*float32)(unsafe.Add(from, uintptr(i)*b.last))
	}
	var buf [aRows + 3*tileRows]float32
	for i0 := l.i0; i0 < l.i1; { // what fits buf
		i1 := min(i0+aRows, l.i1)
		if l.i1-i1 < tileRows {
			i1 = l.i1
		}
		g.columnSums(l, i0, i1, with[:l.k], &buf)
		for i, s := range buf[:i1-i0] {
			g.c[(i0+i)*g.ldc+j] = g.finished(l, t, s, i0+i, j)
		}
		i0 = i1
	}
}

// columnSums multiplies the rows i0…i1 of A, which begin and end with tiles, with a column of B.
func (g *productF32) columnSums(l *left, i0, i1 int, with []float32, to *[aRows + 3*tileRows]float32) {
	whole, more, last := cut(i1 - i0)
	i := i0
	for _, tiles := range [3][2]int{{whole, tileRows}, {1, more}, {1, last}} {
		if count, m := tiles[0], tiles[1]; count > 0 && m > 0 {
			columnMachine(&to[i-i0], &g.left[i*g.k+l.p*m], uintptr(m)*4, &with[0], len(with), count, uintptr(m*g.k)*4, uintptr(m)*4)
			i += count * m
		}
	}
}

// finished is what becomes of a sum of row i and column j.
func (g *productF32) finished(l *left, t *tile, s float32, i, j int) float32 {
	if t.add != 0 {
		s += g.c[i*g.ldc+j]
	}
	if l.p == 0 && g.e.ColBias != nil {
		s += g.e.ColBias[j]
	}
	if l.p == 0 && g.e.RowBias != nil {
		s += g.e.RowBias[i]
	}
	switch {
	case t.act == int(Clip) && s < t.lo:
		s = t.lo
	case t.act == int(Clip) && s > t.hi:
		s = t.hi
	case t.act == int(Leaky) && s < 0:
		s *= t.lo
	}
	return s
}
