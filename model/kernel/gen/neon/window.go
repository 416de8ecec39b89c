package main

import (
	"fmt"
	"math"
)

// window generates what kernel.Window does with rows of windows: each element of dst is bias plus the taps at its offsets from src, each times
// its weight; or the greatest of the taps, where there are no weights. Memory is read up to a vector past the last window.
func (a *assembler) window(name string, weighted bool) {
	groups := [][]parameter{list(pointerTo, "dst", "src"), list("*int", "offsets"), list(integer, "taps", "n", "rows"), list("uintptr", "dstStep", "srcStep")}
	if weighted {
		groups = append(groups, list(pointerTo, "weights"), list(number32, "bias"))
	}
	a.function(name, "", groups...)
	dst, src, offsets, taps, rows := a.pointer("dst"), a.pointer("src"), a.pointer("offsets"), a.pointer("taps"), a.pointer("rows")
	n, dstStep, srcStep := a.pointer("n"), a.pointer("dstStep"), a.pointer("srcStep")
	var weights gp
	var start vec
	if weighted {
		weights, start = a.pointer("weights"), a.broadcast("bias")
	} else {
		start = a.last()
		a.numberTo(start, math.Float32bits(float32(math.Inf(-1))))
	}
	to, from, left, tap, at, weight := a.register(), a.register(), a.register(), a.register(), a.register(), a.register()
	var s [8]vec
	for i := range s {
		s[i] = a.last()
	}
	block := func(vectors int) {
		for _, v := range s[:vectors] {
			a.p("VORR V%d.B16, V%d.B16, V%d.B16", a.in[start], a.in[start], a.in[v])
		}
		next := a.fresh("tap")
		a.p("MOVD $0, %s", tap)
		if weighted {
			a.p("MOVD %s, %s", weights, weight)
		}
		a.label(next)
		a.p("MOVD (%s)(%s<<3), %s", offsets, tap, at)
		a.p("ADD %s, %s", from, at)
		var w vec
		if weighted {
			w = a.vector()
			a.steps = append(a.steps, step{write: w, tied: none, text: func(d int, _ []int) string { return fmt.Sprintf("FMOVS.P 4(%s), F%d", weight, d) }})
		}
		for i := 0; i < vectors; i += 4 { // four loads, then what is done with them
			var x [4]vec
			four := min(4, vectors-i)
			for j := range four {
				x[j] = a.load(place{at, (i + j) * vectorBytes})
			}
			for j := range four {
				if weighted {
					a.ontoLastElement(fmlaElement, s[i+j], x[j], w, 0)
				} else {
					a.greater(s[i+j], x[j])
				}
			}
		}
		a.p("ADD $1, %s", tap)
		a.p("CMP %s, %s", taps, tap)
		a.p("BLT %s", next)
	}
	a.label("row")
	a.p("MOVD %s, %s", dst, to)
	a.p("MOVD %s, %s", src, from)
	a.p("MOVD %s, %s", n, left)
	a.p("SUBS $32, %s", left)
	a.p("BLT few")
	a.label("eight")
	block(8)
	for i, v := range s {
		a.store(v, place{to, i * vectorBytes})
	}
	a.p("ADD $128, %s", to)
	a.p("ADD $128, %s", from)
	a.p("SUBS $32, %s", left)
	a.p("BGE eight")
	a.label("few")
	a.p("ADD $32, %s", left)
	a.p("CBZ %s, next", left)
	for vectors := 1; vectors <= 8; vectors++ { // what is left, perhaps with a part of a vector
		more := a.fresh("more")
		if vectors < 8 {
			a.p("CMP $%d, %s", vectors*4, left)
			a.p("BGT %s", more)
		}
		block(vectors)
		for i, v := range s[:vectors-1] {
			a.store(v, place{to, i * vectorBytes})
		}
		end := s[vectors-1]
		whole := a.fresh("whole")
		a.p("ADD $%d, %s", (vectors-1)*vectorBytes, to)
		a.p("TST $3, %s", left)
		a.p("BEQ %s", whole)
		a.storePart(end, to, left)
		a.p("B next")
		a.label(whole)
		a.store(end, place{to, 0})
		if vectors < 8 {
			a.p("B next")
			a.label(more)
		}
	}
	a.label("next")
	a.p("ADD %s, %s", dstStep, dst)
	a.p("ADD %s, %s", srcStep, src)
	a.p("SUBS $1, %s", rows)
	a.p("BNE row")
	a.end()
}

// split generates the even elements of src to one place and the odd ones to another; blocks of eight.
func (a *assembler) split() {
	a.function("vectorSplit", "", list(pointerTo, "even", "odd", "src"), list(integer, "blocks"))
	even, odd, src, blocks := a.pointer("even"), a.pointer("odd"), a.pointer("src"), a.pointer("blocks")
	a.label("next")
	x, y := a.load(place{src, 0}), a.load(place{src, vectorBytes})
	a.store(a.op(uzp1, x, y), place{even, 0})
	a.store(a.op(uzp2, x, y), place{odd, 0})
	a.p("ADD $32, %s", src)
	a.p("ADD $16, %s", even)
	a.p("ADD $16, %s", odd)
	a.p("SUBS $1, %s", blocks)
	a.p("BNE next")
	a.end()
}
