package main

import (
	"fmt"
	"strconv"
)

// layouts writes what lays out operands of the float32 product.
func layouts(a *assembler) {
	for _, lines := range []int{4, 5, 6, 8} {
		a.weave(lines)
	}
	a.cutRows()
	a.turnRows()
}

// columns are those of four lines, of which x has four elements each.
func (a *assembler) columns(x []vec) [4]vec {
	low01, high01, low23, high23 := a.op(trn1, x[0], x[1]), a.op(trn2, x[0], x[1]), a.op(trn1, x[2], x[3]), a.op(trn2, x[2], x[3])
	return [4]vec{a.op(trn1Long, low01, low23), a.op(trn1Long, high01, high23), a.op(trn2Long, low01, low23), a.op(trn2Long, high01, high23)}
}

// weave generates kernel.weaveN: n lines of src, ld bytes apart, side by side to dst, where rows are step bytes apart; blocks times four columns.
func (a *assembler) weave(lines int) {
	a.function("weave"+strconv.Itoa(lines), "", list(pointerTo, "dst"), list("uintptr", "step"), list(pointerTo, "src"), list("uintptr", "ld"), list(integer, "blocks"))
	dst, step, src, ld, blocks := a.pointer("dst"), a.pointer("step"), a.pointer("src"), a.pointer("ld"), a.pointer("blocks")
	from, to, next := make([]gp, lines), [4]gp{}, a.register()
	for i := range from {
		from[i] = a.register()
		if i == 0 {
			a.p("MOVD %s, %s", src, from[i])
		} else {
			a.p("ADD %s, %s, %s", ld, from[i-1], from[i])
		}
	}
	for i := range to {
		to[i] = a.register()
		if i == 0 {
			a.p("MOVD %s, %s", dst, to[i])
		} else {
			a.p("ADD %s, %s, %s", step, to[i-1], to[i])
		}
	}
	a.p("LSL $2, %s, %s", step, next)
	a.label("next")
	x := make([]vec, lines)
	for i := range x {
		x[i] = a.loadNext(from[i])
	}
	for g := 0; g+4 <= lines; g += 4 {
		for i, c := range a.columns(x[g : g+4]) {
			a.store(c, place{to[i], g * 4})
		}
	}
	switch lines % 4 {
	case 1:
		for i := range to {
			a.lane(x[4], "S", i, place{to[i], 16})
		}
	case 2:
		low, high := a.op(zip1, x[4], x[5]), a.op(zip2, x[4], x[5])
		for i := range to {
			a.lane([]vec{low, high}[i/2], "D", i%2, place{to[i], 16})
		}
	}
	for _, p := range to {
		a.p("ADD %s, %s", next, p)
	}
	a.p("SUBS $1, %s", blocks)
	a.p("BNE next")
	a.end()
}

// loadNext loads a vector and moves the pointer behind it.
func (a *assembler) loadNext(p gp) vec {
	v := a.vector()
	a.steps = append(a.steps, step{write: v, tied: none, text: func(d int, _ []int) string { return fmt.Sprintf("FMOVQ.P 16(%s), F%d", p, d) }})
	return v
}

// lane stores one element, of four bytes (S) or eight (D).
func (a *assembler) lane(x vec, size string, i int, at place) {
	a.steps = append(a.steps, step{write: none, tied: none, reads: []vec{x}, text: func(_ int, r []int) string {
		if i == 0 {
			return fmt.Sprintf("FMOV%s F%d, %d(%s)", size, r[0], at.off, at.base)
		}
		return fmt.Sprintf("ADD $%d, %s, %s\n\tVST1 V%d.%s[%d], (%s)", at.off, at.base, spare, r[0], size, i, spare)
	}})
}

// cutRows generates kernel.cutRows: rows of src, ld bytes apart, are cut into panels of sixteen columns, distance bytes from one to the next.
func (a *assembler) cutRows() {
	a.function("cutRows", "", list(pointerTo, "dst"), list("uintptr", "distance"), list(pointerTo, "src"), list("uintptr", "ld"), list(integer, "rows", "panels"))
	dst, distance, src, ld, rows, panels := a.pointer("dst"), a.pointer("distance"), a.pointer("src"), a.pointer("ld"), a.pointer("rows"), a.pointer("panels")
	from, to, left := a.register(), a.register(), a.register()
	a.label("row")
	a.p("MOVD %s, %s", src, from)
	a.p("MOVD %s, %s", dst, to)
	a.p("MOVD %s, %s", panels, left)
	a.label("panel")
	var x [4]vec
	for i := range x {
		x[i] = a.load(place{from, i * vectorBytes})
	}
	for i := range x {
		a.store(x[i], place{to, i * vectorBytes})
	}
	a.p("ADD $64, %s", from)
	a.p("ADD %s, %s", distance, to)
	a.p("SUBS $1, %s", left)
	a.p("BNE panel")
	a.p("ADD %s, %s", ld, src)
	a.p("ADD $64, %s", dst)
	a.p("SUBS $1, %s", rows)
	a.p("BNE row")
	a.end()
}

// turnRows generates kernel.turnRows6: rows of src, ld bytes apart, are cut into tiles of six columns, distance bytes from one to the next; the rows
// of a tile follow one another.
func (a *assembler) turnRows() {
	a.function("turnRows6", "", list(pointerTo, "dst"), list("uintptr", "distance"), list(pointerTo, "src"), list("uintptr", "ld"), list(integer, "rows", "tiles"))
	dst, distance, src, ld, rows, tiles := a.pointer("dst"), a.pointer("distance"), a.pointer("src"), a.pointer("ld"), a.pointer("rows"), a.pointer("tiles")
	from, to, left := a.register(), a.register(), a.register()
	a.label("tile")
	a.p("MOVD %s, %s", src, from)
	a.p("MOVD %s, %s", dst, to)
	a.p("MOVD %s, %s", rows, left)
	a.label("row")
	a.p("FMOVD 16(%s), F1", from)
	a.p("FMOVQ (%s), F0", from)
	a.p("FMOVD F1, 16(%s)", to)
	a.p("FMOVQ F0, (%s)", to)
	a.p("ADD %s, %s", ld, from)
	a.p("ADD $24, %s", to)
	a.p("SUBS $1, %s", left)
	a.p("BNE row")
	a.p("ADD $24, %s", src)
	a.p("ADD %s, %s", distance, dst)
	a.p("SUBS $1, %s", tiles)
	a.p("BNE tile")
	a.end()
}
