package kernel

import "github.com/jarvis-ml/jarvis/model/memory"

// Activation is what an epilogue does to each sum at last.
type Activation int

// The activations that run in the kernel itself. NaN stays NaN in all of them.
const (
	NoActivation Activation = iota
	Clip                    // into [Lo, Hi]; Relu is Clip with Lo = 0 and Hi = +Inf
	Leaky                   // x·Lo where x < 0
)

// Epilogue is what happens to the sums of a float32 product on their way to C (m, n): C = Func(End(Act(A·B + C + ColBias + RowBias))), each part
// where it is given. The zero value overwrites C with the product.
type Epilogue struct {
	Add     bool      // add to what C holds
	ColBias []float32 // (n): one for each column, as of a dense layer; or nil
	RowBias []float32 // (m): one for each row, as for the channels of a convolution; or nil
	Act     Activation
	Lo, Hi  float32 // of Act
	End     End     // another activation, for what Act does not know, which goes over finished blocks of C while they are in cache
	// Func is applied to finished parts of rows of C while they are in cache, or nil. It must not care where a row is cut, and is
	// called by several goroutines at a time.
	Func func(part []float32)
	// Done, when closed, makes a long product return early, with C in any state; or nil.
	Done <-chan struct{}
}

// kMost is how many rows of B a block has at most: with sixteen columns they fill half of a first-level cache.
const kMost = 256

// kBlock divides k rows into blocks of equal height.
func kBlock(k int) int {
	blocks := (k + kMost - 1) / kMost
	if blocks < 2 {
		return k
	}
	return ((k+blocks-1)/blocks + 3) &^ 3
}

// padded is n rounded up to whole vectors.
func padded(n int) int { return (n + half - 1) &^ (half - 1) }

// PackedF32 is B (k, n) laid out for the float32 product: cut into blocks of KBlock rows, each block into panels of 16 columns, each panel
// contiguous by rows. A last panel of at most 8 columns is 8 wide; what B does not fill is zero.
type PackedF32 struct {
	K, N   int
	KBlock int // rows of a block; the last may have fewer
	data   []float32
}

// PackedLenF32 is the number of elements that PackF32 needs for B (k, n).
func PackedLenF32(k, n int) int { return k * padded(n) }

// NewPackedF32 is a B (k, n) of any content, for Panel to fill. buf is used where it is large enough (PackedLenF32).
func NewPackedF32(k, n int, buf []float32) PackedF32 {
	size := PackedLenF32(k, n)
	if cap(buf) < size {
		buf = memory.Make[float32](size)
	}
	return PackedF32{K: k, N: n, KBlock: kBlock(k), data: buf[:size]}
}

// Panel is where the columns from j on, a multiple of 16, lie in the block of rows that begins with p, a multiple of KBlock: rows of width
// elements, one after another, 16 or 8 of them. Whoever fills it clears what lies past column N.
func (b *PackedF32) Panel(p, j int) (panel []float32, width int) {
	rows := min(b.KBlock, b.K-p)
	width = min(tileColumns, padded(b.N)-j)
	return b.data[p*padded(b.N)+j*rows:][:rows*width], width
}

// PackF32 lays out B (k, n), or B' (n, k) when trans, with rows ld apart. buf is used where it is large enough (PackedLenF32).
func PackF32(b []float32, k, n, ld int, trans bool, buf []float32) PackedF32 {
	packed := NewPackedF32(k, n, buf)
	packed.fill(b, ld, trans)
	return packed
}

// fill lays out b (k, n), or b' when trans.
func (b *PackedF32) fill(from []float32, ld int, trans bool) {
	for p := 0; p < b.K; p += b.KBlock {
		rows := min(b.KBlock, b.K-p)
		fillBlock(b.data[p*padded(b.N):], rows, from, p, 0, b.N, ld, trans)
	}
}

// fillBlock lays out the rows from p on and the columns j0…j1 of b (k, n), or b' when trans, as a block of panels.
func fillBlock(dst []float32, rows int, b []float32, p, j0, j1, ld int, trans bool) {
	const together = 8 // panels: a row is read some hundred bytes at a time
	j := j0
	for !trans && j+tileColumns <= j1 {
		panels := min(together, (j1-j)/tileColumns)
		if !cutMachine(dst[(j-j0)*rows:], b[p*ld+j:], ld, rows, panels) {
			break
		}
		j += panels * tileColumns
	}
	for ; j < j1; j += tileColumns {
		width := min(tileColumns, padded(j1-j))
		fillPanel(dst[(j-j0)*rows:][:rows*width], width, min(width, j1-j), b, p, j, ld, trans)
	}
}

// fillPanel copies the columns j…j+w of B from row p on into a panel.
func fillPanel(panel []float32, width, w int, b []float32, p, j, ld int, trans bool) {
	rows := len(panel) / width
	if w < width {
		clear(panel)
	}
	switch {
	case trans:
		for c := 0; c < w; c += half {
			weave(panel[c:], width, min(half, w-c), b[(j+c)*ld+p:], rows, ld)
		}
	case w == tileColumns:
		for i := range rows {
			*(*[tileColumns]float32)(panel[i*tileColumns:]) = *(*[tileColumns]float32)(b[(p+i)*ld+j:])
		}
	default:
		for i := range rows {
			copy(panel[i*width:][:w], b[(p+i)*ld+j:])
		}
	}
}

// weave writes n lines of src (n, k), up to eight, ld apart, side by side to dst (k, width).
func weave(dst []float32, width, n int, src []float32, k, ld int) {
	if done := weaveMachine(dst, width, src, k, ld, n); done == k {
		return
	} else if done > 0 {
		dst, src, k = dst[done*width:], src[done:], k-done
	}
	c := 0
	for ; c+4 <= n; c += 4 {
		s0, s1, s2, s3 := src[c*ld:][:k], src[(c+1)*ld:][:k], src[(c+2)*ld:][:k], src[(c+3)*ld:][:k]
		at := c
		for i, v := range s0 {
			d := (*[4]float32)(dst[at:])
			d[0], d[1], d[2], d[3] = v, s1[i], s2[i], s3[i]
			at += width
		}
	}
	for ; c < n; c++ {
		at := c
		for _, v := range src[c*ld:][:k] {
			dst[at] = v
			at += width
		}
	}
}

// GemmF32 makes C (m, n), rows ldc apart, of A·B: a is A (m, k), or A' (k, m) when transA, with rows lda apart; b is B (k, n), packed. It runs on
// up to so many goroutines, this one included; the result does not depend on how many. e may be nil.
func GemmF32(threads, m int, a []float32, lda int, transA bool, b *PackedF32, c []float32, ldc int, e *Epilogue) {
	if !transA && b.small(threads, m, a, lda, c, ldc, e) {
		return
	}
	g := productF32{m: m, k: b.K, n: b.N, a: a, rs: lda, cs: 1, packed: b.data, kBlock: b.KBlock, c: c, ldc: ldc}
	if transA {
		g.rs, g.cs = 1, lda
	}
	g.run(threads, e)
}

// ProductF32 is GemmF32 for B that changes from call to call: b is B (k, n), or B' (n, k) when transB, with rows ldb apart.
func ProductF32(threads, m, k, n int, a []float32, lda int, transA bool, b []float32, ldb int, transB bool, c []float32, ldc int, e *Epilogue) {
	g := productF32{m: m, k: k, n: n, a: a, rs: lda, cs: 1, b: b, ldb: ldb, transB: transB, kBlock: kBlock(k), c: c, ldc: ldc}
	if transA {
		g.rs, g.cs = 1, lda
	}
	g.run(threads, e)
}
