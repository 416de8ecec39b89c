package main

import (
	"math"
	"strconv"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type (
	vec = reg.VecVirtual
	gp  = reg.Register
)

const width = 32 // bytes of a vector of eight float32

var numbers = map[uint32]Mem{}

// word is a vector of eight equal words in memory.
func word(bits uint32) Mem {
	m, ok := numbers[bits]
	if !ok {
		m = GLOBL("word"+strconv.FormatUint(uint64(bits), 16), attr.RODATA|attr.NOPTR)
		for i := range 8 {
			DATA(i*4, U32(bits))
		}
		numbers[bits] = m
	}
	return m
}

// held are constants that a function keeps in registers: memory is read only twice in a cycle.
var held = map[uint32]vec{}

// hold keeps constants in registers to the end of a function.
func hold(numbers ...float64) {
	for _, v := range numbers {
		held[math.Float32bits(float32(v))] = number(v)
	}
}

// constant is a vector of eight equal numbers, held or in memory, to be read only.
func constant(v float64) Op {
	bits := math.Float32bits(float32(v))
	if r, ok := held[bits]; ok {
		return r
	}
	return word(bits)
}

// number is the same in a register that may be overwritten.
func number(v float64) vec {
	r := YMM()
	VMOVUPS(constant(v), r)
	return r
}

// broadcast is eight copies of a float32 parameter.
func broadcast(name string) vec {
	at, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	r := YMM()
	VBROADCASTSS(at.Addr, r)
	return r
}

// give returns the first float32 of x and leaves the function.
func give(x reg.VecVirtual) {
	at, err := ReturnIndex(0).Resolve()
	if err != nil {
		panic(err)
	}
	VMOVSS(x.AsX(), at.Addr)
	VZEROUPPER()
	RET()
}

func text(name, signature string) {
	clear(held)
	TEXT(name, attr.NOSPLIT, "func("+signature)
	Pragma("noescape")
}

func pointer(name string) gp { return Load(Param(name), GP64()) }

// loop runs body over n elements, vectors at a time, and at last over those that the mask selects. body gets the number of a vector in its turn,
// its place from each pointer, and the mask, or nil.
func loop(vectors int, pointers []gp, body func(i int, at func(p gp) Mem, mask *vec)) {
	n := Load(Param("n"), GP64())
	turn := func(label string, vectors int) {
		SUBQ(Imm(uint64(vectors*8)), n)
		JLT(LabelRef(label + "done"))
		Label(label)
		for i := range vectors {
			body(i, func(p gp) Mem { return Mem{Base: p, Disp: i * width} }, nil)
		}
		for _, p := range pointers {
			ADDQ(Imm(uint64(vectors*width)), p)
		}
		SUBQ(Imm(uint64(vectors*8)), n)
		JGE(LabelRef(label))
		Label(label + "done")
		ADDQ(Imm(uint64(vectors*8)), n)
	}
	if vectors > 1 {
		turn("turns", vectors)
	}
	turn("vectors", 1)
	TESTQ(n, n)
	JE(LabelRef("end"))
	p, mask := pointer("mask"), YMM()
	VMOVUPS(Mem{Base: p}, mask)
	body(0, func(p gp) Mem { return Mem{Base: p} }, &mask)
	Label("end")
}

func load(at Mem, mask *vec) vec {
	r := YMM()
	if mask != nil {
		VMASKMOVPS(at, *mask, r)
	} else {
		VMOVUPS(at, r)
	}
	return r
}

func store(x vec, at Mem, mask *vec) {
	if mask != nil {
		VMASKMOVPS(x, *mask, at)
	} else {
		VMOVUPS(x, at)
	}
}

// unary generates dst = f(src, a, b) for scalars a and b.
func unary(name string, vectors int, f func(x, a, b vec) vec, constants ...float64) {
	text(name, "dst, src *float32, n int, mask *int32, a, b float32)")
	dst, src := pointer("dst"), pointer("src")
	a, b := broadcast("a"), broadcast("b")
	hold(constants...)
	loop(vectors, []gp{dst, src}, func(_ int, at func(gp) Mem, mask *vec) { store(f(load(at(src), mask), a, b), at(dst), mask) })
	VZEROUPPER()
	RET()
}

// binary generates dst = f(a, b), where one of both may be a single number.
func binary(name string, left, right bool, f func(x, y vec) vec) {
	text(name, "dst, a, b *float32, n int, mask *int32)")
	dst, a, b := pointer("dst"), pointer("a"), pointer("b")
	one := YMM()
	pointers := []gp{dst}
	if left {
		VBROADCASTSS(Mem{Base: a}, one)
	} else {
		pointers = append(pointers, a)
	}
	if right {
		VBROADCASTSS(Mem{Base: b}, one)
	} else {
		pointers = append(pointers, b)
	}
	loop(4, pointers, func(_ int, at func(gp) Mem, mask *vec) {
		x, y := one, one
		if !left {
			x = load(at(a), mask)
		}
		if !right {
			y = load(at(b), mask)
		}
		store(f(x, y), at(dst), mask)
	})
	VZEROUPPER()
	RET()
}

// lineEach generates dst = src·a + b, element by element.
func lineEach() {
	text("vectorLineEach", "dst, src, a, b *float32, n int, mask *int32)")
	dst, src, a, b := pointer("dst"), pointer("src"), pointer("a"), pointer("b")
	loop(2, []gp{dst, src, a, b}, func(_ int, at func(gp) Mem, mask *vec) {
		store(fma(load(at(src), mask), load(at(a), mask), load(at(b), mask)), at(dst), mask)
	})
	VZEROUPPER()
	RET()
}

// normalize generates dst = (src - mean)·inverse·scale + bias; without bias, shift stands for all of them; without scale too.
func normalize(name string, scaled, biased bool) {
	signature := "dst, src"
	if scaled {
		signature += ", scale"
	}
	if biased {
		signature += ", bias"
	}
	text(name, signature+" *float32, n int, mask *int32, mean, inverse, shift float32)")
	dst, src := pointer("dst"), pointer("src")
	pointers := []gp{dst, src}
	var scale, bias gp
	if scaled {
		scale = pointer("scale")
		pointers = append(pointers, scale)
	}
	if biased {
		bias = pointer("bias")
		pointers = append(pointers, bias)
	}
	mean, inverse, shift := broadcast("mean"), broadcast("inverse"), broadcast("shift")
	loop(2, pointers, func(_ int, at func(gp) Mem, mask *vec) {
		x := load(at(src), mask)
		VSUBPS(mean, x, x)
		factor, rest := inverse, shift
		if scaled {
			VMULPS(inverse, x, x)
			factor = load(at(scale), mask)
		}
		if biased {
			rest = load(at(bias), mask)
		}
		store(fma(x, factor, rest), at(dst), mask)
	})
	VZEROUPPER()
	RET()
}
