//go:build !lean

package op

import (
	"math"
	"testing"
)

// TestFFTLengths compares every way of splitting a length, and the convolution, with the sum that defines the transform.
func TestFFTLengths(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 16, 24, 28, 31, 37, 60, 74, 100, 121, 128, 400, 961} {
		for _, sign := range []float64{-1, 1} {
			x, other := make([]cx[float64], n), make([]cx[float64], n)
			for k := range x {
				x[k] = cx[float64]{math.Sin(float64(k*k + 1)), math.Cos(float64(3 * k))}
			}
			want := make([]cx[float64], n)
			for k := range want {
				for j, v := range x {
					want[k] = want[k].plus(v.times(unit(j*k%n, n, sign)))
				}
			}
			p := newFFT(n, sign)
			got := p.transform(x, other, make([]cx[float64], p.room()))
			for k, y := range got {
				if d := y.minus(want[k]); math.Hypot(d.re, d.im) > 1e-11*float64(n) {
					t.Fatalf("length %d, sign %v: y[%d] is %v, not %v", n, sign, k, y, want[k])
				}
			}
		}
	}
}
