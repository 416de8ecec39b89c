package pattern

import (
	"math/bits"
	"unicode/utf8"
)

// set is a set of characters: ranges with both ends, ascending and apart where sorted made it.
type set [][2]rune

func (s set) single() bool { return len(s) == 1 && s[0][0] == s[0][1] }

// sort orders ranges by where they begin, on a heap: the sort of package slices would be the only one in the browser predictor, ten times as long.
func (s set) sort() {
	for i := len(s)/2 - 1; i >= 0; i-- {
		s.sink(i)
	}
	for n := len(s) - 1; n > 0; n-- {
		s[0], s[n] = s[n], s[0]
		s[:n].sink(0)
	}
}

// sink moves element i down until no child is greater.
func (s set) sink(i int) {
	for {
		k := 2*i + 1
		if k >= len(s) {
			return
		}
		if k+1 < len(s) && s[k+1][0] > s[k][0] {
			k++
		}
		if s[i][0] >= s[k][0] {
			return
		}
		s[i], s[k] = s[k], s[i]
		i = k
	}
}

// sorted joins ranges that touch.
func (s set) sorted() set {
	s.sort()
	var out set
	for _, r := range s {
		if n := len(out); n > 0 && r[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], r[1])
		} else {
			out = append(out, r)
		}
	}
	return out
}

// others are the characters that s, which is sorted, lacks.
func (s set) others() set {
	var out set
	from := rune(0)
	for _, r := range s {
		if from < r[0] {
			out = append(out, [2]rune{from, r[0] - 1})
		}
		from = r[1] + 1
	}
	if from <= utf8.MaxRune {
		out = append(out, [2]rune{from, utf8.MaxRune})
	}
	return out
}

// Compile makes the automaton of an expression. Each character or class in it is a position; which may come first, last and after which follows
// from the expression alone (Glushkov, "The Abstract Theory of Automata", 1961), and the sets of positions that can be reached are the states.
//
// Errors: fault.Unsupported for what is not in the language, no expression, or too large. That includes expressions that may read far without
// a match, like a+b: finding all their matches can take a time that grows with the square of the text's length.
func Compile(expression string) (*Pattern, error) {
	if len(expression) > maxLength {
		return nil, unsupported(expression[:20]+"…", "too many characters")
	}
	p := &parser{s: expression}
	tree, err := p.choices()
	if err != nil {
		return nil, err
	}
	if p.i < len(p.s) {
		return nil, p.refuse("a ) too many")
	}
	g := &glushkov{}
	whole, ok := g.visit(tree)
	if !ok {
		return nil, p.refuse("too many parts")
	}
	out := &Pattern{}
	columns := out.divide(g.sets)
	if columns == nil || !out.determine(g, whole, columns) {
		return nil, p.refuse("too many parts")
	}
	if out.wanders() {
		return nil, p.refuse("a part that may read far and not match")
	}
	return out, nil
}

// glushkov numbers positions; positions are bits.
type glushkov struct {
	sets   []set
	follow [maxPositions]uint64
}

// reach says of a part which positions a match of it may begin and end with, and whether nothing at all is a match.
type reach struct {
	first, last uint64
	empty       bool
}

func (g *glushkov) visit(n *node) (r reach, ok bool) {
	switch n.kind {
	case character:
		if len(g.sets) == maxPositions {
			return r, false
		}
		bit := uint64(1) << len(g.sets)
		g.sets = append(g.sets, n.set)
		return reach{first: bit, last: bit}, true
	case choice:
		for _, part := range n.parts {
			one, ok := g.visit(part)
			if !ok {
				return r, false
			}
			r = reach{r.first | one.first, r.last | one.last, r.empty || one.empty}
		}
		return r, true
	case sequence:
		r.empty = true
		for _, part := range n.parts {
			one, ok := g.visit(part)
			if !ok {
				return r, false
			}
			r = g.join(r, one)
		}
		return r, true
	}
	return g.repeat(n)
}

// join is a followed by b.
func (g *glushkov) join(a, b reach) reach {
	g.link(a.last, b.first)
	r := reach{a.first, b.last, a.empty && b.empty}
	if a.empty {
		r.first |= b.first
	}
	if b.empty {
		r.last |= a.last
	}
	return r
}

// link lets the positions of to follow those of from.
func (g *glushkov) link(from, to uint64) {
	for ; from != 0; from &= from - 1 {
		g.follow[bits.TrailingZeros64(from)] |= to
	}
}

// repeat writes a repetition out: as often as it must be there, then as often as it may.
func (g *glushkov) repeat(n *node) (reach, bool) {
	r := reach{empty: true}
	for i := 0; i < n.least || i < n.most || n.most < 0 && i < 1; i++ {
		before := len(g.sets)
		one, ok := g.visit(n.parts[0])
		if !ok {
			return r, false
		}
		if n.most < 0 && i >= n.least-1 {
			g.link(one.last, one.first)
		}
		one.empty = one.empty || i >= n.least
		r = g.join(r, one)
		if len(g.sets) == before { // a repetition of nothing
			return r, true
		}
	}
	return r, true
}

// divide sets up ranges of characters that all sets treat alike. The result is, for each column, the positions that take its characters; nil
// where there are too many.
func (p *Pattern) divide(sets []set) []uint64 {
	var edges set
	for _, s := range sets {
		for _, r := range s {
			edges = append(edges, [2]rune{r[0]}, [2]rune{r[1] + 1})
		}
	}
	edges.sort()
	p.starts = []rune{0}
	for _, e := range edges {
		if e[0] > p.starts[len(p.starts)-1] {
			p.starts = append(p.starts, e[0])
		}
	}
	masks := make([]uint64, len(p.starts))
	for i, s := range sets {
		for _, r := range s {
			for k := p.rangeOf(r[0]); k < len(p.starts) && p.starts[k] <= r[1]; k++ {
				masks[k] |= 1 << i
			}
		}
	}
	var columns []uint64
	p.column = make([]uint8, len(masks))
	for k, m := range masks {
		c := placeOf(&columns, m)
		if c > 255 {
			return nil
		}
		p.column[k] = uint8(c)
	}
	for c := range p.ascii {
		p.ascii[c] = p.columnOf(rune(c))
	}
	p.width = len(columns)
	return columns
}

// placeOf finds x in a list, or puts it at its end.
func placeOf(list *[]uint64, x uint64) int {
	for i, y := range *list {
		if x == y {
			return i
		}
	}
	*list = append(*list, x)
	return len(*list) - 1
}

// determine builds the states: sets of positions that may have been read last.
func (p *Pattern) determine(g *glushkov, whole reach, columns []uint64) bool {
	sets := []uint64{0, 1 << maxPositions} // the start is a bit that is no position
	p.next = make([]uint16, p.width)       // of the dead state
	for at := start; at < len(sets); at++ {
		reached := whole.first
		if at > start {
			reached = 0
			for m := sets[at]; m != 0; m &= m - 1 {
				reached |= g.follow[bits.TrailingZeros64(m)]
			}
		}
		for _, takes := range columns {
			state := placeOf(&sets, reached&takes)
			if state >= maxStates {
				return false
			}
			p.next = append(p.next, uint16(state))
		}
	}
	p.final = make([]bool, len(sets))
	for i, s := range sets {
		p.final[i] = s&whole.last != 0
	}
	return true
}

// wanders tells whether states in which no match ends lead back to themselves through such states.
func (p *Pattern) wanders() bool {
	const fresh, open, done = 0, 1, 2
	mark := make([]uint8, len(p.final))
	var visit func(state uint16) bool
	visit = func(state uint16) bool {
		if state == dead || p.final[state] || mark[state] == done {
			return false
		}
		if mark[state] == open {
			return true
		}
		mark[state] = open
		for _, to := range p.next[int(state)*p.width:][:p.width] {
			if visit(to) {
				return true
			}
		}
		mark[state] = done
		return false
	}
	for state := range p.final {
		if mark[state] == fresh && visit(uint16(state)) {
			return true
		}
	}
	return false
}
