package main

import (
	"strings"
)

// fields of kernel.Step, in their order; a test of package kernel holds them to the struct.
var fields = []string{"Scale", "Decay", "Keep", "Rate", "Mean", "MeanNew", "Square", "SquareNew", "Root", "Eps"}

// rule is a function of kernel.Step at one vector. The formulas are those of the plain Go code in package kernel, operation by operation: nothing is
// fused, so that all machines come to the same bits.
type rule struct {
	*assembler
	numbers map[string]vec
	in      map[string]gp
	at      func(gp) place
	part    gp
}

// descents writes loops that move parameters against their gradients.
func descents(a *assembler) {
	a.rule("descentPlain", "p grad", "Scale Decay Rate", (*rule).plain)
	a.rule("descentMomentum", "p grad s0", "Scale Decay Rate Mean MeanNew", func(r *rule) { r.momentum(false) })
	a.rule("descentNesterov", "p grad s0", "Scale Decay Rate Mean MeanNew", func(r *rule) { r.momentum(true) })
	a.rule("descentAdam", "p grad s0 s1", "Scale Decay Keep Rate MeanNew Square SquareNew Root Eps", (*rule).adam)
	a.rule("descentRMSProp", "p grad s0 s1", "Scale Decay Rate Mean Square SquareNew Eps", func(r *rule) { r.rmsProp(false) })
	a.rule("descentCentered", "p grad s0 s1 s2", "Scale Decay Rate Mean Square SquareNew Eps", func(r *rule) { r.rmsProp(true) })
	a.rule("descentAdagrad", "p grad s0", "Scale Decay Rate Eps", (*rule).adagrad)
	a.rule("descentLion", "p grad s0", "Scale Keep Rate Mean MeanNew Square SquareNew", (*rule).lion)
	a.rule("descentPenalty", "p grad", "Scale Decay", (*rule).penalty)
	a.accumulate()
	a.energy()
}

func (a *assembler) rule(name, slices, numbers string, body func(r *rule)) {
	a.function(name, "", list(pointerTo, "numbers", "p", "grad", "s0", "s1", "s2"), list(integer, "n"))
	r := rule{assembler: a, numbers: map[string]vec{}, in: map[string]gp{}}
	step := a.pointer("numbers")
	for i, f := range fields {
		for _, used := range strings.Fields(numbers) {
			if f == used {
				r.numbers[f] = a.last()
				a.p("ADD $%d, %s, %s", i*4, step, spare)
				a.p("VLD1R (%s), [V%d.S4]", spare, a.in[r.numbers[f]])
			}
		}
	}
	var moving []gp
	for _, s := range strings.Fields(slices) {
		r.in[s] = a.pointer(s)
		moving = append(moving, r.in[s])
	}
	a.loop(2, moving, func(_ int, at func(gp) place, part gp) {
		r.at, r.part = at, part
		body(&r)
	})
	a.end()
}

func (r *rule) of(slice string) vec           { return r.get(r.at(r.in[slice]), r.part) }
func (r *rule) to(slice string, x vec)        { r.put(x, r.at(r.in[slice]), r.part) }
func (r *rule) mul(x, y vec) vec              { return r.op(fmul, x, y) }
func (r *rule) plus(x, y vec) vec             { return r.op(fadd, x, y) }
func (r *rule) minus(x, y vec) vec            { return r.op(fsub, x, y) }
func (r *rule) quotient(x, y vec) vec         { return r.op(fdiv, x, y) }
func (r *rule) times(field string, x vec) vec { return r.mul(x, r.numbers[field]) }

// directed is amount with the sign of x; 0 where x is 0 or NaN.
func (r *rule) directed(amount, x vec) vec {
	return r.minus(r.op(and, r.one(fcmgtZero, x), amount), r.op(and, r.one(fcmltZero, x), amount))
}

// gradient is Scale·g + Decay·w.
func (r *rule) gradient(w vec) vec {
	return r.plus(r.times("Scale", r.of("grad")), r.times("Decay", w))
}

func (r *rule) plain() {
	w := r.of("p")
	r.to("p", r.minus(w, r.times("Rate", r.gradient(w))))
}

func (r *rule) momentum(nesterov bool) {
	w := r.of("p")
	d := r.gradient(w)
	s := r.plus(r.times("Mean", r.of("s0")), r.times("MeanNew", d))
	r.to("s0", s)
	if nesterov {
		s = r.plus(d, r.times("Mean", s))
	}
	r.to("p", r.minus(w, r.times("Rate", s)))
}

// squares is Square·s + SquareNew·d·d.
func (r *rule) squares(s, d vec) vec {
	return r.plus(r.times("Square", s), r.mul(r.times("SquareNew", d), d))
}

func (r *rule) adam() {
	w := r.of("p")
	d := r.gradient(w)
	mean := r.of("s0")
	mean = r.plus(mean, r.times("MeanNew", r.minus(d, mean)))
	r.to("s0", mean)
	v := r.squares(r.of("s1"), d)
	r.to("s1", v)
	root := r.plus(r.times("Root", r.one(fsqrt, v)), r.numbers["Eps"])
	r.to("p", r.minus(r.times("Keep", w), r.quotient(r.times("Rate", mean), root)))
}

func (r *rule) rmsProp(centered bool) {
	w := r.of("p")
	d := r.gradient(w)
	v := r.squares(r.of("s0"), d)
	r.to("s0", v)
	if centered {
		mean := r.of("s2")
		mean = r.plus(mean, r.times("SquareNew", r.minus(d, mean)))
		r.to("s2", mean)
		v = r.op(fmax, r.minus(v, r.mul(mean, mean)), r.constant(0))
	}
	s := r.plus(r.times("Mean", r.of("s1")), r.quotient(d, r.plus(r.one(fsqrt, v), r.numbers["Eps"])))
	r.to("s1", s)
	r.to("p", r.minus(w, r.times("Rate", s)))
}

func (r *rule) adagrad() {
	w := r.of("p")
	d := r.gradient(w)
	v := r.plus(r.of("s0"), r.mul(d, d))
	r.to("s0", v)
	r.to("p", r.minus(w, r.quotient(r.times("Rate", d), r.plus(r.one(fsqrt, v), r.numbers["Eps"]))))
}

func (r *rule) lion() {
	d, s := r.times("Scale", r.of("grad")), r.of("s0")
	u := r.plus(r.times("Mean", s), r.times("MeanNew", d))
	r.to("p", r.minus(r.times("Keep", r.of("p")), r.directed(r.numbers["Rate"], u)))
	r.to("s0", r.plus(r.times("Square", s), r.times("SquareNew", d)))
}

// penalty is g + (Decay·w + Scale·sign w).
func (r *rule) penalty() {
	w := r.of("p")
	r.to("grad", r.plus(r.of("grad"), r.plus(r.times("Decay", w), r.directed(r.numbers["Scale"], w))))
}

// accumulate generates dst += factor·src.
func (a *assembler) accumulate() {
	a.function("descentAccumulate", "", list(pointerTo, "dst", "src"), list(integer, "n"), list(number32, "factor"))
	dst, src, factor := a.pointer("dst"), a.pointer("src"), a.broadcast("factor")
	a.loop(4, []gp{dst, src}, func(_ int, at func(gp) place, part gp) {
		x := a.op(fmul, a.get(at(src), part), factor)
		a.put(a.op(fadd, a.get(at(dst), part), x), at(dst), part)
	})
	a.end()
}

// energyLanes is how many sums kernel.Energy adds up side by side.
const energyLanes = 32

// energy generates the sums of squares, as float64, of each of the lanes of blocks of src. A square of float32 is exact in float64, fused or not.
func (a *assembler) energy() {
	a.function("descentEnergy", "", list("*float64", "sums"), list(pointerTo, "src"), list(integer, "blocks"))
	sums, src, blocks, s := a.pointer("sums"), a.pointer("src"), a.pointer("blocks"), a.sums(energyLanes/2)
	a.label("block")
	for i := 0; i < len(s); i += 2 {
		x := a.load(place{src, i * 8})
		low, high := a.one(fcvtl, x), a.one(fcvtl2, x)
		a.ontoLast(fmlaDouble, s[i], low, low)
		a.ontoLast(fmlaDouble, s[i+1], high, high)
	}
	a.p("ADD $%d, %s", energyLanes*4, src)
	a.p("SUBS $1, %s", blocks)
	a.p("BNE block")
	for i, v := range s {
		a.store(v, place{sums, i * vectorBytes})
	}
	a.end()
}
