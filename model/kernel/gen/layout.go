package main

import (
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// weave generates kernel.weaveR: R lines of src, ld bytes apart, side by side to dst, where rows are step bytes apart; blocks times eight columns.
// It writes eight elements for each row, so that a row must be overwritten by the next one, or be eight wide.
func weave(lines int) {
	name := "weave" + strconv.Itoa(lines)
	TEXT(name, NOSPLIT, "func(dst *float32, step uintptr, src *float32, ld uintptr, blocks int)")
	stubs += "\n//go:noescape\nfunc " + name + "(dst *float32, step uintptr, src *float32, ld uintptr, blocks int)\n"
	dst, step := Load(Param("dst"), GP64()), Load(Param("step"), GP64())
	src, ld := Load(Param("src"), GP64()), Load(Param("ld"), GP64())
	blocks := Load(Param("blocks"), GP64())
	times := func(r reg.Register) (by3, by5, by7 reg.GPVirtual) {
		by3, by5, by7 = GP64(), GP64(), GP64()
		LEAQ(Mem{Base: r, Index: r, Scale: 2}, by3)
		LEAQ(Mem{Base: r, Index: r, Scale: 4}, by5)
		LEAQ(Mem{Base: by3, Index: r, Scale: 4}, by7)
		return by3, by5, by7
	}
	ld3, ld5, ld7 := times(ld)
	step3, step5, step7 := times(step)
	at := func(p, by, by3, by5, by7 reg.Register, i int) Mem {
		switch i {
		case 1, 2, 4:
			return Mem{Base: p, Index: by, Scale: uint8(i)}
		case 3:
			return Mem{Base: p, Index: by3, Scale: 1}
		case 5:
			return Mem{Base: p, Index: by5, Scale: 1}
		case 6:
			return Mem{Base: p, Index: by3, Scale: 2}
		case 7:
			return Mem{Base: p, Index: by7, Scale: 1}
		}
		return Mem{Base: p}
	}
	Label("next")
	var x [8]reg.VecVirtual
	for i := range x {
		x[i] = x[min(i, lines-1)]
		if i < lines {
			x[i] = YMM()
			VMOVUPS(at(src, ld, ld3, ld5, ld7, i), x[i])
		}
	}
	pairs := func(f func(imm uint8, a, b, c reg.VecVirtual), imm uint8, a, b reg.VecVirtual) reg.VecVirtual {
		c := YMM()
		f(imm, a, b, c)
		return c
	}
	low := func(_ uint8, a, b, c reg.VecVirtual) { VUNPCKLPS(b, a, c) }
	high := func(_ uint8, a, b, c reg.VecVirtual) { VUNPCKHPS(b, a, c) }
	shuffle := func(imm uint8, a, b, c reg.VecVirtual) { VSHUFPS(Imm(uint64(imm)), b, a, c) }
	halves := func(imm uint8, a, b, c reg.VecVirtual) { VPERM2F128(Imm(uint64(imm)), b, a, c) }
	// q[g][c]: elements c and c+4 of lines 4g…4g+3.
	var q [2][4]reg.VecVirtual
	for g := range q {
		l01, h01 := pairs(low, 0, x[4*g], x[4*g+1]), pairs(high, 0, x[4*g], x[4*g+1])
		l23, h23 := pairs(low, 0, x[4*g+2], x[4*g+3]), pairs(high, 0, x[4*g+2], x[4*g+3])
		q[g] = [4]reg.VecVirtual{pairs(shuffle, 0x44, l01, l23), pairs(shuffle, 0xee, l01, l23), pairs(shuffle, 0x44, h01, h23), pairs(shuffle, 0xee, h01, h23)}
	}
	for c := range 8 {
		imm := uint8(0x20)
		if c > 3 {
			imm = 0x31
		}
		VMOVUPS(pairs(halves, imm, q[0][c%4], q[1][c%4]), at(dst, step, step3, step5, step7, c))
	}
	ADDQ(Imm(32), src)
	LEAQ(Mem{Base: dst, Index: step, Scale: 8}, dst)
	DECQ(blocks)
	JNE(LabelRef("next"))
	VZEROUPPER()
	RET()
}

// cutRows generates kernel.cutRows: rows of src, ld bytes apart, are cut into panels of sixteen columns, distance bytes from one to the next.
func cutRows() {
	TEXT("cutRows", NOSPLIT, "func(dst *float32, distance uintptr, src *float32, ld uintptr, rows, panels int)")
	stubs += "\n//go:noescape\nfunc cutRows(dst *float32, distance uintptr, src *float32, ld uintptr, rows, panels int)\n"
	dst, distance := Load(Param("dst"), GP64()), Load(Param("distance"), GP64())
	src, ld := Load(Param("src"), GP64()), Load(Param("ld"), GP64())
	rows, panels := Load(Param("rows"), GP64()), Load(Param("panels"), GP64())
	Label("row")
	from, to, left := GP64(), GP64(), GP64()
	MOVQ(src, from)
	MOVQ(dst, to)
	MOVQ(panels, left)
	Label("panel")
	a, b := YMM(), YMM()
	VMOVUPS(Mem{Base: from}, a)
	VMOVUPS(Mem{Base: from, Disp: 32}, b)
	VMOVUPS(a, Mem{Base: to})
	VMOVUPS(b, Mem{Base: to, Disp: 32})
	ADDQ(Imm(64), from)
	ADDQ(distance, to)
	DECQ(left)
	JNE(LabelRef("panel"))
	ADDQ(ld, src)
	ADDQ(Imm(64), dst)
	DECQ(rows)
	JNE(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// turnRows generates kernel.turnRowsN: rows of src, ld bytes apart, are cut into tiles of n columns, distance bytes from one to the next; the rows of
// a tile follow one another.
func turnRows(n int) {
	name := "turnRows" + strconv.Itoa(n)
	TEXT(name, NOSPLIT, "func(dst *float32, distance uintptr, src *float32, ld uintptr, rows, tiles int)")
	stubs += "\n//go:noescape\nfunc " + name + "(dst *float32, distance uintptr, src *float32, ld uintptr, rows, tiles int)\n"
	dst, distance := Load(Param("dst"), GP64()), Load(Param("distance"), GP64())
	src, ld := Load(Param("src"), GP64()), Load(Param("ld"), GP64())
	rows, tiles := Load(Param("rows"), GP64()), Load(Param("tiles"), GP64())
	width := n * 4
	Label("tile")
	from, to, left := GP64(), GP64(), GP64()
	MOVQ(src, from)
	MOVQ(dst, to)
	MOVQ(rows, left)
	Label("row")
	if n == 6 {
		a, b := XMM(), XMM()
		VMOVUPS(Mem{Base: from}, a)
		VMOVSD(Mem{Base: from, Disp: 16}, b)
		VMOVUPS(a, Mem{Base: to})
		VMOVSD(b, Mem{Base: to, Disp: 16})
	} else {
		a, b := YMM(), XMM()
		VMOVUPS(Mem{Base: from}, a)
		VMOVUPS(Mem{Base: from, Disp: 32}, b)
		VMOVUPS(a, Mem{Base: to})
		VMOVUPS(b, Mem{Base: to, Disp: 32})
	}
	ADDQ(ld, from)
	ADDQ(Imm(uint64(width)), to)
	DECQ(left)
	JNE(LabelRef("row"))
	ADDQ(Imm(uint64(width)), src)
	ADDQ(distance, dst)
	DECQ(tiles)
	JNE(LabelRef("tile"))
	VZEROUPPER()
	RET()
}
