package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestPlanesOfAllSizes holds the functions of whole planes to their definition, and to the memory that is theirs.
func TestPlanesOfAllSizes(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	inPaths(t, func(t *testing.T) {
		for size := 1; size < 140; size++ {
			for planes := range 5 {
				n := planes * size
				src, factors := smallInts(r, n), smallInts(r, planes)
				if n > 0 {
					src[r.IntN(n)] = float32(math.NaN())
				}
				in := append([]float32(nil), src...)
				dst, means := make([]float32, n+1), make([]float32, planes+1)
				dst[n], means[planes] = 7, 7
				ScalePlanes(dst[:n], src, factors, size)
				ScalePlanes(in, in, factors, size)
				PlaneMeans(means[:planes], src, size)
				for p := range planes {
					sum := float32(0)
					for i := p * size; i < (p+1)*size; i++ {
						sum += src[i]
						if want := src[i] * factors[p]; want == want && (dst[i] != want || in[i] != want) || want != want && dst[i] == dst[i] {
							t.Fatalf("size %d: %g and %g in place, want %g", size, dst[i], in[i], want)
						}
					}
					if want := float32(float64(sum) / float64(size)); math.Abs(float64(means[p]-want)) > 1e-6 || (want == want) != (means[p] == means[p]) {
						t.Fatalf("size %d: mean %g, want %g", size, means[p], want)
					}
				}
				if dst[n] != 7 || means[planes] != 7 {
					t.Fatalf("size %d: wrote outside", size)
				}
			}
		}
	})
}
