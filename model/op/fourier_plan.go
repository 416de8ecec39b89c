//go:build !lean

package op

import (
	"context"
	"math"
	"math/bits"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// largestRadix bounds the prime factors that fft splits a length by; lengths with larger ones go through a convolution.
const largestRadix = 31

// fft is what a discrete Fourier transform of length n needs: y[k] = Σ x[j]·e^(-2πi·jk/n). A plan is read only, so calls may overlap.
type fft struct {
	n       int
	roots   []complex128 // e^(-2πi·k/n) (n)
	factors []int        // primes in the order in which the length is split; nil where chirp is used

	// Bluestein, "A linear filtering approach to the computation of discrete Fourier transform", 1970: jk = (j² + k² - (k-j)²)/2
	chirp  []complex128 // e^(-πi·k²/n) (n)
	filter []complex128 // transform of the conjugate chirp, around (inner.n)
	inner  *fft         // of a power of two ≥ 2n-1
}

// planned makes the plan of length n ≥ 1, within the memory that the run may use.
func planned(ctx context.Context, n int) (*fft, error) {
	const limit = 1 << 27
	if n > limit {
		return nil, fault.New(fault.TooLarge, "a Fourier transform of more than 2^27 points")
	}
	if b, ok := ctx.(Budget); ok {
		if err := b.Grow(int64(n) * 16 * 12); err != nil { // roots, chirp, filter and what a call borrows
			return nil, err
		}
	}
	return newFFT(n), nil
}

func newFFT(n int) *fft {
	p := &fft{n: n}
	rest := n
	for _, r := range []int{4, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, largestRadix} {
		for ; rest%r == 0; rest /= r {
			p.factors = append(p.factors, r)
		}
	}
	if rest == 1 {
		p.roots = unitRoots(n, n)
		return p
	}
	size := 1 << bits.Len(uint(2*n-2))
	p.factors, p.inner = nil, newFFT(size)
	p.chirp, p.filter = make([]complex128, n), make([]complex128, size)
	spread := make([]complex128, size)
	square := 0 // k² mod 2n
	for k := range n {
		s, c := math.Sincos(math.Pi * float64(square) / float64(n))
		p.chirp[k] = complex(c, -s)
		spread[k] = complex(c, s)
		if k > 0 {
			spread[size-k] = complex(c, s)
		}
		square = (square + 2*k + 1) % (2 * n)
	}
	p.inner.forward(p.filter, spread, nil)
	return p
}

// unitRoots lists e^(-2πi·k/n) for k < count.
func unitRoots(n, count int) []complex128 {
	w := make([]complex128, count)
	for k := range w {
		s, c := math.Sincos(2 * math.Pi * float64(k) / float64(n))
		w[k] = complex(c, -s)
	}
	return w
}

// room is the number of elements that forward borrows.
func (p *fft) room() int {
	if p.inner == nil {
		return 0
	}
	return 2 * p.inner.n
}

// forward transforms src (n) into dst (n), which must not overlap; work has room() elements.
func (p *fft) forward(dst, src, work []complex128) {
	if p.inner == nil {
		p.split(dst, src, 1, 0)
		return
	}
	m := p.inner.n
	a, b := work[:m], work[m:2*m]
	for k, c := range p.chirp {
		a[k] = src[k] * c
	}
	clear(a[p.n:])
	p.inner.forward(b, a, nil)
	for k, f := range p.filter {
		v := b[k] * f
		b[k] = complex(real(v), -imag(v)) // the inverse is the conjugate of the transform of the conjugate
	}
	p.inner.forward(a, b, nil)
	scale := 1 / float64(m)
	for k, c := range p.chirp {
		dst[k] = complex(real(a[k])*scale, -imag(a[k])*scale) * c
	}
}

// split transforms every stride-th element of src into dst, whose length is n/stride: decimation in time (Cooley and Tukey, 1965) by
// the factors from depth on.
func (p *fft) split(dst, src []complex128, stride, depth int) {
	if len(dst) == 1 {
		dst[0] = src[0]
		return
	}
	r := p.factors[depth]
	m := len(dst) / r
	for q := range r {
		p.split(dst[q*m:(q+1)*m], src[q*stride:], stride*r, depth+1)
	}
	switch r {
	case 2:
		p.join2(dst, m, stride)
	case 4:
		p.join4(dst, m, stride)
	default:
		p.join(dst, r, m, stride)
	}
}

func (p *fft) join2(dst []complex128, m, stride int) {
	for k := range m {
		a, b := dst[k], dst[k+m]*p.roots[k*stride]
		dst[k], dst[k+m] = a+b, a-b
	}
}

func (p *fft) join4(dst []complex128, m, stride int) {
	for k := range m {
		a, b := dst[k], dst[k+m]*p.roots[k*stride]
		c, d := dst[k+2*m]*p.roots[2*k*stride], dst[k+3*m]*p.roots[3*k*stride]
		s, t, u, v := a+c, a-c, b+d, b-d
		v = complex(imag(v), -real(v)) // times -i
		dst[k], dst[k+m], dst[k+2*m], dst[k+3*m] = s+u, t+v, s-u, t-v
	}
}

// join is the butterfly of any radix.
func (p *fft) join(dst []complex128, r, m, stride int) {
	var part [largestRadix]complex128
	turn := p.n / r // e^(-2πi/r) is roots[turn]
	for k := range m {
		for q := range r {
			part[q] = dst[k+q*m] * p.roots[q*k*stride]
		}
		for j := range r {
			sum, at := part[0], 0
			for q := 1; q < r; q++ {
				if at += j * turn; at >= p.n {
					at -= p.n
				}
				sum += part[q] * p.roots[at]
			}
			dst[k+j*m] = sum
		}
	}
}
