package kernel

import "sync"

// Products of bytes, exact in int32: both sides are widened to int16 less their zero points, which leaves no more than 9 bits, and two
// products of them are added at a time. Sums wrap as int32 does.

// Byte is an element of a quantised matrix.
type Byte interface{ ~int8 | ~uint8 }

const (
	byteRows    = 96  // of A in a block, which stays in the second-level cache
	byteMost    = 512 // rows of B in a block: with sixteen columns they fill half of a first-level cache
	byteTile    = 6
	byteGrain   = 1 << 20 // multiplications that are worth a goroutine
	byteColumns = 16
)

// PackedBytes is B (k, n) less its zero points, cut into panels of sixteen columns, these into pairs of rows: pair by pair sixteen columns of two
// elements each. What B does not fill is zero.
type PackedBytes struct {
	K, N int
	data []int16
}

// BytesFit tells whether this machine's best path has products of bytes of its own; where it has not, those of float32 are faster.
func BytesFit() bool { return path != neon }

// EvenK is the distance of the rows of A (m, k) as WidenBytes' callers must lay them out: k, made even.
func EvenK(k int) int { return (k + 1) &^ 1 }

// PackBytes lays out b (k, n) less zeros, which are one for all, one for each column, or absent. buf is used where it is large enough.
func PackBytes[T Byte](b []T, k, n int, zeros []T, buf []int16) PackedBytes {
	columns := (n + byteColumns - 1) &^ (byteColumns - 1)
	size := EvenK(k) * columns
	if cap(buf) < size {
		buf = make([]int16, size)
	}
	buf = buf[:size]
	clear(buf)
	for j := range n {
		zero := int16(0)
		switch len(zeros) {
		case 0:
		case 1:
			zero = int16(zeros[0])
		default:
			zero = int16(zeros[j])
		}
		at := j/byteColumns*byteColumns*EvenK(k) + j%byteColumns*2
		for p := range k {
			buf[at+p/2*2*byteColumns+p%2] = int16(b[p*n+j]) - zero
		}
	}
	return PackedBytes{K: k, N: n, data: buf}
}

// WidenBytes writes src - zero to dst, of the same length.
func WidenBytes[T Byte](dst []int16, src []T, zero T) {
	done := widenMachine(dst[:len(src)], src, int32(zero))
	dst = dst[done:]
	for i, v := range src[done:] {
		dst[i] = int16(v) - int16(zero)
	}
}

// ByteSums takes the product of bytes as it is made.
type ByteSums interface {
	// Take gets the sums (m, 16) of m rows from i on and n columns, at most sixteen, from j on. Several goroutines call it at a time.
	Take(i, m, j, n int, sums []int32)
}

// GemmBytes gives A·B to sink: a (m, EvenK(k)) is A less its zero points, anything times zero at the end of an odd row. It runs on up to
// so many goroutines, this one included.
func GemmBytes(threads, m int, a []int16, b *PackedBytes, sink ByteSums) {
	if m <= 0 || b.N <= 0 {
		return
	}
	_ = a[:m*EvenK(b.K)]
	panels := (b.N + byteColumns - 1) / byteColumns
	pieces := min(threads, panels, m*b.N/64*b.K/(byteGrain/64))
	if pieces < 2 {
		b.part(0, panels, m, a, sink)
		return
	}
	b.spread(pieces, panels, m, a, sink)
}

// spread divides the panels.
func (b PackedBytes) spread(pieces, panels, m int, a []int16, sink ByteSums) {
	var wg sync.WaitGroup
	for p := 1; p < pieces; p++ {
		wg.Go(func() { b.part(panels*p/pieces, panels*(p+1)/pieces, m, a, sink) })
	}
	b.part(0, panels/pieces, m, a, sink)
	wg.Wait()
}

type byteSums = [byteRows * byteColumns]int32

var byteMemory = sync.Pool{New: func() any { return new(byteSums) }}

// part computes the panels from p0 to p1.
func (b *PackedBytes) part(p0, p1, m int, a []int16, sink ByteSums) {
	memory := byteMemory.Get().(*byteSums)
	defer byteMemory.Put(memory)
	ld := EvenK(b.K)
	for i := 0; i < m; i += byteRows {
		rows := min(byteRows, m-i)
		for p := p0; p < p1; p++ {
			if b.K == 0 {
				clear(memory[:])
			}
			for k := 0; k < ld; k += byteMost {
				part := min(byteMost, ld-k)
				panel := b.data[(p*ld+k)*byteColumns:][:part*byteColumns]
				for r := 0; r < rows; r += byteTile {
					h := min(byteTile, rows-r)
					tileBytes(memory[r*byteColumns:][:h*byteColumns], a[(i+r)*ld+k:], ld, h, panel, k > 0)
				}
			}
			j := p * byteColumns
			sink.Take(i, rows, j, min(byteColumns, b.N-j), memory[:rows*byteColumns])
		}
	}
}

// tileBytes makes, or adds to, the sums (m, 16) of m rows of a and a part of a panel.
func tileBytes(sums []int32, a []int16, ld, m int, panel []int16, add bool) {
	if tileBytesMachine(sums, a, ld, m, panel, add) {
		return
	}
	if !add {
		clear(sums)
	}
	for i := range m {
		c := (*[byteColumns]int32)(sums[i*byteColumns:])
		row := a[i*ld:][:len(panel)/byteColumns]
		for p := 0; p+1 < len(row); p += 2 {
			x, y := int32(row[p]), int32(row[p+1])
			b := (*[2 * byteColumns]int16)(panel[p*byteColumns:])
			for j := range c {
				c[j] += x*int32(b[2*j]) + y*int32(b[2*j+1])
			}
		}
	}
}

// ScaleSums writes sums (m, 16)·scale + bias, scale and bias (n), to dst, n columns of m rows ld apart.
func ScaleSums(dst []float32, ld, m, n int, sums []int32, scale, bias []float32) {
	if n == byteColumns && scaleMachine(dst, ld, m, sums, scale, bias) {
		return
	}
	scale, bias = scale[:n], bias[:n]
	for i := range m {
		row, s := dst[i*ld:][:n], sums[i*byteColumns:][:n]
		for j, v := range s {
			row[j] = float32(float32(v)*scale[j]) + bias[j]
		}
	}
}

// Limits are the least and the greatest of 0 and the numbers; NaN is passed over.
func Limits(x []float32) (lo, hi float32) {
	lo, hi, done := limitsMachine(x)
	for _, v := range x[done:] {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	return lo, hi
}

// QuantizeBytes writes round(max(least, min(most, src/scale))) + zero, halves to even; NaN gives least. All results must fit T.
func QuantizeBytes[T Byte](dst []T, src []float32, scale, least, most float32, zero int32) {
	const bias = 3 << 22 // adding it rounds
	done := quantizeMachine(dst[:len(src)], src, scale, least, most, zero)
	dst = dst[done:]
	for i, v := range src[done:] {
		v /= scale
		if !(v > least) {
			v = least
		}
		if v > most {
			v = most
		}
		dst[i] = T(int32(float32(v+bias)-bias) + zero)
	}
}
