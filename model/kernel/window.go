package kernel

import "math"

// Window slides over planes of float32, for depthwise convolutions and pools. It works on bands of the plane that are copied with their
// padding, even and odd columns apart where it moves by two, so that each tap is a row of neighbours.
type Window struct {
	inH, inW, outH, outW int
	strideH              int
	reach                int // rows that a window meets, from its first to its last
	top, left            int // padding
	columns              int // of the padded input that windows meet
	split                bool
	half, pitch          int // of rows of the copy, and of the parts of a split one
	band                 int // rows of the output that one copy serves
	offsets              []int
	depth                *depth // for Planes, or nil
}

// Spread is a window along one dimension: it meets the input (In) at o·Stride + k·Dilation - Before for each output o and tap k.
type Spread struct{ In, Out, Taps, Stride, Dilation, Before int }

// windowMost is how many elements a copy of a band has at most, and windowGood how many it has if that is enough for a row.
const windowMost, windowGood = 1 << 18, 12 << 10

// NewWindow makes a window; ok tells whether it is of a kind that Window is made for.
func NewWindow(h, w Spread) (win Window, ok bool) {
	if w.Stride > 2 || h.Before < 0 || w.Before < 0 || h.Taps > 64 || w.Taps > 64 || h.Out < 1 || w.Out < 1 || h.In < 1 || w.In < 1 {
		return win, false
	}
	win = Window{inH: h.In, inW: w.In, outH: h.Out, outW: w.Out, strideH: h.Stride, top: h.Before, left: w.Before, split: w.Stride == 2}
	if max(h.Dilation, w.Dilation, h.Stride, h.Out, w.Out, w.Before) > windowMost {
		return win, false
	}
	win.reach = (h.Taps-1)*h.Dilation + 1
	win.columns = (w.Out-1)*w.Stride + (w.Taps-1)*w.Dilation + 1
	win.half = (win.columns+1)/2 + half
	if win.pitch = win.columns; win.split {
		win.pitch = 2 * win.half
	}
	if win.pitch > windowMost/win.reach {
		return win, false
	}
	win.band = min(max((windowGood/win.pitch-win.reach)/h.Stride+1, 1), h.Out)
	win.offsets = make([]int, 0, h.Taps*w.Taps)
	for i := range h.Taps {
		for j := range w.Taps {
			at := j * w.Dilation
			if win.split {
				at = at%2*win.half + at/2
			}
			win.offsets = append(win.offsets, (i*h.Dilation*win.pitch+at)*4)
		}
	}
	win.depth = newDepth(h, w)
	return win, true
}

// Len is how much memory Sums and Peaks need.
func (w *Window) Len() int { return w.pitch*((w.band-1)*w.strideH+w.reach) + 4*half + 4 }

// Sums writes to y (outH, outW) for each window over x (inH, inW) bias and what it sees times the weights (tapsH, tapsW). memory has Len elements.
func (w *Window) Sums(y, x, weights []float32, bias float32, memory []float32) {
	_ = weights[len(w.offsets)-1]
	w.slide(y, x, weights, bias, memory)
}

// Peaks writes to y the greatest that each window sees and that is not NaN, -Inf where there is none.
func (w *Window) Peaks(y, x, memory []float32) {
	w.slide(y, x, nil, float32(math.Inf(-1)), memory)
}

func (w *Window) slide(y, x, weights []float32, start float32, memory []float32) {
	border := float32(0)
	if weights == nil {
		border = start
	}
	x, y, memory = x[:w.inH*w.inW], y[:w.outH*w.outW], memory[:w.Len()]
	for o := 0; o < w.outH; o += w.band {
		rows := min(w.band, w.outH-o)
		w.stage(memory, x, o*w.strideH-w.top, (rows-1)*w.strideH+w.reach, border)
		dst := y[o*w.outW:][:rows*w.outW]
		if slideMachine(w, dst, memory, weights, start, rows) {
			continue
		}
		for r := range rows {
			from, to := memory[r*w.strideH*w.pitch:], dst[r*w.outW:][:w.outW]
			if weights == nil {
				w.plainPeaks(to, from)
			} else {
				w.plainSums(to, from, weights, start)
			}
		}
	}
}

// stage copies rows of the padded x from one on, which may lie in the padding.
func (w *Window) stage(memory, x []float32, first, rows int, border float32) {
	count := max(min(w.inW, w.columns-w.left), 0)
	for r := range rows {
		line := memory[r*w.pitch:][:w.pitch]
		if h := first + r; h < 0 || h >= w.inH || count == 0 {
			fillWith(line, border)
			continue
		}
		src := x[(first+r)*w.inW:][:count]
		if !w.split {
			fillWith(line[:w.left], border)
			copy(line[w.left:], src)
			fillWith(line[w.left+count:], border)
			continue
		}
		even, odd := line[:w.half], line[w.half:]
		fillWith(even[:(w.left+1)/2], border)
		fillWith(odd[:w.left/2], border)
		fillWith(even[(w.left+count+1)/2:], border)
		fillWith(odd[(w.left+count)/2:], border)
		a, b := even[w.left/2:], odd[w.left/2:]
		if w.left%2 == 1 {
			a, b = odd[w.left/2:], even[w.left/2+1:]
		}
		done := splitMachine(a, b, src)
		for i := done; i < count; i += 2 {
			a[i/2] = src[i]
		}
		for i := done + 1; i < count; i += 2 {
			b[i/2] = src[i]
		}
	}
}

func fillWith(dst []float32, v float32) {
	for i := range dst {
		dst[i] = v
	}
}

// tap is what tap i sees of a row of windows that begins at from.
func (w *Window) tap(from []float32, i int) []float32 { return from[w.offsets[i]/4:][:w.outW] }

func (w *Window) plainSums(dst, from, weights []float32, bias float32) {
	fillWith(dst, bias)
	i := 0
	for ; i+3 <= len(w.offsets); i += 3 { // three at a time, which spares reading and writing dst
		x, y, z := w.tap(from, i), w.tap(from, i+1), w.tap(from, i+2)
		a, b, c := weights[i], weights[i+1], weights[i+2]
		y, z, dst = y[:len(x)], z[:len(x)], dst[:len(x)]
		for j, v := range x {
			dst[j] += a*v + b*y[j] + c*z[j]
		}
	}
	for ; i < len(w.offsets); i++ {
		a := weights[i]
		for j, v := range w.tap(from, i) {
			dst[j] += a * v
		}
	}
}

func (w *Window) plainPeaks(dst, from []float32) {
	fillWith(dst, float32(math.Inf(-1)))
	for i := range w.offsets {
		for j, v := range w.tap(from, i) {
			if v > dst[j] {
				dst[j] = v
			}
		}
	}
}
