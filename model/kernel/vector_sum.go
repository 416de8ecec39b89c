package kernel

import "math"

// sumBlock is how many elements are summed in float32, in several sums side by side; the sums of blocks add up in float64.
const sumBlock = 2048

// Sum adds up x.
func Sum(x []float32) (total float64) {
	for ; len(x) > sumBlock; x = x[sumBlock:] {
		total += float64(sumShort(x[:sumBlock]))
	}
	return total + float64(sumShort(x))
}

// SumSquares adds up (x - mean)².
func SumSquares(x []float32, mean float32) (total float64) {
	for ; len(x) > sumBlock; x = x[sumBlock:] {
		total += float64(squaresShort(x[:sumBlock], mean))
	}
	return total + float64(squaresShort(x, mean))
}

// Dot adds up a·b, both as long as a.
func Dot(a, b []float32) (total float64) {
	b = b[:len(a)]
	for ; len(a) > sumBlock; a, b = a[sumBlock:], b[sumBlock:] {
		total += float64(dotShort(a[:sumBlock], b[:sumBlock]))
	}
	return total + float64(dotShort(a, b))
}

// ExpSum writes e^(x - top) for x <= top and returns their sum. What is less than the least normal number becomes 0. dst may be src.
func ExpSum(dst, src []float32, top float32) (total float64) {
	dst = dst[:len(src)]
	for ; len(src) > sumBlock; dst, src = dst[sumBlock:], src[sumBlock:] {
		total += float64(expShort(dst[:sumBlock], src[:sumBlock], top))
	}
	return total + float64(expShort(dst, src, top))
}

// Greatest is the greatest of x that is not NaN, -Inf where there is none.
func Greatest(x []float32) float32 {
	if len(x) > 0 {
		if top, ok := greatestMachine(x); ok {
			return top
		}
	}
	least := float32(math.Inf(-1))
	t0, t1, t2, t3 := least, least, least, least
	i := 0
	for ; i+4 <= len(x); i += 4 {
		v := (*[4]float32)(x[i:])
		if v[0] > t0 {
			t0 = v[0]
		}
		if v[1] > t1 {
			t1 = v[1]
		}
		if v[2] > t2 {
			t2 = v[2]
		}
		if v[3] > t3 {
			t3 = v[3]
		}
	}
	for _, v := range x[i:] {
		if v > t0 {
			t0 = v
		}
	}
	return max(t0, t1, t2, t3)
}

// Softmax writes e^x / Σe^x. Its greatest element is taken off first, so that e^x does not overflow. dst may be src.
func Softmax(dst, src []float32) {
	sum := ExpSum(dst, src, Greatest(src))
	Line(dst[:len(src)], dst[:len(src)], float32(1/sum), 0)
}

// LogSoftmax writes x - ln Σe^x. dst may not be src.
func LogSoftmax(dst, src []float32) {
	top := Greatest(src)
	Normalize(dst, src, nil, nil, top, 1, float32(-math.Log(ExpSum(dst, src, top))))
}

func sumShort(x []float32) float32 {
	if len(x) == 0 {
		return 0
	}
	if s, ok := sumMachine(x); ok {
		return s
	}
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	i := 0
	for ; i+8 <= len(x); i += 8 {
		v := (*[8]float32)(x[i:])
		s0 += v[0]
		s1 += v[1]
		s2 += v[2]
		s3 += v[3]
		s4 += v[4]
		s5 += v[5]
		s6 += v[6]
		s7 += v[7]
	}
	for _, v := range x[i:] {
		s0 += v
	}
	return ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7))
}

func squaresShort(x []float32, mean float32) float32 {
	if len(x) == 0 {
		return 0
	}
	if s, ok := squaresMachine(x, mean); ok {
		return s
	}
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(x); i += 4 {
		v := (*[4]float32)(x[i:])
		d0, d1, d2, d3 := v[0]-mean, v[1]-mean, v[2]-mean, v[3]-mean
		s0 += d0 * d0
		s1 += d1 * d1
		s2 += d2 * d2
		s3 += d3 * d3
	}
	for _, v := range x[i:] {
		d := v - mean
		s0 += d * d
	}
	return (s0 + s1) + (s2 + s3)
}

func dotShort(a, b []float32) float32 {
	if len(a) == 0 {
		return 0
	}
	if s, ok := dotMachine(a, b); ok {
		return s
	}
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		x, y := (*[4]float32)(a[i:]), (*[4]float32)(b[i:])
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func expShort(dst, src []float32, top float32) float32 {
	if len(src) == 0 {
		return 0
	}
	if s, ok := expSumMachine(dst, src, top); ok {
		return s
	}
	var s [4]float32
	for i, v := range src {
		x := v - top
		if x < leastExp {
			dst[i] = 0
			continue
		}
		p, t := expParts(x)
		e := p * math.Float32frombits(math.Float32bits(t)<<23+0x3f800000)
		dst[i] = e
		s[i&3] += e
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}
