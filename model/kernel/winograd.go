package kernel

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/memory"
)

// Convolution by 3×3 taps with 16 multiplications for four results where the definition has 36: F(2×2, 3×3) of Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks", 2016, section 4.1. What a tile of 2×2 results sees, d (4, 4), is turned into Bᵀ·d·B, the filter g (3, 3) into
// G·g·Gᵀ; products of elements, summed over channels, are turned back by Aᵀ·m·A. For element f of all tiles that sum is a product of matrices.
//
// Sums of d cancel: where a tile holds numbers of very different sizes, the small results beside large ones are as exact as the large ones.

// winogradElements is how many elements a tile has after the transforms.
const winogradElements = 16

// WinogradLimit is what inputs and weights must stay below, or else sums overflow that do not in the definition.
const WinogradLimit = 1 << 50

// winogradRows is how many output channels are summed at a time.
const winogradRows = 48

// Winograd holds filters for M output and K input channels: transformed, and laid out for tiles of the product.
type Winograd struct {
	M, K int
	// Blocks of output channels. In a block, for each of 16 elements, blocks of input channels; and in those, tiles of some rows, column by column:
	// as they are read.
	u []float32
}

// NewWinograd transforms the filters w (m, k, 3, 3), and reports whether they are within the limit.
func NewWinograd(w []float32, m, k int) (*Winograd, bool) {
	p := &Winograd{}
	p.Resize(m, k)
	for b := range p.Blocks() {
		if !p.Lay(b, w, false) {
			return nil, false
		}
	}
	return p, true
}

// Resize makes p one for filters (m, k, 3, 3), in the memory that it has where that is enough. All blocks are to be laid then.
func (w *Winograd) Resize(m, k int) {
	if n := winogradElements * m * k; cap(w.u) < n {
		w.u = memory.Make[float32](n)
	} else {
		w.u = w.u[:n]
	}
	w.M, w.K = m, k
}

// Lay transforms the filters of a block of output channels, and reports whether they are within the limit. The filters f are (M, K, 3, 3), or, turned,
// those of a convolution (K, M, 3, 3) whose way back this is.
func (w *Winograd) Lay(block int, f []float32, turned bool) bool {
	k, high := w.K, kBlock(w.K)
	first, n := w.Rows(block)
	u, good := w.u[winogradElements*first*k:], true
	from := winogradSource{w: f, row: 9 * k, column: 9}
	if turned {
		from = winogradSource{w: f, row: 9, column: 9 * w.M, turned: true}
	}
	for c := 0; c < k; c += high {
		deep, at := min(high, k-c), 0
		for _, g := range winogradTiles(n) {
			for range g[1] {
				good = from.filters(u[c*n+at*deep:], n*k, first+at, c, g[0], deep) && good
				at += g[0]
			}
		}
	}
	return good
}

// winogradSource is where filters lie: from output channel to output channel, and from input channel to input channel.
type winogradSource struct {
	w           []float32
	row, column int
	turned      bool // by half a circle
}

// filters transforms those of a tile, rows output and deep input channels from some on. Elements are f apart in u, where addresses may well be equal but for
// high bits, which a cache holds few of: some filters at a time are made elsewhere. It reports whether all are within the limit.
func (s *winogradSource) filters(u []float32, f, row, column, rows, deep int) bool {
	const some, apart = 32, 32*tileRows + 16
	var made [winogradElements * apart]float32
	var turned [9]float32
	good := true
	for c := 0; c < deep; c += some {
		n := min(some, deep-c)
		for i := range n {
			for r := range rows {
				from := s.w[(row+r)*s.row+(column+c+i)*s.column:][:9]
				for _, v := range from {
					if !(v < WinogradLimit && v > -WinogradLimit) {
						good = false
					}
				}
				if s.turned {
					for j, v := range from {
						turned[8-j] = v
					}
					from = turned[:]
				}
				winogradFilter(made[i*rows+r:], apart, from)
			}
		}
		for e := range winogradElements {
			copy(u[e*f+c*rows:][:n*rows], made[e*apart:])
		}
	}
	return good
}

// winogradTiles cuts n rows into tiles: how many rows, and how many such.
func winogradTiles(n int) [3][2]int {
	six, more, last := cut(n)
	return [3][2]int{{tileRows, six}, {more, min(more, 1)}, {last, min(last, 1)}}
}

// winogradFilter writes G·g·Gᵀ, its elements f apart.
func winogradFilter(u []float32, f int, g []float32) {
	_, _ = g[8], u[15*f]
	a0, a1, a2 := float64(g[0]), float64(g[1]), float64(g[2])
	b0, b1, b2 := float64(g[3])/2, float64(g[4])/2, float64(g[5])/2
	c0, c1, c2 := float64(g[6]), float64(g[7]), float64(g[8])
	s0, s1, s2 := (a0+c0)/2, (a1+c1)/2, (a2+c2)/2
	winogradFilterRow(u, f, a0, a1, a2)
	winogradFilterRow(u[4*f:], f, s0+b0, s1+b1, s2+b2)
	winogradFilterRow(u[8*f:], f, s0-b0, s1-b1, s2-b2)
	winogradFilterRow(u[12*f:], f, c0, c1, c2)
}

// winogradFilterRow writes (a, b, c)·Gᵀ.
func winogradFilterRow(u []float32, f int, a, b, c float64) {
	s, b := (a+c)/2, b/2
	u[0], u[f], u[2*f], u[3*f] = float32(a), float32(s+b), float32(s-b), float32(c)
}

// Blocks is into how many blocks the output channels are cut.
func (w *Winograd) Blocks() int { return (w.M + winogradRows - 1) / winogradRows }

// Rows tells the first output channel of a block, and how many it has: at most WinogradRows.
func (w *Winograd) Rows(block int) (first, n int) {
	blocks, tiles := w.Blocks(), (w.M+tileRows-1)/tileRows
	first = tiles * block / blocks * tileRows
	return first, min(tiles*(block+1)/blocks*tileRows, w.M) - first
}

// WinogradRows is how many rows a block has at most.
func (w *Winograd) WinogradRows() int { return winogradRows }

// Product sums over the input channels for the output channels of a block: for each element, m (rows, n) = U (rows, K)·v (K, n). Rows of v and m are
// ld apart and hold n rounded up to eight; elements of v are vf apart, of m mf.
func (w *Winograd) Product(block int, v []float32, vf int, m []float32, mf, ld, n int) {
	i, rows := w.Rows(block)
	k, wide := w.K, padded(n)
	if n <= 0 || rows <= 0 || k <= 0 {
		return
	}
	_, _ = v[15*vf+(k-1)*ld+wide-1], m[15*mf+(rows-1)*ld+wide-1]
	high, tiles := kBlock(k), winogradTiles(rows)
	for f := range winogradElements {
		for p := 0; p < k; p += high {
			t := winogradTile{ld: ld, k: min(high, k-p), add: p > 0}
			u := w.u[winogradElements*i*k+f*rows*k+p*rows:][:rows*t.k]
			for j := 0; j < wide; j += tileColumns {
				r := 0
				for _, g := range tiles {
					if g[1] > 0 {
						t.a, t.b, t.c = u[r*t.k:], v[f*vf+p*ld+j:], m[f*mf+r*ld+j:]
						t.run(g[0], min(tileColumns, wide-j), g[1])
						r += g[0] * g[1]
					}
				}
			}
		}
	}
}

// winogradTile is a product of rows of A, (m, k) column by column, with B (k, 8 or 16): C = A·B, or C + A·B.
type winogradTile struct {
	a, b, c []float32
	ld, k   int // from row to row of B and C
	add     bool
}

// run does count tiles of m rows, one after another.
func (w *winogradTile) run(m, columns, count int) {
	if w.machine(m, columns, count) {
		return
	}
	ld := uintptr(w.ld) * 4
	t := tile{a: &w.a[0], rs: 4, cs: uintptr(m) * 4, b: &w.b[0], bs: ld, k: w.k, c: &w.c[0], ldc: ld, count: count, an: uintptr(m*w.k) * 4, cn: uintptr(m) * ld, padded: true}
	if w.add {
		t.add = 1
	}
	t.run(m, columns)
}

// WinogradSplit cuts rows of src, ld apart, with before zeros in front of each, into their even columns and, half a step further in dst, their odd
// ones. It writes only where src has elements and, behind them, up to nine zeros in each half. It reports whether all elements are within the limit.
func WinogradSplit(dst []float32, step int, src []float32, ld, rows, width, before int) bool {
	if rows <= 0 || width <= 0 {
		return true
	}
	half := step / 2
	even, odd := before/2, half+before/2 // where elements 0 and 1 of src go
	if before%2 == 1 {
		even, odd = half+before/2, before/2+1
	}
	_, _, _ = src[(rows-1)*ld+width-1], dst[(rows-1)*step+even+width/16*8+7], dst[(rows-1)*step+odd+width/16*8+7]
	if most, ok := winogradSplitMachine(dst, even, odd, step, src, ld, rows, width); ok {
		return most < math.Float32bits(WinogradLimit)
	}
	good := true
	for y := range rows {
		d := dst[y*step:]
		for x, v := range src[y*ld:][:width] {
			if !(v < WinogradLimit && v > -WinogradLimit) {
				good = false
			}
			if x%2 == 0 {
				d[even+x/2] = v
			} else {
				d[odd+x/2] = v
			}
		}
	}
	return good
}

// WinogradInto transforms what rows of tiles see: src as WinogradSplit writes it, the first row of tiles begins with its first row. Element f of
// tile t in row r goes to v[f·vf + r·tiles + t]; up to seven elements behind the last are overwritten.
func WinogradInto(v []float32, vf int, src []float32, step, rows, tiles int) {
	if rows <= 0 || tiles <= 0 {
		return
	}
	half, vectors := step/2, (tiles+7)/8
	_, _ = src[(2*rows+1)*step+half+8*vectors], v[15*vf+(rows-1)*tiles+8*vectors-1]
	if winogradIntoMachine(v, vf, src, step, rows, tiles) {
		return
	}
	var d, t [4][4]float32
	for r := range rows {
		for x := range tiles {
			for i := range 4 {
				s := src[(2*r+i)*step+x:]
				d[i] = [4]float32{s[0], s[half], s[1], s[half+1]}
			}
			for j := range 4 {
				t[0][j], t[1][j], t[2][j], t[3][j] = d[0][j]-d[2][j], d[1][j]+d[2][j], d[2][j]-d[1][j], d[1][j]-d[3][j]
			}
			to := v[r*tiles+x:]
			for i := range 4 {
				s := &t[i]
				to[4*i*vf], to[(4*i+1)*vf], to[(4*i+2)*vf], to[(4*i+3)*vf] = s[0]-s[2], s[1]+s[2], s[2]-s[1], s[1]-s[3]
			}
		}
	}
}

// WinogradOut turns rows of tiles of m, as Product makes them for one output channel, back into two rows of dst for each, step apart. A row is
// 2·tiles elements; they, and those of m that are read, are rounded up to whole vectors of eight tiles.
func WinogradOut(dst []float32, step int, m []float32, mf, rows, tiles int) {
	if rows <= 0 || tiles <= 0 {
		return
	}
	vectors := (tiles + 7) / 8
	_, _ = dst[(2*rows-1)*step+16*vectors-1], m[15*mf+(rows-1)*tiles+8*vectors-1]
	if winogradOutMachine(dst, step, m, mf, rows, tiles) {
		return
	}
	var p [2][4]float32
	for r := range rows {
		for x := range tiles {
			from := m[r*tiles+x:]
			for i := range 4 {
				a, b, c, d := from[4*i*mf], from[(4*i+1)*mf], from[(4*i+2)*mf], from[(4*i+3)*mf]
				p[0][i], p[1][i] = b+a+c, b-c-d
			}
			for j := range p {
				s := &p[j]
				dst[2*r*step+2*x+j], dst[(2*r+1)*step+2*x+j] = s[0]+s[1]+s[2], s[1]-s[2]-s[3]
			}
		}
	}
}
