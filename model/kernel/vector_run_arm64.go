package kernel

import "math"

// The functions that run vectors in assembly, where this process uses it. Slices are not empty, and as long as each other.

// limits are those of a clip; one that is NaN, which the instructions would give back, does not count.
func limits(lo, hi float32) (float32, float32) {
	if lo != lo {
		lo = float32(math.Inf(-1))
	}
	if hi != hi {
		hi = float32(math.Inf(1))
	}
	return lo, hi
}

func mapMachine(m mapping, dst, src []float32, a, b float32) bool {
	if path != neon {
		return false
	}
	d, s, n := &dst[0], &src[0], len(src)
	switch m {
	case mapExp:
		vectorExp(d, s, n, a, b)
	case mapSigmoid:
		vectorSigmoid(d, s, n, a, b)
	case mapSilu:
		vectorSilu(d, s, n, a, b)
	case mapTanh:
		vectorTanh(d, s, n, a, b)
	case mapErf:
		vectorErf(d, s, n, a, b)
	case mapGelu:
		vectorGelu(d, s, n, a, b)
	case mapHardSwish:
		vectorHardSwish(d, s, n, a, b)
	case mapHardSigmoid:
		vectorHardSigmoid(d, s, n, a, b)
	case mapClip:
		lo, hi := limits(a, b)
		vectorClip(d, s, n, lo, hi)
	case mapLeaky:
		vectorLeaky(d, s, n, a, b)
	default:
		vectorLine(d, s, n, a, b)
	}
	return true
}

// pairMachine has no function with a single number on the left where the other way round does the same.
func pairMachine(p Pairing, dst, a, b []float32) bool {
	if path != neon {
		return false
	}
	d, x, y, n := &dst[0], &a[0], &b[0], len(dst)
	switch one := n > 1; {
	case one && len(b) == 1:
		pairRight(p, d, x, y, n)
	case one && len(a) == 1:
		if p == Sub {
			vectorSubLeft(d, x, y, n)
		} else {
			vectorDivLeft(d, x, y, n)
		}
	default:
		pairBoth(p, d, x, y, n)
	}
	return true
}

func pairBoth(p Pairing, d, x, y *float32, n int) {
	switch p {
	case Add:
		vectorAdd(d, x, y, n)
	case Sub:
		vectorSub(d, x, y, n)
	case Mul:
		vectorMul(d, x, y, n)
	case Div:
		vectorDiv(d, x, y, n)
	case Greater:
		vectorMax(d, x, y, n)
	default:
		vectorMin(d, x, y, n)
	}
}

func pairRight(p Pairing, d, x, y *float32, n int) {
	switch p {
	case Add:
		vectorAddRight(d, x, y, n)
	case Sub:
		vectorSubRight(d, x, y, n)
	case Mul:
		vectorMulRight(d, x, y, n)
	case Div:
		vectorDivRight(d, x, y, n)
	case Greater:
		vectorMaxRight(d, x, y, n)
	default:
		vectorMinRight(d, x, y, n)
	}
}

func lineEachMachine(dst, src, a, b []float32) bool {
	if path != neon {
		return false
	}
	vectorLineEach(&dst[0], &src[0], &a[0], &b[0], len(src))
	return true
}

func normalizeMachine(dst, src, scale, bias []float32, mean, inverse, shift float32) bool {
	if path != neon {
		return false
	}
	d, s, n := &dst[0], &src[0], len(src)
	switch {
	case scale == nil:
		vectorNormalizeOnly(d, s, n, mean, inverse, shift)
	case bias == nil:
		vectorNormalizeScale(d, s, &scale[0], n, mean, inverse, shift)
	default:
		vectorNormalize(d, s, &scale[0], &bias[0], n, mean, inverse, shift)
	}
	return true
}

func sumMachine(x []float32) (float32, bool) {
	if path != neon {
		return 0, false
	}
	return vectorSum(&x[0], len(x)), true
}

func squaresMachine(x []float32, mean float32) (float32, bool) {
	if path != neon {
		return 0, false
	}
	return vectorSquares(&x[0], len(x), mean), true
}

func dotMachine(a, b []float32) (float32, bool) {
	if path != neon {
		return 0, false
	}
	return vectorDot(&a[0], &b[0], len(a)), true
}

func greatestMachine(x []float32) (float32, bool) {
	if path != neon {
		return 0, false
	}
	return vectorGreatest(&x[0], len(x)), true
}

func expSumMachine(dst, src []float32, top float32) (float32, bool) {
	if path != neon {
		return 0, false
	}
	return vectorExpSum(&dst[0], &src[0], len(src), top), true
}

func slideMachine(w *Window, dst, src, weights []float32, bias float32, rows int) bool {
	if path != neon {
		return false
	}
	n, taps := w.outW, len(w.offsets)
	to, from := uintptr(w.outW)*4, uintptr(w.strideH*w.pitch)*4
	if weights == nil {
		vectorPeaks(&dst[0], &src[0], &w.offsets[0], taps, n, rows, to, from)
	} else {
		vectorSlide(&dst[0], &src[0], &w.offsets[0], taps, n, rows, to, from, &weights[0], bias)
	}
	return true
}

// splitMachine writes the elements of src to even and odd in turn, and returns how many it did.
func splitMachine(even, odd, src []float32) int {
	blocks := len(src) / half
	if path != neon || blocks == 0 {
		return 0
	}
	_, _ = even[blocks*half/2-1], odd[blocks*half/2-1]
	vectorSplit(&even[0], &odd[0], &src[0], blocks)
	return blocks * half
}
