package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// The formulas are those of the plain Go code in package kernel, which names their sources. A function may overwrite its first argument.

// magic, added to a number, rounds it to an integer, which then stands in the low bits.
const magic = 3 << 22

// fma is x·y + z in a new register.
func fma(x, y, z vec) vec {
	r := YMM()
	VMOVAPS(x, r)
	VFMADD213PS(z, y, r)
	return r
}

// polynomial is Σ cᵢ·xⁱ, the highest power first.
func polynomial(x vec, coefficients ...float64) vec {
	p := number(coefficients[0])
	for _, c := range coefficients[1:] {
		VFMADD213PS(constant(c), x, p)
	}
	return p
}

// within is x in [lo, hi]; NaN, the second source of the instructions, stays.
func within(x vec, lo, hi float64) vec {
	r := YMM()
	VMAXPS(x, number(lo), r)
	VMINPS(r, number(hi), r)
	return r
}

var expCoefficients = []float64{1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1}

// expConstants are worth to be held by functions that use expParts.
var expConstants = append([]float64{1, magic, 1.44269504088896341, .693359375}, expCoefficients[1:]...)

// expParts is e^x = p·2^n with n in the low bits of t, plus those of magic.
func expParts(x vec) (p, t vec) {
	t, n, r := YMM(), YMM(), YMM()
	VMOVUPS(constant(1.44269504088896341), t)
	VFMADD213PS(constant(magic), x, t)
	VSUBPS(constant(magic), t, n)
	VMOVAPS(x, r)
	VFNMADD231PS(constant(.693359375), n, r)
	VFNMADD231PS(constant(-2.12194440054690583e-4), n, r)
	p = polynomial(r, expCoefficients...)
	square := YMM()
	VMULPS(r, r, square)
	VFMADD213PS(r, square, p)
	VADDPS(constant(1), p, p)
	return p, t
}

// exp is e^x for all x: 2^n in two steps, as it may be less or more than a number can be.
func exp(x vec) vec {
	p, t := expParts(within(x, -104, 89))
	VPSUBD(word(0x4b400000), t, t)
	half := YMM()
	VPSRAD(Imm(1), t, half)
	VPSUBD(half, t, t)
	for _, n := range []vec{half, t} {
		VPADDD(word(127), n, n)
		VPSLLD(Imm(23), n, n)
		VMULPS(n, p, p)
	}
	return p
}

// sigmoid is y/(1 + e^-x).
func sigmoid(x, y vec) vec {
	minus := YMM()
	VXORPS(word(0x80000000), x, minus)
	e := exp(minus)
	VADDPS(constant(1), e, e)
	VDIVPS(e, y, e)
	return e
}

// odd is x·p(x²)/q(x²), in [-1, 1].
func odd(x vec, p, q []float64) vec {
	square := YMM()
	VMULPS(x, x, square)
	a, b := polynomial(square, p...), polynomial(square, q...)
	VDIVPS(b, a, a)
	VMULPS(x, a, a)
	return within(a, -1, 1)
}

func tanh(x vec) vec {
	return odd(within(x, -9.1, 9.1),
		[]float64{-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03},
		[]float64{1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03})
}

func erf(x vec) vec {
	return odd(within(x, -3.9, 3.9),
		[]float64{0.00022905065861350646, 0.0034082910107109506, 0.050955695062380861, 0.18520832239976145, 1.128379143519084},
		[]float64{-1.1791602954361697e-7, 0.000023547966471313185, 0.0010179625278914885, 0.014070470171167667, 0.11098505178285362, 0.49746925110067538, 1})
}

func gelu(x vec) vec {
	y, h := YMM(), YMM()
	VMULPS(constant(.7071067811865476), x, y)
	VMULPS(constant(.5), x, h)
	e := erf(y)
	VFMADD213PS(h, h, e)
	return e
}

func clip(x, lo, hi vec) vec {
	r := YMM()
	VMAXPS(x, lo, r)
	VMINPS(r, hi, r)
	return r
}

func hardSigmoid(x, a, b vec) vec { return within(fma(x, a, b), 0, 1) }

func hardSwish(x vec) vec {
	y := number(1. / 6)
	VFMADD213PS(constant(.5), x, y)
	y = within(y, 0, 1)
	VMULPS(x, y, y)
	return y
}

// leaky is a·x where the sign of x is set.
func leaky(x, a vec) vec {
	r := YMM()
	VMULPS(x, a, r)
	VBLENDVPS(x, r, x, r)
	return r
}

// pairs are the functions of two numbers; left ones are not the same with their arguments exchanged.
var pairs = []struct {
	name string
	left bool
	f    func(x, y vec) vec
}{
	{"Add", false, func(x, y vec) vec { r := YMM(); VADDPS(y, x, r); return r }},
	{"Sub", true, func(x, y vec) vec { r := YMM(); VSUBPS(y, x, r); return r }},
	{"Mul", false, func(x, y vec) vec { r := YMM(); VMULPS(y, x, r); return r }},
	{"Div", true, func(x, y vec) vec { r := YMM(); VDIVPS(y, x, r); return r }},
	{"Max", false, func(x, y vec) vec { r := YMM(); VMAXPS(y, x, r); return keepNaN(x, r) }},
	{"Min", false, func(x, y vec) vec { r := YMM(); VMINPS(y, x, r); return keepNaN(x, r) }},
}

// keepNaN is x where that is NaN, y elsewhere.
func keepNaN(x, y vec) vec {
	nan := YMM()
	VCMPPS(Imm(3), x, x, nan)
	VBLENDVPS(nan, x, y, y)
	return y
}
