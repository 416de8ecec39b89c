package kernel

import "math"

// Functions over slices of float32. Each element comes out the same wherever its slice begins or ends; dst may be src, but may not overlap
// it otherwise. NaN goes in and comes out. Paths differ in the last digits.

// mapping is a function of one number and two scalars.
type mapping int

const (
	mapExp mapping = iota
	mapSigmoid
	mapSilu
	mapTanh
	mapErf
	mapGelu
	mapHardSwish
	mapHardSigmoid
	mapClip
	mapLeaky
	mapLine
)

// mapped runs a mapping over src in assembly, and reports whether it did.
func mapped(m mapping, dst, src []float32, a, b float32) bool {
	return len(src) == 0 || mapMachine(m, dst[:len(src)], src, a, b)
}

// Exp writes e^x. Relative error below 2e-7.
func Exp(dst, src []float32) {
	if !mapped(mapExp, dst, src, 0, 0) {
		plainEach(dst, src, plainExp)
	}
}

// Sigmoid writes 1/(1 + e^-x). Relative error below 3e-7; what is less than the least normal number may become 0.
func Sigmoid(dst, src []float32) {
	if !mapped(mapSigmoid, dst, src, 0, 0) {
		plainEach(dst, src, plainSigmoid)
	}
}

// Silu writes x/(1 + e^-x). Its error is as that of Sigmoid.
func Silu(dst, src []float32) {
	if !mapped(mapSilu, dst, src, 0, 0) {
		plainEach(dst, src, plainSilu)
	}
}

// Tanh writes tanh x. Relative error below 5e-7.
func Tanh(dst, src []float32) {
	if !mapped(mapTanh, dst, src, 0, 0) {
		plainEach(dst, src, plainTanh)
	}
}

// Erf writes the error function of x. Relative error below 5e-7.
func Erf(dst, src []float32) {
	if !mapped(mapErf, dst, src, 0, 0) {
		plainEach(dst, src, plainErf)
	}
}

// Gelu writes x·(1 + erf(x/√2))/2. Its error is below 2e-7 of x.
func Gelu(dst, src []float32) {
	if !mapped(mapGelu, dst, src, 0, 0) {
		plainEach(dst, src, plainGelu)
	}
}

// HardSwish writes x·max(0, min(1, x/6 + 1/2)).
func HardSwish(dst, src []float32) {
	if !mapped(mapHardSwish, dst, src, 0, 0) {
		plainEach(dst, src, func(x float32) float32 { return x * within(x*(1./6)+.5, 0, 1) })
	}
}

// HardSigmoid writes max(0, min(1, a·x + b)).
func HardSigmoid(dst, src []float32, a, b float32) {
	if !mapped(mapHardSigmoid, dst, src, a, b) {
		plainEach(dst, src, func(x float32) float32 { return within(a*x+b, 0, 1) })
	}
}

// ClipTo writes min(max(x, lo), hi); hi wins where lo > hi.
func ClipTo(dst, src []float32, lo, hi float32) {
	if !mapped(mapClip, dst, src, lo, hi) {
		plainEach(dst, src, func(x float32) float32 { return within(x, lo, hi) })
	}
}

// LeakyTo writes x, or a·x where x < 0.
func LeakyTo(dst, src []float32, a float32) {
	if !mapped(mapLeaky, dst, src, a, 0) {
		plainEach(dst, src, func(x float32) float32 {
			if x < 0 {
				x *= a
			}
			return x
		})
	}
}

// Line writes a·x + b.
func Line(dst, src []float32, a, b float32) {
	if !mapped(mapLine, dst, src, a, b) {
		plainEach(dst, src, func(x float32) float32 { return a*x + b })
	}
}

// within is x in [lo, hi], or NaN. It is quicker than min and max, which care about the sign of 0.
func within(x, lo, hi float32) float32 {
	if x < lo {
		x = lo
	}
	if x > hi {
		x = hi
	}
	return x
}

const (
	log2e    = 1.44269504088896341
	ln2High  = 0.693359375             // ln 2, the upper bits
	ln2Low   = -2.12194440054690583e-4 // and the rest
	magic    = 3 << 22                 // adding it rounds a float32 to an integer, which then stands in the low bits
	leastExp = -87.3                   // below, 2^n is not a normal number
)

// expParts is e^x = p·2^n with n in the low bits of t, plus those of magic (Cephes, expf).
func expParts(x float32) (p, t float32) {
	t = x*log2e + magic
	n := t - magic
	r := x - n*ln2High - n*ln2Low
	p = float32(1.9875691500e-4)
	p = p*r + 1.3981999507e-3
	p = p*r + 8.3334519073e-3
	p = p*r + 4.1665795894e-2
	p = p*r + 1.6666665459e-1
	p = p*r + 5.0000001201e-1
	return p*(r*r) + r + 1, t
}

// plainExp takes 2^n in two steps, as it may be less or more than a number can be.
func plainExp(x float32) float32 {
	p, t := expParts(within(x, -104, 89))
	n := int32(math.Float32bits(t)) - 0x4b400000
	h := n >> 1
	return p * math.Float32frombits(uint32(h+127)<<23) * math.Float32frombits(uint32(n-h+127)<<23)
}

func plainSigmoid(x float32) float32 { return 1 / (1 + plainExp(-x)) }
func plainSilu(x float32) float32    { return x / (1 + plainExp(-x)) }

// plainTanh is the quotient of two polynomials (Eigen, ptanh).
func plainTanh(v float32) float32 {
	x := within(v, -9.1, 9.1)
	z := x * x
	p := float32(-2.76076847742355e-16)
	p = p*z + 2.00018790482477e-13
	p = p*z - 8.60467152213735e-11
	p = p*z + 5.12229709037114e-08
	p = p*z + 1.48572235717979e-05
	p = p*z + 6.37261928875436e-04
	p = p*z + 4.89352455891786e-03
	q := float32(1.19825839466702e-06)
	q = q*z + 1.18534705686654e-04
	q = q*z + 2.26843463243900e-03
	q = q*z + 4.89352518554385e-03
	return within(p/q*x, -1, 1)
}

// plainErf is the quotient of two polynomials (XLA, ErfImpl32).
func plainErf(v float32) float32 {
	x := within(v, -3.9, 3.9)
	z := x * x
	p := float32(0.00022905065861350646)
	p = p*z + 0.0034082910107109506
	p = p*z + 0.050955695062380861
	p = p*z + 0.18520832239976145
	p = p*z + 1.128379143519084
	q := float32(-1.1791602954361697e-7)
	q = q*z + 0.000023547966471313185
	q = q*z + 0.0010179625278914885
	q = q*z + 0.014070470171167667
	q = q*z + 0.11098505178285362
	q = q*z + 0.49746925110067538
	q = q*z + 1
	return within(p/q*x, -1, 1)
}

func plainGelu(x float32) float32 {
	h := .5 * x
	return plainErf(x*(1/math.Sqrt2))*h + h
}
