package main

// The formulas are those of the plain Go code in package kernel, which names their sources; their polynomials are evaluated by pairs (Estrin,
// "Organization of computer systems", 1960), whose steps wait less for each other.

// magic, added to a number, rounds it to an integer, which then stands in the low bits.
const magic = 3 << 22

// powers are x, x², x⁴, … as far as anything asked for them.
type powers []vec

func (a *assembler) power(x *powers, i int) vec {
	for len(*x) <= i {
		p := (*x)[len(*x)-1]
		*x = append(*x, a.op(fmul, p, p))
	}
	return (*x)[i]
}

// polynomial is Σ cᵢ·xⁱ, the highest power first.
func (a *assembler) polynomial(x *powers, coefficients ...float64) vec {
	n := len(coefficients)
	sums := make([]vec, 0, n)
	for i := n - 1; i > 0; i -= 2 {
		sums = append(sums, a.onto(fmla, a.number(coefficients[i]), (*x)[0], a.constant(coefficients[i-1])))
	}
	if n%2 == 1 {
		sums = append(sums, a.constant(coefficients[0]))
	}
	for level := 1; len(sums) > 1; level++ {
		half := sums[:0]
		for i := 0; i+1 < len(sums); i += 2 {
			half = append(half, a.onto(fmla, sums[i], sums[i+1], a.power(x, level)))
		}
		if len(sums)%2 == 1 {
			half = append(half, sums[len(sums)-1])
		}
		sums = half
	}
	return sums[0]
}

// multiplied are the coefficients that polynomial multiplies with, which are worth to be held.
func multiplied(coefficients ...float64) (held []float64) {
	for i := len(coefficients) - 2; i >= 0; i -= 2 {
		held = append(held, coefficients[i])
	}
	if len(coefficients)%2 == 1 {
		held = append(held, coefficients[0])
	}
	return held
}

// within is x in [lo, hi], or NaN.
func (a *assembler) within(x vec, lo, hi float64) vec {
	return a.op(fmin, a.op(fmax, x, a.constant(lo)), a.constant(hi))
}

// signed are the coefficients, the highest power of x first, for -x.
func signed(minus bool, coefficients ...float64) []float64 {
	c := append([]float64(nil), coefficients...)
	for i := range c {
		if power := len(c) - 1 - i; minus && power%2 == 1 {
			c[i] = -c[i]
		}
	}
	return c
}

const log2e, ln2High, ln2Low = 1.44269504088896341, .693359375, -2.12194440054690583e-4

func expCoefficients(minus bool) []float64 {
	return signed(minus, 1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
}

// holdExp holds what expParts uses.
func (a *assembler) holdExp(minus bool) {
	factor := log2e
	if minus {
		factor = -log2e
	}
	a.hold(factor, magic, ln2High, ln2Low, 1)
	a.hold(multiplied(expCoefficients(minus)...)...)
}

// expParts is e^x, or e^-x, = p·2^n with n in the low bits of t, plus those of magic. With minus, r below is less its sign.
func (a *assembler) expParts(x vec, minus bool) (p, t vec) {
	factor, take := log2e, uint32(fmls)
	if minus {
		factor, take = -log2e, fmla
	}
	t = a.onto(fmla, a.number(magic), x, a.constant(factor))
	n := a.op(fsub, t, a.constant(magic))
	r := a.onto(take, x, n, a.constant(ln2High))
	r = a.onto(take, r, n, a.constant(ln2Low))
	of := powers{r}
	square := a.power(&of, 1)
	p = a.polynomial(&of, expCoefficients(minus)...)
	if minus {
		return a.op(fsub, a.constant(1), a.onto(fmls, r, p, square)), t
	}
	return a.op(fadd, a.onto(fmla, r, p, square), a.constant(1)), t
}

const oneBits = 0x3f800000

// scale is 2^n for n in the low bits of t, from -126 to 128, which gives infinity.
func (a *assembler) scale(t vec) vec { return a.op(add, a.left(t, 23), a.constantBits(oneBits)) }

// exp is e^x for all x: 2^n in two steps, as it may be less or more than a number can be.
func (a *assembler) exp(x vec) vec {
	p, t := a.expParts(a.within(x, -104, 89), false)
	half := a.right(t, 1)
	rest := a.op(sub, t, half)
	return a.op(fmul, a.op(fmul, p, a.scale(half)), a.scale(rest))
}

// sigmoid is y/(1 + e^-x). Where e^-x is not a normal number, it does not count beside 1; where it is almost infinite, the result is 0.
func (a *assembler) sigmoid(x, y vec) vec {
	p, t := a.expParts(a.within(x, -89, 87.3), true)
	return a.op(fdiv, y, a.onto(fmla, a.number(1), p, a.scale(t)))
}

// odd is x·p(x²)/q(x²), in [-1, 1].
func (a *assembler) odd(x vec, p, q []float64) vec {
	square := powers{a.op(fmul, x, x)}
	u, v := a.polynomial(&square, p...), a.polynomial(&square, q...)
	return a.within(a.op(fmul, a.op(fdiv, u, v), x), -1, 1)
}

var (
	tanhP = []float64{-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03}
	tanhQ = []float64{1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03}
	erfP  = []float64{0.00022905065861350646, 0.0034082910107109506, 0.050955695062380861, 0.18520832239976145, 1.128379143519084}
	erfQ  = []float64{-1.1791602954361697e-7, 0.000023547966471313185, 0.0010179625278914885, 0.014070470171167667, 0.11098505178285362, 0.49746925110067538, 1}
)

func (a *assembler) holdOdd(most float64, p, q []float64) {
	a.hold(-most, most, -1, 1)
	a.hold(multiplied(p...)...)
	a.hold(multiplied(q...)...)
}

func (a *assembler) tanh(x vec) vec { return a.odd(a.within(x, -9.1, 9.1), tanhP, tanhQ) }
func (a *assembler) erf(x vec) vec  { return a.odd(a.within(x, -3.9, 3.9), erfP, erfQ) }

func (a *assembler) gelu(x vec) vec {
	e := a.erf(a.op(fmul, x, a.constant(.7071067811865476)))
	h := a.op(fmul, x, a.constant(.5))
	return a.onto(fmla, h, e, h)
}

func (a *assembler) clip(x, lo, hi vec) vec { return a.op(fmin, a.op(fmax, x, lo), hi) }

// fma is x·y + z for z that is wanted later too.
func (a *assembler) fma(x, y, z vec) vec { return a.onto(fmla, z, x, y) }

func (a *assembler) hardSigmoid(x, f, b vec) vec { return a.within(a.fma(x, f, b), 0, 1) }

func (a *assembler) hardSwish(x vec) vec {
	return a.op(fmul, a.within(a.onto(fmla, a.number(.5), x, a.constant(1./6)), 0, 1), x)
}

// leaky is f·x where x < 0.
func (a *assembler) leaky(x, f vec) vec {
	y, less := a.op(fmul, x, f), a.one(fcmltZero, x)
	return a.onto(bit, x, y, less)
}

// pairs are the functions of two numbers; left ones are not the same with their arguments exchanged. fmax and fmin give NaN where one is.
var pairs = []struct {
	name string
	left bool
	code uint32
}{{"Add", false, fadd}, {"Sub", true, fsub}, {"Mul", false, fmul}, {"Div", true, fdiv}, {"Max", false, fmax}, {"Min", false, fmin}}
