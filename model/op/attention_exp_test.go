//go:build !lean

package op

import (
	"math"
	"testing"
)

// TestExponentials holds the float32 loops against package math over their whole range.
func TestExponentials(t *testing.T) {
	var xs []float32
	for x := float32(-120); x < 120; x += .0137 {
		xs = append(xs, x, x/1e4)
	}
	xs = append(xs, 0, float32(math.Inf(-1)), float32(math.Inf(1)), float32(math.NaN()))
	check := func(name string, f func([]float32), want func(float64) float64) {
		got := append([]float32(nil), xs...)
		f(got)
		for i, x := range xs {
			w := want(float64(x))
			if d := math.Abs(float64(got[i]) - w); d > 5e-7*math.Abs(w)+1e-37 || math.IsNaN(w) != math.IsNaN(float64(got[i])) {
				t.Errorf("%s(%v) = %v, want %v", name, x, got[i], w)
				return
			}
		}
	}
	check("sigmoid", sigmoidRow, Logistic)
	check("tanh", tanhRow, math.Tanh)
	check("exp", func(v []float32) {
		for i := range v {
			if v[i] <= 0 || v[i] != v[i] {
				expRow(v[i:i+1], 0)
			}
		}
	}, func(x float64) float64 {
		if x > 0 {
			return x
		}
		return math.Exp(x)
	})
}
