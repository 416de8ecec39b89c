package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func text(name, signature string) {
	TEXT(name, attr.NOSPLIT, "func("+signature+")")
	stubs += "\n//go:noescape\nfunc " + name + "(" + signature + ")\n"
}

func pointer(name string) gp { return Load(Param(name), GP64()) }

// vectors runs body for so many vectors from src on, four at a time and then one by one.
func vectors(count gp, pointers []gp, body func(i int)) {
	left := GP64()
	MOVQ(count, left)
	for _, turn := range []struct {
		n     int
		label string
	}{{4, "four"}, {1, "one"}} {
		SUBQ(Imm(uint64(turn.n)), left)
		JLT(LabelRef(turn.label + "done"))
		Label(turn.label)
		for i := range turn.n {
			body(i)
		}
		for _, p := range pointers {
			ADDQ(Imm(uint64(turn.n*width)), p)
		}
		SUBQ(Imm(uint64(turn.n)), left)
		JGE(LabelRef(turn.label))
		Label(turn.label + "done")
		ADDQ(Imm(uint64(turn.n)), left)
	}
}

// scale generates kernel.planeScale: dst = src times one factor for each plane, which is so many vectors and what the mask selects of one more,
// over bytes. There the whole vector is written, for the next plane to overwrite; but not in the last plane.
func scale() {
	text("planeScale", "dst, src, factors *float32, planes, vectors int, mask *int32, over uintptr")
	dst, src, factors, planes, count := pointer("dst"), pointer("src"), pointer("factors"), pointer("planes"), pointer("vectors")
	at, over, mask, x := pointer("mask"), pointer("over"), YMM(), YMM()
	VMOVUPS(Mem{Base: at}, mask)
	Label("plane")
	f := YMM()
	VBROADCASTSS(Mem{Base: factors}, f)
	vectors(count, []gp{dst, src}, func(i int) {
		y := YMM()
		VMULPS(Mem{Base: src, Disp: i * width}, f, y)
		VMOVUPS(y, Mem{Base: dst, Disp: i * width})
	})
	TESTQ(over, over)
	JE(LabelRef("next"))
	VMASKMOVPS(Mem{Base: src}, mask, x)
	VMULPS(x, f, x)
	ADDQ(over, src)
	CMPQ(planes, Imm(1))
	JE(LabelRef("last"))
	VMOVUPS(x, Mem{Base: dst})
	ADDQ(over, dst)
	Label("next")
	ADDQ(Imm(4), factors)
	DECQ(planes)
	JNE(LabelRef("plane"))
	VZEROUPPER()
	RET()
	Label("last")
	VMASKMOVPS(x, mask, Mem{Base: dst})
	VZEROUPPER()
	RET()
}

// means generates kernel.planeMeans: the sum of each plane, as above, divided by size.
func means() {
	text("planeMeans", "dst, src *float32, planes, vectors int, mask *int32, over uintptr, size float32")
	dst, src, planes, count := pointer("dst"), pointer("src"), pointer("planes"), pointer("vectors")
	at, over, mask, size := pointer("mask"), pointer("over"), YMM(), XMM()
	VMOVUPS(Mem{Base: at}, mask)
	Load(Param("size"), size)
	Label("plane")
	s := make([]vec, 4)
	for i := range s {
		s[i] = YMM()
		VXORPS(s[i], s[i], s[i])
	}
	vectors(count, []gp{src}, func(i int) { VADDPS(Mem{Base: src, Disp: i * width}, s[i], s[i]) })
	x := YMM()
	VMASKMOVPS(Mem{Base: src}, mask, x)
	VADDPS(x, s[3], s[3])
	ADDQ(over, src)
	VADDPS(s[2], s[0], s[0])
	VADDPS(s[3], s[1], s[1])
	VADDPS(s[1], s[0], s[0])
	var a, b reg.VecVirtual = s[0].AsX().(reg.VecVirtual), XMM()
	VEXTRACTF128(Imm(1), s[0], b)
	VADDPS(b, a, a)
	VPERMILPS(Imm(0x4e), a, b)
	VADDPS(b, a, a)
	VPERMILPS(Imm(0xb1), a, b)
	VADDPS(b, a, a)
	VDIVSS(size, a, a)
	VMOVSS(a, Mem{Base: dst})
	ADDQ(Imm(4), dst)
	DECQ(planes)
	JNE(LabelRef("plane"))
	VZEROUPPER()
	RET()
}
