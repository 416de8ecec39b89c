package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestWindow holds windows of all kinds to their definition: strides, dilations, paddings, widths around whole vectors, several bands.
func TestWindow(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	inPaths(t, func(t *testing.T) {
		for range 2000 {
			spread := func(most int) Spread {
				s := Spread{In: 1 + r.IntN(most), Taps: 1 + r.IntN(5), Stride: 1 + r.IntN(2), Dilation: 1 + r.IntN(2), Before: r.IntN(4)}
				after := r.IntN(4)
				s.Out = (s.In+s.Before+after-(s.Taps-1)*s.Dilation-1)/s.Stride + 1
				return s
			}
			h, w := spread(9), spread(90)
			if r.IntN(100) == 0 {
				h, w = spread(200), spread(300)
			}
			win, ok := NewWindow(h, w)
			if !ok {
				if h.Out > 0 && w.Out > 0 {
					t.Fatalf("no window for %v, %v", h, w)
				}
				continue
			}
			x, weights := make([]float32, h.In*w.In), make([]float32, h.Taps*w.Taps)
			for i := range x {
				x[i] = float32(r.IntN(65) - 32)
			}
			for i := range weights {
				weights[i] = float32(r.IntN(9) - 4)
			}
			x[r.IntN(len(x))] = float32(math.NaN())
			memory := make([]float32, win.Len())
			for i := range memory {
				memory[i] = float32(math.NaN())
			}
			size := h.Out * w.Out
			sums, peaks := make([]float32, size+1), make([]float32, size+1)
			sums[size], peaks[size] = 7, 7
			win.Peaks(peaks[:size], x, memory)
			win.Sums(sums[:size], x, weights, 5, memory)
			for o := range size {
				sum, peak := float32(5), float32(math.Inf(-1))
				for k := range weights {
					i, j := o/w.Out*h.Stride+k/w.Taps*h.Dilation-h.Before, o%w.Out*w.Stride+k%w.Taps*w.Dilation-w.Before
					if i < 0 || i >= h.In || j < 0 || j >= w.In {
						continue
					}
					v := x[i*w.In+j]
					sum += weights[k] * v
					if v > peak {
						peak = v
					}
				}
				if sums[o] != sum && (sum == sum || sums[o] == sums[o]) || peaks[o] != peak {
					t.Fatalf("%v, %v: output %d is %g and %g, want %g and %g", h, w, o, sums[o], peaks[o], sum, peak)
				}
			}
			if sums[size] != 7 || peaks[size] != 7 {
				t.Fatalf("%v, %v: wrote outside", h, w)
			}
		}
	})
	for _, far := range []Spread{{In: 9, Out: 1, Taps: 2, Stride: 1, Dilation: 1 << 40, Before: 0}, {In: 9, Out: 3, Taps: 2, Stride: 3, Dilation: 1}} {
		if _, ok := NewWindow(far, far); ok {
			t.Errorf("a window for %v", far)
		}
	}
}

func BenchmarkWindow(b *testing.B) {
	for name, s := range map[string]Spread{
		"3x3 of 112": {112, 112, 3, 1, 1, 1}, "3x3 of 112 by 2": {112, 56, 3, 2, 1, 1}, "5x5 of 28": {28, 28, 5, 1, 1, 2}, "5x5 of 14 by 2": {14, 7, 5, 2, 1, 2}, "3x3 of 7": {7, 7, 3, 1, 1, 1},
	} {
		for _, p := range []string{plainGo, machinePath()} {
			b.Run(name+"/"+p, func(b *testing.B) {
				defer func(before string) { path = before }(path)
				path = p
				w, _ := NewWindow(s, s)
				x, y, memory, weights := make([]float32, s.In*s.In), make([]float32, s.Out*s.Out), make([]float32, w.Len()), make([]float32, 25)
				for b.Loop() {
					w.Sums(y, x, weights, 1, memory)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(s.Out*s.Out*s.Taps*s.Taps), "ns/product")
			})
		}
	}
}
