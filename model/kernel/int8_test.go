package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// whole takes a product of bytes as a matrix (m, n).
type whole struct {
	c []int32
	n int
}

func (w whole) Take(i, m, j, n int, sums []int32) {
	for r := range m {
		copy(w.c[(i+r)*w.n+j:][:n], sums[r*byteColumns:])
	}
}

// TestGemmBytes holds products of bytes of every sign to sums in int64: nothing may be rounded or saturated.
func TestGemmBytes(t *testing.T) {
	inPaths(t, func(t *testing.T) {
		testGemmBytes[uint8, uint8](t)
		testGemmBytes[uint8, int8](t)
		testGemmBytes[int8, uint8](t)
		testGemmBytes[int8, int8](t)
	})
}

// bytesOf draws elements, half of them from the ends of the type.
func bytesOf[T Byte](rng *rand.Rand, n int) []T {
	v := make([]T, n)
	for i := range v {
		switch rng.IntN(4) {
		case 0:
			v[i] = T(0x7f)
		case 1:
			x := uint8(0x80 | rng.IntN(2)*0x7f)
			v[i] = T(x)
		default:
			x := uint8(rng.IntN(256))
			v[i] = T(x)
		}
	}
	return v
}

func testGemmBytes[A, B Byte](t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, s := range [][3]int{{1, 1, 1}, {2, 3, 5}, {5, 16, 16}, {7, 33, 17}, {13, 8, 31}, {97, 700, 40}, {6, 1025, 64}, {130, 129, 130}, {3, 0, 4}} {
		m, k, n := s[0], s[1], s[2]
		a, b, zeros := bytesOf[A](rng, m*k), bytesOf[B](rng, k*n), bytesOf[B](rng, n)
		for _, zb := range [][]B{nil, zeros[:1], zeros} {
			za := bytesOf[A](rng, 1)[0]
			wide := make([]int16, m*EvenK(k))
			for i := range m {
				WidenBytes(wide[i*EvenK(k):][:k], a[i*k:][:k], za)
			}
			packed := PackBytes(b, k, n, zb, nil)
			got := whole{make([]int32, m*n), n}
			GemmBytes(2, m, wide, &packed, got)
			for i := range m {
				for j := range n {
					var want, zero int64
					if len(zb) > 0 {
						zero = int64(zb[j%len(zb)])
					}
					for p := range k {
						want += (int64(a[i*k+p]) - int64(za)) * (int64(b[p*n+j]) - zero)
					}
					if int64(got.c[i*n+j]) != want {
						t.Fatalf("%v, %d zero points: element (%d, %d) is %d, want %d", s, len(zb), i, j, got.c[i*n+j], want)
					}
				}
			}
		}
	}
}

// TestQuantizeBytes holds both paths to the definition, at halves, limits and strange numbers.
func TestQuantizeBytes(t *testing.T) {
	inPaths(t, func(t *testing.T) {
		for n := range 70 {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(i-30) / 2
				if i%9 == 4 {
					x[i] = strange[i%len(strange)]
				}
			}
			y := make([]int8, n)
			QuantizeBytes(y, x, 1, -125, 130, -3)
			lo, hi := Limits(x)
			var least, most float32
			for i, v := range x {
				least, most = min(least, v), max(most, v)
				if v != v {
					least, most = lo, hi
				}
				want := -128.
				if v == v {
					want = math.RoundToEven(max(-125, min(130, float64(v)))) - 3
				}
				if float64(y[i]) != want {
					t.Fatalf("%v became %d, want %v", v, y[i], want)
				}
			}
			if lo > least || hi < most {
				t.Fatalf("limits %v and %v, want %v and %v", lo, hi, least, most)
			}
		}
	})
}

// TestScaleSums holds both paths to the definition, bit by bit.
func TestScaleSums(t *testing.T) {
	inPaths(t, func(t *testing.T) {
		for n := 1; n <= byteColumns; n++ {
			const m = 3
			sums, scale, bias := make([]int32, m*byteColumns), make([]float32, n), make([]float32, n)
			for i := range sums {
				sums[i] = int32(i*7919 - 100000)
			}
			for j := range n {
				scale[j], bias[j] = .1+float32(j)/3, float32(j)-.7
			}
			dst := make([]float32, m*n)
			ScaleSums(dst, n, m, n, sums, scale, bias)
			for i, got := range dst {
				if want := float32(float32(sums[i/n*byteColumns+i%n])*scale[i%n]) + bias[i%n]; got != want {
					t.Fatalf("element %d is %v, want %v", i, got, want)
				}
			}
		}
	})
}

func BenchmarkGemmBytes(b *testing.B) {
	for _, s := range [][3]int{{128, 384, 1536}, {128, 1536, 384}, {1, 384, 1536}} {
		m, k, n := s[0], s[1], s[2]
		packed := PackBytes(make([]int8, k*n), k, n, nil, nil)
		a, c := make([]int16, m*EvenK(k)), whole{make([]int32, m*n), n}
		b.Run("", func(b *testing.B) {
			for b.Loop() {
				GemmBytes(1, m, a, &packed, c)
			}
			b.ReportMetric(float64(m*k*n*b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}
