package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// TestStepOffsets: package gen knows where the fields of a step lie.
func TestStepOffsets(t *testing.T) {
	var s Step
	got := []uintptr{
		unsafe.Offsetof(s.Scale), unsafe.Offsetof(s.Decay), unsafe.Offsetof(s.Keep), unsafe.Offsetof(s.Rate), unsafe.Offsetof(s.Mean),
		unsafe.Offsetof(s.MeanNew), unsafe.Offsetof(s.Square), unsafe.Offsetof(s.SquareNew), unsafe.Offsetof(s.Root), unsafe.Offsetof(s.Eps),
	}
	if want := []uintptr{0, 4, 8, 12, 16, 20, 24, 28, 32, 36}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// descents are the functions that change slices of equal length.
var descents = []struct {
	name   string
	slices int
	run    func(s *Step, x [][]float32)
}{
	{"plain", 2, func(s *Step, x [][]float32) { s.Plain(x[0], x[1]) }},
	{"momentum", 3, func(s *Step, x [][]float32) { s.Momentum(x[0], x[1], x[2]) }},
	{"nesterov", 3, func(s *Step, x [][]float32) { s.Nesterov(x[0], x[1], x[2]) }},
	{"adam", 4, func(s *Step, x [][]float32) { s.Adam(x[0], x[1], x[2], x[3]) }},
	{"rmsprop", 4, func(s *Step, x [][]float32) { s.RMSProp(x[0], x[1], x[2], x[3]) }},
	{"centered", 5, func(s *Step, x [][]float32) { s.Centered(x[0], x[1], x[2], x[3], x[4]) }},
	{"adagrad", 3, func(s *Step, x [][]float32) { s.Adagrad(x[0], x[1], x[2]) }},
	{"lion", 3, func(s *Step, x [][]float32) { s.Lion(x[0], x[1], x[2]) }},
	{"penalty", 2, func(s *Step, x [][]float32) { Penalize(x[0], x[1], s.Rate, s.Decay) }},
	{"accumulate", 2, func(s *Step, x [][]float32) { Accumulate(x[0], x[1], s.Rate) }},
}

// TestDescents holds each path to plain Go, to the bit, at lengths around whole vectors, from places that are not aligned, with NaN, infinities and
// numbers that are not normal.
func TestDescents(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	onPaths(t, func(t *testing.T) {
		for _, f := range descents {
			for n := range 140 {
				s := Step{.7, .01, .99, .1, .9, .1, .95, .05, 1.5, 1e-8}
				if r.IntN(3) == 0 {
					s.Scale, s.Decay, s.Keep = 1, 0, 1
				}
				got, want := make([][]float32, f.slices), make([][]float32, f.slices)
				in, out := make([][]float32, f.slices), make([][]float32, f.slices)
				for i := range got {
					got[i] = somewhere(r, n+3)
					want[i] = slices.Clone(got[i])
					in[i], out[i] = got[i][1:n+1], want[i][2:n+2]
					copy(out[i], in[i])
				}
				f.run(&s, in)
				best := path
				path = plainGo
				f.run(&s, out)
				path = best
				for i := range got {
					for j, v := range in[i] {
						if w := out[i][j]; math.Float32bits(v) != math.Float32bits(w) && (v == v || w == w) {
							t.Fatalf("%s of %d elements: element %d of slice %d is %g, want %g", f.name, n, j, i, v, w)
						}
					}
					if same := func(a, b float32) bool { return a == b || a != a && b != b }; !same(got[i][0], want[i][0]) || !same(got[i][n+2], want[i][n+2]) {
						t.Fatalf("%s of %d elements wrote outside", f.name, n)
					}
				}
			}
		}
	})
}

// somewhere is numbers of all sizes, some strange.
func somewhere(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64() * math.Exp(r.NormFloat64()*4))
		switch r.IntN(8) {
		case 0:
			v[i] = strange[r.IntN(len(strange))]
		case 1:
			v[i] = math.Float32frombits(r.Uint32N(1<<23) | r.Uint32N(2)<<31)
		}
	}
	return v
}

// TestDescentFormulas holds plain Go to the formulas in float64, from a start where all of them count.
func TestDescentFormulas(t *testing.T) {
	defer func(before string) { path = before }(path)
	path = plainGo
	s := Step{Scale: .5, Decay: .1, Keep: .9, Rate: .01, Mean: .8, MeanNew: .3, Square: .7, SquareNew: .4, Root: 2, Eps: .1}
	const w, g, a, b, c = 1.5, -2., .25, 3., .5
	d := .5*g + .1*w
	momentum := .8*a + .3*d
	mean, square := a+.3*(d-a), .7*b+.4*d*d
	start, middle := .7*a+.4*d*d, c+.4*(d-c)
	divided := .8*b + d/(math.Sqrt(start)+.1)
	centered := .8*b + d/(math.Sqrt(start-middle*middle)+.1)
	for i, want := range [][]float64{
		{w - .01*d},
		{w - .01*momentum, g, momentum},
		{w - .01*(d+.8*momentum), g, momentum},
		{.9*w - .01*mean/(2*math.Sqrt(square)+.1), g, mean, square},
		{w - .01*divided, g, start, divided},
		{w - .01*centered, g, start, centered, middle},
		{w - .01*d/(math.Sqrt(a+d*d)+.1), g, a + d*d},
		{.9*w + .01, g, .7*a + .4*.5*g},
		{w + .1*g - .01, g},
		{w + .01*g, g},
	} {
		x := [][]float32{{w}, {g}, {a}, {b}, {c}}
		descents[i].run(&s, x)
		for j, v := range want {
			if math.Abs(float64(x[j][0])-v) > 3e-7*max(1, math.Abs(v)) {
				t.Errorf("%s: slice %d is %g, want %g", descents[i].name, j, x[j][0], v)
			}
		}
	}
}

// TestEnergy: the same bits in all paths, also where float32 would overflow or vanish.
func TestEnergy(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	onPaths(t, func(t *testing.T) {
		for n := range 300 {
			x := make([]float32, n+1)
			for i := range x {
				x[i] = float32(r.NormFloat64() * math.Exp(r.NormFloat64()*20))
			}
			x = x[1:]
			if n > 0 {
				x[r.IntN(n)] = []float32{math.MaxFloat32, 1e-40, 0, float32(math.Inf(-1)), float32(math.NaN())}[r.IntN(5)]
			}
			want := 0.
			for _, v := range x {
				want += float64(v) * float64(v)
			}
			got, best := Energy(x), path
			path = plainGo
			plain := Energy(x)
			path = best
			if got != plain && (got == got || plain == plain) || !(math.Abs(got-want) <= 1e-14*want) && got != want && want == want {
				t.Fatalf("%d elements: %g, in plain Go %g, want %g", n, got, plain, want)
			}
		}
	})
}

func BenchmarkDescents(b *testing.B) {
	const n = 1 << 14
	x := make([][]float32, 5)
	for i := range x {
		x[i] = make([]float32, n)
		for j := range x[i] {
			x[i][j] = float32(j%97)/97 + .01
		}
	}
	s := Step{1, 0, 1, 1e-9, .9, .1, .999, .001, 1, 1e-8}
	run := func(name string, f func()) {
		for _, p := range []string{plainGo, machinePath()} {
			b.Run(name+"/"+p, func(b *testing.B) {
				defer func(before string) { path = before }(path)
				path = p
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
			})
		}
	}
	for _, f := range descents {
		run(f.name, func() { f.run(&s, x) })
	}
	run("energy", func() { Energy(x[0]) })
}
