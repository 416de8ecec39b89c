package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"unsafe"
)

// TestTileOffsets: package gen knows where the fields of a tile lie.
func TestTileOffsets(t *testing.T) {
	var x tile
	got := []uintptr{
		unsafe.Offsetof(x.a), unsafe.Offsetof(x.rs), unsafe.Offsetof(x.cs), unsafe.Offsetof(x.b), unsafe.Offsetof(x.bs), unsafe.Offsetof(x.ps),
		unsafe.Offsetof(x.k), unsafe.Offsetof(x.c), unsafe.Offsetof(x.ldc), unsafe.Offsetof(x.colBias), unsafe.Offsetof(x.rowBias),
		unsafe.Offsetof(x.count), unsafe.Offsetof(x.an), unsafe.Offsetof(x.bn), unsafe.Offsetof(x.cn), unsafe.Offsetof(x.colN), unsafe.Offsetof(x.rowN),
		unsafe.Offsetof(x.mask), unsafe.Offsetof(x.add), unsafe.Offsetof(x.act), unsafe.Offsetof(x.lo), unsafe.Offsetof(x.hi), unsafe.Offsetof(x.w),
	}
	want := []uintptr{0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 136, 144, 152, 160, 164, 168}
	if unsafe.Sizeof(x.a) == 8 && !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// onPaths runs f with every path that this machine has; in a short run, with the one that it would use.
func onPaths(t *testing.T, f func(t *testing.T)) {
	best, high := path, tall
	defer func() { path, tall = best, high }()
	try := func(p string, h bool) {
		if testing.Short() && (p != best || h != high) {
			return
		}
		path, tall = p, h
		name := p
		if h {
			name += ", tall"
		}
		t.Run(name, f)
	}
	try(plainGo, false)
	try(plainGo, true)
	if machinePath() != plainGo {
		try(machinePath(), false)
	}
	if machineTall() != tallNever {
		try(machinePath(), true)
	}
}

// product is the definition, in float64, of what GemmF32 computes.
func product(m, k, n int, a []float32, lda int, ta bool, b []float32, ldb int, tb bool, c []float32, ldc int, e *Epilogue) {
	for i := range m {
		for j := range n {
			s := 0.
			if e.Add {
				s = float64(c[i*ldc+j])
			}
			if e.ColBias != nil {
				s += float64(e.ColBias[j])
			}
			if e.RowBias != nil {
				s += float64(e.RowBias[i])
			}
			for p := range k {
				at, bt := i*lda+p, p*ldb+j
				if ta {
					at = p*lda + i
				}
				if tb {
					bt = j*ldb + p
				}
				s += float64(a[at]) * float64(b[bt])
			}
			switch {
			case e.Act == Clip && s < float64(e.Lo):
				s = float64(e.Lo)
			case e.Act == Clip && s > float64(e.Hi):
				s = float64(e.Hi)
			case e.Act == Leaky && s < 0:
				s *= float64(e.Lo)
			}
			c[i*ldc+j] = e.End.of(float32(s))
		}
		if e.Func != nil {
			e.Func(c[i*ldc:][:n])
		}
	}
}

// smallInts makes numbers whose sums of products are exact in float32, so that every order of summing gives the same.
func smallInts(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.IntN(9) - 4)
	}
	return v
}

// TestProductF32 compares every path, layout, epilogue and number of goroutines with the definition, on sizes around all edges.
func TestProductF32(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	double := func(part []float32) {
		for i := range part {
			part[i] *= 2
		}
	}
	inf := float32(math.Inf(1))
	onPaths(t, func(t *testing.T) {
		check := func(m, k, n, threads, gap int) {
			bits := r.Uint32()
			ta, tb := bits&1 != 0, bits&2 != 0
			e := Epilogue{Add: bits&4 != 0}
			if bits&8 != 0 {
				e.ColBias = smallInts(r, n)
			}
			if bits&16 != 0 {
				e.RowBias = smallInts(r, m)
			}
			switch bits >> 5 & 7 {
			case 0:
				e.Act, e.Lo, e.Hi = Clip, 0, inf
			case 1:
				e.Act, e.Lo, e.Hi = Clip, -3, 6
			case 2:
				e.Act, e.Lo = Leaky, .25
			case 3:
				e.Func = double
			case 4:
				e.End = End{Act: EndHardSwish, A: .25, B: 2}
			case 5:
				e.End = End{Act: EndHardSigmoid, A: .25, B: .5}
			}
			lda, ldb, ldc := k+gap, n+gap, n+gap
			ah, bh := m, k
			if ta {
				lda, ah = m+gap, k
			}
			if tb {
				ldb, bh = k+gap, n
			}
			a, b, c := smallInts(r, ah*lda), smallInts(r, bh*ldb), smallInts(r, m*ldc)
			want := slices.Clone(c)
			product(m, k, n, a, lda, ta, b, ldb, tb, want, ldc, &e)
			name := strconv.Itoa(m) + "×" + strconv.Itoa(k) + "×" + strconv.Itoa(n) + " threads " + strconv.Itoa(threads) + " bits " + strconv.Itoa(int(bits&255))
			got := slices.Clone(c)
			ProductF32(threads, m, k, n, a, lda, ta, b, ldb, tb, got, ldc, &e)
			if i := differ(got, want); i >= 0 {
				t.Fatalf("%s: C[%d] = %v, want %v", name, i, got[i], want[i])
			}
			packed := PackF32(b, k, n, ldb, tb, nil)
			got = slices.Clone(c)
			GemmF32(threads, m, a, lda, ta, &packed, got, ldc, &e)
			if i := differ(got, want); i >= 0 {
				t.Fatalf("%s packed: C[%d] = %v, want %v", name, i, got[i], want[i])
			}
			if ta || tb {
				return
			}
			got = slices.Clone(c)
			ProductLeftF32(threads, PackLeftF32(a, m, k, lda), n, b, ldb, got, ldc, &e)
			if i := differ(got, want); i >= 0 {
				t.Fatalf("%s laid out: C[%d] = %v, want %v", name, i, got[i], want[i])
			}
		}
		for _, m := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 20} {
			for _, n := range []int{0, 1, 2, 5, 7, 8, 9, 15, 16, 17, 23, 24, 31, 33, 63, 64, 65, 97, 130} {
				for _, k := range []int{0, 1, 2, 3, 4, 5, 9} {
					check(m, k, n, 1, int(r.Uint32()%3))
				}
			}
		}
		for range 15 {
			check(1+r.IntN(70), 1+r.IntN(600), 1+r.IntN(150), 1, r.IntN(3))
		}
		check(3, 70, 1100, 1, 1)
		check(20, 7, 1100, 1, 1)
		for range 8 {
			check(110, 270, 150, 3, 0)
			check(256, 20, 20+r.IntN(30), 1, 0)
			check(99+r.IntN(12), 260, 49, 1+r.IntN(3), 0)
			check(194+r.IntN(10), 30, 130, 1+r.IntN(5), 0)
		}
	})
}

// TestPackTurned: A' and A are packed alike, by tiles of every height, also on a machine that would not use them.
func TestPackTurned(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	onPaths(t, func(t *testing.T) {
		for _, high := range []int{tileRows, tallRows} {
			for _, m := range []int{1, 5, 6, 8, 13, 24, 31, 41} {
				for _, k := range []int{1, 7, 8, 19} {
					a, turned := smallInts(r, m*k), make([]float32, k*(m+2))
					for i := range m {
						for p := range k {
							turned[p*(m+2)+i] = a[i*k+p]
						}
					}
					want, got := make([]float32, m*k+half), make([]float32, m*k+half)
					packA(want, a, m, k, k, high)
					packTurned(got, turned, m, k, m+2, high)
					if i := differ(got[:m*k], want[:m*k]); i >= 0 {
						t.Fatalf("%d×%d by tiles of %d: element %d is %v, want %v", m, k, high, i, got[i], want[i])
					}
				}
			}
		}
	})
}

// differ is where two slices first differ, or -1. NaN equals NaN.
func differ(a, b []float32) int {
	for i := range a {
		if a[i] != b[i] && (a[i] == a[i] || b[i] == b[i]) {
			return i
		}
	}
	return -1
}

// TestSameForAllThreads: numbers that round give the same bits on any number of goroutines.
func TestSameForAllThreads(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	onPaths(t, func(t *testing.T) {
		const m, k, n = 110, 270, 146
		a, b := make([]float32, m*k), make([]float32, k*n)
		for _, v := range [][]float32{a, b} {
			for i := range v {
				v[i] = float32(r.NormFloat64())
			}
		}
		want, got := make([]float32, m*n), make([]float32, m*n)
		ProductF32(1, m, k, n, a, k, false, b, n, false, want, n, nil)
		packed, left, wantLeft := PackF32(b, k, n, n, false, nil), PackLeftF32(a, m, k, k), make([]float32, m*n)
		ProductLeftF32(1, left, n, b, n, wantLeft, n, nil)
		for _, threads := range []int{2, 3, 8} {
			ProductF32(threads, m, k, n, a, k, false, b, n, false, got, n, nil)
			if !slices.Equal(got, want) {
				t.Errorf("%d goroutines give other bits", threads)
			}
			GemmF32(threads, m, a, k, false, &packed, got, n, nil)
			if !slices.Equal(got, want) {
				t.Errorf("%d goroutines give other bits, packed", threads)
			}
			ProductLeftF32(threads, left, n, b, n, got, n, nil)
			if !slices.Equal(got, wantLeft) {
				t.Errorf("%d goroutines give other bits, laid out", threads)
			}
		}
	})
}

// TestNotFinite: NaN and infinities come out where they belong, through every activation, and nowhere else.
func TestNotFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	onPaths(t, func(t *testing.T) {
		for _, n := range []int{3, 8, 13, 16, 40, 70} {
			for _, m := range []int{1, 2, 3, 5, 6, 14} {
				a, b := make([]float32, m*2), make([]float32, 2*n)
				for i := range a {
					a[i] = 1
				}
				for i := range n {
					b[i] = -1
				}
				b[1], b[2] = nan, inf
				for _, e := range []Epilogue{{}, {Act: Clip, Hi: 6}, {Act: Leaky, Lo: .5}} {
					got, want := make([]float32, m*n), make([]float32, m*n)
					ProductF32(1, m, 2, n, a, 2, false, b, n, false, got, n, &e)
					product(m, 2, n, a, 2, false, b, n, false, want, n, &e)
					if i := differ(got, want); i >= 0 {
						t.Errorf("m %d, n %d, activation %d: C[%d] = %v, want %v", m, n, e.Act, i, got[i], want[i])
					}
				}
			}
		}
	})
}

// BenchmarkProductF32 tells GFLOP/s for C (m, n) of A (m, k) and B (k, n), constant and not, on one goroutine and on two.
func BenchmarkProductF32(b *testing.B) {
	for _, s := range [][3]int{{64, 64, 64}, {128, 128, 128}, {256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024}, {64, 3072, 768}, {1, 768, 768}} {
		m, k, n := s[0], s[1], s[2]
		r := rand.New(rand.NewPCG(1, 1))
		x, y, c := smallInts(r, m*k), smallInts(r, k*n), make([]float32, m*n)
		packed := PackF32(y, k, n, n, false, nil)
		for _, threads := range []int{1, 2} {
			name := "/" + strconv.Itoa(m) + "x" + strconv.Itoa(k) + "x" + strconv.Itoa(n) + "/" + strconv.Itoa(threads)
			measure := func(kind string, f func()) {
				b.Run(Path()+"/"+kind+name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						f()
					}
					b.ReportMetric(2*float64(m*k*n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				})
			}
			measure("constant", func() { GemmF32(threads, m, x, k, false, &packed, c, n, nil) })
			measure("changing", func() { ProductF32(threads, m, k, n, x, k, false, y, n, false, c, n, nil) })
		}
	}
}

// TestWish: who asks for a path means to test it, so that falling back to plain Go is a failure here.
func TestWish(t *testing.T) {
	if w := wish(); w != "" && w != Path() {
		t.Errorf("JARVIS_KERNELS=%s: this machine cannot, the tests ran on %s", w, Path())
	}
}

// TestChoose: a wish that the machine cannot fulfil gives plain Go.
func TestChoose(t *testing.T) {
	for _, c := range []struct {
		wish, best string
		tall       tallness
		want       string
		wantTall   bool
	}{
		{"", avx2, tallNever, avx2, false},
		{"avx2", avx2, tallNever, avx2, false},
		{"plain", avx2, tallBest, plainGo, false},
		{"neon", avx2, tallBest, plainGo, false},
		{"sse9", neon, tallNever, plainGo, false},
		{"", plainGo, tallNever, plainGo, false},
		{"avx512", avx2, tallNever, plainGo, false},
		{"avx512", avx2, tallMaybe, avx2, true},
		{"", avx2, tallMaybe, avx2, false},
		{"", avx2, tallBest, avx2, true},
		{"avx2", avx2, tallBest, avx2, false},
	} {
		if got, high := choose(c.wish, c.best, c.tall); got != c.want || high != c.wantTall {
			t.Errorf("choose(%q, %q, %v) = %q, %v, want %q, %v", c.wish, c.best, c.tall, got, high, c.want, c.wantTall)
		}
	}
}

// TestTogether: products that share the helpers at the same time, and reuse jobs, do not mix.
func TestTogether(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const m, k, n = 130, 160, 140
	a, b := smallInts(r, m*k), smallInts(r, k*n)
	packed := PackF32(b, k, n, n, false, nil)
	want := make([]float32, m*n)
	product(m, k, n, a, k, false, b, n, false, want, n, &Epilogue{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got := make([]float32, m*n)
			for i := range 15 {
				clear(got)
				GemmF32(2+i%3, m, a, k, false, &packed, got, n, nil)
				if !slices.Equal(got, want) {
					t.Error("a product went wrong beside others")
					return
				}
			}
		})
	}
	wg.Wait()
}
