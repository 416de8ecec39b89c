package main

import (
	"github.com/mmcloughlin/avo/attr"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// The formulas are those of the plain Go code in package kernel, which names their sources, operation by operation: nothing is fused, so that all
// machines come to the same bits.

func (m *machine) mul(x, y vec) vec { r := m.vector(); VMULPS(y, x, r); return r }
func (m *machine) add(x, y vec) vec { r := m.vector(); VADDPS(y, x, r); return r }
func (m *machine) sub(x, y vec) vec { r := m.vector(); VSUBPS(y, x, r); return r }
func (m *machine) div(x, y vec) vec { r := m.vector(); VDIVPS(y, x, r); return r }
func (m *machine) sqrt(x vec) vec   { r := m.vector(); VSQRTPS(x, r); return r }

// times is x times a field of kernel.Step.
func (m *machine) times(field string, x vec) vec { return m.mul(x, m.numbers[field]) }

// none is a vector of zeros, made anew: there are not enough registers to keep one.
func (m *machine) none() vec {
	z := m.vector()
	if m.bytes == 64 {
		VPXORD(z, z, z)
	} else {
		VXORPS(z, z, z)
	}
	return z
}

// directed is amount with the sign of x; 0 where x is 0 or NaN.
func (m *machine) directed(amount, x vec) vec {
	const less, greater = 17, 30 // and false for NaN
	z := m.none()
	part := func(compare uint64) vec {
		r := m.vector()
		if m.bytes == 64 {
			k := K()
			VCMPPS(Imm(compare), z, x, k)
			VMOVAPS_Z(amount, k, r)
		} else {
			VCMPPS(Imm(compare), z, x, r)
			VANDPS(amount, r, r)
		}
		return r
	}
	return m.sub(part(greater), part(less))
}

// gradient is Scale·g + Decay·w.
func (m *machine) gradient(w vec) vec {
	return m.add(m.times("Scale", m.load("grad")), m.times("Decay", w))
}

func (m *machine) plain() {
	w := m.load("p")
	m.store(m.sub(w, m.times("Rate", m.gradient(w))), "p")
}

func (m *machine) momentum(nesterov bool) {
	w := m.load("p")
	d := m.gradient(w)
	s := m.add(m.times("Mean", m.load("s0")), m.times("MeanNew", d))
	m.store(s, "s0")
	if nesterov {
		s = m.add(d, m.times("Mean", s))
	}
	m.store(m.sub(w, m.times("Rate", s)), "p")
}

// squares is Square·s + SquareNew·d·d.
func (m *machine) squares(s, d vec) vec {
	return m.add(m.times("Square", s), m.mul(m.times("SquareNew", d), d))
}

func (m *machine) adam() {
	w := m.load("p")
	d := m.gradient(w)
	mean := m.load("s0")
	mean = m.add(mean, m.times("MeanNew", m.sub(d, mean)))
	m.store(mean, "s0")
	v := m.squares(m.load("s1"), d)
	m.store(v, "s1")
	root := m.add(m.times("Root", m.sqrt(v)), m.numbers["Eps"])
	m.store(m.sub(m.times("Keep", w), m.div(m.times("Rate", mean), root)), "p")
}

func (m *machine) rmsProp(centered bool) {
	w := m.load("p")
	d := m.gradient(w)
	v := m.squares(m.load("s0"), d)
	m.store(v, "s0")
	if centered {
		mean := m.load("s2")
		mean = m.add(mean, m.times("SquareNew", m.sub(d, mean)))
		m.store(mean, "s2")
		v = m.sub(v, m.mul(mean, mean))
		r := m.vector()
		VMAXPS(v, m.none(), r) // NaN, the second source of the instruction, stays
		v = r
	}
	s := m.add(m.times("Mean", m.load("s1")), m.div(d, m.add(m.sqrt(v), m.numbers["Eps"])))
	m.store(s, "s1")
	m.store(m.sub(w, m.times("Rate", s)), "p")
}

func (m *machine) adagrad() {
	w := m.load("p")
	d := m.gradient(w)
	v := m.add(m.load("s0"), m.mul(d, d))
	m.store(v, "s0")
	m.store(m.sub(w, m.div(m.times("Rate", d), m.add(m.sqrt(v), m.numbers["Eps"]))), "p")
}

func (m *machine) lion() {
	d, s := m.times("Scale", m.load("grad")), m.load("s0")
	u := m.add(m.times("Mean", s), m.times("MeanNew", d))
	m.store(m.sub(m.times("Keep", m.load("p")), m.directed(m.numbers["Rate"], u)), "p")
	m.store(m.add(m.times("Square", s), m.times("SquareNew", d)), "s0")
}

// penalty is g + (Decay·w + Scale·sign w).
func (m *machine) penalty() {
	w := m.load("p")
	m.store(m.add(m.load("grad"), m.add(m.times("Decay", w), m.directed(m.numbers["Scale"], w))), "grad")
}

// accumulate generates dst += factor·src.
func (m *machine) accumulate() {
	m.function("descentAccumulate", "dst, src *float32, n int, MASK, factor float32")
	m.slices("dst src")
	at, err := Param("factor").Resolve()
	if err != nil {
		panic(err)
	}
	factor := m.vector()
	VBROADCASTSS(at.Addr, factor)
	m.loop(func() { m.store(m.add(m.load("dst"), m.mul(m.load("src"), factor)), "dst") })
}

// energyLanes is how many sums kernel.Energy adds up side by side.
const energyLanes = 32

// energy generates the sums of squares, as float64, of each of the lanes of blocks of src. A square of float32 is exact in float64, fused or not.
func (m *machine) energy() {
	TEXT("descentEnergy"+m.suffix, attr.NOSPLIT, "func(sums *float64, src *float32, blocks int)")
	Pragma("noescape")
	sums, src, blocks := Load(Param("sums"), GP64()), Load(Param("src"), GP64()), Load(Param("blocks"), GP64())
	s := make([]vec, energyLanes*8/m.bytes)
	for i := range s {
		s[i] = m.none()
	}
	Label("block")
	for i := range s {
		x := m.vector()
		VCVTPS2PD(Mem{Base: src, Disp: i * m.bytes / 2}, x)
		VFMADD231PD(x, x, s[i])
	}
	ADDQ(Imm(energyLanes*4), src)
	DECQ(blocks)
	JNE(LabelRef("block"))
	for i := range s {
		VMOVUPD(s[i], Mem{Base: sums, Disp: i * m.bytes})
	}
	VZEROUPPER()
	RET()
}
