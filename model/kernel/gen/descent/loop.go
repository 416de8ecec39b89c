package main

import (
	"strings"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type (
	vec = reg.VecVirtual
	gp  = reg.Register
)

// fields of kernel.Step, in their order; a test of package kernel holds them to the struct.
var fields = []string{"Scale", "Decay", "Keep", "Rate", "Mean", "MeanNew", "Square", "SquareNew", "Root", "Eps"}

// machine is what a function is made for: vectors of 32 bytes (AVX2) or 64 (AVX-512).
type machine struct {
	bytes  int
	suffix string

	// Of the function at hand:
	pointers []gp
	in       map[string]gp
	numbers  map[string]vec

	// Of the vector at hand:
	at     int // its place, in bytes from each pointer
	masked bool
	mask   vec          // AVX2: of the last vector
	k      reg.Register // AVX-512
}

func (m *machine) vector() vec {
	if m.bytes == 64 {
		return ZMM()
	}
	return YMM()
}

func (m *machine) function(name, signature string) {
	mask := "mask *int32"
	if m.bytes == 64 {
		mask = "mask uint32"
	}
	TEXT(name+m.suffix, attr.NOSPLIT, "func("+strings.Replace(signature, "MASK", mask, 1)+")")
	Pragma("noescape")
	m.pointers, m.in, m.numbers = nil, map[string]gp{}, map[string]vec{}
}

func (m *machine) slices(names string) {
	for _, name := range strings.Fields(names) {
		m.in[name] = Load(Param(name), GP64())
		m.pointers = append(m.pointers, m.in[name])
	}
}

// rule generates a function of kernel.Step, whose fields in use are held in registers, over slices of n elements.
func (m *machine) rule(name, slices, numbers string, body func()) {
	m.function(name, "numbers, p, grad, s0, s1, s2 *float32, n int, MASK")
	step := Load(Param("numbers"), GP64())
	for i, f := range fields {
		for _, used := range strings.Fields(numbers) {
			if f == used {
				m.numbers[f] = m.vector()
				VBROADCASTSS(Mem{Base: step, Disp: i * 4}, m.numbers[f])
			}
		}
	}
	m.slices(slices)
	m.loop(body)
}

// loop runs body over n elements, two vectors at a time, one, and at last those that the mask selects.
func (m *machine) loop(body func()) {
	n := Load(Param("n"), GP64())
	each := uint64(m.bytes / 4)
	m.masked = false
	turn := func(label string, vectors int) {
		SUBQ(Imm(uint64(vectors)*each), n)
		JLT(LabelRef(label + "done"))
		Label(label)
		for i := range vectors {
			m.at = i * m.bytes
			body()
		}
		for _, p := range m.pointers {
			ADDQ(Imm(uint64(vectors*m.bytes)), p)
		}
		SUBQ(Imm(uint64(vectors)*each), n)
		JGE(LabelRef(label))
		Label(label + "done")
		ADDQ(Imm(uint64(vectors)*each), n)
	}
	turn("turns", 2)
	turn("vectors", 1)
	TESTQ(n, n)
	JE(LabelRef("end"))
	if m.bytes == 64 {
		m.k = K()
		bits := Load(Param("mask"), GP32())
		KMOVW(bits, m.k)
	} else {
		m.mask = YMM()
		VMOVUPS(Mem{Base: Load(Param("mask"), GP64())}, m.mask)
	}
	m.at, m.masked = 0, true
	body()
	Label("end")
	VZEROUPPER()
	RET()
}

// load is the vector of a slice; 0 where the mask selects nothing.
func (m *machine) load(slice string) vec {
	at, x := Mem{Base: m.in[slice], Disp: m.at}, m.vector()
	switch {
	case !m.masked:
		VMOVUPS(at, x)
	case m.bytes == 64:
		VMOVUPS_Z(at, m.k, x)
	default:
		VMASKMOVPS(at, m.mask, x)
	}
	return x
}

func (m *machine) store(x vec, slice string) {
	at := Mem{Base: m.in[slice], Disp: m.at}
	switch {
	case !m.masked:
		VMOVUPS(x, at)
	case m.bytes == 64:
		VMOVUPS(x, m.k, at)
	default:
		VMASKMOVPS(x, m.mask, at)
	}
}
