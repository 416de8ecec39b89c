package main

import (
	"strconv"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	zmmRows  = 12 // of the highest tile in AVX-512
	zmmLanes = 16
)

// zmmTile is the making of kernel.zmmMxN: tile in AVX-512F, where a panel of B is one vector wide. Twelve rows of two vectors are 24 sums; the
// loads of one step, two of B and twelve of A, take half of the time of its multiplications.
type zmmTile struct {
	m, vectors      int
	masked          bool // only those columns of the last vector are touched that have a bit in tile.w
	t               reg.Register
	mask            reg.OpmaskVirtual
	sums            [][]reg.VecVirtual
	a0, b0, c0      Mem // copies of fields, which go on from tile to tile
	col, row        Mem
	rs, rs3, rs5    reg.GPVirtual
	cs, bs, ps, ps3 reg.GPVirtual
	a, a6, b        reg.GPVirtual // the element of row 0, the element of row 6, the row of B
	name            string
}

// avx512 generates all tiles in AVX-512, and in Go the choice among them.
func avx512() {
	widths := []zmmTile{{vectors: 1, masked: true}, {vectors: 1}, {vectors: 2}}
	for _, w := range widths {
		method := strings.Replace(w.suffix("zmm"), "x", "", 1)
		stubs += "\n// " + method + " runs tiles of m rows, from 1 to " + strconv.Itoa(zmmRows) + ".\nfunc (t *tile) " + method + "(m int) {\n\tswitch m {\n"
		for m := 1; m < zmmRows; m++ {
			stubs += "\tcase " + strconv.Itoa(m) + ":\n\t\tzmm" + w.suffix(strconv.Itoa(m)) + "(t)\n"
		}
		stubs += "\tdefault:\n\t\tzmm" + w.suffix(strconv.Itoa(zmmRows)) + "(t)\n\t}\n}\n"
	}
	for m := 1; m <= zmmRows; m++ {
		for _, w := range widths {
			w.m = m
			w.make()
		}
	}
	wide := zmmTile{m: 1, vectors: 4}
	wide.make()
}

// suffix adds the width to a name.
func (g *zmmTile) suffix(name string) string {
	name += "x" + strconv.Itoa(g.vectors*zmmLanes)
	if g.masked {
		name += "m"
	}
	return name
}

func (g *zmmTile) at(field int) Mem { return Mem{Base: g.t, Disp: field} }

func (g *zmmTile) field(off int) reg.GPVirtual {
	r := GP64()
	MOVQ(g.at(off), r)
	return r
}

// each calls f for every sum, row by row.
func (g *zmmTile) each(f func(i, j int, sum reg.VecVirtual)) {
	for i := range g.sums {
		for j, sum := range g.sums[i] {
			f(i, j, sum)
		}
	}
}

// down calls f for every row with a pointer to it, which begins with C.
func (g *zmmTile) down(c reg.GPVirtual, f func(i int)) {
	ldc := g.field(tileLDC)
	for i := range g.m {
		f(i)
		if i < g.m-1 {
			ADDQ(ldc, c)
		}
	}
}

func (g *zmmTile) load(from Mem, to reg.VecVirtual) {
	if g.masked {
		VMOVUPS_Z(from, g.mask, to)
	} else {
		VMOVUPS(from, to)
	}
}

func (g *zmmTile) make() {
	name := g.suffix("zmm" + strconv.Itoa(g.m))
	TEXT(name, NOSPLIT, "func(t *byte)")
	stubs += "\n//go:noescape\nfunc " + name + "(t *tile)\n"
	g.t = Load(Param("t"), GP64())
	local := func(off int) Mem {
		l := AllocLocal(8)
		MOVQ(g.field(off), l)
		return l
	}
	g.a0, g.b0, g.c0, g.col, g.row = local(tileA), local(tileB), local(tileC), local(tileColBias), local(tileRowBias)
	count := local(tileCount)
	g.sums = make([][]reg.VecVirtual, g.m)
	for i := range g.sums {
		for range g.vectors {
			g.sums[i] = append(g.sums[i], ZMM())
		}
	}
	if g.masked {
		g.mask = K()
		w := GP32()
		MOVL(g.at(tileW), w)
		KMOVW(w, g.mask)
	}
	g.steps()

	Label("next")
	g.begin()
	g.product()
	g.activation()
	Label("store")
	c := GP64()
	MOVQ(g.c0, c)
	g.down(c, func(i int) {
		for j, sum := range g.sums[i] {
			if to := (Mem{Base: c, Disp: j * 64}); g.masked {
				VMOVUPS(sum, g.mask, to)
			} else {
				VMOVUPS(sum, to)
			}
		}
	})
	DECQ(count)
	JE(LabelRef("done"))
	for _, on := range []struct {
		l  Mem
		by int
	}{{g.a0, tileAN}, {g.b0, tileBN}, {g.c0, tileCN}, {g.col, tileColN}, {g.row, tileRowN}} {
		ADDQ(g.field(on.by), on.l)
	}
	JMP(LabelRef("next"))
	Label("done")
	VZEROUPPER()
	RET()
}

// steps loads how far the elements of A and B lie apart.
func (g *zmmTile) steps() {
	g.cs, g.bs = g.field(tileCS), g.field(tileBS)
	if g.m > 1 {
		g.rs = g.field(tileRS)
	}
	if g.m > 3 {
		g.rs3 = GP64()
		LEAQ(Mem{Base: g.rs, Index: g.rs, Scale: 2}, g.rs3)
	}
	if g.m > 5 {
		g.rs5 = GP64()
		LEAQ(Mem{Base: g.rs, Index: g.rs, Scale: 4}, g.rs5)
	}
	if g.vectors > 1 {
		g.ps = g.field(tilePS)
	}
	if g.vectors > 3 {
		g.ps3 = GP64()
		LEAQ(Mem{Base: g.ps, Index: g.ps, Scale: 2}, g.ps3)
	}
}

// begin sets the sums to what the product is added to.
func (g *zmmTile) begin() {
	c := GP64()
	MOVQ(g.c0, c)
	CMPQ(g.at(tileAdd), Imm(0))
	JNE(LabelRef("add"))
	g.each(func(_, _ int, sum reg.VecVirtual) { VPXORD(sum, sum, sum) })
	// What will be written is fetched meanwhile.
	g.down(c, func(int) {
		for j := range g.vectors {
			PREFETCHT0(Mem{Base: c, Disp: j * 64})
		}
	})
	JMP(LabelRef("bias"))
	Label("add")
	g.down(c, func(i int) {
		for j, sum := range g.sums[i] {
			g.load(Mem{Base: c, Disp: j * 64}, sum)
		}
	})
	Label("bias")
	p := GP64()
	MOVQ(g.col, p)
	TESTQ(p, p)
	JE(LabelRef("rowbias"))
	for j := range g.vectors {
		v := ZMM()
		g.load(Mem{Base: p, Disp: j * 64}, v)
		for i := range g.sums {
			VADDPS(v, g.sums[i][j], g.sums[i][j])
		}
	}
	Label("rowbias")
	MOVQ(g.row, p)
	TESTQ(p, p)
	JE(LabelRef("product"))
	g.each(func(i, _ int, sum reg.VecVirtual) { VADDPS_BCST(Mem{Base: p, Disp: i * 4}, sum, sum) })
	Label("product")
}

// product adds A·B to the sums.
func (g *zmmTile) product() {
	g.a, g.b = GP64(), GP64()
	MOVQ(g.a0, g.a)
	MOVQ(g.b0, g.b)
	if g.m > 6 {
		g.a6 = GP64()
		LEAQ(Mem{Base: g.a, Index: g.rs3, Scale: 2}, g.a6)
	}
	if !g.masked && g.m > 3 { // the next tile's part of C is fetched meanwhile
		c := GP64()
		MOVQ(g.c0, c)
		ADDQ(g.at(tileCN), c)
		g.down(c, func(int) {
			for j := range g.vectors {
				PREFETCHT0(Mem{Base: c, Disp: j * 64})
			}
		})
	}
	unroll := 4
	if g.m*g.vectors > 12 {
		unroll = 2
	}
	k := g.field(tileK)
	SUBQ(Imm(uint64(unroll)), k)
	JLT(LabelRef("rest"))
	Label("many")
	for range unroll {
		g.step()
	}
	SUBQ(Imm(uint64(unroll)), k)
	JGE(LabelRef("many"))
	Label("rest")
	ADDQ(Imm(uint64(unroll)), k)
	JE(LabelRef("act"))
	Label("one")
	g.step()
	DECQ(k)
	JNE(LabelRef("one"))
}

// step adds a column of A times a row of B, and goes on to the next.
func (g *zmmTile) step() {
	panel := []Mem{{Base: g.b}, {Base: g.b, Index: g.ps, Scale: 1}, {Base: g.b, Index: g.ps, Scale: 2}, {Base: g.b, Index: g.ps3, Scale: 1}}
	y := make([]reg.VecVirtual, g.vectors)
	for j := range y {
		if g.m > 1 || g.masked { // otherwise a vector of B serves once: it is an operand in memory
			y[j] = ZMM()
			g.load(panel[j], y[j])
		}
	}
	for i := range g.m {
		x := ZMM()
		VBROADCASTSS(g.element(i), x)
		for j, sum := range g.sums[i] {
			if y[j] != nil {
				VFMADD231PS(y[j], x, sum)
			} else {
				VFMADD231PS(panel[j], x, sum)
			}
		}
	}
	ADDQ(g.cs, g.a)
	if g.m > 6 {
		ADDQ(g.cs, g.a6)
	}
	ADDQ(g.bs, g.b)
}

// element is where row i of A has its element.
func (g *zmmTile) element(i int) Mem {
	p := g.a
	if i >= 6 {
		p, i = g.a6, i-6
	}
	switch i {
	case 1, 2, 4:
		return Mem{Base: p, Index: g.rs, Scale: uint8(i)}
	case 3:
		return Mem{Base: p, Index: g.rs3, Scale: 1}
	case 5:
		return Mem{Base: p, Index: g.rs5, Scale: 1}
	}
	return Mem{Base: p}
}

// activation applies tile.act. The sum itself is the second source of VMAXPS and VMINPS, which they return where one is NaN.
func (g *zmmTile) activation() {
	Label("act")
	CMPQ(g.at(tileAct), Imm(1))
	JLT(LabelRef("store"))
	JGT(LabelRef("leaky"))
	lo, hi := ZMM(), ZMM()
	VBROADCASTSS(g.at(tileLo), lo)
	VBROADCASTSS(g.at(tileHi), hi)
	g.each(func(_, _ int, sum reg.VecVirtual) {
		VMAXPS(sum, lo, sum)
		VMINPS(sum, hi, sum)
	})
	JMP(LabelRef("store"))
	Label("leaky")
	zero, below := ZMM(), K()
	VPXORD(zero, zero, zero)
	VBROADCASTSS(g.at(tileLo), lo)
	g.each(func(_, _ int, sum reg.VecVirtual) {
		VCMPPS(Imm(1), zero, sum, below) // less than
		VMULPS(lo, sum, below, sum)
	})
}
