package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestWide compares with the definition, at numbers of rows and columns around whole vectors.
func TestWide(t *testing.T) {
	inPaths(t, func(t *testing.T) {
		for _, rows := range []int{1, 3, 4, 9, 32} {
			for _, cols := range []int{1, 3, 4, 7, 8, 16, 22, 50, 150} {
				holdWide(t, rows, cols)
			}
		}
	})
}

func holdWide(t *testing.T, rows, cols int) {
	random := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
	numbers := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = random.NormFloat64()
		}
		return v
	}
	mean, u, a, x := numbers(cols), numbers(cols), numbers(rows), make([]float32, rows*cols)
	for i := range x {
		x[i] = float32(random.NormFloat64())
	}
	n := (cols + WideColumns - 1) / WideColumns * WideColumns
	dst, sum, first, squares, z, g := numbers(rows), numbers(cols), numbers(cols), numbers(cols), make([]float64, rows*n), numbers(n*n)
	wantDst, wantSum, wantFirst, wantSquares := clone(dst), clone(sum), clone(first), clone(squares)
	wantZ, wantG, left := make([]float64, rows*n), clone(g), make([]float64, rows*n)
	for i := range rows {
		for j := range cols {
			d := float64(x[i*cols+j]) - mean[j]
			wantDst[i] += d * u[j]
			wantSum[j] += a[i] * d
			wantFirst[j] += a[i] * d
			wantSquares[j] += a[i] * d * d
			wantZ[i*n+j] = a[i] * d
		}
		for j := range n {
			left[i*n+j] = u[0] * a[i] * wantZ[i*n+j]
			for k := j; k < n; k++ {
				wantG[j*n+k] += left[i*n+j] * wantZ[i*n+k]
			}
		}
	}
	WideDots(dst, x, mean, u)
	WideSums(sum, x, mean, a)
	WideMoments(first, squares, x, mean, a)
	WideRows(z, n, x, mean, a)
	WideGram(g, left, z, rows, n, make([]float64, WideSpace(rows, n)))
	for j := range n { // what lies below the diagonal is free
		for k := range j {
			g[j*n+k] = wantG[j*n+k]
		}
	}
	for name, c := range map[string][2][]float64{
		"dots": {dst, wantDst}, "sums": {sum, wantSum}, "first moments": {first, wantFirst}, "second moments": {squares, wantSquares},
		"rows": {z, wantZ}, "gram": {g, wantG},
	} {
		for i, want := range c[1] {
			if !(math.Abs(c[0][i]-want) <= 1e-12*(1+math.Abs(want))) {
				t.Fatalf("%s of %d×%d: element %d is %v, want %v", name, rows, cols, i, c[0][i], want)
			}
		}
	}
}

// TestWideExp compares with package math, from 0 to beyond where numbers are normal, and at what is no number.
func TestWideExp(t *testing.T) {
	inPaths(t, func(t *testing.T) {
		var x []float64
		for v := 0.0; v > -720; v -= .0371 {
			x = append(x, v, v/1e3)
		}
		x = append(x, math.Inf(-1), math.NaN(), -1e300, -1e-300)
		x = append(x, x[:16-len(x)%16]...)
		got := make([]float64, len(x))
		WideExp(got, x)
		for i, v := range x {
			want := math.Exp(v)
			switch {
			case v != v:
				if got[i] == got[i] {
					t.Errorf("e^NaN is %v", got[i])
				}
			case v < -708:
				if !(got[i] >= 0 && got[i] < 4e-308) {
					t.Errorf("e^%v is %v", v, got[i])
				}
			case !(math.Abs(got[i]-want) <= 3e-16*want):
				t.Errorf("e^%v is %v, want %v", v, got[i], want)
			}
		}
	})
}

func clone(x []float64) []float64 { return append([]float64(nil), x...) }

func BenchmarkWide(b *testing.B) {
	const rows, cols, n = 64, 50, 56
	x, mean, a, u := make([]float32, rows*cols), make([]float64, cols), make([]float64, rows), make([]float64, cols)
	z, g := make([]float64, rows*n), make([]float64, n*n)
	for name, f := range map[string]func(){
		"dots":    func() { WideDots(a, x, mean, u) },
		"sums":    func() { WideSums(u, x, mean, a) },
		"moments": func() { WideMoments(u, mean, x, mean, a) },
		"rows":    func() { WideRows(z, n, x, mean, a) },
		"exp":     func() { WideExp(a, a) },
		"gram":    func() { WideGram(g, z, z, rows, n, nil) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
