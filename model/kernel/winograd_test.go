package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestWinograd holds all steps, one after another, to the definition of a convolution, at sizes that fill tiles, vectors and blocks and that do not.
func TestWinograd(t *testing.T) {
	onPaths(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, c := range []struct{ m, k, high, width, before int }{
			{1, 1, 1, 1, 1}, {2, 3, 2, 2, 1}, {6, 5, 4, 7, 1}, {7, 2, 3, 14, 0}, {9, 4, 5, 15, 2}, {11, 3, 6, 16, 3}, {49, 3, 7, 17, 1}, {64, 8, 4, 33, 1}, {97, 5, 2, 9, 1}, {13, 300, 2, 5, 1}, {8, 513, 3, 40, 1},
		} {
			x, w := randoms(r, c.k*c.high*c.width), randoms(r, c.m*c.k*9)
			p, ok := NewWinograd(w, c.m, c.k)
			if !ok {
				t.Fatal("weights are refused")
			}
			out := [2]int{c.high + 2*c.before - 2, c.width + 2*c.before - 2} // rows and columns of the result
			if out[0] < 1 || out[1] < 1 {
				continue
			}
			rows, tiles := (out[0]+1)/2, (out[1]+1)/2
			n := rows * tiles
			ld := (n + 23) / 8 * 8
			step := 2 * (tiles + c.width/2 + c.before + 24)
			v, m := make([]float32, 16*c.k*ld), make([]float32, 16*p.WinogradRows()*ld)
			split := make([]float32, (2*rows+2+c.high+c.before)*step)
			for ch := range c.k {
				if !WinogradSplit(split[c.before*step:], step, x[ch*c.high*c.width:], c.width, c.high, c.width, c.before) {
					t.Fatal("finite numbers are refused")
				}
				WinogradInto(v[ch*ld:], c.k*ld, split, step, rows, tiles)
			}
			width := (tiles + 7) / 8 * 16
			y := make([]float32, 2*rows*width)
			for b := range p.Blocks() {
				first, high := p.Rows(b)
				p.Product(b, v, c.k*ld, m, p.WinogradRows()*ld, ld, n)
				for i := range high {
					WinogradOut(y, width, m[i*ld:], p.WinogradRows()*ld, rows, tiles)
					for j := range out[0] * out[1] {
						yy, xx := j/out[1], j%out[1]
						want := 0.
						for q := range c.k * 9 {
							a, b := yy+q%9/3-c.before, xx+q%3-c.before
							if a >= 0 && a < c.high && b >= 0 && b < c.width {
								want += float64(w[(first+i)*c.k*9+q]) * float64(x[(q/9*c.high+a)*c.width+b])
							}
						}
						if got := y[yy*width+xx]; math.Abs(float64(got)-want) > 1e-5*math.Sqrt(float64(c.k)+10) {
							t.Fatalf("%+v: channel %d, %d, %d is %v, not %v", c, first+i, yy, xx, got, want)
						}
					}
				}
			}
		}
	})
}

// TestWinogradLimit: what could overflow is told.
func TestWinogradLimit(t *testing.T) {
	onPaths(t, func(t *testing.T) {
		inf := float32(math.Inf(1))
		for _, bad := range []float32{inf, -inf, float32(math.NaN()), WinogradLimit, -WinogradLimit} {
			for width := 1; width < 40; width++ {
				for at := range width {
					x, dst := make([]float32, 2*width), make([]float32, 200)
					x[width+at] = bad / 2
					if ok := WinogradSplit(dst, 100, x, width, 2, width, 1); ok != (x[width+at] > -WinogradLimit && x[width+at] < WinogradLimit) {
						t.Fatalf("%v at %d of %d: %v", x[width+at], at, width, ok)
					}
					x[width+at] = bad
					if WinogradSplit(dst, 100, x, width, 2, width, 1) {
						t.Fatalf("%v at %d of %d is not seen", bad, at, width)
					}
				}
			}
			w := make([]float32, 18)
			if w[13] = bad; true {
				if _, ok := NewWinograd(w, 1, 2); ok {
					t.Fatalf("a weight %v is taken", bad)
				}
			}
		}
	})
}
