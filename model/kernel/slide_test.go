package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSlide holds SlideF32 to its definition, for all kinds of tiles and more than one block of taps.
func TestSlide(t *testing.T) {
	onPaths(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, c := range []struct{ m, k, n int }{{1, 9, 64}, {1, 25, 96}, {2, 3, 32}, {3, 7, 64}, {4, 5, 32}, {5, 30, 32}, {6, 9, 32}, {7, 11, 64}, {64, 27, 32}, {110, 300, 64}, {24, 600, 32}, {8, 513, 32}} {
			x, w := randoms(r, 700+c.n), randoms(r, c.m*c.k)
			at, last := make([]int32, c.k), int32(0)
			for p := range at {
				at[p] = 4 * r.Int32N(700)
				last = max(last, at[p])
			}
			a, got := make([]float32, SlideLen(c.m, c.k)), randoms(r, c.m*c.n)
			PackSlide(a, w, c.m, c.k)
			SlideF32(c.m, a, x, at, int(last), got, c.n)
			for i := range got {
				want := 0.
				for p := range at {
					want += float64(w[i/c.n*c.k+p]) * float64(x[int(at[p]/4)+i%c.n])
				}
				if math.Abs(float64(got[i])-want) > 1e-4 {
					t.Fatalf("%+v: %d is %v, not %v", c, i, got[i], want)
				}
			}
		}
	})
}

// TestEnd holds rows with their activations to plain Go, for widths that fill vectors and that do not, and sees that nothing else is written.
func TestEnd(t *testing.T) {
	onPaths(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for act := EndNone; act <= EndHardSwish; act++ {
			e := &End{act, .3, .6}
			for width := 1; width < 20; width++ {
				sums, more, dst := randoms(r, 3*23), randoms(r, 3*width), make([]float32, 3*width+8)
				sums[1] = float32(math.NaN())
				for _, m := range [][]float32{nil, more} {
					e.Rows(dst, sums, 23, 3, width, .5, m)
					for i := range 3 * width {
						v := sums[i/width*23+i%width] + .5
						if m != nil {
							v += m[i]
						}
						if want := e.of(v); math.Abs(float64(dst[i]-want)) > 1e-6 || (want != want) != (dst[i] != dst[i]) {
							t.Fatalf("%d, width %d: %d is %v, not %v", act, width, i, dst[i], want)
						}
					}
					for _, v := range dst[3*width:] {
						if v != 0 {
							t.Fatal("writes behind the end")
						}
					}
				}
			}
		}
	})
}

// TestEven ends where src does.
func TestEven(t *testing.T) {
	onPaths(t, func(t *testing.T) {
		for n := range 40 {
			src, dst := randoms(rand.New(rand.NewPCG(5, 6)), max(0, 2*n-1)), make([]float32, n)
			Even(dst, src)
			for i, v := range dst {
				if v != src[2*i] {
					t.Fatalf("%d of %d", i, n)
				}
			}
		}
	})
}

func randoms(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}
