//go:build !lean

package op

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// foreignFinder takes what package pattern lacks to package regexp, whose expressions are those of RE2, too.
func foreignFinder(expression string, _ error) (finder, func(s string) [][]int, error) {
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, nil, err
	}
	re.Longest()
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, nil, err
	}
	if looksAround(tree) {
		return nil, func(s string) [][]int { return re.FindAllStringIndex(s, -1) }, nil
	}
	return func(s string, from int) (begin, end int) {
		for from < len(s) {
			m := re.FindStringIndex(s[from:])
			if m == nil {
				break
			}
			if m[1] > m[0] {
				return from + m[0], from + m[1]
			}
			from += m[0] + len(firstCharacter(s[from+m[0]:])) // a match of nothing
		}
		return len(s), -1
	}, nil, nil
}

// firstCharacter is the first character of s, at least one byte long where s is.
func firstCharacter(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}

// looksAround tells whether a match depends on what stands beside it.
func looksAround(t *syntax.Regexp) bool {
	switch t.Op {
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	}
	for _, part := range t.Sub {
		if looksAround(part) {
			return true
		}
	}
	return false
}

// betweenOf cuts out what stands between matches of the separators. A match that overlaps one of an earlier separator is none.
func betweenOf(separators []string, least int) (cutter, error) {
	var finders []func(s string, found [][2]int) [][2]int
	for _, expression := range separators {
		find, all, err := finderOf(expression)
		if err != nil {
			return nil, err
		}
		finders = append(finders, func(s string, found [][2]int) [][2]int { return separations(s, find, all, found) })
	}
	return func(to []string, s string) []string {
		var found [][2]int
		for _, more := range finders {
			found = more(s, found)
		}
		slices.SortFunc(found, func(a, b [2]int) int { return a[0] - b[0] })
		at := 0
		for _, m := range append(found, [2]int{len(s), len(s)}) {
			if piece := s[at:m[0]]; piece != "" && utf8.RuneCountInString(piece) >= least {
				to = append(to, piece)
			}
			at = m[1]
		}
		return to
	}, nil
}

// separations adds the matches of one separator to those of the ones before it.
func separations(s string, find finder, all func(s string) [][]int, found [][2]int) [][2]int {
	earlier := slices.Clone(found)
	slices.SortFunc(earlier, func(a, b [2]int) int { return a[0] - b[0] })
	add := func(begin, end int) {
		for len(earlier) > 0 && earlier[0][1] <= begin {
			earlier = earlier[1:]
		}
		if end > begin && (len(earlier) == 0 || end <= earlier[0][0]) {
			found = append(found, [2]int{begin, end})
		}
	}
	if find == nil {
		for _, m := range all(s) {
			add(m[0], m[1])
		}
		return found
	}
	for begin, end := find(s, 0); end >= 0; begin, end = find(s, end) {
		add(begin, end)
	}
	return found
}
