//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Loops that the normalising operators share. Sums run in the elements' type over short blocks and in float64 from block to block.

// normBlock is the number of elements that are summed in their own type.
const normBlock = 512

// normGrain is the least number of elements that are worth a goroutine.
const normGrain = 1 << 14

// normSum adds up x.
func normSum[T float](x []T) float64 {
	var total float64
	for len(x) > 0 {
		b := x[:min(len(x), normBlock)]
		x = x[len(b):]
		var s0, s1, s2, s3, s4, s5, s6, s7 T
		i := 0
		for ; i+8 <= len(b); i += 8 {
			v := (*[8]T)(b[i:])
			s0 += v[0]
			s1 += v[1]
			s2 += v[2]
			s3 += v[3]
			s4 += v[4]
			s5 += v[5]
			s6 += v[6]
			s7 += v[7]
		}
		for _, v := range b[i:] {
			s0 += v
		}
		total += float64(((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7)))
	}
	return total
}

// normSquares adds up (x - mean)².
func normSquares[T float](x []T, mean T) float64 {
	var total float64
	for len(x) > 0 {
		b := x[:min(len(x), normBlock)]
		x = x[len(b):]
		var s0, s1, s2, s3 T
		i := 0
		for ; i+4 <= len(b); i += 4 {
			v := (*[4]T)(b[i:])
			d0, d1, d2, d3 := v[0]-mean, v[1]-mean, v[2]-mean, v[3]-mean
			s0 += d0 * d0
			s1 += d1 * d1
			s2 += d2 * d2
			s3 += d3 * d3
		}
		for _, v := range b[i:] {
			d := v - mean
			s0 += d * d
		}
		total += float64((s0 + s1) + (s2 + s3))
	}
	return total
}

// normMoments returns the mean of x and 1/√(variance + epsilon).
func normMoments[T float](x []T, epsilon float64) (mean, inverse float64) {
	n := float64(len(x))
	mean = normSum(x) / n
	return mean, 1 / math.Sqrt(normSquares(x, T(mean))/n+epsilon)
}

// normLine writes x·a + b.
func normLine[T float](dst, src []T, a, b T) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = x*a + b
	}
}

// centerLine writes (x - mean)·a + b, which stays exact where the mean is large.
func centerLine[T float](dst, src []T, mean, a, b T) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = (x-mean)*a + b
	}
}

// normLineEach writes x·a + b element by element.
func normLineEach[T float](dst, src, a, b []T) {
	dst, a, b = dst[:len(src)], a[:len(src)], b[:len(src)]
	for i, x := range src {
		dst[i] = x*a[i] + b[i]
	}
}

// normFloats checks that the element types of all inputs are real; one is the widest that the others must be equal to.
func normFloats(n *graph.Node, site *Site) error {
	for _, t := range site.Types {
		if t.DType != tensor.Undefined {
			if err := oneOf(n, t, floats...); err != nil {
				return err
			}
		}
	}
	return sameDType(n, site, 0)
}

// inferNorm is the Infer of operators whose only output has the type of input 0.
func inferNorm(n *graph.Node, site *Site) ([]tensor.Type, error) {
	return []tensor.Type{site.Types[0]}, normFloats(n, site)
}

// normEpsilon reads the attribute epsilon.
func normEpsilon(n *graph.Node) float64 { return float64(n.Float("epsilon", 1e-5)) }

// normSize multiplies dimensions.
func normSize(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// normVector checks that t has n elements.
func normVector(op, name string, t *tensor.Tensor, n int) error {
	if t.Len() != n {
		return misfit(op, name+" has "+itoa(int64(t.Len()))+" elements, not "+itoa(int64(n)))
	}
	return nil
}
