//go:build amd64 || arm64

package kernel

import "unsafe"

func tileBytesMachine(rows bool, sums, from []int32, step int, a []byte, ld, m int, panel []byte) bool {
	if path == plainGo || !byteProducts() {
		return false
	}
	terms := len(panel) / byteColumns
	if terms == 0 {
		return false
	}
	_, _, _ = sums[m*byteColumns-1], from[(m-1)*step+byteColumns-1], a[(m-1)*ld+terms-1]
	c, s, between, x, lda, b, steps := &sums[0], &from[0], uintptr(step)*4, &a[0], uintptr(ld), &panel[0], terms/byteStep
	if tileBytesWide(rows, m, c, s, between, x, lda, b, steps) {
		return true
	}
	if rows {
		switch m {
		case 1:
			int8Rows1(c, s, between, x, lda, b, steps)
		case 2:
			int8Rows2(c, s, between, x, lda, b, steps)
		case 3:
			int8Rows3(c, s, between, x, lda, b, steps)
		default:
			int8Rows4(c, s, between, x, lda, b, steps)
		}
		return true
	}
	switch m {
	case 1:
		int8Tile1(c, s, between, x, lda, b, steps)
	case 2:
		int8Tile2(c, s, between, x, lda, b, steps)
	case 3:
		int8Tile3(c, s, between, x, lda, b, steps)
	default:
		int8Tile4(c, s, between, x, lda, b, steps)
	}
	return true
}

func moreBytesMachine(sums []int32, a []byte, ld, m int, more []byte, at []int32) bool {
	if path == plainGo || !byteProducts() {
		return false
	}
	_, _, _ = sums[m*byteColumns-1], a[(m-1)*ld+4*int(at[len(at)-1])+3], more[64*len(at)-1] // places grow
	c, x, lda, b, q, n := &sums[0], &a[0], uintptr(ld), &more[0], &at[0], len(at)
	switch m {
	case 1:
		int8More1(c, x, lda, b, q, n)
	case 2:
		int8More2(c, x, lda, b, q, n)
	case 3:
		int8More3(c, x, lda, b, q, n)
	default:
		int8More4(c, x, lda, b, q, n)
	}
	return true
}

func moreRowsMachine(sums []int32, more, panel []byte, at []int32) bool {
	if path == plainGo || !byteProducts() {
		return false
	}
	_, _, _ = sums[byteColumns-1], more[4*len(at)-1], panel[64*int(at[len(at)-1])+63] // places grow
	int8MoreRows(&sums[0], &more[0], &panel[0], &at[0], len(at))
	return true
}

func weaveBytesMachine(dst []byte, step int, lines *[4][]byte, panels int, flip byte) bool {
	if path == plainGo {
		return false
	}
	_ = dst[(panels-1)*step+4*byteColumns-1]
	int8Weave(&dst[0], uintptr(step), &lines[0][0], &lines[1][0], &lines[2][0], &lines[3][0], panels, int32(flip))
	return true
}

// requantizeMachine does as many of m rows of sixteen columns as it can, and returns how many.
func requantizeMachine(q *Requantizer, dst []byte, ld, m, at int, sums []int32) int {
	if path == plainGo {
		return 0
	}
	_, _ = dst[(m-1)*ld+byteColumns-1], sums[m*byteColumns-1]
	if q.ByRow {
		add, scale := q.Add[at:][:m], q.Scale[at:][:m]
		int8Lines(&dst[0], uintptr(ld), &sums[0], m, &add[0], &scale[0], q.Least, q.Most, q.Zero)
	} else {
		add, scale := q.Add[at:][:byteColumns], q.Scale[at:][:byteColumns]
		int8Columns(&dst[0], uintptr(ld), &sums[0], m, &add[0], &scale[0], q.Least, q.Most, q.Zero)
	}
	return m
}

func scaleMachine(dst []float32, ld, m int, sums []int32, scale, bias []float32) bool {
	if path == plainGo {
		return false
	}
	_, _, _, _ = dst[(m-1)*ld+byteColumns-1], sums[m*byteColumns-1], scale[byteColumns-1], bias[byteColumns-1]
	int8Scale(&dst[0], uintptr(ld)*4, &sums[0], m, &scale[0], &bias[0])
	return true
}

func limitsMachine(x []float32) (lo, hi float32, done int) {
	n := len(x) &^ 15
	if path == plainGo || n == 0 {
		return 0, 0, 0
	}
	var to [2 * limitLanes]float32
	int8Limits(&x[0], n, &to)
	for i := range limitLanes {
		lo, hi = min(lo, to[i]), max(hi, to[limitLanes+i])
	}
	return lo, hi, n
}

func quantizeMachine[T Byte](dst []T, src []float32, scale, least, most float32, zero int32) int {
	n := len(src) &^ (quantizeStep - 1)
	if path == plainGo || n == 0 {
		return 0
	}
	int8Quantize((*uint8)(unsafe.Pointer(&dst[0])), &src[0], n, scale, least, most, zero)
	return n
}

func realMachine[T Byte](dst []float32, src []T, zero int32, scale float32) int {
	n := len(src) &^ 15
	if path == plainGo || n == 0 {
		return 0
	}
	from := (*uint8)(unsafe.Pointer(&src[0]))
	if signed[T]() {
		int8RealSigned(&dst[0], from, n, zero, scale)
	} else {
		int8RealUnsigned(&dst[0], from, n, zero, scale)
	}
	return n
}
