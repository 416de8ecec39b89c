// Command wide generates wide_amd64.s of package kernel: sums in float64 over rows of float32, for AVX2 with FMA. Rows and columns come in whole
// vectors of four float64; what is left over is done in Go.
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

func main() {
	ConstraintExpr("amd64")
	dots()
	sums(4)
	sums(1)
	moments(2)
	moments(1)
	rows()
	tile()
	exponential()
	Generate()
}

func text(name, signature string) { TEXT(name, attr.NOSPLIT, "func("+signature+")") }

func load(names ...string) []gp {
	out := make([]gp, len(names))
	for i, name := range names {
		out[i] = Load(Param(name), GP64())
	}
	return out
}

func zeros(n int) []vec {
	out := make([]vec, n)
	for i := range out {
		out[i] = YMM()
		VXORPD(out[i], out[i], out[i])
	}
	return out
}

// centred is four elements of x less their means, in float64.
func centred(x Mem, mean Op) vec {
	v := YMM()
	VCVTPS2PD(x, v)
	VSUBPD(mean, v, v)
	return v
}

func done() {
	VZEROUPPER()
	RET()
}

// dots: dst += (x - mean)·u for groups of four rows, ld bytes apart, over so many vectors of columns.
func dots() {
	text("wideDots", "dst *float64, x *float32, ld uintptr, mean, u *float64, groups, vectors int")
	r := load("dst", "x", "ld", "mean", "u", "groups", "vectors")
	dst, x, ld, mean, u, groups, vectors := r[0], r[1], r[2], r[3], r[4], r[5], r[6]
	third := GP64() // three rows on
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, third)
	Label("group")
	s := zeros(4)
	at, m, w, n := GP64(), GP64(), GP64(), GP64()
	MOVQ(x, at)
	MOVQ(mean, m)
	MOVQ(u, w)
	MOVQ(vectors, n)
	Label("vector")
	center, by := YMM(), YMM()
	VMOVUPD(Mem{Base: m}, center)
	VMOVUPD(Mem{Base: w}, by)
	for i, from := range []Mem{{Base: at}, {Base: at, Index: ld, Scale: 1}, {Base: at, Index: ld, Scale: 2}, {Base: at, Index: third, Scale: 1}} {
		VFMADD231PD(centred(from, center), by, s[i])
	}
	ADDQ(Imm(16), at)
	ADDQ(Imm(32), m)
	ADDQ(Imm(32), w)
	DECQ(n)
	JNZ(LabelRef("vector"))
	VHADDPD(s[1], s[0], s[0])
	VHADDPD(s[3], s[2], s[2])
	low, high := YMM(), YMM()
	VPERM2F128(Imm(0x20), s[2], s[0], low)
	VPERM2F128(Imm(0x31), s[2], s[0], high)
	VADDPD(high, low, low)
	VADDPD(Mem{Base: dst}, low, low)
	VMOVUPD(low, Mem{Base: dst})
	LEAQ(Mem{Base: x, Index: ld, Scale: 4}, x)
	ADDQ(Imm(32), dst)
	DECQ(groups)
	JNZ(LabelRef("group"))
	done()
}

// sums: sum += Σ a·(x - mean) for n vectors of columns.
func sums(n int) {
	text("wideSums"+strconv.Itoa(4*n), "sum *float64, x *float32, ld uintptr, mean, a *float64, rows int")
	r := load("sum", "x", "ld", "mean", "a", "rows")
	sum, x, ld, mean, a, count := r[0], r[1], r[2], r[3], r[4], r[5]
	s, center := zeros(n), make([]vec, n)
	for i := range center {
		center[i] = YMM()
		VMOVUPD(Mem{Base: mean, Disp: 32 * i}, center[i])
	}
	Label("row")
	by := YMM()
	VBROADCASTSD(Mem{Base: a}, by)
	for i := range s {
		VFMADD231PD(centred(Mem{Base: x, Disp: 16 * i}, center[i]), by, s[i])
	}
	ADDQ(ld, x)
	ADDQ(Imm(8), a)
	DECQ(count)
	JNZ(LabelRef("row"))
	add(sum, s)
	done()
}

// add adds vectors to what lies at p.
func add(p gp, s []vec) {
	for i, v := range s {
		VADDPD(Mem{Base: p, Disp: 32 * i}, v, v)
		VMOVUPD(v, Mem{Base: p, Disp: 32 * i})
	}
}

// moments: the same, and squares += Σ a·(x - mean)².
func moments(n int) {
	text("wideMoments"+strconv.Itoa(4*n), "sum, squares *float64, x *float32, ld uintptr, mean, a *float64, rows int")
	r := load("sum", "squares", "x", "ld", "mean", "a", "rows")
	sum, squares, x, ld, mean, a, count := r[0], r[1], r[2], r[3], r[4], r[5], r[6]
	s, q, center := zeros(n), zeros(n), make([]vec, n)
	for i := range center {
		center[i] = YMM()
		VMOVUPD(Mem{Base: mean, Disp: 32 * i}, center[i])
	}
	Label("row")
	by := YMM()
	VBROADCASTSD(Mem{Base: a}, by)
	for i := range s {
		d, weighted := centred(Mem{Base: x, Disp: 16 * i}, center[i]), YMM()
		VMULPD(d, by, weighted)
		VADDPD(weighted, s[i], s[i])
		VFMADD231PD(weighted, d, q[i])
	}
	ADDQ(ld, x)
	ADDQ(Imm(8), a)
	DECQ(count)
	JNZ(LabelRef("row"))
	add(sum, s)
	add(squares, q)
	done()
}

// rows: z = a·(x - mean), rows of z to bytes apart.
func rows() {
	text("wideRows", "z *float64, to uintptr, x *float32, ld uintptr, mean, a *float64, rows, vectors int")
	r := load("z", "to", "x", "ld", "mean", "a", "rows", "vectors")
	z, to, x, ld, mean, a, count, vectors := r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]
	Label("row")
	by, i, n := YMM(), GP64(), GP64()
	VBROADCASTSD(Mem{Base: a}, by)
	XORQ(i, i)
	MOVQ(vectors, n)
	Label("vector")
	v := centred(Mem{Base: x, Index: i, Scale: 4}, Mem{Base: mean, Index: i, Scale: 8})
	VMULPD(by, v, v)
	VMOVUPD(v, Mem{Base: z, Index: i, Scale: 8})
	ADDQ(Imm(4), i)
	DECQ(n)
	JNZ(LabelRef("vector"))
	ADDQ(to, z)
	ADDQ(ld, x)
	ADDQ(Imm(8), a)
	DECQ(count)
	JNZ(LabelRef("row"))
	done()
}

// tile: c (4, 8) += left'·right, where left has four columns and right eight, rows that many bytes apart.
func tile() {
	text("wideTile", "c *float64, ldc uintptr, left *float64, leftLD uintptr, right *float64, rightLD uintptr, rows int")
	r := load("c", "ldc", "left", "leftLD", "right", "rightLD", "rows")
	c, ldc, left, leftLD, right, rightLD, count := r[0], r[1], r[2], r[3], r[4], r[5], r[6]
	s := zeros(8)
	Label("row")
	b := []vec{YMM(), YMM()}
	VMOVUPD(Mem{Base: right}, b[0])
	VMOVUPD(Mem{Base: right, Disp: 32}, b[1])
	for i := range 4 {
		a := YMM()
		VBROADCASTSD(Mem{Base: left, Disp: 8 * i}, a)
		VFMADD231PD(b[0], a, s[2*i])
		VFMADD231PD(b[1], a, s[2*i+1])
	}
	ADDQ(leftLD, left)
	ADDQ(rightLD, right)
	DECQ(count)
	JNZ(LabelRef("row"))
	for i := range 4 {
		add(c, s[2*i:2*i+2])
		ADDQ(ldc, c)
	}
	done()
}

// number is a vector of equal numbers in memory.
func number(name string, bits uint64) Mem {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	for i := range 4 {
		DATA(8*i, U64(bits))
	}
	return m
}

func float(name string, v float64) Mem { return number(name, math.Float64bits(v)) }

// exponential: dst = e^x for groups of sixteen numbers from -708 to 0; those below count as -708. x = k·ln 2 + r, and e^r by its Taylor series of
// degree 13, which leaves 4e-18 where |r| is at most ln 2 / 2.
func exponential() {
	const terms, vectors = 13, 4
	const ln2High, ln2Low = 6.93147180369123816490e-01, 1.90821492927058770002e-10
	least, perLn2, round := float("wideLeast", -708), float("widePerLn2", math.Log2E), float("wideRound", 0x1.8p52)
	high, low := float("wideLn2High", ln2High), float("wideLn2Low", ln2Low)
	series, factorial := make([]Mem, terms+1), 1.0
	for i := range series {
		if i > 0 {
			factorial *= float64(i)
		}
		series[i] = float("wideSeries"+strconv.Itoa(i), 1/factorial)
	}
	text("wideExp", "dst, src *float64, groups int")
	r := load("dst", "src", "groups")
	dst, src, groups := r[0], r[1], r[2]
	Label("group")
	x, k, p := make([]vec, vectors), make([]vec, vectors), make([]vec, vectors)
	for i := range vectors {
		x[i], k[i], p[i] = YMM(), YMM(), YMM()
		VMOVUPD(least, x[i])
		VMAXPD(Mem{Base: src, Disp: 32 * i}, x[i], x[i]) // NaN stays NaN
		VMOVUPD(round, k[i])
		VMOVUPD(perLn2, p[i])
		VFMADD231PD(p[i], x[i], k[i]) // the last bits are those of the integer
		VSUBPD(round, k[i], p[i])
		VFNMADD231PD(high, p[i], x[i])
		VFNMADD231PD(low, p[i], x[i])
		VMOVUPD(series[terms], p[i])
	}
	for n := terms - 1; n >= 0; n-- {
		for i := range vectors {
			VFMADD213PD(series[n], x[i], p[i])
		}
	}
	for i := range vectors {
		VPSLLQ(Imm(52), k[i], k[i])
		VPADDQ(series[0], k[i], k[i]) // 2^k, for the first of the series is 1
		VMULPD(k[i], p[i], p[i])
		VMOVUPD(p[i], Mem{Base: dst, Disp: 32 * i})
	}
	ADDQ(Imm(32*vectors), src)
	ADDQ(Imm(32*vectors), dst)
	DECQ(groups)
	JNZ(LabelRef("group"))
	done()
}
