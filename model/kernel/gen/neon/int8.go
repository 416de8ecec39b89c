package main

import (
	"fmt"
	"strconv"
)

// bytes writes products of bytes, and what stands around them.
func bytes(a *assembler) {
	for m := 1; m <= 4; m++ {
		a.byteTile(m, false)
		a.byteTile(m, true)
		a.byteMore(m)
	}
	a.byteMoreRows()
	a.byteWeave()
	a.requantize("int8Columns", false)
	a.requantize("int8Lines", true)
	a.realBytes("int8RealUnsigned", uxtl)
	a.realBytes("int8RealSigned", sxtl)
	a.byteScale()
	a.byteLimits()
	a.quantize()
}

const (
	uxtl, sxtl                    = 0x2F00A400, 0x0F00A400 // to twice the size, of half a register: the second where secondHalf is added
	ofBytes, ofHalves, secondHalf = 1 << 19, 1 << 20, 1 << 30
	flipBits                      = 0x80808080
)

// dots are sums (m, 16) with what makes them of products of signed bytes, where one side, x, is unsigned: they are made with x - 128, and of what that
// leaves out, 128 times the sum of the other side's bytes, the negative is summed beside: for each column, or each row where that side is A.
type dots struct {
	*assembler
	sums   [][4]vec
	beside []vec
	rows   bool
	flip   vec
}

func (a *assembler) dots(m int, rows bool) *dots {
	d := &dots{assembler: a, rows: rows, sums: make([][4]vec, m), beside: make([]vec, 4)}
	if rows {
		d.beside = make([]vec, m)
	}
	a.holdBits(flipBits)
	d.flip = a.constantBits(flipBits)
	for i := range d.sums {
		for j := range d.sums[i] {
			d.sums[i][j] = a.last()
		}
	}
	for i := range d.beside {
		d.beside[i] = a.last()
		a.zero(d.beside[i])
	}
	return d
}

// load begins with the sums of a row.
func (d *dots) load(i int, from gp) {
	for j := 0; j < 4; j += 2 {
		d.p("FLDPQ %d(%s), (F%d, F%d)", j*vectorBytes, from, d.in[d.sums[i][j]], d.in[d.sums[i][j+1]])
	}
}

// elements are those of the A of one or four groups, as the instructions want them.
func (d *dots) elements(x []vec) {
	for i := range x {
		if d.rows {
			d.ontoLast(sdot, d.beside[i], x[i], d.flip)
		} else {
			x[i] = d.op(eor, x[i], d.flip)
		}
	}
}

// group adds the products of four terms: B's at a place, A's in element e of a vector for each row.
func (d *dots) group(at place, x []vec, e int) {
	var y [4]vec
	for j := range y {
		y[j] = d.assembler.load(place{at.base, at.off + j*vectorBytes})
	}
	for j := range y {
		if d.rows {
			y[j] = d.op(eor, y[j], d.flip)
		} else {
			d.ontoLast(sdot, d.beside[j], y[j], d.flip)
		}
	}
	for i := range d.sums {
		for j := range y {
			d.ontoLastElement(sdotElement, d.sums[i][j], y[j], x[i], e)
		}
	}
}

// store writes the sums (m, 16).
func (d *dots) store(c gp) {
	for i := range d.sums {
		if d.rows { // the four parts of a row's
			d.opTo(d.beside[i], addp, d.beside[i], d.beside[i])
			d.opTo(d.beside[i], addp, d.beside[i], d.beside[i])
		}
	}
	for i := range d.sums {
		for j, s := range d.sums[i] {
			less := d.beside[min(j, len(d.beside)-1)]
			if d.rows {
				less = d.beside[i]
			}
			d.assembler.store(d.op(sub, s, less), place{c, i*64 + j*vectorBytes})
		}
	}
	d.end()
}

// rowsOf are pointers to m rows.
func (a *assembler) rowsOf(first, step gp, m int) []gp {
	rows := []gp{first}
	for i := 1; i < m; i++ {
		r := a.register()
		a.p("ADD %s, %s, %s", step, rows[i-1], r)
		rows = append(rows, r)
	}
	return rows
}

// byteTile generates sums of m rows of A times 16 columns of B, eight terms a step, two steps at a time. Row i begins with those i·step bytes from from.
// The signed bytes are B's, or A's where rows is set.
func (a *assembler) byteTile(m int, rows bool) {
	name := "int8Tile"
	if rows {
		name = "int8Rows"
	}
	a.function(name+strconv.Itoa(m), "", list("*int32", "c", "from"), list("uintptr", "step"), list("*uint8", "a"), list("uintptr", "lda"), list("*uint8", "b"), list(integer, "steps"))
	c, from, step, first, lda, b, steps := a.pointer("c"), a.pointer("from"), a.pointer("step"), a.pointer("a"), a.pointer("lda"), a.pointer("b"), a.pointer("steps")
	d, row := a.dots(m, rows), a.rowsOf(first, lda, m)
	for i := range m {
		d.load(i, from)
		if i < m-1 {
			a.p("ADD %s, %s", step, from)
		}
	}
	turn := func(load string, groups int) {
		x := make([]vec, m)
		for i := range x {
			x[i] = a.vector()
			a.steps = append(a.steps, stepThat(x[i], func(d int) string { return fmt.Sprintf("%s.P %d(%s), F%d", load, groups*4, row[i], d) }))
		}
		d.elements(x)
		for g := range groups {
			d.group(place{b, g * 64}, x, g)
		}
		a.p("ADD $%d, %s", groups*64, b)
	}
	a.p("SUBS $2, %s", steps)
	a.p("BLT rest")
	a.label("two")
	turn("FMOVQ", 4)
	a.p("SUBS $2, %s", steps)
	a.p("BGE two")
	a.label("rest")
	a.p("ADDS $2, %s", steps)
	a.p("BEQ store")
	turn("FMOVD", 2)
	a.label("store")
	d.store(c)
}

// stepThat is an instruction that only writes a vector.
func stepThat(v vec, text func(d int) string) step {
	return step{write: v, tied: none, text: func(d int, _ []int) string { return text(d) }}
}

// byteMore generates what is added to the sums of m rows for n groups of four terms, at says which.
func (a *assembler) byteMore(m int) {
	a.function("int8More"+strconv.Itoa(m), "", list("*int32", "c"), list("*uint8", "a"), list("uintptr", "lda"), list("*uint8", "b"), list("*int32", "at"), list(integer, "n"))
	c, first, lda, b, at, n := a.pointer("c"), a.pointer("a"), a.pointer("lda"), a.pointer("b"), a.pointer("at"), a.pointer("n")
	d, row, from, q := a.dots(m, false), a.rowsOf(first, lda, m), a.register(), a.register()
	a.p("MOVD %s, %s", c, from)
	for i := range m {
		d.load(i, from)
		a.p("ADD $64, %s", from)
	}
	a.label("next")
	a.p("MOVW.P 4(%s), %s", at, q)
	x := make([]vec, m)
	for i := range x {
		x[i] = a.vector()
		a.steps = append(a.steps, stepThat(x[i], func(d int) string {
			return fmt.Sprintf("ADD %s<<2, %s, %s\n\tFMOVS (%s), F%d", q, row[i], spare, spare, d)
		}))
	}
	d.elements(x)
	d.group(place{b, 0}, x, 0)
	a.p("ADD $64, %s", b)
	a.p("SUBS $1, %s", n)
	a.p("BNE next")
	d.store(c)
}

// byteMoreRows generates the same for one row of A, whose groups stand one after another while at says which ones of B they meet.
func (a *assembler) byteMoreRows() {
	a.function("int8MoreRows", "", list("*int32", "c"), list("*uint8", "a", "b"), list("*int32", "at"), list(integer, "n"))
	c, row, b, at, n := a.pointer("c"), a.pointer("a"), a.pointer("b"), a.pointer("at"), a.pointer("n")
	d, q := a.dots(1, true), a.register()
	d.load(0, c)
	a.label("next")
	a.p("MOVW.P 4(%s), %s", at, q)
	a.p("ADD %s<<6, %s, %s", q, b, q)
	x := []vec{a.vector()}
	a.steps = append(a.steps, stepThat(x[0], func(d int) string { return fmt.Sprintf("FMOVS.P 4(%s), F%d", row, d) }))
	d.elements(x)
	d.group(place{q, 0}, x, 0)
	a.p("SUBS $1, %s", n)
	a.p("BNE next")
	d.store(c)
}

// byteWeave generates groups of four bytes, one of each of four lines, for blocks of sixteen: what a panel has of four of its rows. Each byte is
// flipped by a mask.
func (a *assembler) byteWeave() {
	a.function("int8Weave", "", list("*uint8", "dst"), list("uintptr", "step"), list("*uint8", "l0", "l1", "l2", "l3"), list(integer, "blocks"), list("int32", "flip"))
	dst, step, n, mask := a.pointer("dst"), a.pointer("step"), a.pointer("blocks"), a.register()
	flip := a.last()
	a.p("MOVW %s, %s", a.param("flip"), mask)
	a.p("VDUP %s, V%d.B16", mask, a.in[flip])
	var line [4]gp
	var x [4]vec // four registers side by side, which VST4 wants
	for i := range line {
		line[i] = a.pointer("l" + strconv.Itoa(i))
		x[i] = a.last()
	}
	a.label("next")
	for i := range line {
		a.p("FMOVQ.P 16(%s), F%d", line[i], a.in[x[i]])
	}
	for i := range line {
		a.opTo(x[i], eor, x[i], flip)
	}
	v := a.in[x[0]]
	a.p("VST4 [V%d.B16, V%d.B16, V%d.B16, V%d.B16], (%s)", v, v+1, v+2, v+3, dst)
	a.p("ADD %s, %s", step, dst)
	a.p("SUBS $1, %s", n)
	a.p("BNE next")
	a.end()
}

// rounded are numbers in [least, most], or least for NaN, rounded, with zero added.
func (a *assembler) rounded(x, least, most, zero vec) vec {
	x = a.op(fmin, a.onto(bit, least, x, a.op(fcmgt, x, least)), most)
	return a.op(add, a.one(fcvtns, x), zero)
}

// requantize generates rows of sixteen bytes round(max(least, min(most, (sums + add)·scale))) + zero; NaN, of a strange scale, gives least. add and
// scale are one for each column, or one for each row.
func (a *assembler) requantize(name string, rows bool) {
	a.function(name, "", list("*uint8", "dst"), list("uintptr", "ld"), list("*int32", "sums"), list(integer, "rows"), list("*int32", "add"), list(pointerTo, "scale"),
		list(number32, "least", "most"), list("int32", "zero"))
	dst, ld, sums, n, adds, scale := a.pointer("dst"), a.pointer("ld"), a.pointer("sums"), a.pointer("rows"), a.pointer("add"), a.pointer("scale")
	least, most, zero := a.broadcast("least"), a.broadcast("most"), a.broadcastInt("zero")
	var f, t [4]vec
	for j := range f {
		f[j], t[j] = a.last(), a.last()
		if rows && j > 0 {
			f[j], t[j] = f[0], t[0]
		} else if !rows {
			a.p("FMOVQ %d(%s), F%d", j*vectorBytes, scale, a.in[f[j]])
			a.p("FMOVQ %d(%s), F%d", j*vectorBytes, adds, a.in[t[j]])
		}
	}
	a.label("next")
	if rows {
		a.p("VLD1R.P 4(%s), [V%d.S4]", scale, a.in[f[0]])
		a.p("VLD1R.P 4(%s), [V%d.S4]", adds, a.in[t[0]])
	}
	var x [4]vec
	a.together(4, func(j int) {
		v := a.op(add, a.load(place{sums, j * vectorBytes}), t[j])
		x[j] = a.rounded(a.op(fmul, a.one(scvtf, v), f[j]), least, most, zero)
		a.keep(x[j])
	})
	a.storeBytes(x, place{dst, 0})
	a.p("ADD $64, %s", sums)
	a.p("ADD %s, %s", ld, dst)
	a.p("SUBS $1, %s", n)
	a.p("BNE next")
	a.end()
}

// storeBytes stores the low bytes of sixteen int32, and gives back the registers of those.
func (a *assembler) storeBytes(x [4]vec, at place) {
	for _, v := range x {
		a.kept[v] = false
	}
	a.store(a.op(uzp1Bytes, a.op(uzp1Halves, x[0], x[1]), a.op(uzp1Halves, x[2], x[3])), at)
	a.flush()
}

// realBytes generates dst = (src - zero)·scale for n a multiple of 16.
func (a *assembler) realBytes(name string, extend uint32) {
	a.function(name, "", list(pointerTo, "dst"), list("*uint8", "src"), list(integer, "n"), list("int32", "zero"), list(number32, "scale"))
	dst, src, n := a.pointer("dst"), a.pointer("src"), a.pointer("n")
	zero, f := a.broadcastInt("zero"), a.broadcast("scale")
	a.label("next")
	for _, size := range []uint32{ofBytes, ofHalves} {
		name := map[uint32]string{uxtl: "uxtl", sxtl: "sxtl"}[extend]
		names[extend|size], names[extend|size|secondHalf] = name, name+"2"
	}
	x := a.load(place{src, 0})
	for i, part := range []uint32{0, secondHalf} {
		y := a.one(extend|ofBytes|part, x)
		for j, part := range []uint32{0, secondHalf} {
			z := a.op(sub, a.one(extend|ofHalves|part, y), zero)
			a.store(a.op(fmul, a.one(scvtf, z), f), place{dst, i*32 + j*vectorBytes})
		}
	}
	a.p("ADD $16, %s", src)
	a.p("ADD $64, %s", dst)
	a.p("SUBS $16, %s", n)
	a.p("BNE next")
	a.end()
}

// byteScale generates rows of dst = float32(sums)·scale + bias, for sixteen columns. Product and sum are rounded one by one, as in nodes of their own.
func (a *assembler) byteScale() {
	a.function("int8Scale", "", list(pointerTo, "dst"), list("uintptr", "ld"), list("*int32", "sums"), list(integer, "rows"), list(pointerTo, "scale", "bias"))
	dst, ld, sums, n, scale, bias := a.pointer("dst"), a.pointer("ld"), a.pointer("sums"), a.pointer("rows"), a.pointer("scale"), a.pointer("bias")
	var f, t [4]vec
	for j := range f {
		f[j], t[j] = a.last(), a.last()
		a.p("FMOVQ %d(%s), F%d", j*vectorBytes, scale, a.in[f[j]])
		a.p("FMOVQ %d(%s), F%d", j*vectorBytes, bias, a.in[t[j]])
	}
	a.label("next")
	a.together(4, func(j int) {
		x := a.one(scvtf, a.load(place{sums, j * vectorBytes}))
		a.store(a.op(fadd, a.op(fmul, x, f[j]), t[j]), place{dst, j * vectorBytes})
	})
	a.p("ADD $64, %s", sums)
	a.p("ADD %s, %s", ld, dst)
	a.p("SUBS $1, %s", n)
	a.p("BNE next")
	a.end()
}

// byteLimits generates the least and the greatest of 0 and n numbers, n a multiple of 16, to two vectors; NaN is passed over.
func (a *assembler) byteLimits() {
	a.function("int8Limits", "", list(pointerTo, "src"), list(integer, "n"), list("*[8]float32", "to"))
	src, n, to := a.pointer("src"), a.pointer("n"), a.pointer("to")
	lo, hi := a.sums(2), a.sums(2)
	less := func(x, y vec) { a.ontoLast(bit, x, y, a.op(fcmgt, x, y)) }
	a.label("next")
	a.together(4, func(i int) {
		x := a.load(place{src, i * vectorBytes})
		less(lo[i%2], x)
		a.greater(hi[i%2], x)
	})
	a.p("ADD $64, %s", src)
	a.p("SUBS $16, %s", n)
	a.p("BNE next")
	less(lo[0], lo[1])
	a.greater(hi[0], hi[1])
	a.store(lo[0], place{to, 0})
	a.store(hi[0], place{to, vectorBytes})
	a.end()
}

// quantize generates bytes round(max(least, min(most, src/scale))) + zero for n a multiple of 16; NaN gives least.
func (a *assembler) quantize() {
	a.function("int8Quantize", "", list("*uint8", "dst"), list(pointerTo, "src"), list(integer, "n"), list(number32, "scale", "least", "most"), list("int32", "zero"))
	dst, src, n := a.pointer("dst"), a.pointer("src"), a.pointer("n")
	f, least, most, zero := a.broadcast("scale"), a.broadcast("least"), a.broadcast("most"), a.broadcastInt("zero")
	a.label("next")
	var x [4]vec
	a.together(4, func(j int) {
		x[j] = a.rounded(a.op(fdiv, a.load(place{src, j * vectorBytes}), f), least, most, zero)
		a.keep(x[j])
	})
	a.storeBytes(x, place{dst, 0})
	a.p("ADD $64, %s", src)
	a.p("ADD $16, %s", dst)
	a.p("SUBS $16, %s", n)
	a.p("BNE next")
	a.end()
}
