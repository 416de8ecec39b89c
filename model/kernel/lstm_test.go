package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestLSTM holds a step of an LSTM and its way back to float64, at lengths around whole vectors.
func TestLSTM(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	draw := func(n int, f func(float64) float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(f(r.NormFloat64()))
		}
		return v
	}
	same := func(x float64) float64 { return x }
	inPaths(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 7, 8, 9, 16, 31, 40} {
			near := func(what string, i int, got float32, want float64) {
				t.Helper()
				if !(math.Abs(float64(got)-want) <= 2e-6*(1+math.Abs(want))) {
					t.Fatalf("%s %d of %d: %g, want %g", what, i, n, got, want)
				}
			}
			gates := append(draw(3*n, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }), draw(n, math.Tanh)...)
			before, c, state := draw(n, same), make([]float32, n+1), make([]float32, n+1)
			copy(c, before)
			c[n], state[n] = 7, 7
			LSTMCell(state[:n], c[:n], gates)
			dg, dh, dc := make([]float32, 4*n+1), draw(n, same), draw(n+1, same)
			had := append([]float32(nil), dc...)
			dg[4*n] = 7
			LSTMBack(dg[:4*n], gates, before, c[:n], dh, dc[:n])
			for k := range n {
				i, o, f, g := float64(gates[k]), float64(gates[n+k]), float64(gates[2*n+k]), float64(gates[3*n+k])
				was, e := float64(before[k]), float64(dh[k])
				cell := f*was + i*g
				u := math.Tanh(cell)
				s := float64(had[k]) + e*o*(1-u*u)
				near("c", k, c[k], cell)
				near("state", k, state[k], o*u)
				for j, want := range [...]float64{s * g * i * (1 - i), e * u * o * (1 - o), s * was * f * (1 - f), s * i * (1 - g*g)} {
					near("gate", k, dg[j*n+k], want)
				}
				near("dc", k, dc[k], s*f)
			}
			if c[n] != 7 || state[n] != 7 || dg[4*n] != 7 || dc[n] != had[n] {
				t.Fatalf("%d elements: written outside", n)
			}
		}
	})
}
