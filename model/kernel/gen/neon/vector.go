package main

import "math"

// unary generates dst = f(src, a, b) for so many of the scalars a and b.
func (a *assembler) unary(name string, vectors, scalars int, hold func(), f func(x, p, q vec) vec) {
	a.function(name, "", list(pointerTo, "dst", "src"), list(integer, "n"), list(number32, "a", "b"))
	dst, src := a.pointer("dst"), a.pointer("src")
	p, q := none, none
	if scalars > 0 {
		p = a.broadcast("a")
	}
	if scalars > 1 {
		q = a.broadcast("b")
	}
	if hold != nil {
		hold()
	}
	a.loop(vectors, []gp{dst, src}, func(_ int, at func(gp) place, part gp) { a.put(f(a.get(at(src), part), p, q), at(dst), part) })
	a.end()
}

func (a *assembler) unaries() {
	const cheap, dear = 4, 2 // vectors in a turn
	exp := func(minus bool, lo, hi float64) func() {
		return func() { a.holdExp(minus); a.hold(lo, hi) }
	}
	a.unary("vectorExp", dear, 0, exp(false, -104, 89), func(x, _, _ vec) vec { return a.exp(x) })
	a.unary("vectorSigmoid", dear, 0, exp(true, -89, 87.3), func(x, _, _ vec) vec { return a.sigmoid(x, a.constant(1)) })
	a.unary("vectorSilu", dear, 0, exp(true, -89, 87.3), func(x, _, _ vec) vec { return a.sigmoid(x, x) })
	a.unary("vectorTanh", dear, 0, func() { a.holdOdd(9.1, tanhP, tanhQ) }, func(x, _, _ vec) vec { return a.tanh(x) })
	erf := func() { a.holdOdd(3.9, erfP, erfQ) }
	a.unary("vectorErf", dear, 0, erf, func(x, _, _ vec) vec { return a.erf(x) })
	a.unary("vectorGelu", dear, 0, erf, func(x, _, _ vec) vec { return a.gelu(x) })
	unit := func() { a.hold(0, 1, 1./6) }
	a.unary("vectorHardSwish", cheap, 0, unit, func(x, _, _ vec) vec { return a.hardSwish(x) })
	a.unary("vectorHardSigmoid", cheap, 2, unit, a.hardSigmoid)
	a.unary("vectorClip", cheap, 2, nil, a.clip)
	a.unary("vectorLeaky", cheap, 1, nil, func(x, f, _ vec) vec { return a.leaky(x, f) })
	a.unary("vectorLine", cheap, 2, nil, a.fma)
}

// binary generates dst = f(a, b), where one of both may be a single number.
func (a *assembler) binary(name string, left, right bool, code uint32) {
	a.function(name, "", list(pointerTo, "dst", "a", "b"), list(integer, "n"))
	dst, x, y := a.pointer("dst"), a.pointer("a"), a.pointer("b")
	one, pointers := none, []gp{dst}
	for _, side := range []struct {
		single bool
		p      gp
	}{{left, x}, {right, y}} {
		if !side.single {
			pointers = append(pointers, side.p)
			continue
		}
		one = a.last()
		a.p("VLD1R (%s), [V%d.S4]", side.p, a.in[one])
	}
	a.loop(4, pointers, func(_ int, at func(gp) place, part gp) {
		v, w := one, one
		if !left {
			v = a.get(at(x), part)
		}
		if !right {
			w = a.get(at(y), part)
		}
		a.put(a.op(code, v, w), at(dst), part)
	})
	a.end()
}

// lineEach generates dst = src·a + b, element by element.
func (a *assembler) lineEach() {
	a.function("vectorLineEach", "", list(pointerTo, "dst", "src", "a", "b"), list(integer, "n"))
	dst, src, f, b := a.pointer("dst"), a.pointer("src"), a.pointer("a"), a.pointer("b")
	a.loop(2, []gp{dst, src, f, b}, func(_ int, at func(gp) place, part gp) {
		x, y := a.get(at(src), part), a.get(at(f), part)
		a.put(a.onto(fmla, a.get(at(b), part), x, y), at(dst), part)
	})
	a.end()
}

// normalize generates dst = (src - mean)·inverse·scale + bias; without bias, shift stands for all of them; without scale too.
func (a *assembler) normalize(name string, scaled, biased bool) {
	pointers := []string{"dst", "src"}
	if scaled {
		pointers = append(pointers, "scale")
	}
	if biased {
		pointers = append(pointers, "bias")
	}
	a.function(name, "", list(pointerTo, pointers...), list(integer, "n"), list(number32, "mean", "inverse", "shift"))
	in := map[string]gp{}
	var moving []gp
	for _, p := range pointers {
		in[p] = a.pointer(p)
		moving = append(moving, in[p])
	}
	mean, inverse, shift := a.broadcast("mean"), a.broadcast("inverse"), a.broadcast("shift")
	a.loop(2, moving, func(_ int, at func(gp) place, part gp) {
		x := a.op(fsub, a.get(at(in["src"]), part), mean)
		factor, rest := inverse, shift
		if scaled {
			x = a.op(fmul, x, inverse)
			factor = a.get(at(in["scale"]), part)
		}
		if biased {
			rest = a.get(at(in["bias"]), part)
		}
		a.put(a.onto(fmla, rest, x, factor), at(in["dst"]), part)
	})
	a.end()
}

// sums are n vectors of zeros that last.
func (a *assembler) sums(n int) []vec {
	s := make([]vec, n)
	for i := range s {
		s[i] = a.last()
		a.zero(s[i])
	}
	return s
}

// fold makes one of vectors by f, then of its elements by pairs: the result is in all of the first vector.
func (a *assembler) fold(s []vec, f func(x, y vec), pair uint32) {
	for n := len(s) / 2; n > 0; n /= 2 {
		for i := range n {
			f(s[i], s[n+i])
		}
	}
	a.opTo(s[0], pair, s[0], s[0])
	a.opTo(s[0], pair, s[0], s[0])
}

// give returns what fold makes.
func (a *assembler) give(s []vec, f func(x, y vec), pair uint32) {
	a.fold(s, f, pair)
	a.p("FMOVS F%d, ret+%d(FP)", a.in[s[0]], a.result)
	a.end()
}

func (a *assembler) giveSum(s []vec) {
	a.give(s, func(x, y vec) { a.opTo(x, fadd, x, y) }, faddp)
}

func (a *assembler) reductions() {
	a.function("vectorSum", number32, list(pointerTo, "src"), list(integer, "n"))
	src, s := a.pointer("src"), a.sums(4)
	a.loop(4, []gp{src}, func(i int, at func(gp) place, part gp) { a.opTo(s[i], fadd, s[i], a.get(at(src), part)) })
	a.giveSum(s)

	a.function("vectorSquares", number32, list(pointerTo, "src"), list(integer, "n"), list(number32, "mean"))
	src, s = a.pointer("src"), a.sums(4)
	mean := a.broadcast("mean")
	a.loop(4, []gp{src}, func(i int, at func(gp) place, part gp) {
		x := a.op(fsub, a.get(at(src), part), mean)
		if part != "" {
			x = a.op(and, x, a.mask(part))
		}
		a.ontoLast(fmla, s[i], x, x)
	})
	a.giveSum(s)

	a.function("vectorDot", number32, list(pointerTo, "a", "b"), list(integer, "n"))
	x, y, s := a.pointer("a"), a.pointer("b"), a.sums(4)
	a.loop(4, []gp{x, y}, func(i int, at func(gp) place, part gp) {
		a.ontoLast(fmla, s[i], a.get(at(x), part), a.get(at(y), part))
	})
	a.giveSum(s)
	a.greatest()
	a.expSum()
}

// greatest generates the greatest number that is not NaN, -Inf without any.
func (a *assembler) greatest() {
	a.function("vectorGreatest", number32, list(pointerTo, "src"), list(integer, "n"))
	src := a.pointer("src")
	s := make([]vec, 4)
	least := math.Float32bits(float32(math.Inf(-1)))
	for i := range s {
		s[i] = a.last()
		a.numberTo(s[i], least)
	}
	a.loop(4, []gp{src}, func(i int, at func(gp) place, part gp) {
		x := a.get(at(src), part)
		if part != "" {
			x = a.onto(bit, a.bits(least), x, a.mask(part))
		}
		a.greater(s[i], x)
	})
	a.give(s, a.greater, fmaxnmp)
}

// greater makes x, which lasts, y where that is greater, which NaN is not. fmaxnm would let some NaN through.
func (a *assembler) greater(x, y vec) { a.ontoLast(bit, x, y, a.op(fcmgt, y, x)) }

// expSum generates dst = e^(src - top) and its sum; what is less than the least normal number becomes 0.
func (a *assembler) expSum() {
	a.function("vectorExpSum", number32, list(pointerTo, "dst", "src"), list(integer, "n"), list(number32, "top"))
	dst, src, s, top := a.pointer("dst"), a.pointer("src"), a.sums(2), a.broadcast("top")
	a.holdExp(false)
	a.hold(-87.3)
	a.loop(2, []gp{dst, src}, func(i int, at func(gp) place, part gp) {
		x := a.op(fsub, a.get(at(src), part), top)
		gone := a.op(fcmgt, a.constant(-87.3), x)
		p, t := a.expParts(x, false)
		p = a.op(bic, a.op(fmul, p, a.scale(t)), gone)
		if part != "" {
			p = a.op(and, p, a.mask(part))
		}
		a.opTo(s[i], fadd, s[i], p)
		a.put(p, at(dst), part)
	})
	a.giveSum(s)
}
