package main

import "fmt"

const vectorBytes = 16

// loop runs body over the n elements of parameter n: so many vectors at a time, then one by one, and at last over what is left, one to three
// elements, where part is that number's register. body gets the number of a vector in its turn and its place from each pointer.
func (a *assembler) loop(vectors int, pointers []gp, body func(i int, at func(p gp) place, part gp)) {
	a.over(a.pointer("n"), vectors, pointers, body)
}

// over is loop for n in a register, which in the end holds how many elements the last turn had, past which the pointers were not moved.
func (a *assembler) over(n gp, vectors int, pointers []gp, body func(i int, at func(p gp) place, part gp)) {
	turn := func(name string, vectors int) {
		name = a.fresh(name)
		a.p("SUBS $%d, %s", vectors*4, n)
		a.p("BLT %sdone", name)
		a.label(name)
		a.together(vectors, func(i int) { body(i, func(p gp) place { return place{p, i * vectorBytes} }, "") })
		for _, p := range pointers {
			a.p("ADD $%d, %s", vectors*vectorBytes, p)
		}
		a.p("SUBS $%d, %s", vectors*4, n)
		a.p("BGE %s", name)
		a.label(name + "done")
		a.p("ADD $%d, %s", vectors*4, n)
	}
	if vectors > 1 {
		turn("turn", vectors)
	}
	turn("vector", 1)
	end := a.fresh("end")
	a.p("CBZ %s, %s", n, end)
	body(0, func(p gp) place { return place{p, 0} }, n)
	a.label(end)
}

func (a *assembler) get(at place, part gp) vec {
	if part != "" {
		return a.loadPart(at.base, part)
	}
	return a.load(at)
}

func (a *assembler) put(x vec, at place, part gp) {
	if part != "" {
		a.storePart(x, at.base, part)
		return
	}
	a.store(x, at)
}

// mask has all bits set in the first one to three elements, as n tells.
func (a *assembler) mask(n gp) vec {
	v := a.vector()
	a.steps = append(a.steps, step{write: v, tied: none, text: func(d int, _ []int) string {
		return fmt.Sprintf("MOVD $masks<>-16(SB), %s\n\tADD %s<<4, %s\n\tFMOVQ (%s), F%d", spare, n, spare, spare, d)
	}})
	return v
}

// masks writes the data of mask.
func (a *assembler) masks() {
	a.file.WriteByte('\n')
	for n := 1; n < 4; n++ {
		for i := range 4 {
			bits := 0
			if i < n {
				bits = 0xffffffff
			}
			fmt.Fprintf(&a.file, "DATA masks<>+%d(SB)/4, $0x%08x\n", (n-1)*16+i*4, bits)
		}
	}
	fmt.Fprintf(&a.file, "GLOBL masks<>(SB), RODATA|NOPTR, $48\n")
}
