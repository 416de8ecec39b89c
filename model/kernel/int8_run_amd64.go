package kernel

import "unsafe"

func tileBytesMachine(sums []int32, a []int16, ld, m int, panel []int16, add bool) bool {
	if path != avx2 {
		return false
	}
	pairs := len(panel) / (2 * byteColumns)
	_, _ = sums[m*byteColumns-1], a[(m-1)*ld+2*pairs-1]
	more := 0
	if add {
		more = 1
	}
	c, x, b, step := &sums[0], &a[0], &panel[0], uintptr(ld)*2
	switch m {
	case 1:
		int8Tile1(c, x, step, b, pairs, more)
	case 2:
		int8Tile2(c, x, step, b, pairs, more)
	case 3:
		int8Tile3(c, x, step, b, pairs, more)
	case 4:
		int8Tile4(c, x, step, b, pairs, more)
	case 5:
		int8Tile5(c, x, step, b, pairs, more)
	default:
		int8Tile6(c, x, step, b, pairs, more)
	}
	return true
}

// widenMachine does as many elements as it can, and returns how many.
func widenMachine[T Byte](dst []int16, src []T, zero int32) int {
	n := len(src) &^ 15
	if path != avx2 || n == 0 {
		return 0
	}
	from := (*uint8)(unsafe.Pointer(&src[0]))
	if signed[T]() {
		widenInt8(&dst[0], from, n, zero)
	} else {
		widenUint8(&dst[0], from, n, zero)
	}
	return n
}

func signed[T Byte]() bool { return ^T(0) < 1 }

func scaleMachine(dst []float32, ld, m int, sums []int32, scale, bias []float32) bool {
	if path != avx2 {
		return false
	}
	_, _, _, _ = dst[(m-1)*ld+byteColumns-1], sums[m*byteColumns-1], scale[byteColumns-1], bias[byteColumns-1]
	int8Scale(&dst[0], uintptr(ld)*4, &sums[0], m, &scale[0], &bias[0])
	return true
}

func limitsMachine(x []float32) (lo, hi float32, done int) {
	n := len(x) &^ 15
	if path != avx2 || n == 0 {
		return 0, 0, 0
	}
	var to [16]float32
	int8Limits(&x[0], n, &to)
	for i := range 8 {
		lo, hi = min(lo, to[i]), max(hi, to[8+i])
	}
	return lo, hi, n
}

func quantizeMachine[T Byte](dst []T, src []float32, scale, least, most float32, zero int32) int {
	n := len(src) &^ 31
	if path != avx2 || n == 0 {
		return 0
	}
	int8Quantize((*uint8)(unsafe.Pointer(&dst[0])), &src[0], n, scale, least, most, zero)
	return n
}
