// Command int8 generates int8_amd64.s of package kernel: products of bytes that have been widened to int16, and what stands around them, for AVX2.
package main

import (
	"math"
	"strconv"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type gp = reg.Register

func text(name, signature string) {
	TEXT(name, attr.NOSPLIT, "func("+signature)
	Pragma("noescape")
}

func pointer(name string) gp { return Load(Param(name), GP64()) }

func main() {
	ConstraintExpr("amd64")
	for m := 1; m <= 6; m++ {
		tile(m)
	}
	widen("widenUint8", VPMOVZXBW)
	widen("widenInt8", VPMOVSXBW)
	scale()
	limits()
	quantize()
	Generate()
}

// tile generates sums of m rows of A times 16 columns of B: each step multiplies pairs of int16 and adds both products to int32.
// 12 sums, two vectors of B, a pair of A and a product fill the sixteen registers.
func tile(m int) {
	text("int8Tile"+strconv.Itoa(m), "c *int32, a *int16, lda uintptr, b *int16, pairs, add int)")
	c, a, lda, b, pairs := pointer("c"), pointer("a"), pointer("lda"), pointer("b"), pointer("pairs")
	lda3, lda5 := GP64(), GP64()
	if m > 3 {
		LEAQ(Mem{Base: lda, Index: lda, Scale: 2}, lda3)
	}
	if m > 5 {
		LEAQ(Mem{Base: lda, Index: lda, Scale: 4}, lda5)
	}
	row := func(i int) Mem {
		switch i {
		case 1, 2, 4:
			return Mem{Base: a, Index: lda, Scale: uint8(i)}
		case 3:
			return Mem{Base: a, Index: lda3, Scale: 1}
		case 5:
			return Mem{Base: a, Index: lda5, Scale: 1}
		}
		return Mem{Base: a}
	}
	sums := make([][2]reg.VecVirtual, m)
	for i := range sums {
		sums[i] = [2]reg.VecVirtual{YMM(), YMM()}
	}
	add := pointer("add")
	TESTQ(add, add)
	JE(LabelRef("zero"))
	for i := range sums {
		for j := range 2 {
			VMOVDQU(Mem{Base: c, Disp: i*64 + j*32}, sums[i][j])
		}
	}
	JMP(LabelRef("steps"))
	Label("zero")
	for i := range sums {
		for j := range 2 {
			VPXOR(sums[i][j], sums[i][j], sums[i][j])
		}
	}
	Label("steps")
	step := func(n int) {
		y := [2]reg.VecVirtual{YMM(), YMM()}
		for j := range y {
			VMOVDQU(Mem{Base: b, Disp: n*64 + j*32}, y[j])
		}
		for i := range m {
			x, product := YMM(), YMM()
			at := row(i)
			at.Disp = n * 4
			VPBROADCASTD(at, x)
			VPMADDWD(y[0], x, product)
			VPADDD(product, sums[i][0], sums[i][0])
			VPMADDWD(y[1], x, x)
			VPADDD(x, sums[i][1], sums[i][1])
		}
	}
	const together = 4
	SUBQ(Imm(together), pairs)
	JLT(LabelRef("rest"))
	Label("by4")
	for n := range together {
		step(n)
	}
	ADDQ(Imm(together*4), a)
	ADDQ(U32(together*64), b)
	SUBQ(Imm(together), pairs)
	JGE(LabelRef("by4"))
	Label("rest")
	ADDQ(Imm(together), pairs)
	JE(LabelRef("store"))
	Label("by1")
	step(0)
	ADDQ(Imm(4), a)
	ADDQ(Imm(64), b)
	DECQ(pairs)
	JNE(LabelRef("by1"))
	Label("store")
	for i := range sums {
		for j := range 2 {
			VMOVDQU(sums[i][j], Mem{Base: c, Disp: i*64 + j*32})
		}
	}
	VZEROUPPER()
	RET()
}

// widen generates dst = src - zero as int16, for n a multiple of 16.
func widen(name string, load func(ops ...Op)) {
	text(name, "dst *int16, src *uint8, n int, zero int32)")
	dst, src, n := pointer("dst"), pointer("src"), pointer("n")
	zero := broadcastInt("zero", VPBROADCASTW)
	Label("next")
	x := YMM()
	load(Mem{Base: src}, x)
	VPSUBW(zero, x, x)
	VMOVDQU(x, Mem{Base: dst})
	ADDQ(Imm(16), src)
	ADDQ(Imm(32), dst)
	SUBQ(Imm(16), n)
	JNE(LabelRef("next"))
	VZEROUPPER()
	RET()
}

func param(name string) Mem {
	at, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return at.Addr
}

// broadcastInt gives copies of an int32 parameter, of its lower half where broadcast is VPBROADCASTW.
func broadcastInt(name string, broadcast func(ops ...Op)) reg.VecVirtual {
	x, r := XMM(), YMM()
	VMOVD(Load(Param(name), GP32()), x)
	broadcast(x, r)
	return r
}

func broadcastFloat(name string) reg.VecVirtual {
	r := YMM()
	VBROADCASTSS(param(name), r)
	return r
}

// scale generates rows of dst = float32(sums)·scale + bias, for sixteen columns. Product and sum are rounded one by one, as in nodes of their own.
func scale() {
	text("int8Scale", "dst *float32, ld uintptr, sums *int32, rows int, scale, bias *float32)")
	dst, ld, sums, rows, s, b := pointer("dst"), pointer("ld"), pointer("sums"), pointer("rows"), pointer("scale"), pointer("bias")
	var f, t [2]reg.VecVirtual
	for j := range 2 {
		f[j], t[j] = YMM(), YMM()
		VMOVUPS(Mem{Base: s, Disp: j * 32}, f[j])
		VMOVUPS(Mem{Base: b, Disp: j * 32}, t[j])
	}
	Label("next")
	for j := range 2 {
		x := YMM()
		VCVTDQ2PS(Mem{Base: sums, Disp: j * 32}, x)
		VMULPS(f[j], x, x)
		VADDPS(t[j], x, x)
		VMOVUPS(x, Mem{Base: dst, Disp: j * 32})
	}
	ADDQ(Imm(64), sums)
	ADDQ(ld, dst)
	DECQ(rows)
	JNE(LabelRef("next"))
	VZEROUPPER()
	RET()
}

// limits generates the least and the greatest of 0 and n numbers, n a multiple of 16, to two vectors; NaN is passed over.
func limits() {
	text("int8Limits", "src *float32, n int, to *[16]float32)")
	src, n, to := pointer("src"), pointer("n"), pointer("to")
	var lo, hi [2]reg.VecVirtual
	for j := range 2 {
		lo[j], hi[j] = YMM(), YMM()
		VXORPS(lo[j], lo[j], lo[j])
		VXORPS(hi[j], hi[j], hi[j])
	}
	Label("next")
	for j := range 2 {
		x := YMM()
		VMOVUPS(Mem{Base: src, Disp: j * 32}, x)
		VMINPS(lo[j], x, lo[j]) // the first operand where one is NaN
		VMAXPS(hi[j], x, hi[j])
	}
	ADDQ(Imm(64), src)
	SUBQ(Imm(16), n)
	JNE(LabelRef("next"))
	VMINPS(lo[1], lo[0], lo[0])
	VMAXPS(hi[1], hi[0], hi[0])
	VMOVUPS(lo[0], Mem{Base: to})
	VMOVUPS(hi[0], Mem{Base: to, Disp: 32})
	VZEROUPPER()
	RET()
}

// quantize generates bytes round(max(least, min(most, src/scale))) + zero for n a multiple of 32; NaN gives least.
func quantize() {
	text("int8Quantize", "dst *uint8, src *float32, n int, scale, least, most float32, zero int32)")
	dst, src, n := pointer("dst"), pointer("src"), pointer("n")
	f, least, most, zero := broadcastFloat("scale"), broadcastFloat("least"), broadcastFloat("most"), broadcastInt("zero", VPBROADCASTD)
	order := YMM()
	places := GLOBL("int8Order", attr.RODATA|attr.NOPTR)
	for i, at := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} { // what the packing of 128 bits at a time leaves
		DATA(i*4, U32(at))
	}
	VMOVDQU(places, order)
	low := YMM()
	bytes := GLOBL("int8Bytes", attr.RODATA|attr.NOPTR)
	for i := range 8 {
		DATA(i*4, U32(math.MaxUint8))
	}
	VMOVDQU(bytes, low)
	Label("next")
	var x [4]reg.VecVirtual
	for j := range x {
		x[j] = YMM()
		VMOVUPS(Mem{Base: src, Disp: j * 32}, x[j])
		VDIVPS(f, x[j], x[j])
		VMAXPS(least, x[j], x[j]) // the first operand where one is NaN
		VMINPS(most, x[j], x[j])
		VCVTPS2DQ(x[j], x[j])
		VPADDD(zero, x[j], x[j])
		VPAND(low, x[j], x[j])
	}
	VPACKUSDW(x[1], x[0], x[0])
	VPACKUSDW(x[3], x[2], x[2])
	VPACKUSWB(x[2], x[0], x[0])
	VPERMD(x[0], order, x[0])
	VMOVDQU(x[0], Mem{Base: dst})
	ADDQ(U32(128), src)
	ADDQ(Imm(32), dst)
	SUBQ(Imm(32), n)
	JNE(LabelRef("next"))
	VZEROUPPER()
	RET()
}
