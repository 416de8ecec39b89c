// Command winograd generates winograd_amd64.s of package kernel: the transforms of Winograd's convolution of float32, for AVX2.
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
	split()
	into()
	out()
	for m := 4; m <= 6; m++ {
		tile(m, 2)
		tile(m, 1)
	}
	Generate()
}

func text(name, signature string) {
	TEXT(name, attr.NOSPLIT, "func"+signature)
	Pragma("noescape")
}

func pointer(name string) gp { return Load(Param(name), GP64()) }

// split generates kernel.winogradSplit: rows of src, so many blocks of sixteen and what two masks select of one more, are written to even and odd,
// by column. It returns the largest of all elements' bits, without their signs.
func split() {
	text("winogradSplit", "(even, odd *float32, dstStep uintptr, src *float32, srcStep uintptr, rows, blocks int, mask0, mask1 *int32) uint32")
	even, odd, dstStep := pointer("even"), pointer("odd"), pointer("dstStep")
	src, srcStep, rows, blocks := pointer("src"), pointer("srcStep"), pointer("rows"), pointer("blocks")
	masks := [2]vec{YMM(), YMM()}
	VMOVUPS(Mem{Base: pointer("mask0")}, masks[0])
	VMOVUPS(Mem{Base: pointer("mask1")}, masks[1])
	most, number := YMM(), YMM()
	VXORPS(most, most, most)
	VPCMPEQD(number, number, number)
	VPSRLD(Imm(1), number, number)
	Label("row")
	from, to, left := GP64(), GP64(), GP64()
	MOVQ(src, from)
	XORQ(to, to)
	MOVQ(blocks, left)
	block := func(a, b vec) {
		for _, v := range []vec{a, b} {
			y := YMM()
			VPAND(v, number, y)
			VPMAXUD(y, most, most)
		}
		for i, p := range []gp{even, odd} {
			y := YMM()
			VSHUFPS(Imm([]uint64{0x88, 0xdd}[i]), b, a, y)
			VPERMPD(Imm(0xd8), y, y)
			VMOVUPS(y, Mem{Base: p, Index: to, Scale: 1})
		}
	}
	TESTQ(left, left)
	JE(LabelRef("tail"))
	Label("block")
	a, b := YMM(), YMM()
	VMOVUPS(Mem{Base: from}, a)
	VMOVUPS(Mem{Base: from, Disp: width}, b)
	block(a, b)
	ADDQ(Imm(2*width), from)
	ADDQ(Imm(width), to)
	DECQ(left)
	JNE(LabelRef("block"))
	Label("tail")
	a, b = YMM(), YMM()
	VMASKMOVPS(Mem{Base: from}, masks[0], a)
	VMASKMOVPS(Mem{Base: from, Disp: width}, masks[1], b)
	block(a, b)
	ADDQ(srcStep, src)
	ADDQ(dstStep, even)
	ADDQ(dstStep, odd)
	DECQ(rows)
	JNE(LabelRef("row"))
	x, y := XMM(), XMM()
	VEXTRACTI128(Imm(1), most, x)
	VPMAXUD(x, most.AsX(), x)
	for _, order := range []uint64{0x4e, 0xb1} {
		VPSHUFD(Imm(order), x, y)
		VPMAXUD(x, y, x)
	}
	result := GP32()
	VMOVD(x, result)
	VZEROUPPER()
	Store(result, ReturnIndex(0))
	RET()
}

// into generates kernel.winogradInto: Bᵀ·d·B of rows of tiles, eight tiles at a time. Rows of src are step bytes apart, each as its even columns and,
// half bytes further, its odd ones; two of them lie between rows of tiles. Element f of a result lies vf·f bytes from v, results of the next row of tiles next bytes further.
func into() {
	text("winogradInto", "(v *float32, vf, next uintptr, src *float32, half, step uintptr, rows, vectors int)")
	v, next, src, step := pointer("v"), pointer("next"), pointer("src"), pointer("step")
	rows := pointer("rows")
	step3 := GP64()
	LEAQ(Mem{Base: step, Index: step, Scale: 2}, step3)
	vf, vf3 := pointer("vf"), GP64()
	LEAQ(Mem{Base: vf, Index: vf, Scale: 2}, vf3)
	Label("row")
	var to [4]gp
	for i := range to {
		to[i] = GP64()
		if i == 0 {
			MOVQ(v, to[i])
		} else {
			LEAQ(Mem{Base: to[i-1], Index: vf, Scale: 4}, to[i])
		}
	}
	even, odd, left := GP64(), GP64(), pointer("vectors")
	MOVQ(src, even)
	MOVQ(pointer("half"), odd)
	ADDQ(src, odd)
	at := func(i, j int) Mem {
		m := Mem{Base: even, Disp: j / 2 * 4}
		if j%2 == 1 {
			m.Base = odd
		}
		switch i {
		case 1, 2:
			m.Index, m.Scale = step, uint8(i)
		case 3:
			m.Index, m.Scale = step3, 1
		}
		return m
	}
	Label("vector")
	var d [3][4]vec
	for i := 1; i < 3; i++ {
		for j := range 4 {
			d[i][j] = YMM()
			VMOVUPS(at(i, j), d[i][j])
		}
	}
	for i := range 4 {
		var t [4]vec
		for j := range t {
			t[j] = YMM()
			switch i {
			case 0:
				VMOVUPS(at(0, j), t[j])
				VSUBPS(d[2][j], t[j], t[j])
			case 1:
				VADDPS(d[2][j], d[1][j], t[j])
			case 2:
				VSUBPS(d[1][j], d[2][j], t[j])
			default:
				VSUBPS(at(3, j), d[1][j], t[j])
			}
		}
		for j := range t {
			y := YMM()
			m := Mem{Base: to[i]}
			switch j {
			case 0:
				VSUBPS(t[2], t[0], y)
			case 1:
				VADDPS(t[2], t[1], y)
				m.Index, m.Scale = vf, 1
			case 2:
				VSUBPS(t[1], t[2], y)
				m.Index, m.Scale = vf, 2
			default:
				VSUBPS(t[3], t[1], y)
				m.Index, m.Scale = vf3, 1
			}
			VMOVUPS(y, m)
		}
	}
	for _, p := range []gp{even, odd, to[0], to[1], to[2], to[3]} {
		ADDQ(Imm(width), p)
	}
	DECQ(left)
	JNE(LabelRef("vector"))
	ADDQ(next, v)
	LEAQ(Mem{Base: src, Index: step, Scale: 2}, src)
	DECQ(rows)
	JNE(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// out generates kernel.winogradOut: Aᵀ·m·A of rows of tiles, eight tiles at a time, as two rows of dst. Element f lies mf·f bytes from m, rows of
// tiles next bytes apart, rows of dst step bytes.
func out() {
	text("winogradOut", "(dst *float32, step uintptr, m *float32, mf, next uintptr, rows, vectors int)")
	dst, step, m, next, rows := pointer("dst"), pointer("step"), pointer("m"), pointer("next"), pointer("rows")
	mf, mf3 := pointer("mf"), GP64()
	LEAQ(Mem{Base: mf, Index: mf, Scale: 2}, mf3)
	Label("row")
	var from [4]gp
	for i := range from {
		from[i] = GP64()
		if i == 0 {
			MOVQ(m, from[i])
		} else {
			LEAQ(Mem{Base: from[i-1], Index: mf, Scale: 4}, from[i])
		}
	}
	to, left := GP64(), pointer("vectors")
	MOVQ(dst, to)
	Label("vector")
	var p, q [4]vec
	for i := range 4 {
		p[i], q[i] = YMM(), YMM()
		y := YMM()
		VMOVUPS(Mem{Base: from[i], Index: mf, Scale: 1}, q[i])
		VMOVUPS(Mem{Base: from[i], Index: mf, Scale: 2}, y)
		VADDPS(Mem{Base: from[i]}, q[i], p[i])
		VADDPS(y, p[i], p[i])
		VSUBPS(y, q[i], q[i])
		VSUBPS(Mem{Base: from[i], Index: mf3, Scale: 1}, q[i], q[i])
	}
	var y [2][2]vec
	for j, s := range [2][4]vec{p, q} {
		y[0][j], y[1][j] = YMM(), YMM()
		VADDPS(s[1], s[0], y[0][j])
		VADDPS(s[2], y[0][j], y[0][j])
		VSUBPS(s[2], s[1], y[1][j])
		VSUBPS(s[3], y[1][j], y[1][j])
	}
	for i, row := range y {
		low, high, a := YMM(), YMM(), YMM()
		VUNPCKLPS(row[1], row[0], low)
		VUNPCKHPS(row[1], row[0], high)
		at := Mem{Base: to}
		if i == 1 {
			at.Index, at.Scale = step, 1
		}
		VPERM2F128(Imm(0x20), high, low, a)
		VMOVUPS(a, at)
		VPERM2F128(Imm(0x31), high, low, low)
		at.Disp = width
		VMOVUPS(low, at)
	}
	for _, p := range from {
		ADDQ(Imm(width), p)
	}
	ADDQ(Imm(2*width), to)
	DECQ(left)
	JNE(LabelRef("vector"))
	ADDQ(next, m)
	LEAQ(Mem{Base: dst, Index: step, Scale: 2}, dst)
	DECQ(rows)
	JNE(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// tile generates kernel.winogradTileMxN: C (m, n) = A·B, or C + A·B when add, for count tiles of A, which lie one after another, each column by column.
// Rows of B (k, n) are bs bytes apart, rows of C and tiles of it ldc. What A has some way further on is fetched meanwhile: it is read once where
// B is narrow, and no more of it may be in a cache.
func tile(m, vectors int) {
	const ahead = 4096 // bytes
	text("winogradTile"+strconv.Itoa(m)+"x"+strconv.Itoa(8*vectors), "(a, b *float32, bs uintptr, k int, c *float32, ldc uintptr, add, count int)")
	a, b0, bs, c0, ldc, count := pointer("a"), pointer("b"), pointer("bs"), pointer("c"), pointer("ldc"), pointer("count")
	bs3 := GP64()
	LEAQ(Mem{Base: bs, Index: bs, Scale: 2}, bs3)
	sums := make([][]vec, m)
	for i := range sums {
		sums[i] = make([]vec, vectors)
		for j := range sums[i] {
			sums[i][j] = YMM()
		}
	}
	Label("next")
	c, adds := GP64(), pointer("add")
	MOVQ(c0, c)
	TESTQ(adds, adds)
	JNE(LabelRef("add"))
	for i := range sums {
		for j := range sums[i] {
			VXORPS(sums[i][j], sums[i][j], sums[i][j])
		}
		PREFETCHT0(Mem{Base: c})
		ADDQ(ldc, c)
	}
	JMP(LabelRef("product"))
	Label("add")
	for i := range sums {
		for j := range sums[i] {
			VMOVUPS(Mem{Base: c, Disp: j * width}, sums[i][j])
		}
		ADDQ(ldc, c)
	}
	Label("product")
	b, k := GP64(), pointer("k")
	MOVQ(b0, b)
	step := func(u int) {
		y := make([]vec, vectors)
		for j := range y {
			y[j] = YMM()
			at := Mem{Base: b, Disp: j * width}
			switch u {
			case 1, 2:
				at.Index, at.Scale = bs, uint8(u)
			case 3:
				at.Index, at.Scale = bs3, 1
			}
			VMOVUPS(at, y[j])
		}
		for i := range m {
			x := YMM()
			VBROADCASTSS(Mem{Base: a, Disp: (u*m + i) * 4}, x)
			for j := range vectors {
				VFMADD231PS(y[j], x, sums[i][j])
			}
		}
	}
	SUBQ(Imm(4), k)
	JLT(LabelRef("rest"))
	Label("by4")
	for u := range 4 {
		step(u)
		if u < 2 {
			PREFETCHT0(Mem{Base: a, Disp: ahead + u*64})
		}
	}
	ADDQ(Imm(uint64(16*m)), a)
	LEAQ(Mem{Base: b, Index: bs, Scale: 4}, b)
	SUBQ(Imm(4), k)
	JGE(LabelRef("by4"))
	Label("rest")
	ADDQ(Imm(4), k)
	JE(LabelRef("store"))
	Label("by1")
	step(0)
	ADDQ(Imm(uint64(4*m)), a)
	ADDQ(bs, b)
	DECQ(k)
	JNE(LabelRef("by1"))
	Label("store")
	for i := range sums {
		for j := range sums[i] {
			VMOVUPS(sums[i][j], Mem{Base: c0, Disp: j * width})
		}
		ADDQ(ldc, c0)
	}
	DECQ(count)
	JNE(LabelRef("next"))
	VZEROUPPER()
	RET()
}
