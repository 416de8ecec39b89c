// Command slide generates slide_amd64.s of package kernel: what convolutions and pools do to float32 under a window, for AVX2 with FMA.
package main

import (
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

func main() {
	ConstraintExpr("amd64")
	for m := 1; m <= 6; m++ {
		tile(m)
	}
	even()
	end("None", func(x, _, _ vec) vec { return x })
	end("Clip", func(x, a, b vec) vec { // the number itself is the second source, which the instructions return where one is NaN
		VMAXPS(x, a, x)
		VMINPS(x, b, x)
		return x
	})
	end("Leaky", func(x, a, _ vec) vec {
		y := YMM()
		VMULPS(x, a, y)
		VBLENDVPS(x, y, x, x)
		return x
	})
	end("HardSigmoid", hardSigmoid)
	end("HardSwish", func(x, a, b vec) vec {
		y := hardSigmoid(x, a, b)
		VMULPS(x, y, y)
		return y
	})
	Generate()
}

func text(name, signature string) {
	TEXT(name, attr.NOSPLIT, "func("+signature+")")
	Pragma("noescape")
}

func pointer(name string) gp { return Load(Param(name), GP64()) }

func broadcast(name string) vec {
	at, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	r := YMM()
	VBROADCASTSS(at.Addr, r)
	return r
}

// tile generates kernel.slideTileM: for count tiles, C (m, n) = A (m, k)·B, or C + A·B when add, where A lies column by column and row p of B
// begins at[p] bytes from x. n is 16 from four rows on, else 32. Tiles are an, xn and cn bytes apart in A, x and C.
func tile(m int) {
	vectors := 2
	if m < 4 {
		vectors = 4
	}
	text("slideTile"+strconv.Itoa(m), "a, x *float32, at *int32, k int, c *float32, ldc uintptr, add, count int, an, xn, cn uintptr")
	a0, x0, c0 := pointer("a"), pointer("x"), pointer("c")
	ldc, count := pointer("ldc"), pointer("count")
	s := make([][]vec, m)
	for i := range s {
		s[i] = make([]vec, vectors)
		for j := range s[i] {
			s[i][j] = YMM()
		}
	}
	c := GP64()
	rows := func(f func(v vec, at Mem)) {
		MOVQ(c0, c)
		for i := range s {
			for j := range s[i] {
				f(s[i][j], Mem{Base: c, Disp: j * width})
			}
			if i < m-1 {
				ADDQ(ldc, c)
			}
		}
	}
	Label("next")
	adds := pointer("add")
	TESTQ(adds, adds)
	JNE(LabelRef("add"))
	for i := range s {
		for j := range s[i] {
			VXORPS(s[i][j], s[i][j], s[i][j])
		}
	}
	JMP(LabelRef("product"))
	Label("add")
	rows(func(v vec, at Mem) { VMOVUPS(at, v) })
	Label("product")
	a, at, k := GP64(), pointer("at"), pointer("k")
	MOVQ(a0, a)
	step := func(u int) {
		off := GP64()
		MOVLQSX(Mem{Base: at, Disp: u * 4}, off)
		b := func(j int) Mem { return Mem{Base: x0, Index: off, Scale: 1, Disp: j * width} }
		w := func(i int) Mem { return Mem{Base: a, Disp: (u*m + i) * 4} }
		switch {
		case m == 1: // each vector of B serves once: it is an operand in memory
			v := YMM()
			VBROADCASTSS(w(0), v)
			for j := range vectors {
				VFMADD231PS(b(j), v, s[0][j])
			}
		case m < vectors:
			v := make([]vec, m)
			for i := range v {
				v[i] = YMM()
				VBROADCASTSS(w(i), v[i])
			}
			for j := range vectors {
				y := YMM()
				VMOVUPS(b(j), y)
				for i := range m {
					VFMADD231PS(y, v[i], s[i][j])
				}
			}
		default:
			y := make([]vec, vectors)
			for j := range y {
				y[j] = YMM()
				VMOVUPS(b(j), y[j])
			}
			for i := range m {
				v := YMM()
				VBROADCASTSS(w(i), v)
				for j := range vectors {
					VFMADD231PS(y[j], v, s[i][j])
				}
			}
		}
	}
	SUBQ(Imm(4), k)
	JLT(LabelRef("rest"))
	Label("by4")
	for u := range 4 {
		step(u)
	}
	ADDQ(Imm(uint64(16*m)), a)
	ADDQ(Imm(16), at)
	SUBQ(Imm(4), k)
	JGE(LabelRef("by4"))
	Label("rest")
	ADDQ(Imm(4), k)
	JE(LabelRef("store"))
	Label("by1")
	step(0)
	ADDQ(Imm(uint64(4*m)), a)
	ADDQ(Imm(4), at)
	DECQ(k)
	JNE(LabelRef("by1"))
	Label("store")
	rows(func(v vec, at Mem) { VMOVUPS(v, at) })
	DECQ(count)
	JE(LabelRef("done"))
	for _, p := range []struct {
		name string
		to   gp
	}{{"an", a0}, {"xn", x0}, {"cn", c0}} {
		ADDQ(pointer(p.name), p.to)
	}
	JMP(LabelRef("next"))
	Label("done")
	VZEROUPPER()
	RET()
}

// even generates kernel.slideEven: every other element of src, eight at a time.
func even() {
	text("slideEven", "dst, src *float32, blocks int")
	dst, src, blocks := pointer("dst"), pointer("src"), pointer("blocks")
	Label("next")
	a := YMM()
	VMOVUPS(Mem{Base: src}, a)
	VSHUFPS(Imm(0x88), Mem{Base: src, Disp: width}, a, a)
	VPERMPD(Imm(0xd8), a, a)
	VMOVUPS(a, Mem{Base: dst})
	ADDQ(Imm(2*width), src)
	ADDQ(Imm(width), dst)
	DECQ(blocks)
	JNE(LabelRef("next"))
	VZEROUPPER()
	RET()
}

// end generates kernel.slideEndX: rows of dst = f(src + bias + more), where more lies as dst does, or is nil. A row is so many vectors and, where
// there is a mask, what that selects of one more.
func end(name string, f func(x, a, b vec) vec) {
	text("slideEnd"+name, "dst *float32, dstStep uintptr, src *float32, srcStep uintptr, more *float32, rows, vectors int, mask *int32, bias, a, b float32")
	dst, src, more, rows := pointer("dst"), pointer("src"), pointer("more"), pointer("rows")
	dstStep, srcStep, vectors, maskAt := pointer("dstStep"), pointer("srcStep"), pointer("vectors"), pointer("mask")
	bias, a, b, mask := broadcast("bias"), broadcast("a"), broadcast("b"), YMM()
	VXORPS(mask, mask, mask)
	TESTQ(maskAt, maskAt)
	JE(LabelRef("row"))
	VMOVUPS(Mem{Base: maskAt}, mask)
	Label("row")
	at, left := GP64(), GP64()
	XORQ(at, at)
	MOVQ(vectors, left)
	TESTQ(left, left)
	JE(LabelRef("tail"))
	place := func(p gp) Mem { return Mem{Base: p, Index: at, Scale: 1} }
	Label("vector")
	x := YMM()
	VADDPS(place(src), bias, x)
	TESTQ(more, more)
	JE(LabelRef("alone"))
	VADDPS(place(more), x, x)
	Label("alone")
	VMOVUPS(f(x, a, b), place(dst))
	ADDQ(Imm(width), at)
	DECQ(left)
	JNE(LabelRef("vector"))
	Label("tail")
	TESTQ(maskAt, maskAt)
	JE(LabelRef("on"))
	x = YMM()
	VMASKMOVPS(place(src), mask, x)
	VADDPS(bias, x, x)
	TESTQ(more, more)
	JE(LabelRef("alonetail"))
	y := YMM()
	VMASKMOVPS(place(more), mask, y)
	VADDPS(y, x, x)
	Label("alonetail")
	VMASKMOVPS(f(x, a, b), mask, place(dst))
	Label("on")
	ADDQ(dstStep, dst)
	ADDQ(srcStep, src)
	TESTQ(more, more)
	JE(LabelRef("nomore"))
	ADDQ(dstStep, more)
	Label("nomore")
	DECQ(rows)
	JNE(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// hardSigmoid is max(0, min(1, a·x + b)).
func hardSigmoid(x, a, b vec) vec {
	y, zero, one := YMM(), YMM(), YMM()
	VMOVAPS(x, y)
	VFMADD213PS(b, a, y)
	VXORPS(zero, zero, zero)
	VMAXPS(y, zero, y)
	VPCMPEQD(one, one, one) // the bits of 1 are 0x3f800000
	VPSRLD(Imm(25), one, one)
	VPSLLD(Imm(23), one, one)
	VMINPS(y, one, y)
	return y
}
