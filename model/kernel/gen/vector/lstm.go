package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// fourth tells where the parts of a pointer to four of n elements lie: the first, the second and so on.
func fourth() func(at Mem, i int) Mem {
	once := Load(Param("n"), GP64())
	SHLQ(Imm(2), once)
	thrice := GP64()
	LEAQ(Mem{Base: once, Index: once, Scale: 2}, thrice)
	return func(at Mem, i int) Mem {
		switch i {
		case 1, 2:
			at.Index, at.Scale = once, uint8(i)
		case 3:
			at.Index, at.Scale = thrice, 1
		}
		return at
	}
}

// lstmCell generates, of gates i, o, f and g, c = f·c + i·g and h = o·tanh(c).
func lstmCell() {
	text("vectorLSTMCell", "h, c, gates *float32, n int, mask *int32)")
	h, c, gates := pointer("h"), pointer("c"), pointer("gates")
	part := fourth()
	loop(1, []gp{h, c, gates}, func(_ int, at func(gp) Mem, mask *vec) {
		gate := func(i int) vec { return load(part(at(gates), i), mask) }
		x := times(gate(0), gate(3))
		VFMADD231PS(load(at(c), mask), gate(2), x)
		store(x, at(c), mask)
		store(times(tanh(x), gate(1)), at(h), mask)
	})
	VZEROUPPER()
	RET()
}

// lstmBack generates the way back over that, and over the activations of the gates.
func lstmBack() {
	text("vectorLSTMBack", "dg, gates, before, cell, dh, dc *float32, n int, mask *int32)")
	dg, gates, before := pointer("dg"), pointer("gates"), pointer("before")
	cell, dh, dc := pointer("cell"), pointer("dh"), pointer("dc")
	part := fourth()
	loop(1, []gp{dg, gates, before, cell, dh, dc}, func(_ int, at func(gp) Mem, mask *vec) {
		gate := func(i int) vec { return load(part(at(gates), i), mask) }
		put := func(i int, x vec) { store(x, part(at(dg), i), mask) }
		one := number(1)
		slope := func(a vec) vec { // a·(1 - a)
			r := YMM()
			VSUBPS(a, one, r)
			VMULPS(a, r, r)
			return r
		}
		bend := func(a vec) vec { // 1 - a²
			r := times(a, a)
			VSUBPS(r, one, r)
			return r
		}
		u, o, d, s := tanh(load(at(cell), mask)), gate(1), load(at(dh), mask), load(at(dc), mask)
		put(1, times(times(slope(o), u), d))
		VFMADD231PS(times(bend(u), o), d, s)
		f := gate(2)
		put(2, times(times(slope(f), load(at(before), mask)), s))
		i, g := gate(0), gate(3)
		put(0, times(times(slope(i), g), s))
		put(3, times(times(bend(g), i), s))
		store(times(s, f), at(dc), mask)
	})
	VZEROUPPER()
	RET()
}
