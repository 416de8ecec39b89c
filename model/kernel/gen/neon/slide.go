package main

import (
	"fmt"
	"strconv"
)

// slides writes what convolutions do to float32 under a sliding window.
func slides(a *assembler) {
	for m := 1; m <= 6; m++ {
		a.slideTile(m)
	}
	a.even()
	a.rowsEnd("None", 0, func(x, _, _ vec) vec { return x })
	a.rowsEnd("Clip", 2, a.clip)
	a.rowsEnd("Leaky", 1, func(x, f, _ vec) vec { return a.leaky(x, f) })
	a.rowsEnd("HardSigmoid", 2, a.hardSigmoid)
	a.rowsEnd("HardSwish", 2, func(x, f, b vec) vec { return a.op(fmul, a.hardSigmoid(x, f, b), x) })
}

// slideTile generates kernel.slideTileM: for count tiles, C (m, n) = A (m, k)·B, or C + A·B when add, where A lies column by column and row p of B
// begins at[p] bytes from x. n is 16 from four rows on, else 32. Tiles are an, xn and cn bytes apart in A, x and C.
func (a *assembler) slideTile(m int) {
	vectors := 4
	if m < 4 {
		vectors = 8
	}
	a.function("slideTile"+strconv.Itoa(m), "", list(pointerTo, "a", "x"), list("*int32", "at"), list(integer, "k"), list(pointerTo, "c"), list("uintptr", "ldc"),
		list(integer, "add", "count"), list("uintptr", "an", "xn", "cn"))
	a0, x0, at0, k, c0, ldc := a.pointer("a"), a.pointer("x"), a.pointer("at"), a.pointer("k"), a.pointer("c"), a.pointer("ldc")
	add, count, an, xn, cn := a.pointer("add"), a.pointer("count"), a.pointer("an"), a.pointer("xn"), a.pointer("cn")
	w, at, left, x, c := a.register(), a.register(), a.register(), a.register(), a.register()
	s := make([][]vec, m)
	for i := range s {
		s[i] = make([]vec, vectors)
		for j := range s[i] {
			s[i][j] = a.last()
		}
	}
	rows := func(pair string) {
		a.p("MOVD %s, %s", c0, c)
		for i := range s {
			for j := 0; j < vectors; j += 2 {
				v, w := a.in[s[i][j]], a.in[s[i][j+1]]
				if pair == "FLDPQ" {
					a.p("FLDPQ %d(%s), (F%d, F%d)", j*vectorBytes, c, v, w)
				} else {
					a.p("FSTPQ (F%d, F%d), %d(%s)", v, w, j*vectorBytes, c)
				}
			}
			if i < m-1 {
				a.p("ADD %s, %s", ldc, c)
			}
		}
	}
	a.label("next")
	a.p("CBNZ %s, add", add)
	for i := range s {
		for _, v := range s[i] {
			a.zero(v)
		}
	}
	a.p("B product")
	a.label("add")
	rows("FLDPQ")
	a.label("product")
	a.p("MOVD %s, %s", a0, w)
	a.p("MOVD %s, %s", at0, at)
	a.p("MOVD %s, %s", k, left)
	a.label("step")
	a.p("MOVW.P 4(%s), %s", at, x)
	a.p("ADD %s, %s", x0, x)
	weight := a.column(w, m)
	for j := 0; j < vectors; j += 4 {
		var y [4]vec
		for l := range y {
			y[l] = a.load(place{x, (j + l) * vectorBytes})
		}
		for i := range s {
			for l := range y {
				weight(s[i][j+l], y[l], i)
			}
		}
	}
	a.p("ADD $%d, %s", 4*m, w)
	a.p("SUBS $1, %s", left)
	a.p("BNE step")
	rows("FSTPQ")
	for _, p := range [][2]gp{{an, a0}, {xn, x0}, {cn, c0}} {
		a.p("ADD %s, %s", p[0], p[1])
	}
	a.p("SUBS $1, %s", count)
	a.p("BNE next")
	a.end()
}

// column loads m elements of A and returns what adds the product of y and element i to sums.
func (a *assembler) column(w gp, m int) func(sums, y vec, i int) {
	var parts [6]vec
	var element [6]int
	for i := 0; i < m; {
		load, n := "FMOVS", 1
		if m-i >= 4 {
			load, n = "FMOVQ", 4
		} else if m-i >= 2 {
			load, n = "FMOVD", 2
		}
		v, off := a.vector(), i*4
		a.steps = append(a.steps, step{write: v, tied: none, text: func(d int, _ []int) string { return fmt.Sprintf("%s %d(%s), F%d", load, off, w, d) }})
		for e := range n {
			parts[i+e], element[i+e] = v, e
		}
		i += n
	}
	return func(sums, y vec, i int) { a.ontoLastElement(fmlaElement, sums, y, parts[i], element[i]) }
}

// even generates kernel.slideEven: every other element of src, four at a time.
func (a *assembler) even() {
	a.function("slideEven", "", list(pointerTo, "dst", "src"), list(integer, "blocks"))
	dst, src, blocks := a.pointer("dst"), a.pointer("src"), a.pointer("blocks")
	a.label("next")
	x, y := a.load(place{src, 0}), a.load(place{src, vectorBytes})
	a.store(a.op(uzp1, x, y), place{dst, 0})
	a.p("ADD $32, %s", src)
	a.p("ADD $16, %s", dst)
	a.p("SUBS $1, %s", blocks)
	a.p("BNE next")
	a.end()
}

// rowsEnd generates kernel.slideEndX: rows of dst = f(src + bias + more), where more lies as dst does, or is nil.
func (a *assembler) rowsEnd(name string, scalars int, f func(x, p, q vec) vec) {
	a.function("slideEnd"+name, "", list(pointerTo, "dst", "src"), list("uintptr", "srcStep"), list(pointerTo, "more"), list(integer, "rows", "width"),
		list(number32, "bias", "a", "b"))
	dst, src, srcStep, more, rows, width := a.pointer("dst"), a.pointer("src"), a.pointer("srcStep"), a.pointer("more"), a.pointer("rows"), a.pointer("width")
	bias, p, q := a.broadcast("bias"), none, none
	if scalars > 0 {
		p = a.broadcast("a")
	}
	if scalars > 1 {
		q = a.broadcast("b")
	}
	a.hold(0, 1)
	from, left := a.register(), a.register()
	line := func(adds bool) {
		pointers := []gp{dst, from}
		if adds {
			pointers = append(pointers, more)
		}
		a.p("MOVD %s, %s", src, from)
		a.p("MOVD %s, %s", width, left)
		a.over(left, 4, pointers, func(_ int, at func(gp) place, part gp) {
			x := a.op(fadd, a.get(at(from), part), bias)
			if adds {
				x = a.op(fadd, x, a.get(at(more), part))
			}
			a.put(f(x, p, q), at(dst), part)
		})
		for _, p := range pointers[2:] {
			a.advance(left, p)
		}
		a.advance(left, dst)
		a.p("ADD %s, %s", srcStep, src)
		a.p("SUBS $1, %s", rows)
	}
	a.p("CBNZ %s, more", more)
	a.label("alone")
	line(false)
	a.p("BNE alone")
	a.p("B done")
	a.label("more")
	line(true)
	a.p("BNE more")
	a.label("done")
	a.end()
}

// advance moves a pointer past the elements that over left.
func (a *assembler) advance(left, p gp) { a.p("ADD %s<<2, %s", left, p) }
