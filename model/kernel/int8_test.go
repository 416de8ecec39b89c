package kernel

import (
	"math"
	"math/rand/v2"
	"strconv"
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
	flip, more := Unsigned[A]()
	var packed PackedBytes // its memory is used again
	var weights ByteRows
	for _, s := range [][3]int{{1, 1, 1}, {2, 3, 5}, {5, 16, 16}, {7, 33, 17}, {13, 8, 31}, {97, 700, 40}, {6, 1025, 64}, {130, 129, 130}, {3, 0, 4}, {4, 2056, 16}} {
		m, k, n := s[0], s[1], s[2]
		a, b, zeros := bytesOf[A](rng, m*k), bytesOf[B](rng, k*n), bytesOf[B](rng, n)
		for _, zb := range [][]B{nil, zeros[:1], zeros} {
			za := bytesOf[A](rng, 1)[0]
			laid := bytesOf[byte](rng, m*ByteK(k))
			LayBytes(laid, a, m, k)
			PackBytes(&packed, b, k, n, zb)
			want := make([]int32, m*n)
			for i := range m {
				for j := range n {
					var sum, zero int64
					if len(zb) > 0 {
						zero = int64(zb[j%len(zb)])
					}
					for p := range k {
						sum += (int64(a[i*k+p]) - int64(za)) * (int64(b[p*n+j]) - zero)
					}
					want[i*n+j] = int32(sum)
				}
			}
			same := func(way string, got []int32) {
				for i, v := range got {
					if v != want[i] {
						t.Fatalf("%s, %v, %d zero points: element (%d, %d) is %d, want %d", way, s, len(zb), i/n, i%n, v, want[i])
					}
				}
			}
			got := whole{make([]int32, m*n), n}
			GemmBytes(nil, 2, m, laid, ByteK(k), int32(za)+more, &packed, got)
			same("columns", got.c)

			// The same as (B' - zeros)·A': weights are rows now.
			turned := make([]B, n*k)
			for p := range k {
				for j := range n {
					turned[j*k+p] = b[p*n+j]
				}
			}
			PackByteRows(&weights, turned, n, k, zb)
			panels := NewBytePanels(k, m, make([]byte, BytePanelsLen(k, m)))
			for p := 0; p < ByteK(k); p += 4 {
				var lines [4][]byte
				for r := range lines {
					lines[r] = bytesOf[byte](rng, (m+15)&^15)
					for i := range m {
						if p+r < k {
							lines[r][i] = byte(a[i*k+p+r])
						}
					}
				}
				panels.Weave(p, &lines, flip)
			}
			across := whole{make([]int32, n*m), m}
			weights.Product(nil, 2, &panels, across)
			back := make([]int32, m*n)
			for i := range m {
				for j := range n {
					back[i*n+j] = across.c[j*m+i] - (int32(za)+more)*weights.Sums()[j]
				}
			}
			same("rows", back)
		}
	}
}

// TestRequantize holds both paths to the definition, by columns and by rows, at halves and limits.
func TestRequantize(t *testing.T) {
	inPaths(t, func(t *testing.T) {
		const m = 5
		for n := 1; n <= byteColumns; n++ {
			sums, add, scale := make([]int32, m*byteColumns), make([]int32, byteColumns), make([]float32, byteColumns)
			for i := range sums {
				sums[i] = int32(i*37%600 - 300)
			}
			for j := range add {
				add[j], scale[j] = int32(j*3-20), []float32{.5, 1, .25, 3, float32(math.NaN()), 1e30}[j%6]
			}
			for _, byRow := range []bool{false, true} {
				q := Requantizer{Add: add, Scale: scale, ByRow: byRow, Least: -125, Most: 130, Zero: -3}
				dst := make([]byte, m*20)
				at := 0
				if byRow {
					at = 2
				}
				q.Rows(dst, 20, at, m, 0, n, sums)
				for i := range dst {
					r, c := i/20, i%20
					want := int8(0)
					if c < n {
						by := c
						if byRow {
							by = at + r
						}
						v := float64(float32(sums[r*byteColumns+c]+add[by]) * scale[by])
						if want = -128; v == v {
							want = int8(math.RoundToEven(max(-125, min(130, v))) - 3)
						}
					}
					if int8(dst[i]) != want {
						t.Fatalf("%d columns, by row %v: element (%d, %d) is %d, want %d", n, byRow, r, c, int8(dst[i]), want)
					}
				}
			}
		}
	})
}

// TestRealBytes holds both paths to the definition, bit by bit.
func TestRealBytes(t *testing.T) {
	inPaths(t, func(t *testing.T) {
		for n := range 40 {
			x := make([]int8, n)
			for i := range x {
				x[i] = int8(i*29 - 128)
			}
			y, z := make([]float32, n), make([]float32, n)
			u := make([]uint8, n)
			for i, v := range x {
				u[i] = uint8(v)
			}
			RealBytes(y, x, -7, .3)
			RealBytes(z, u, 9, .3)
			for i, v := range x {
				if y[i] != float32(int(v)+7)*.3 || z[i] != float32(int(u[i])-9)*.3 {
					t.Fatalf("%d of %d: %v and %v", i, n, y[i], z[i])
				}
			}
		}
	})
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
	rng := rand.New(rand.NewPCG(5, 6))
	for _, s := range [][3]int{{128, 384, 384}, {128, 384, 1536}, {128, 1536, 384}, {1, 384, 1536}} {
		m, k, n := s[0], s[1], s[2]
		weights := make([]int8, k*n)
		for i := range weights { // as those of real models are spread
			weights[i] = int8(max(-127, min(127, rng.NormFloat64()*18)))
		}
		var packed PackedBytes
		PackBytes(&packed, weights, k, n, nil)
		a, c := make([]byte, m*ByteK(k)), whole{make([]int32, m*n), n}
		for _, threads := range []int{1, 2} {
			b.Run(strconv.Itoa(m)+"x"+strconv.Itoa(k)+"x"+strconv.Itoa(n)+"/"+strconv.Itoa(threads), func(b *testing.B) {
				for b.Loop() {
					GemmBytes(nil, threads, m, a, k, 0, &packed, c)
				}
				b.ReportMetric(float64(m*k*n*b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		}
	}
}

func BenchmarkPackBytes(b *testing.B) {
	const k, n = 384, 1536
	rng := rand.New(rand.NewPCG(5, 6))
	weights := make([]int8, k*n)
	for i := range weights {
		weights[i] = int8(max(-127, min(127, rng.NormFloat64()*18)))
	}
	var packed PackedBytes
	for b.Loop() {
		PackBytes(&packed, weights, k, n, nil)
	}
	b.ReportMetric(float64(k*n*b.N)/b.Elapsed().Seconds()/1e6, "MB/s")
}
