//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Loops that the normalising operators share.

// normGrain is the least number of elements that are worth a goroutine.
const normGrain = 1 << 14

// normSum adds up x.
func normSum[T float](x []T) (sum float64) {
	if v, ok := any(x).([]float32); ok {
		return kernel.Sum(v)
	}
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

// normSquares adds up (x - mean)².
func normSquares[T float](x []T, mean T) (sum float64) {
	if v, ok := any(x).([]float32); ok {
		return kernel.SumSquares(v, float32(mean))
	}
	for _, v := range x {
		d := float64(v - mean)
		sum += d * d
	}
	return sum
}

// normMoments returns the mean of x and 1/√(variance + epsilon).
func normMoments[T float](x []T, epsilon float64) (mean, inverse float64) {
	n := float64(len(x))
	mean = normSum(x) / n
	return mean, 1 / math.Sqrt(normSquares(x, T(mean))/n+epsilon)
}

// normLine writes x·a + b.
func normLine[T float](dst, src []T, a, b T) {
	if v, ok := any(src).([]float32); ok {
		kernel.Line(any(dst).([]float32), v, float32(a), float32(b))
		return
	}
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = x*a + b
	}
}

// centerLine writes (x - mean)·a + b, which stays exact where the mean is large.
func centerLine[T float](dst, src []T, mean, a, b T) {
	if v, ok := any(src).([]float32); ok {
		kernel.Normalize(any(dst).([]float32), v, nil, nil, float32(mean), float32(a), float32(b))
		return
	}
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = (x-mean)*a + b
	}
}

// normLineEach writes x·a + b element by element.
func normLineEach[T float](dst, src, a, b []T) {
	if v, ok := any(src).([]float32); ok {
		kernel.LineEach(any(dst).([]float32), v, any(a).([]float32), any(b).([]float32))
		return
	}
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
