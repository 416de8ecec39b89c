// Package pattern finds pieces of texts by regular expressions of a small language, in time that grows with the text alone: the leftmost
// match, and of those the longest. It is for programs that have no room for package regexp, and several times as fast; what the language lacks
// is refused, so that whoever has regexp can take that.
//
// The language is that part of RE2's (https://github.com/google/re2/wiki/Syntax) which describes words: characters and escapes of
// them, . (anything but a new line), classes with ranges, \d \s \w and their opposites, groups, |, and the repetitions ? * + {n} {n,} {n,m}. It
// has no anchors, no \b, no \p, no flags and no lazy repetitions.
package pattern

import "unicode/utf8"

// Pattern is a compiled expression: an automaton without choices. It is safe for concurrent use.
type Pattern struct {
	ascii  [utf8.RuneSelf]uint8 // the column of a character
	starts []rune               // where ranges of equal characters begin, ascending from 0
	column []uint8              // the column of each range
	width  int                  // number of columns
	next   []uint16             // (states, width): the state after a character
	final  []bool               // a match may end in this state
}

// The states that every automaton has.
const (
	dead  = 0 // no match can come of it
	start = 1
)

// Next finds the first match of s that begins at from or later and holds at least one character; end is below 0 where there is none. Bytes that
// are not UTF-8 are characters of their own, each like U+FFFD.
func (p *Pattern) Next(s string, from int) (begin, end int) {
	for begin = from; begin < len(s); {
		state, at := p.step(start, s, begin)
		after := at
		for end = -1; state != dead; {
			if p.final[state] {
				end = at
			}
			if at >= len(s) {
				break
			}
			if c := s[at]; c < utf8.RuneSelf { // as step, in place
				state = p.next[int(state)*p.width+int(p.ascii[c])]
				at++
			} else {
				state, at = p.step(state, s, at)
			}
		}
		if end >= 0 {
			return begin, end
		}
		begin = after
	}
	return len(s), -1
}

// step is the state after the character of s at i, and where the one after that begins.
func (p *Pattern) step(state uint16, s string, i int) (next uint16, after int) {
	if c := s[i]; c < utf8.RuneSelf {
		return p.next[int(state)*p.width+int(p.ascii[c])], i + 1
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	return p.next[int(state)*p.width+int(p.columnOf(r))], i + size
}

// columnOf is the column of any character.
func (p *Pattern) columnOf(r rune) uint8 { return p.column[p.rangeOf(r)] }

// rangeOf finds the range that r lies in.
func (p *Pattern) rangeOf(r rune) int {
	lo, hi := 0, len(p.starts) // p.starts[lo] <= r < p.starts[hi]
	for hi-lo > 1 {
		if mid := int(uint(lo+hi) / 2); p.starts[mid] <= r {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}
