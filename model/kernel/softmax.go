package kernel

import "math"

const (
	// narrow is how many elements rows have at most that share their calls of the exponential.
	narrow = 12
	// narrowBlock is about how many elements share one.
	narrowBlock = 1024
)

// SoftmaxRows is Softmax of each row of n elements. dst may be src.
func SoftmaxRows(dst, src []float32, n int) {
	dst = dst[:len(src)]
	if n > narrow {
		for ; len(src) >= n; dst, src = dst[n:], src[n:] {
			Softmax(dst[:n], src[:n])
		}
		return
	}
	for n > 0 && len(src) >= n {
		k := min(len(src)/n, narrowBlock/n) * n
		softmaxNarrow(dst[:k], src[:k], n)
		dst, src = dst[k:], src[k:]
	}
}

// softmaxNarrow does what depends on a row by itself, and the exponential of all in one go. A row with NaN is NaN.
func softmaxNarrow(dst, src []float32, n int) {
	for at := 0; at+n <= len(src); at += n {
		row, to := src[at:at+n], dst[at:at+n]
		top := float32(math.Inf(-1))
		for _, v := range row {
			top = max(top, v)
		}
		for i, v := range row {
			to[i] = v - top
		}
	}
	ExpSum(dst, dst, 0)
	for at := 0; at+n <= len(dst); at += n {
		row, sum := dst[at:at+n], float32(0)
		for _, e := range row {
			sum += e
		}
		factor := 1 / sum
		for i := range row {
			row[i] *= factor
		}
	}
}
