package main

import (
	"fmt"
	"strconv"
)

// winograds writes the transforms of Winograd's convolution of float32.
func winograds(a *assembler) {
	a.winogradSplit()
	a.winogradInto()
	a.winogradOut()
}

// winogradSplit generates rows of src that are written to even and odd, by column, with zeros behind them up to whole vectors. It returns the largest of
// all elements' bits, without their signs.
func (a *assembler) winogradSplit() {
	a.function("winogradSplit", "uint32", list(pointerTo, "even", "odd"), list("uintptr", "dstStep"), list(pointerTo, "src"), list("uintptr", "srcStep"), list(integer, "rows", "width"))
	even, odd, dstStep, src, srcStep, rows, width := a.pointer("even"), a.pointer("odd"), a.pointer("dstStep"), a.pointer("src"), a.pointer("srcStep"), a.pointer("rows"), a.pointer("width")
	from, to, left, step := a.register(), []gp{a.register(), a.register()}, a.register(), a.register()
	const number = 0x7fffffff
	a.holdBits(number)
	most := a.last()
	a.zero(most)
	both := func(x, y vec) {
		for _, v := range []vec{x, y} {
			a.opTo(most, umax, most, a.op(and, v, a.constantBits(number)))
		}
		a.store(a.op(uzp1, x, y), place{to[0], 0})
		a.store(a.op(uzp2, x, y), place{to[1], 0})
	}
	a.label("row")
	a.p("MOVD %s, %s", src, from)
	a.p("MOVD %s, %s", even, to[0])
	a.p("MOVD %s, %s", odd, to[1])
	a.p("SUBS $8, %s, %s", width, left)
	a.p("BLT tail")
	a.label("eight")
	both(a.load(place{from, 0}), a.load(place{from, vectorBytes}))
	a.p("ADD $32, %s", from)
	for _, p := range to {
		a.p("ADD $16, %s", p)
	}
	a.p("SUBS $8, %s", left)
	a.p("BGE eight")
	a.label("tail")
	a.p("ADDS $8, %s", left)
	a.p("BEQ next")
	x, y := a.last(), a.last()
	a.p("TBZ $2, %s, few", left)
	a.p("FMOVQ.P 16(%s), F%d", from, a.in[x])
	a.zero(y)
	a.p("TST $3, %s", left)
	a.p("BEQ part")
	a.loadPartTo(y, from, left)
	a.p("B part")
	a.label("few")
	a.loadPartTo(x, from, left)
	a.zero(y)
	a.label("part")
	both(x, y)
	a.label("next")
	for _, p := range [][2]gp{{srcStep, src}, {dstStep, even}, {dstStep, odd}} {
		a.p("ADD %s, %s", p[0], p[1])
	}
	a.p("SUBS $1, %s", rows)
	a.p("BNE row")
	r := a.in[most]
	a.p("%s", word(umaxv, r, r, 0))
	a.p("FMOVS F%d, %s", r, step)
	a.p("MOVW %s, ret+%d(FP)", step, a.result)
	a.end()
}

// winogradInto generates Bᵀ·d·B of rows of tiles, four tiles at a time. Rows of src are step bytes apart, each as its even columns and, half bytes
// further, its odd ones; two of them lie between rows of tiles. Element f of a result lies vf·f bytes from v, results of the next row of tiles next
// bytes further.
func (a *assembler) winogradInto() {
	a.function("winogradInto", "", list(pointerTo, "v"), list("uintptr", "vf", "next"), list(pointerTo, "src"), list("uintptr", "half", "step"), list(integer, "rows", "vectors"))
	v, vf, next, src, half, step, rows := a.pointer("v"), a.pointer("vf"), a.pointer("next"), a.pointer("src"), a.pointer("half"), a.pointer("step"), a.pointer("rows")
	times := a.multiples(vf)
	var even, odd, to [4]gp
	for i := range even {
		even[i], odd[i], to[i] = a.register(), a.register(), a.register()
	}
	left := spare
	a.label("row")
	for i := range even {
		if i == 0 {
			a.p("MOVD %s, %s", src, even[0])
			a.p("MOVD %s, %s", v, to[0])
		} else {
			a.p("ADD %s, %s, %s", step, even[i-1], even[i])
			a.p("ADD %s<<2, %s, %s", vf, to[i-1], to[i])
		}
		a.p("ADD %s, %s, %s", half, even[i], odd[i])
	}
	a.p("MOVD %s, %s", a.param("vectors"), left)
	a.label("vector")
	line := func(i int) (d [4]vec) {
		return [4]vec{a.load(place{even[i], 0}), a.load(place{odd[i], 0}), a.load(place{even[i], 4}), a.load(place{odd[i], 4})}
	}
	each := func(i int, code uint32, x, y [4]vec) {
		var t [4]vec
		for j := range t {
			t[j] = a.op(code, x[j], y[j])
		}
		for j, r := range []vec{a.op(fsub, t[0], t[2]), a.op(fadd, t[1], t[2]), a.op(fsub, t[2], t[1]), a.op(fsub, t[1], t[3])} {
			a.storeAt(r, to[i], times[j])
		}
	}
	d0, d1, d2 := line(0), line(1), line(2)
	each(0, fsub, d0, d2)
	each(1, fadd, d1, d2)
	each(2, fsub, d2, d1)
	each(3, fsub, d1, line(3))
	for i := range even {
		for _, p := range []gp{even[i], odd[i], to[i]} {
			a.p("ADD $16, %s", p)
		}
	}
	a.p("SUBS $1, %s", left)
	a.p("BNE vector")
	a.p("ADD %s, %s", next, v)
	a.p("ADD %s<<1, %s", step, src)
	a.p("SUBS $1, %s", rows)
	a.p("BNE row")
	a.end()
}

// multiples are registers with 0 (none), 1, 2 and 3 times a distance.
func (a *assembler) multiples(r gp) [4]gp {
	two, three := a.register(), a.register()
	a.p("ADD %s, %s, %s", r, r, two)
	a.p("ADD %s, %s, %s", r, two, three)
	return [4]gp{"", r, two, three}
}

// storeAt stores at a pointer and a distance, unless that is none.
func (a *assembler) storeAt(x vec, p, distance gp) {
	if distance == "" {
		a.store(x, place{p, 0})
		return
	}
	a.steps = append(a.steps, step{write: none, tied: none, reads: []vec{x}, text: func(_ int, r []int) string { return indexed(0x3CA06800, "str", r[0], p, distance) }})
}

func (a *assembler) loadAt(p, distance gp) vec {
	if distance == "" {
		return a.load(place{p, 0})
	}
	v := a.vector()
	a.steps = append(a.steps, stepThat(v, func(d int) string { return indexed(0x3CE06800, "ldr", d, p, distance) }))
	return v
}

// indexed is a load or store of a whole vector at the sum of two registers.
func indexed(code uint32, name string, v int, p, distance gp) string {
	number := func(r gp) uint32 {
		n, err := strconv.Atoi(string(r[1:]))
		if err != nil {
			panic(err)
		}
		return uint32(n)
	}
	return fmt.Sprintf("WORD $0x%08X // %s q%d, [%s, %s]", code|number(distance)<<16|number(p)<<5|uint32(v), name, v, p, distance)
}

// winogradOut generates Aᵀ·m·A of rows of tiles, four tiles at a time, as two rows of dst. Element f lies mf·f bytes from m, rows of tiles next bytes
// apart, rows of dst step bytes.
func (a *assembler) winogradOut() {
	a.function("winogradOut", "", list(pointerTo, "dst"), list("uintptr", "step"), list(pointerTo, "m"), list("uintptr", "mf", "next"), list(integer, "rows", "vectors"))
	dst, step, m, mf, next, rows, vectors := a.pointer("dst"), a.pointer("step"), a.pointer("m"), a.pointer("mf"), a.pointer("next"), a.pointer("rows"), a.pointer("vectors")
	times := a.multiples(mf)
	var from [4]gp
	for i := range from {
		from[i] = a.register()
	}
	to, left := [2]gp{a.register(), a.register()}, a.register()
	a.label("row")
	a.p("MOVD %s, %s", m, from[0])
	for i := 1; i < 4; i++ {
		a.p("ADD %s<<2, %s, %s", mf, from[i-1], from[i])
	}
	a.p("MOVD %s, %s", dst, to[0])
	a.p("ADD %s, %s, %s", step, dst, to[1])
	a.p("MOVD %s, %s", vectors, left)
	a.label("vector")
	var p, q [4]vec
	for i := range from {
		var x [4]vec
		for j := range x {
			x[j] = a.loadAt(from[i], times[j])
		}
		p[i] = a.op(fadd, a.op(fadd, x[0], x[1]), x[2])
		q[i] = a.op(fsub, a.op(fsub, x[1], x[2]), x[3])
	}
	var y [2][2]vec
	for j, s := range [2][4]vec{p, q} {
		y[0][j] = a.op(fadd, a.op(fadd, s[0], s[1]), s[2])
		y[1][j] = a.op(fsub, a.op(fsub, s[1], s[2]), s[3])
	}
	for i, row := range y {
		low, high := a.op(zip1, row[0], row[1]), a.op(zip2, row[0], row[1])
		a.store(low, place{to[i], 0})
		a.store(high, place{to[i], vectorBytes})
	}
	for _, p := range from {
		a.p("ADD $16, %s", p)
	}
	for _, p := range to {
		a.p("ADD $32, %s", p)
	}
	a.p("SUBS $1, %s", left)
	a.p("BNE vector")
	a.p("ADD %s, %s", next, m)
	a.p("ADD %s<<1, %s", step, dst)
	a.p("SUBS $1, %s", rows)
	a.p("BNE row")
	a.end()
}
