package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Rows that share the exponential give what each gives by itself, whatever lies beside them.
func TestSoftmaxRows(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := range 20 {
		for _, rows := range []int{0, 1, 3, 700} {
			x := make([]float32, n*rows)
			for i := range x {
				if x[i] = 20 * float32(r.NormFloat64()); r.IntN(10) == 0 {
					x[i] = hard[r.IntN(len(hard))]
				}
			}
			got, want := make([]float32, len(x)), make([]float32, n)
			SoftmaxRows(got, x, n)
			for row := range rows {
				Softmax(want, x[row*n:][:n])
				for i, w := range want {
					if v := got[row*n+i]; math.Abs(float64(v-w)) > 1e-6 || (v != v) != (w != w) {
						t.Fatalf("%d rows of %d: softmax of %v is %v, want %v", rows, n, x[row*n:][:n], got[row*n:][:n], want)
					}
				}
			}
			SoftmaxRows(x, x, n)
			for i, v := range x {
				if math.Float32bits(v) != math.Float32bits(got[i]) && v == v {
					t.Fatalf("%d rows of %d, in place: %v, want %v", rows, n, v, got[i])
				}
			}
		}
	}
}
