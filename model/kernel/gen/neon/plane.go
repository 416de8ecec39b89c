package main

// planes writes what is done to whole planes, one after another.
func planes(a *assembler) {
	a.function("planeScale", "", list(pointerTo, "dst", "src", "factors"), list(integer, "planes", "size"))
	dst, src, factors, planes, size, left := a.pointer("dst"), a.pointer("src"), a.pointer("factors"), a.pointer("planes"), a.pointer("size"), a.register()
	f := a.last()
	a.label("plane")
	a.p("VLD1R.P 4(%s), [V%d.S4]", factors, a.in[f])
	a.p("MOVD %s, %s", size, left)
	a.over(left, 4, []gp{dst, src}, func(_ int, at func(gp) place, part gp) { a.put(a.op(fmul, a.get(at(src), part), f), at(dst), part) })
	a.advance(left, dst)
	a.advance(left, src)
	a.p("SUBS $1, %s", planes)
	a.p("BNE plane")
	a.end()

	a.function("planeMeans", "", list(pointerTo, "dst", "src"), list(integer, "planes", "size"), list(number32, "divisor"))
	dst, src, planes, size, left = a.pointer("dst"), a.pointer("src"), a.pointer("planes"), a.pointer("size"), a.register()
	divisor, s := a.broadcast("divisor"), []vec{a.last(), a.last(), a.last(), a.last()}
	a.label("plane")
	for _, v := range s {
		a.zero(v)
	}
	a.p("MOVD %s, %s", size, left)
	a.over(left, 4, []gp{src}, func(i int, at func(gp) place, part gp) { a.opTo(s[i], fadd, s[i], a.get(at(src), part)) })
	a.advance(left, src)
	a.fold(s, func(x, y vec) { a.opTo(x, fadd, x, y) }, faddp)
	a.opTo(s[0], fdiv, s[0], divisor)
	a.p("FMOVS.P F%d, 4(%s)", a.in[s[0]], dst)
	a.p("SUBS $1, %s", planes)
	a.p("BNE plane")
	a.end()
}
