package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// TestDepthOffsets: package gen knows where the fields of a tile lie.
func TestDepthOffsets(t *testing.T) {
	var (
		x depthTile
		r depthRow
		c depthColumn
	)
	got := []uintptr{
		unsafe.Offsetof(x.y), unsafe.Offsetof(x.weights), unsafe.Offsetof(x.bias), unsafe.Offsetof(x.biasStep), unsafe.Offsetof(x.planes),
		unsafe.Offsetof(x.xPlane), unsafe.Offsetof(x.yPlane), unsafe.Offsetof(x.xPitch), unsafe.Offsetof(x.yPitch), unsafe.Offsetof(x.rows),
		unsafe.Offsetof(x.rowCount), unsafe.Offsetof(x.columns), unsafe.Offsetof(x.columnCount), unsafe.Offsetof(x.act), unsafe.Offsetof(x.a),
		unsafe.Offsetof(x.b), unsafe.Offsetof(x.work), unsafe.Sizeof(x),
		unsafe.Offsetof(r.y), unsafe.Offsetof(r.bits), unsafe.Offsetof(r.count), unsafe.Offsetof(r.last), unsafe.Sizeof(r),
		unsafe.Offsetof(c.y), unsafe.Offsetof(c.masks), unsafe.Offsetof(c.store), unsafe.Sizeof(c),
	}
	want := []uintptr{8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 124, 128, 176, 8, 16, 24, 32, 40, 8, 16, 24, 32}
	if unsafe.Sizeof(x.x) == 8 && !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestPlanes holds whole planes to single windows: usual windows of all sizes around vectors and tiles, borders wider than the input.
func TestPlanes(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	inPaths(t, func(t *testing.T) {
		machine := 0
		for range 3000 {
			taps := 3 + 2*r.IntN(2)
			spread := func(most int) Spread {
				s := Spread{In: 1 + r.IntN(most), Taps: taps, Stride: 1 + r.IntN(2), Dilation: 1, Before: r.IntN(4)}
				s.Out = (s.In+s.Before+r.IntN(4)-taps)/s.Stride + 1
				return s
			}
			h, w := spread(40), spread(60)
			if r.IntN(10) == 0 {
				w.Taps = 1 + r.IntN(5)
				w.Out = (w.In+w.Before-w.Taps)/w.Stride + 1
			}
			win, ok := NewWindow(h, w)
			if !ok {
				continue
			}
			if win.depth != nil {
				machine++
			}
			const planes = 3
			in, out := h.In*w.In, h.Out*w.Out
			x, weights, bias := smallInts(r, planes*in), smallInts(r, planes*h.Taps*w.Taps), smallInts(r, planes)
			if r.IntN(4) == 0 {
				bias = nil
			}
			x[r.IntN(len(x))] = float32(math.NaN())
			end := &End{Act: EndActivation(r.IntN(5)), A: .25, B: 3}
			memory := make([]float32, win.Len())
			got, want := make([]float32, planes*out+1), make([]float32, out)
			got[planes*out] = 7
			win.Planes(planes, got[:planes*out], x, weights, bias, end, memory)
			for p := range planes {
				start := float32(0)
				if bias != nil {
					start = bias[p]
				}
				win.Sums(want, x[p*in:][:in], weights[p*h.Taps*w.Taps:][:h.Taps*w.Taps], start, memory)
				for i, v := range want {
					if v, g := end.of(v), got[p*out+i]; v != g && (v == v || g == g) {
						t.Fatalf("%+v, %+v, %+v: plane %d, output %d is %g, want %g", h, w, *end, p, i, g, v)
					}
				}
			}
			if got[planes*out] != 7 {
				t.Fatalf("%+v, %+v: wrote outside", h, w)
			}
		}
		if depthMachine() && machine < 1000 {
			t.Errorf("only %d windows ran in assembly", machine)
		}
	})
}

func BenchmarkPlanes(b *testing.B) {
	for _, c := range []struct {
		name   string
		s      Spread
		planes int
	}{
		{"3x3 of 112", Spread{112, 112, 3, 1, 1, 1}, 16},
		{"3x3 of 112 by 2", Spread{112, 56, 3, 2, 1, 1}, 64},
		{"5x5 of 56 by 2", Spread{56, 28, 5, 2, 1, 2}, 72},
		{"5x5 of 28", Spread{28, 28, 5, 1, 1, 2}, 120},
		{"3x3 of 14", Spread{14, 14, 3, 1, 1, 1}, 480},
		{"5x5 of 14 by 2", Spread{14, 7, 5, 2, 1, 2}, 672},
		{"5x5 of 7", Spread{7, 7, 5, 1, 1, 2}, 960},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := c.s
			w, _ := NewWindow(s, s)
			x, y, memory, weights := make([]float32, c.planes*s.In*s.In), make([]float32, c.planes*s.Out*s.Out), make([]float32, w.Len()), make([]float32, 25*c.planes)
			for b.Loop() {
				w.Planes(c.planes, y, x, weights, nil, &End{Act: EndHardSwish, A: 1. / 6, B: .5}, memory)
			}
			b.ReportMetric(float64(2*c.planes*s.Out*s.Out*s.Taps*s.Taps)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}
