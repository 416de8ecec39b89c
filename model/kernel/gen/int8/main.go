// Command int8 generates int8_amd64.s of package kernel: products of bytes, and what stands around them, for AVX2.
package main

import (
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
	for m := 1; m <= 4; m++ {
		tile(m, false)
		tile(m, true)
		more(m)
	}
	moreRows()
	weave()
	requantize(false)
	requantize(true)
	real("int8RealUnsigned", VPMOVZXBD)
	real("int8RealSigned", VPMOVSXBD)
	scale()
	limits()
	quantize()
	Generate()
}

// tile generates sums of m rows of A times 16 columns of B, eight terms a step: pairs of products of an unsigned and a signed byte are added in
// int16, as are those of the two halves of a step, then widened to int32. That nothing saturates on the way is a matter of how weights are laid
// out. The signed bytes are B's, or A's where rows is set.
func tile(m int, rows bool) {
	name := "int8Tile"
	if rows {
		name = "int8Rows"
	}
	text(name+strconv.Itoa(m), "c, from *int32, step uintptr, a *uint8, lda uintptr, b *uint8, steps int)")
	c, from, between, a, lda, b, steps := pointer("c"), pointer("from"), pointer("step"), pointer("a"), pointer("lda"), pointer("b"), pointer("steps")
	row := rowsOf(m, a, lda)
	sums := make([][2]reg.VecVirtual, m)
	for i := range sums {
		for j := range 2 {
			sums[i][j] = YMM()
			VMOVDQU(Mem{Base: from, Disp: j * 32}, sums[i][j])
		}
		if i < m-1 {
			ADDQ(between, from)
		}
	}
	ones := ones()
	product := func(x, y Op, to reg.VecVirtual) {
		if rows { // x is signed: y must be in a register
			if _, memory := y.(Mem); memory {
				VMOVDQU(y, to)
				y = to
			}
			VPMADDUBSW(x, y, to)
			return
		}
		VPMADDUBSW(y, x, to)
	}
	one := func(s int) {
		var y [4]Op
		for j := range y {
			at := Mem{Base: b, Disp: s*128 + j*32}
			y[j] = at
			if j < 3 { // as many as there are registers
				r := YMM()
				VMOVDQU(at, r)
				y[j] = r
			}
		}
		for i := range m {
			x, z, t, u := YMM(), YMM(), YMM(), YMM()
			at := row(i)
			at.Disp = s * 8
			VPBROADCASTD(at, x)
			product(x, y[0], t)
			product(x, y[1], x)
			at.Disp += 4
			VPBROADCASTD(at, z)
			product(z, y[2], u)
			VPADDW(u, t, t)
			if rows {
				product(z, y[3], u)
				VPADDW(u, x, x)
			} else {
				product(z, y[3], z)
				VPADDW(z, x, x)
			}
			VPMADDWD(ones, t, t)
			VPADDD(t, sums[i][0], sums[i][0])
			VPMADDWD(ones, x, x)
			VPADDD(x, sums[i][1], sums[i][1])
		}
	}
	const together = 2
	SUBQ(Imm(together), steps)
	JLT(LabelRef("rest"))
	Label("by2")
	for n := range together {
		one(n)
	}
	ADDQ(Imm(together*8), a)
	ADDQ(U32(together*128), b)
	SUBQ(Imm(together), steps)
	JGE(LabelRef("by2"))
	Label("rest")
	ADDQ(Imm(together), steps)
	JE(LabelRef("store"))
	one(0)
	Label("store")
	for i := range sums {
		for j := range 2 {
			VMOVDQU(sums[i][j], Mem{Base: c, Disp: i*64 + j*32})
		}
	}
	VZEROUPPER()
	RET()
}

// rowsOf gives the places of up to four rows.
func rowsOf(m int, a, lda gp) func(i int) Mem {
	lda3 := GP64()
	if m > 3 {
		LEAQ(Mem{Base: lda, Index: lda, Scale: 2}, lda3)
	}
	return func(i int) Mem {
		switch i {
		case 1, 2:
			return Mem{Base: a, Index: lda, Scale: uint8(i)}
		case 3:
			return Mem{Base: a, Index: lda3, Scale: 1}
		}
		return Mem{Base: a}
	}
}

// ones are words of 1, that pairs of words are added by.
func ones() reg.VecVirtual {
	r := YMM()
	VPCMPEQW(r, r, r)
	VPSRLW(Imm(15), r, r)
	return r
}

// more generates what is added to the sums of m rows for n groups of four terms, at says which.
func more(m int) {
	text("int8More"+strconv.Itoa(m), "c *int32, a *uint8, lda uintptr, b *uint8, at *int32, n int)")
	c, a, lda, b, at, n := pointer("c"), pointer("a"), pointer("lda"), pointer("b"), pointer("at"), pointer("n")
	place := GP64()
	row := rowsOf(m, a, lda)
	sums := load(c, m)
	ones := ones()
	Label("next")
	MOVLQSX(Mem{Base: at}, place)
	LEAQ(Mem{Base: place, Index: place, Scale: 1}, place)
	y := [2]reg.VecVirtual{YMM(), YMM()}
	for j := range y {
		VMOVDQU(Mem{Base: b, Disp: j * 32}, y[j])
	}
	ADDQ(place, place)
	ADDQ(place, a)
	for i := range m {
		x, t := YMM(), YMM()
		VPBROADCASTD(row(i), x)
		for j := range y {
			VPMADDUBSW(y[j], x, t)
			VPMADDWD(ones, t, t)
			VPADDD(t, sums[i][j], sums[i][j])
		}
	}
	SUBQ(place, a)
	ADDQ(Imm(4), at)
	ADDQ(Imm(64), b)
	DECQ(n)
	JNE(LabelRef("next"))
	store(c, sums)
}

// moreRows generates the same for one row of A, whose groups stand one after another while at says which ones of B they meet.
func moreRows() {
	text("int8MoreRows", "c *int32, a *uint8, b *uint8, at *int32, n int)")
	c, a, b, at, n := pointer("c"), pointer("a"), pointer("b"), pointer("at"), pointer("n")
	place := GP64()
	sums := load(c, 1)
	ones := ones()
	Label("next")
	MOVLQSX(Mem{Base: at}, place)
	SHLQ(Imm(6), place)
	x := YMM()
	VPBROADCASTD(Mem{Base: a}, x)
	for j := range 2 {
		y := YMM()
		VMOVDQU(Mem{Base: b, Index: place, Scale: 1, Disp: j * 32}, y)
		VPMADDUBSW(x, y, y)
		VPMADDWD(ones, y, y)
		VPADDD(y, sums[0][j], sums[0][j])
	}
	ADDQ(Imm(4), at)
	ADDQ(Imm(4), a)
	DECQ(n)
	JNE(LabelRef("next"))
	store(c, sums)
}

func load(c gp, m int) [][2]reg.VecVirtual {
	sums := make([][2]reg.VecVirtual, m)
	for i := range sums {
		for j := range 2 {
			sums[i][j] = YMM()
			VMOVDQU(Mem{Base: c, Disp: i*64 + j*32}, sums[i][j])
		}
	}
	return sums
}

func store(c gp, sums [][2]reg.VecVirtual) {
	for i := range sums {
		for j := range 2 {
			VMOVDQU(sums[i][j], Mem{Base: c, Disp: i*64 + j*32})
		}
	}
	VZEROUPPER()
	RET()
}

// weave generates groups of four bytes, one of each of four lines, for blocks of sixteen: what a panel has of four of its rows. Each byte is
// flipped by a mask.
func weave() {
	text("int8Weave", "dst *uint8, step uintptr, l0, l1, l2, l3 *uint8, blocks int, flip int32)")
	dst, step, n := pointer("dst"), pointer("step"), pointer("blocks")
	lines := [4]gp{pointer("l0"), pointer("l1"), pointer("l2"), pointer("l3")}
	flip := XMM()
	VMOVD(Load(Param("flip"), GP32()), flip)
	VPBROADCASTB(flip, flip)
	at := GP64()
	XORQ(at, at)
	Label("next")
	var x [4]reg.VecVirtual
	for i := range x {
		x[i] = XMM()
		VPXOR(Mem{Base: lines[i], Index: at, Scale: 1}, flip, x[i])
	}
	for half, words := range []func(...Op){VPUNPCKLBW, VPUNPCKHBW} {
		a, b := XMM(), XMM()
		words(x[1], x[0], a)
		words(x[3], x[2], b)
		lo, hi := XMM(), XMM()
		VPUNPCKLWD(b, a, lo)
		VPUNPCKHWD(b, a, hi)
		VMOVDQU(lo, Mem{Base: dst, Disp: half * 32})
		VMOVDQU(hi, Mem{Base: dst, Disp: half*32 + 16})
	}
	ADDQ(step, dst)
	ADDQ(Imm(16), at)
	DECQ(n)
	JNE(LabelRef("next"))
	RET()
}

// requantize generates rows of sixteen bytes round(max(least, min(most, (sums + add)·scale))) + zero; NaN, of a strange scale, gives least. add and
// scale are one for each column, or one for each row.
func requantize(rows bool) {
	name := "int8Columns"
	if rows {
		name = "int8Lines"
	}
	text(name, "dst *uint8, ld uintptr, sums *int32, rows int, add *int32, scale *float32, least, most float32, zero int32)")
	dst, ld, sums, n, add, s := pointer("dst"), pointer("ld"), pointer("sums"), pointer("rows"), pointer("add"), pointer("scale")
	least, most, zero := broadcastFloat("least"), broadcastFloat("most"), broadcastInt("zero", VPBROADCASTD)
	low := byteMask()
	var f, t [2]reg.VecVirtual
	for j := range 2 {
		f[j], t[j] = YMM(), YMM()
		if !rows {
			VMOVUPS(Mem{Base: s, Disp: j * 32}, f[j])
			VMOVDQU(Mem{Base: add, Disp: j * 32}, t[j])
		}
	}
	Label("next")
	if rows {
		VBROADCASTSS(Mem{Base: s}, f[0])
		VPBROADCASTD(Mem{Base: add}, t[0])
		f[1], t[1] = f[0], t[0]
		ADDQ(Imm(4), s)
		ADDQ(Imm(4), add)
	}
	var x [2]reg.VecVirtual
	for j := range x {
		x[j] = YMM()
		VPADDD(Mem{Base: sums, Disp: j * 32}, t[j], x[j])
		VCVTDQ2PS(x[j], x[j])
		VMULPS(f[j], x[j], x[j])
		VMAXPS(least, x[j], x[j]) // the first operand where one is NaN
		VMINPS(most, x[j], x[j])
		VCVTPS2DQ(x[j], x[j])
		VPADDD(zero, x[j], x[j])
		VPAND(low, x[j], x[j])
	}
	VPACKUSDW(x[1], x[0], x[0])
	VPERMQ(Imm(0xd8), x[0], x[0]) // the words in order
	upper := YMM()
	VEXTRACTI128(Imm(1), x[0], upper.AsX())
	VPACKUSWB(upper.AsX(), x[0].AsX(), x[0].AsX())
	VMOVDQU(x[0].AsX(), Mem{Base: dst})
	ADDQ(Imm(64), sums)
	ADDQ(ld, dst)
	DECQ(n)
	JNE(LabelRef("next"))
	VZEROUPPER()
	RET()
}

// byteMask keeps the low byte of each int32.
func byteMask() reg.VecVirtual {
	low := YMM()
	VPCMPEQD(low, low, low)
	VPSRLD(Imm(24), low, low)
	return low
}

// real generates dst = (src - zero)·scale for n a multiple of 16.
func real(name string, extend func(ops ...Op)) {
	text(name, "dst *float32, src *uint8, n int, zero int32, scale float32)")
	dst, src, n := pointer("dst"), pointer("src"), pointer("n")
	zero, f := broadcastInt("zero", VPBROADCASTD), broadcastFloat("scale")
	Label("next")
	for j := range 2 {
		x := YMM()
		extend(Mem{Base: src, Disp: j * 8}, x)
		VPSUBD(zero, x, x)
		VCVTDQ2PS(x, x)
		VMULPS(f, x, x)
		VMOVUPS(x, Mem{Base: dst, Disp: j * 32})
	}
	ADDQ(Imm(16), src)
	ADDQ(Imm(64), dst)
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
	low := byteMask()
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
