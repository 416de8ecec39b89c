// Package kernel holds the loops that numbers are spent in: matrix product, tree walk. It knows slices, not tensors.
//
// GemmF32 and ProductF32 are the face of the float32 product. Pack, Gemm and Axpy are for code that is generic over numbers; for float32 they lead
// there too.
package kernel

import "unsafe"

// Number is what matrices are made of.
type Number interface {
	~float32 | ~float64 | ~int32 | ~int64
}

// lanes is the width of a panel of B: a 2×4 tile of sums and its operands fit the 16 registers of amd64.
const lanes = 4

// Packed is B (k, n) cut into panels of four columns, each panel contiguous by rows: what the inner loop reads in order.
// The last panel is padded with zeros. For float32 it is laid out as PackedF32.
type Packed[T Number] struct {
	K, N   int
	panels [][lanes]T // (ceil(n/4), k)
}

// PackedLen is the number of four-element rows that Pack needs for B (k, n).
func PackedLen(k, n int) int { return PackedLenF32(k, n) / lanes }

// f32 is b as GemmF32 takes it, where T is float32.
func (b *Packed[T]) f32() (PackedF32, bool) {
	if !isFloat32[T]() {
		return PackedF32{}, false
	}
	return PackedF32{K: b.K, N: b.N, KBlock: kBlock(b.K), data: unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b.panels))), len(b.panels)*lanes)}, true
}

func isFloat32[T Number]() bool {
	var zero T
	_, ok := any(zero).(float32)
	return ok
}

// floats32 is v where T is float32.
func floats32[T Number](v []T) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(v))), len(v))
}

// Pack lays out B (k, n), or B' (n, k) when trans, with rows ld apart. buf is used where it is large enough.
func Pack[T Number](b []T, k, n, ld int, trans bool, buf [][lanes]T) Packed[T] {
	size := PackedLen(k, n)
	if cap(buf) < size {
		buf = make([][lanes]T, size)
	}
	p := Packed[T]{K: k, N: n, panels: buf[:size]}
	if f, ok := p.f32(); ok {
		f.fill(floats32(b), ld, trans)
		return p
	}
	for j := 0; j < n; j += lanes {
		panel := p.panels[j/lanes*k:][:k]
		w := min(lanes, n-j)
		if w < lanes {
			clear(panel)
		}
		if trans {
			for c := range w {
				for i, v := range b[(j+c)*ld:][:k] {
					panel[i][c] = v
				}
			}
			continue
		}
		for i := range panel {
			copy(panel[i][:w], b[i*ld+j:])
		}
	}
	return p
}

// Gemm adds A·B to C: a (m, k) with rows lda apart, b packed, c (m, n) with rows ldc apart.
func Gemm[T Number](m int, a []T, lda int, b *Packed[T], c []T, ldc int) {
	if f, ok := b.f32(); ok {
		GemmF32(1, m, floats32(a), lda, false, &f, floats32(c), ldc, &adding)
		return
	}
	k, n := b.K, b.N
	for j := 0; j < n; j += lanes {
		panel := b.panels[j/lanes*k:][:k]
		w := min(lanes, n-j)
		i := 0
		for ; i+2 <= m; i += 2 {
			tile2(a[i*lda:], a[(i+1)*lda:], panel, c[i*ldc+j:][:w], c[(i+1)*ldc+j:][:w])
		}
		if i < m {
			tile1(a[i*lda:], panel, c[i*ldc+j:][:w])
		}
	}
}

var adding = Epilogue{Add: true}

// tile2 adds two rows of A times a panel to two rows of C, at most four columns wide.
func tile2[T Number](x, y []T, panel [][lanes]T, c, d []T) {
	var c0, c1, c2, c3, d0, d1, d2, d3 T
	x, y = x[:len(panel)], y[:len(panel)]
	for p := range panel {
		b := &panel[p]
		u, v := x[p], y[p]
		b0, b1 := b[0], b[1]
		c0 += u * b0
		d0 += v * b0
		c1 += u * b1
		d1 += v * b1
		b2, b3 := b[2], b[3]
		c2 += u * b2
		d2 += v * b2
		c3 += u * b3
		d3 += v * b3
	}
	if len(c) == lanes && len(d) == lanes {
		c[0] += c0
		c[1] += c1
		c[2] += c2
		c[3] += c3
		d[0] += d0
		d[1] += d1
		d[2] += d2
		d[3] += d3
		return
	}
	cs, ds := [lanes]T{c0, c1, c2, c3}, [lanes]T{d0, d1, d2, d3}
	for j := range c {
		c[j] += cs[j]
		d[j] += ds[j]
	}
}

// tile1 adds one row of A times a panel to one row of C, at most four columns wide.
func tile1[T Number](x []T, panel [][lanes]T, c []T) {
	var c0, c1, c2, c3 T
	x = x[:len(panel)]
	for p := range panel {
		b := &panel[p]
		u := x[p]
		c0 += u * b[0]
		c1 += u * b[1]
		c2 += u * b[2]
		c3 += u * b[3]
	}
	cs := [lanes]T{c0, c1, c2, c3}
	for j := range c {
		c[j] += cs[j]
	}
}

// Axpy adds x·B to y for few rows, without packing: x (k), b (k, n) with rows ld apart, y (n).
func Axpy[T Number](x, b []T, ld int, y []T) {
	if isFloat32[T]() {
		ProductF32(1, 1, len(x), len(y), floats32(x), len(x), false, floats32(b), ld, false, floats32(y), len(y), &adding)
		return
	}
	p := 0
	for ; p+2 <= len(x); p += 2 {
		u, v := x[p], x[p+1]
		r, s := b[p*ld:][:len(y)], b[(p+1)*ld:][:len(y)]
		for j := range y {
			y[j] += u*r[j] + v*s[j]
		}
	}
	if p < len(x) {
		u, r := x[p], b[p*ld:][:len(y)]
		for j := range y {
			y[j] += u * r[j]
		}
	}
}

// Transpose writes src (rows, columns), rows ld apart, to dst (columns, rows), in blocks that stay in cache.
func Transpose[T any](dst, src []T, rows, columns, ld int) {
	const block = 16
	for i0 := 0; i0 < rows; i0 += block {
		i1 := min(i0+block, rows)
		for j := range columns {
			d := dst[j*rows:][:rows]
			for i := i0; i < i1; i++ {
				d[i] = src[i*ld+j]
			}
		}
	}
}
