//go:build !lean

package op

import (
	"context"
	"math"
	"math/bits"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// largestRadix bounds the prime factors that a length is split by; lengths with larger ones go through a convolution.
const largestRadix = 31

// cx is a complex number; Go has none of a type parameter.
type cx[T float] struct{ re, im T }

func (x cx[T]) plus(y cx[T]) cx[T]  { return cx[T]{x.re + y.re, x.im + y.im} }
func (x cx[T]) minus(y cx[T]) cx[T] { return cx[T]{x.re - y.re, x.im - y.im} }
func (x cx[T]) times(y cx[T]) cx[T] { return cx[T]{x.re*y.re - x.im*y.im, x.re*y.im + x.im*y.re} }

// turned is x·i·sign.
func (x cx[T]) turned(sign T) cx[T] { return cx[T]{-sign * x.im, sign * x.re} }

// fft is what a discrete Fourier transform of length n needs: y[k] = Σ x[j]·e^(sign·2πi·jk/n). It is read only, so calls may overlap.
// The passes are Stockham's, with the butterflies of FFTPACK (Swarztrauber, 1982) in the order that pocketfft has them.
type fft[T float] struct {
	n      int
	sign   T
	stages []stage[T] // none where chirp is used

	// Bluestein, "A linear filtering approach to the computation of discrete Fourier transform", 1970: jk = (j² + k² - (k-j)²)/2
	chirp, filter []cx[T] // e^(sign·πi·k²/n) (n); transform of its conjugate, around (inner.n)
	inner, back   *fft[T] // of a power of two ≥ 2n-1, and its inverse
}

// stage is one pass: blocks of radix·width elements, of which there are n/(radix·width).
type stage[T float] struct {
	radix, width int
	turns        []cx[T] // (radix-1, width): turns[j-1][i] = e^(sign·2πi·i·j/(radix·width))
	roots        []cx[T] // e^(sign·2πi·k/radix) (radix), for radices without a butterfly of their own
}

// planned makes the plan of length n ≥ 1, within the memory that the run may use.
func planned[T float](ctx context.Context, n int, sign T) (*fft[T], error) {
	const limit = 1 << 27
	if n > limit {
		return nil, fault.New(fault.TooLarge, "a Fourier transform of more than 2^27 points")
	}
	if b, ok := ctx.(Budget); ok {
		if err := b.Grow(int64(n) * 16 * 24); err != nil { // turns, chirp, filter and what a call borrows, at the most
			return nil, err
		}
	}
	return newFFT(n, sign), nil
}

func newFFT[T float](n int, sign T) *fft[T] {
	p := &fft[T]{n: n, sign: sign}
	rest, width := n, n
	for _, r := range []int{4, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, largestRadix} {
		for ; rest%r == 0; rest /= r {
			p.stages = append(p.stages, stage[T]{radix: r})
		}
	}
	if rest > 1 {
		p.convolve()
		return p
	}
	for i := range p.stages {
		if p.stages[i].radix == 2 { // the one 2 that may be left goes first
			p.stages[0], p.stages[i] = p.stages[i], p.stages[0]
		}
	}
	for i := range p.stages {
		s := &p.stages[i]
		width /= s.radix
		s.width = width
		s.turns = make([]cx[T], (s.radix-1)*width)
		for j := 1; j < s.radix; j++ {
			for k := range width {
				s.turns[(j-1)*width+k] = unit(j*k, s.radix*width, sign)
			}
		}
		for k := range s.radix {
			s.roots = append(s.roots, unit(k, s.radix, sign))
		}
	}
	return p
}

// unit is e^(sign·2πi·k/n).
func unit[T float](k, n int, sign T) cx[T] {
	s, c := math.Sincos(2 * math.Pi * float64(k) / float64(n))
	return cx[T]{T(c), sign * T(s)}
}

// convolve plans a length with a large prime factor.
func (p *fft[T]) convolve() {
	size := 1 << bits.Len(uint(2*p.n-2))
	p.stages, p.inner, p.back = nil, newFFT[T](size, -1), newFFT[T](size, 1)
	p.chirp = make([]cx[T], p.n)
	spread, other := make([]cx[T], size), make([]cx[T], size)
	square := 0 // k² mod 2n
	for k := range p.n {
		w := unit(square, 2*p.n, p.sign)
		p.chirp[k] = w
		w.im = -w.im
		spread[k] = w
		if k > 0 {
			spread[size-k] = w
		}
		square = (square + 2*k + 1) % (2 * p.n)
	}
	p.filter = p.inner.transform(spread, other, nil)
}

// room is the number of elements that transform borrows as work.
func (p *fft[T]) room() int {
	if p.inner == nil {
		return 0
	}
	return 2 * p.inner.n
}

// transform transforms a (n) with the help of b (n) and work (room()), and returns that of a and b in which the result stands.
func (p *fft[T]) transform(a, b, work []cx[T]) []cx[T] {
	if p.inner != nil {
		return p.transformBy(a, work)
	}
	blocks := 1
	for i := range p.stages {
		s := &p.stages[i]
		switch s.radix {
		case 2:
			s.pass2(b, a, blocks)
		case 3:
			s.pass3(b, a, blocks, p.sign)
		case 4:
			s.pass4(b, a, blocks, p.sign)
		case 5:
			s.pass5(b, a, blocks, p.sign)
		default:
			s.pass(b, a, blocks)
		}
		a, b = b, a
		blocks *= s.radix
	}
	return a
}

func (p *fft[T]) transformBy(a, work []cx[T]) []cx[T] {
	m := p.inner.n
	u, v := work[:m], work[m:2*m]
	for k, c := range p.chirp {
		u[k] = a[k].times(c)
	}
	clear(u[p.n:])
	r := p.inner.transform(u, v, nil)
	for k, f := range p.filter {
		r[k] = r[k].times(f)
	}
	other := u
	if &r[0] == &u[0] {
		other = v
	}
	r = p.back.transform(r, other, nil)
	scale := 1 / T(m)
	for k, c := range p.chirp {
		a[k] = cx[T]{r[k].re * scale, r[k].im * scale}.times(c)
	}
	return a
}

// A pass reads block k as radix rows of width, src[(k·radix + q)·width + i], and writes dst[(k + blocks·q)·width + i].

func (s *stage[T]) pass2(dst, src []cx[T], blocks int) {
	w := s.width
	for k := range blocks {
		x0, x1 := src[2*k*w:(2*k+1)*w], src[(2*k+1)*w:(2*k+2)*w]
		y0, y1 := dst[k*w:(k+1)*w], dst[(k+blocks)*w:(k+blocks+1)*w]
		for i, a := range x0 {
			b := x1[i]
			y0[i] = a.plus(b)
			y1[i] = a.minus(b).times(s.turns[i])
		}
	}
}

func (s *stage[T]) pass3(dst, src []cx[T], blocks int, sign T) {
	w, im := s.width, sign*T(.86602540378443864676)
	for k := range blocks {
		x, y := src[3*k*w:], dst[k*w:]
		for i := range w {
			t0, t1, t2 := x[i], x[i+w].plus(x[i+2*w]), x[i+w].minus(x[i+2*w])
			a := cx[T]{t0.re - t1.re*.5, t0.im - t1.im*.5}
			b := cx[T]{-t2.im * im, t2.re * im}
			y[i] = t0.plus(t1)
			y[i+blocks*w] = a.plus(b).times(s.turns[i])
			y[i+2*blocks*w] = a.minus(b).times(s.turns[i+w])
		}
	}
}

func (s *stage[T]) pass4(dst, src []cx[T], blocks int, sign T) {
	w, far := s.width, blocks*s.width
	t1, t2, t3 := s.turns[:w], s.turns[w:2*w], s.turns[2*w:3*w]
	for k := range blocks {
		x, y := src[4*k*w:(4*k+4)*w], dst[k*w:]
		for i := range w {
			a, c := x[i].plus(x[i+2*w]), x[i].minus(x[i+2*w])
			b, d := x[i+w].plus(x[i+3*w]), x[i+w].minus(x[i+3*w]).turned(sign)
			y[i] = a.plus(b)
			y[i+far] = c.plus(d).times(t1[i])
			y[i+2*far] = a.minus(b).times(t2[i])
			y[i+3*far] = c.minus(d).times(t3[i])
		}
	}
}

func (s *stage[T]) pass5(dst, src []cx[T], blocks int, sign T) {
	w, far := s.width, blocks*s.width
	r1, r2 := T(.3090169943749474241), T(-.8090169943749474241)
	i1, i2 := sign*T(.95105651629515357212), sign*T(.58778525229247312917)
	for k := range blocks {
		x, y := src[5*k*w:(5*k+5)*w], dst[k*w:]
		for i := range w {
			t0 := x[i]
			t1, t4 := x[i+w].plus(x[i+4*w]), x[i+w].minus(x[i+4*w])
			t2, t3 := x[i+2*w].plus(x[i+3*w]), x[i+2*w].minus(x[i+3*w])
			a := cx[T]{t0.re + r1*t1.re + r2*t2.re, t0.im + r1*t1.im + r2*t2.im}
			b := cx[T]{-(i1*t4.im + i2*t3.im), i1*t4.re + i2*t3.re}
			c := cx[T]{t0.re + r2*t1.re + r1*t2.re, t0.im + r2*t1.im + r1*t2.im}
			d := cx[T]{-(i2*t4.im - i1*t3.im), i2*t4.re - i1*t3.re}
			y[i] = cx[T]{t0.re + t1.re + t2.re, t0.im + t1.im + t2.im}
			y[i+far] = a.plus(b).times(s.turns[i])
			y[i+2*far] = c.plus(d).times(s.turns[i+w])
			y[i+3*far] = c.minus(d).times(s.turns[i+2*w])
			y[i+4*far] = a.minus(b).times(s.turns[i+3*w])
		}
	}
}

// pass is the butterfly of any radix.
func (s *stage[T]) pass(dst, src []cx[T], blocks int) {
	r, w := s.radix, s.width
	for k := range blocks {
		x, y := src[r*k*w:], dst[k*w:]
		for i := range w {
			for j := range r {
				sum, at := x[i], 0
				for q := 1; q < r; q++ {
					if at += j; at >= r {
						at -= r
					}
					sum = sum.plus(x[i+q*w].times(s.roots[at]))
				}
				if j > 0 {
					sum = sum.times(s.turns[i+(j-1)*w])
				}
				y[i+j*blocks*w] = sum
			}
		}
	}
}
