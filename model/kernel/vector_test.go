package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// inPaths runs a test in the machine's path and in plain Go.
func inPaths(t *testing.T, f func(t *testing.T)) {
	for _, p := range []string{machinePath(), plainGo} {
		t.Run(p, func(t *testing.T) {
			defer func(before string) { path = before }(path)
			path = p
			f(t)
		})
	}
}

var strange = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 1e-40, -1e-40, 1e-30, 87, 88.7, 88.8, 89, -87.2, -88, -103, -104, -110, 3.9, -3.9, 8, -8, 1e30, -1e30,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.MaxFloat32, -math.MaxFloat32,
}

// TestMappings holds each function of one number to its definition, and to itself where the slice is cut elsewhere.
func TestMappings(t *testing.T) {
	xs := append([]float32(nil), strange...)
	for x := float32(-120); x < 120; x += .0137 {
		xs = append(xs, x, x/1e2, x/1e4)
	}
	logistic := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	clip := func(x, lo, hi float64) float64 { return math.Min(math.Max(x, lo), hi) }
	relu := func(d, s []float32) { ClipTo(d, s, 0, float32(math.Inf(1))) }
	for _, c := range []struct {
		name     string
		f        func(dst, src []float32)
		want     func(x float64) float64
		rel, abs float64 // allowed error; abs is a part of |x|
	}{
		{"exp", Exp, math.Exp, 2e-7, 0},
		{"sigmoid", Sigmoid, logistic, 3e-7, 0},
		{"silu", Silu, func(x float64) float64 { return x / (1 + math.Exp(-x)) }, 3e-7, 0},
		{"tanh", Tanh, math.Tanh, 5e-7, 0},
		{"erf", Erf, math.Erf, 5e-7, 0},
		{"gelu", Gelu, func(x float64) float64 { return .5 * x * (1 + math.Erf(x/math.Sqrt2)) }, 0, 2e-7},
		{"hardswish", HardSwish, func(x float64) float64 { return x * clip(x/6+.5, 0, 1) }, 0, 2e-7},
		{"hardsigmoid", func(d, s []float32) { HardSigmoid(d, s, .25, .5) }, func(x float64) float64 { return clip(x*.25+.5, 0, 1) }, 3e-7, 1e-7},
		{"clip", func(d, s []float32) { ClipTo(d, s, -2, 1.5) }, func(x float64) float64 { return clip(x, -2, 1.5) }, 0, 0},
		{"crossed", func(d, s []float32) { ClipTo(d, s, 3, 1) }, func(x float64) float64 { return x - x + 1 }, 0, 0},
		{"relu", relu, func(x float64) float64 { return math.Max(x, 0) }, 0, 0},
		{"leaky", func(d, s []float32) { LeakyTo(d, s, .5) }, func(x float64) float64 { return math.Max(x, x*.5) }, 0, 0},
		{"line", func(d, s []float32) { Line(d, s, 2, -3) }, func(x float64) float64 { return 2*x - 3 }, 2e-7, 1e-7},
	} {
		inPaths(t, func(t *testing.T) {
			got := make([]float32, len(xs))
			c.f(got, xs)
			bad, least := 0, 3e-45
			if c.name == "sigmoid" || c.name == "silu" {
				least = 4e-37
			}
			for i, x := range xs {
				w := c.want(float64(x))
				if c.name == "crossed" && x == x {
					w = 1
				}
				if f := float32(w); f == got[i] || f != f && got[i] != got[i] {
					continue
				}
				if d := math.Abs(float64(got[i]) - w); !(d <= c.rel*math.Abs(w)+c.abs*math.Abs(float64(max(min(x, math.MaxFloat32), -math.MaxFloat32)))+least) && bad < 5 {
					bad++
					t.Errorf("%s(%g) = %g, want %g", c.name, x, got[i], w)
				}
			}
			for n := range 37 {
				at := 3*n + 1
				part := append([]float32{7}, xs[at:at+n]...) // in place, on another alignment
				part = append(part, 9)
				c.f(part[1:n+1], part[1:n+1])
				for i, v := range part[1 : n+1] {
					if math.Float32bits(v) != math.Float32bits(got[at+i]) && v == v {
						t.Fatalf("%s of %d elements: element %d is %g, not %g", c.name, n, i, v, got[at+i])
					}
				}
				if part[0] != 7 || part[n+1] != 9 {
					t.Fatalf("%s of %d elements wrote outside", c.name, n)
				}
			}
		})
	}
}

// TestPairs: all functions of two numbers at all lengths around whole vectors, with a single number on either side.
func TestPairs(t *testing.T) {
	fs := []func(x, y float32) float32{
		func(x, y float32) float32 { return x + y }, func(x, y float32) float32 { return x - y }, func(x, y float32) float32 { return x * y },
		func(x, y float32) float32 { return x / y }, func(x, y float32) float32 { return max(x, y) }, func(x, y float32) float32 { return min(x, y) },
	}
	r := rand.New(rand.NewPCG(5, 6))
	pick := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			if v[i] = float32(r.NormFloat64()); r.IntN(3) == 0 {
				v[i] = strange[r.IntN(len(strange))]
			}
		}
		return v
	}
	inPaths(t, func(t *testing.T) {
		for p, f := range fs {
			for n := range 75 {
				for form := range 4 {
					na, nb := n, n
					if form&1 != 0 {
						na = 1
					}
					if form&2 != 0 {
						nb = 1
					}
					a, b, got := pick(na), pick(nb), make([]float32, n+1)
					got[n] = 7
					Pair(Pairing(p), got[:n], a, b)
					for i, v := range got[:n] {
						w := f(a[min(i, na-1)], b[min(i, nb-1)])
						if v != w && (v == v || w == w) {
							t.Fatalf("function %d of %d elements, form %d: element %d is %g, want %g", p, n, form, i, v, w)
						}
					}
					if got[n] != 7 {
						t.Fatalf("function %d of %d elements wrote outside", p, n)
					}
				}
			}
		}
	})
}

// TestSums holds reductions and rows to float64.
func TestSums(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	near := func(t *testing.T, name string, n int, got, want, size float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 1e-6*size) {
			t.Fatalf("%s of %d elements: %g, want %g", name, n, got, want)
		}
	}
	inPaths(t, func(t *testing.T) {
		for n := range 5000 {
			if n > 70 && n%977 > 2 {
				continue
			}
			x, y, scale, bias := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
			top := float32(math.Inf(-1))
			var sum, squares, size, dot, exps float64
			for i := range x {
				x[i], y[i], scale[i], bias[i] = float32(r.NormFloat64()*4+2), float32(r.NormFloat64()), r.Float32(), r.Float32()
				v := float64(x[i])
				sum, squares, size, dot = sum+v, squares+(v-.5)*(v-.5), size+math.Abs(v), dot+v*float64(y[i])
				top = max(top, x[i])
			}
			for _, v := range x {
				exps += math.Exp(float64(v - top))
			}
			near(t, "sum", n, Sum(x), sum, size)
			near(t, "squares", n, SumSquares(x, .5), squares, squares)
			near(t, "dot", n, Dot(x, y), dot, size*3)
			if got := Greatest(x); got != top {
				t.Fatalf("greatest of %d elements: %g, want %g", n, got, top)
			}
			got := make([]float32, n+1)
			got[n] = 7
			near(t, "exponentials", n, ExpSum(got, x, top), exps, exps)
			each := func(name string, want func(i int) float64) {
				t.Helper()
				for i, v := range got[:n] {
					w := want(i)
					near(t, name, n, float64(v), w, max(math.Abs(w), 1e-37))
				}
			}
			each("exponential", func(i int) float64 { return math.Exp(float64(x[i] - top)) })
			Softmax(got[:n], x)
			each("softmax", func(i int) float64 { return math.Exp(float64(x[i]-top)) / exps })
			LogSoftmax(got[:n], x)
			for i, v := range got[:n] {
				near(t, "log softmax", n, float64(v), float64(x[i]-top)-math.Log(exps), 10)
			}
			LineEach(got[:n], x, scale, bias)
			for i, v := range got[:n] {
				near(t, "line", n, float64(v), float64(x[i])*float64(scale[i])+float64(bias[i]), 10)
			}
			for form := range 4 {
				s, b := scale, bias
				if form&1 != 0 {
					s = nil
				}
				if form&2 != 0 {
					b = nil
				}
				Normalize(got[:n], x, s, b, 0, .5, 0)
				for i, v := range got[:n] {
					w := float64(x[i]) * .5
					if s != nil {
						w *= float64(s[i])
					}
					if b != nil {
						w += float64(b[i])
					}
					near(t, "normalize", n, float64(v), w, 10)
				}
			}
			if got[n] != 7 {
				t.Fatalf("%d elements: wrote outside", n)
			}
			if n == 0 {
				continue
			}
			x[r.IntN(n)] = float32(math.NaN())
			Softmax(got[:n], x)
			if got[n-1] == got[n-1] || Greatest(x) > top {
				t.Fatalf("softmax of %d elements with NaN: %g", n, got[n-1])
			}
		}
	})
	x := []float32{float32(math.Inf(-1)), 1, -1e30, 1}
	Softmax(x, x)
	if x[0] != 0 || x[1] != .5 || x[2] != 0 || x[3] != .5 {
		t.Errorf("softmax of extremes: %v", x)
	}
}

func BenchmarkVectors(b *testing.B) {
	x, y, z := make([]float32, 4096), make([]float32, 4096), make([]float32, 4096)
	for i := range x {
		x[i], y[i] = float32(i%97)/16-3, float32(i%13)+1
	}
	for name, f := range map[string]func(){
		"exp": func() { Exp(z, x) }, "sigmoid": func() { Sigmoid(z, x) }, "silu": func() { Silu(z, x) }, "tanh": func() { Tanh(z, x) }, "erf": func() { Erf(z, x) },
		"gelu": func() { Gelu(z, x) }, "hardswish": func() { HardSwish(z, x) }, "clip": func() { ClipTo(z, x, -1, 1) }, "add": func() { Pair(Add, z, x, y) },
		"div": func() { Pair(Div, z, x, y) }, "max": func() { Pair(Greater, z, x, y) }, "sum": func() { Sum(x) }, "squares": func() { SumSquares(x, 1) }, "dot": func() { Dot(x, y) },
		"greatest": func() { Greatest(x) }, "softmax": func() { Softmax(z, x) }, "normalize": func() { Normalize(z, x, y, y, 1, 2, 0) },
	} {
		for _, p := range []string{plainGo, machinePath()} {
			b.Run(name+"/"+p, func(b *testing.B) {
				defer func(before string) { path = before }(path)
				path = p
				b.SetBytes(4096 * 4)
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/element")
			})
		}
	}
}
