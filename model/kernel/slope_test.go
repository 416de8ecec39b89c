package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSlopes holds each slope to the derivative of its function in float64, and to itself where the slices are cut elsewhere.
func TestSlopes(t *testing.T) {
	logistic := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	phi := func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
	for _, c := range []struct {
		name    string
		s       Slope
		a, b, c float32
		want    func(v float64) float64
	}{
		{"within", SlopeWithin, -1, 2, 3, func(v float64) float64 {
			if v > -1 && v < 2 {
				return 3
			}
			return 0
		}},
		{"leaky", SlopeLeaky, .25, 0, 0, func(v float64) float64 {
			if math.Signbit(v) {
				return .25
			}
			return 1
		}},
		{"sigmoid", SlopeSigmoid, 0, 0, 0, func(v float64) float64 { return v * (1 - v) }},
		{"tanh", SlopeTanh, 0, 0, 0, func(v float64) float64 { return 1 - v*v }},
		{"silu", SlopeSilu, 1.5, 0, 0, func(v float64) float64 {
			s := logistic(1.5 * v)
			return s * (1 + 1.5*v*(1-s))
		}},
		{"gelu", SlopeGelu, 0, 0, 0, func(v float64) float64 { return .5*(1+math.Erf(v/math.Sqrt2)) + v*phi(v) }},
		{"gelu tanh", SlopeGeluTanh, 0, 0, 0, func(v float64) float64 {
			k := math.Sqrt(2 / math.Pi)
			y := math.Tanh(k * (v + .044715*v*v*v))
			return .5*(1+y) + .5*v*(1-y*y)*k*(1+3*.044715*v*v)
		}},
		{"hardswish", SlopeHardSwish, 0, 0, 0, hardSwishSlope},
	} {
		t.Run(c.name, func(t *testing.T) {
			inPaths(t, func(t *testing.T) {
				var v []float32
				for x := float32(-12); x < 12; x += .0137 {
					v = append(v, x, x/8)
				}
				v = append(v, 0, 1e30, -1e30)
				dy, got := make([]float32, len(v)), make([]float32, len(v))
				for i := range dy {
					dy[i] = float32(i%7) - 3.5
				}
				if c.s == SlopeSigmoid || c.s == SlopeTanh { // of y, which is bounded
					for i := range v {
						v[i] = max(-1, min(1, v[i]))
					}
				}
				c.s.Back(got, v, dy, c.a, c.b, c.c)
				for i, x := range v {
					want := c.want(float64(x)) * float64(dy[i])
					if !(math.Abs(float64(got[i])-want) <= 4e-6*(1+math.Abs(float64(dy[i])))) {
						t.Fatalf("at %g: %g, want %g", x, got[i], want)
					}
				}
				for n := range 37 {
					at, part := 3*n+1, make([]float32, n+1)
					part[n] = 7
					c.s.Back(part[:n], v[at:at+n], dy[at:at+n], c.a, c.b, c.c)
					if !slices.Equal(part[:n], got[at:at+n]) || part[n] != 7 {
						t.Fatalf("%d elements from %d: %v, not %v", n, at, part, got[at:at+n])
					}
				}
			})
		})
	}
}

// TestBackSums holds the sums and rows of the way back over normalisations to float64, at all lengths around whole vectors.
func TestBackSums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	near := func(t *testing.T, what string, n int, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 1e-5*(1+math.Sqrt(float64(n)))) {
			t.Fatalf("%s of %d elements: %g, want %g", what, n, got, want)
		}
	}
	inPaths(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 7, 8, 9, 15, 16, 31, 32, 33, 40, 63, 65, 100, 2048, 5000} {
			dy, x, scale, mean, sum, with := draw(n), draw(n), draw(n), draw(n), draw(n+1), draw(n+1)
			var s, w, ss, sw float64
			for i := range x {
				d, v := float64(dy[i]), float64(x[i])-.5
				s, w, ss, sw = s+d, w+d*v, ss+d*float64(scale[i]), sw+d*v*float64(scale[i])
			}
			a, b := Moments(dy, x, nil, .5)
			near(t, "sum", n, a, s)
			near(t, "product", n, b, w)
			a, b = Moments(dy, x, scale, .5)
			near(t, "scaled sum", n, a, ss)
			near(t, "scaled product", n, b, sw)

			was, had, out := slices.Clone(sum), slices.Clone(with), make([]float32, n+1)
			out[n] = 7
			Columns(sum[:n], with[:n], dy, x, mean)
			for i := range x {
				near(t, "column", 0, float64(sum[i]), float64(was[i]+dy[i]))
				near(t, "column product", 0, float64(with[i]), float64(had[i]+dy[i]*(x[i]-mean[i])))
			}
			Blend(out[:n], dy, x, 2, -3, .5)
			for i := range x {
				near(t, "blend", 0, float64(out[i]), float64(2*dy[i]-3*x[i]+.5))
			}
			was, had = slices.Clone(sum), slices.Clone(with)
			LayerBack(out[:n], sum[:n], with[:n], dy, x, scale, .5, 2, -3, .25)
			for i := range x {
				z := (x[i] - .5) * 2
				near(t, "dscale", 0, float64(sum[i]), float64(was[i]+dy[i]*z))
				near(t, "dbias", 0, float64(with[i]), float64(had[i]+dy[i]))
				near(t, "dx", 0, float64(out[i]), float64(2*dy[i]*scale[i]-3*z+.25))
			}
			if out[n] != 7 || sum[n] != was[n] || with[n] != had[n] {
				t.Fatalf("%d elements: written outside", n)
			}
		}
	})
}

func hardSwishSlope(x float64) float64 {
	switch {
	case x <= -3:
		return 0
	case x >= 3:
		return 1
	}
	return x/3 + .5
}

// TestPhilox holds the generator to the known answers of its authors (Random123, kat_vectors).
func TestPhilox(t *testing.T) {
	for _, c := range []struct {
		key     uint64
		counter [4]uint32
		want    [4]uint32
	}{
		{0, [4]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{math.MaxUint64, [4]uint32{math.MaxUint32, math.MaxUint32, math.MaxUint32, math.MaxUint32}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{0x299f31d0a4093822, [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		p := NewPhilox(c.key, c.counter[1], uint64(c.counter[2])|uint64(c.counter[3])<<32)
		if got := p.Block(c.counter[0]); got != c.want {
			t.Errorf("key %x: %x, want %x", c.key, got, c.want)
		}
	}
}

// TestDrop: the same elements are dropped on every path and wherever the work is cut, about as many as asked for, and Kept drops them again.
func TestDrop(t *testing.T) {
	const n = 32*300 + 21
	src := make([]float32, n)
	for i := range src {
		src[i] = float32(i + 1)
	}
	p := NewPhilox(7, 3, 1<<40+5)
	var first []byte
	inPaths(t, func(t *testing.T) {
		dst, kept := make([]float32, n), make([]byte, (n+7)/8)
		p.Drop(dst, src, kept, 0, 1<<30, 2)
		if first == nil {
			first = kept
		}
		if !slices.Equal(first, kept) {
			t.Fatal("paths drop other elements")
		}
		count := 0
		for i, y := range dst {
			if set := kept[i/8]>>(i&7)&1 != 0; set != (y != 0) || set && y != 2*src[i] {
				t.Fatalf("element %d is %g of %g, kept: %v", i, y, src[i], set)
			} else if set {
				count++
			}
		}
		if count < n*72/100 || count > n*78/100 {
			t.Errorf("%d of %d kept", count, n)
		}
		again, mask := make([]float32, n), make([]byte, len(kept))
		for at := 0; at < n; at += 7 * DropGroup {
			end := min(n, at+7*DropGroup)
			p.Drop(again[at:end], src[at:end], mask[at/8:(end+7)/8], at/DropGroup, 1<<30, 2)
		}
		if !slices.Equal(again, dst) || !slices.Equal(mask, kept) {
			t.Error("pieces drop other elements than the whole")
		}
		clear(again)
		Kept(again, src, kept, 2)
		if !slices.Equal(again, dst) {
			t.Error("Kept drops other elements")
		}
	})
}
