package main

// side is how many trees of a kernel.Grove go down together.
const side = 8

// trees writes walks through a Grove.
func trees(a *assembler) {
	a.groveSum()
	a.groveRows("groveSums", list("*float32", "values"), list(pointerTo, "sums"), func(values, sums gp, at []gp) {
		a.p("FMOVS (%s), F0", sums)
		a.addLeaves(values, at)
		a.p("FMOVS.P F0, 4(%s)", sums)
	})
	a.groveRows("groveLeaves", list("*int32", "leaves"), nil, func(first, leaves gp, at []gp) {
		for _, i := range at {
			a.p("ADDW %s, %s, %s", first, i, spare)
			a.p("MOVW.P %s, 4(%s)", spare, leaves)
		}
	})
}

// grove are the registers of a walk.
type grove struct {
	nodes, keys, depth gp
	at                 []gp
}

func (a *assembler) grove() grove {
	g := grove{nodes: a.register(), keys: a.pointer("keys"), depth: a.register()}
	for range side {
		g.at = append(g.at, a.register())
	}
	return g
}

// open reads where a group begins: node 0 of its heap, and the number of its levels; first is the number of its leaf 0.
func (a *assembler) open(g grove, group, first gp) {
	a.p("MOVW (%s), %s", group, g.nodes)
	a.p("MOVD %s, %s", a.param("nodes"), spare)
	a.p("ADD %s<<3, %s, %s", g.nodes, spare, g.nodes)
	a.p("MOVW 4(%s), %s", group, first)
	a.p("MOVWU 8(%s), %s", group, g.depth)
}

// walk takes the row at keys down eight trees, so many levels. The node in place i of the heap is at nodes + 8i, its key below its feature; the children
// of i are 2i and 2i+1.
func (a *assembler) walk(g grove, levels gp) {
	for t, i := range g.at {
		a.p("MOVD $%d, %s", side+t, i)
	}
	level, leaves := a.fresh("level"), a.fresh("leaves")
	a.p("CBZ %s, %s", levels, leaves)
	a.label(level)
	for _, i := range g.at {
		a.p("MOVD (%s)(%s<<3), %s", g.nodes, i, spare)
		a.p("LSR $32, %s, %s", spare, tableAt)
		a.p("MOVWU (%s)(%s<<2), %s", g.keys, tableAt, tableAt)
		a.p("ADD %s, %s, %s", i, i, i)
		a.p("CMPW %s, %s", spare, tableAt)
		a.p("CINC HI, %s, %s", i, i)
	}
	a.p("SUBS $1, %s", levels)
	a.p("BNE %s", level)
	a.label(leaves)
}

// addLeaves adds the values of leaves to F0, one after another.
func (a *assembler) addLeaves(values gp, at []gp) {
	for _, i := range at {
		a.p("FMOVS (%s)(%s<<2), F1", values, i)
		a.p("FADDS F1, F0")
	}
}

// groveSum generates sum and the values of the leaves that one row reaches in all groups, tree after tree.
func (a *assembler) groveSum() {
	a.function("groveSum", "float32", list("*uint32", "nodes"), list(pointerTo, "values"), list("*int32", "groups"), list(integer, "count"), list("*uint32", "keys"), list(number32, "sum"))
	g, group, left, values := a.grove(), a.pointer("groups"), a.pointer("count"), a.register()
	a.p("FMOVS %s, F0", a.param("sum"))
	a.label("group")
	a.open(g, group, values)
	a.p("ADD $12, %s", group)
	a.p("MOVD %s, %s", a.param("values"), spare)
	a.p("ADD %s<<2, %s, %s", values, spare, values)
	a.walk(g, g.depth)
	a.addLeaves(values, g.at)
	a.p("SUBS $1, %s", left)
	a.p("BNE group")
	a.p("FMOVS F0, ret+%d(FP)", a.result)
	a.end()
}

// groveRows generates a walk of many rows, which lie step bytes apart, through one group; end does what is to be done with the leaves of one row.
func (a *assembler) groveRows(name string, about, more []parameter, end func(first, to gp, at []gp)) {
	a.function(name, "", list("*uint32", "nodes"), about, list("*int32", "group"), list("*uint32", "keys"), list("uintptr", "step"), list(integer, "rows"), more)
	g, group, step, left, first, levels := a.grove(), a.pointer("group"), a.pointer("step"), a.pointer("rows"), a.register(), a.register()
	a.open(g, group, first)
	var to gp
	if more == nil {
		to = a.pointer(about[0].name)
	} else {
		to = a.pointer(more[0].name)
		a.p("MOVD %s, %s", a.param("values"), spare)
		a.p("ADD %s<<2, %s, %s", first, spare, first)
	}
	a.label("row")
	a.p("MOVD %s, %s", g.depth, levels)
	a.walk(g, levels)
	end(first, to, g.at)
	a.p("ADD %s, %s", step, g.keys)
	a.p("SUBS $1, %s", left)
	a.p("BNE row")
	a.end()
}
