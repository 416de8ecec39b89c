package pattern

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Bounds of what Compile takes on.
const (
	maxLength    = 1 << 16 // bytes of an expression
	maxDepth     = 100     // groups in groups
	maxPositions = 63      // characters and classes, repetitions written out; a bit is left for the start
	maxStates    = 512
)

// node is a part of an expression: a set of characters, or a list of parts, one after the other or one of them.
type node struct {
	set   set
	parts []*node
	kind  kind
	least int // of a repetition of parts[0]
	most  int // below 0: without end
}

type kind uint8

const (
	character kind = iota
	sequence
	choice
	repetition
)

// parser reads an expression by recursive descent.
type parser struct {
	s     string
	i     int
	depth int
}

func unsupported(s, what string) error {
	return fault.New(fault.Unsupported, "the pattern has "+what+": "+strconv.Quote(s)).Try("write it with characters, classes, groups, | and ? * + {n,m}")
}

func (p *parser) refuse(what string) error { return unsupported(p.s, what) }

// more tells whether c comes next, and takes it.
func (p *parser) more(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// choices reads a|b|c, up to the end or a bracket that closes.
func (p *parser) choices() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.refuse("too many groups in groups")
	}
	n := &node{kind: choice}
	for {
		part, err := p.sequence()
		if err != nil {
			return nil, err
		}
		if n.parts = append(n.parts, part); !p.more('|') {
			p.depth--
			return n, nil
		}
	}
}

func (p *parser) sequence() (*node, error) {
	n := &node{kind: sequence}
	for p.i < len(p.s) && p.s[p.i] != '|' && p.s[p.i] != ')' {
		part, err := p.atom()
		if err != nil {
			return nil, err
		}
		if part, err = p.repeated(part); err != nil {
			return nil, err
		}
		n.parts = append(n.parts, part)
	}
	return n, nil
}

// atom reads one character, class or group.
func (p *parser) atom() (*node, error) {
	switch c := p.s[p.i]; c {
	case '(':
		p.i++
		if p.more('?') && !p.more(':') {
			return nil, p.refuse("flags")
		}
		n, err := p.choices()
		if err != nil {
			return nil, err
		}
		if !p.more(')') {
			return nil, p.refuse("a group without an end")
		}
		return n, nil
	case '[':
		p.i++
		s, err := p.class()
		return &node{set: s}, err
	case '.':
		p.i++
		return &node{set: set{{'\n', '\n'}}.others()}, nil
	case '*', '+', '?', '{':
		return nil, p.refuse("a repetition of nothing")
	case '^', '$':
		return nil, p.refuse("an anchor")
	}
	s, err := p.one()
	return &node{set: s}, err
}

// repeated reads what may follow an atom.
func (p *parser) repeated(n *node) (*node, error) {
	r := &node{kind: repetition, parts: []*node{n}, most: -1}
	switch {
	case p.more('*'):
	case p.more('+'):
		r.least = 1
	case p.more('?'):
		r.most = 1
	case p.more('{'):
		if err := p.counts(r); err != nil {
			return nil, err
		}
	default:
		return n, nil
	}
	if p.i < len(p.s) && (p.s[p.i] == '?' || p.s[p.i] == '*' || p.s[p.i] == '+' || p.s[p.i] == '{') {
		return nil, p.refuse("a lazy or double repetition")
	}
	return r, nil
}

// counts reads {n}, {n,} and {n,m} behind the bracket.
func (p *parser) counts(r *node) error {
	least, ok := p.number()
	if !ok {
		return p.refuse("a count that is none")
	}
	r.least, r.most = least, least
	if p.more(',') {
		if r.most = -1; p.i < len(p.s) && p.s[p.i] != '}' {
			if r.most, ok = p.number(); !ok || r.most < least {
				return p.refuse("a count that is none")
			}
		}
	}
	if !p.more('}') {
		return p.refuse("a count without an end")
	}
	return nil
}

// number reads one of up to three digits.
func (p *parser) number() (n int, ok bool) {
	from := p.i
	for p.i < len(p.s) && p.i < from+3 && '0' <= p.s[p.i] && p.s[p.i] <= '9' {
		n = 10*n + int(p.s[p.i]-'0')
		p.i++
	}
	return n, p.i > from
}

// class reads [a-z…] behind the bracket.
func (p *parser) class() (set, error) {
	var s set
	opposite := p.more('^')
	for first := true; ; first = false {
		if p.i >= len(p.s) {
			return nil, p.refuse("a class without an end")
		}
		if p.s[p.i] == ']' && !first {
			p.i++
			break
		}
		if p.s[p.i] == '[' && p.i+1 < len(p.s) && p.s[p.i+1] == ':' {
			return nil, p.refuse("a class by name")
		}
		low, err := p.one()
		if err != nil {
			return nil, err
		}
		if p.i+1 < len(p.s) && p.s[p.i] == '-' && p.s[p.i+1] != ']' {
			p.i++
			high, err := p.one()
			if err != nil {
				return nil, err
			}
			if !low.single() || !high.single() || high[0][0] < low[0][0] {
				return nil, p.refuse("a range that is none")
			}
			low = set{{low[0][0], high[0][0]}}
		}
		s = append(s, low...)
	}
	if s = s.sorted(); opposite {
		s = s.others()
	}
	return s, nil
}

// one reads a character, or an escape of one or of a class.
func (p *parser) one() (set, error) {
	if p.i >= len(p.s) {
		return nil, p.refuse("an end where a character is due")
	}
	if p.s[p.i] != '\\' {
		r, size := utf8.DecodeRuneInString(p.s[p.i:])
		if r == utf8.RuneError && size < 2 {
			return nil, p.refuse("bytes that are not UTF-8")
		}
		p.i += size
		return set{{r, r}}, nil
	}
	if p.i += 2; p.i > len(p.s) {
		return nil, p.refuse("a \\ at its end")
	}
	c := p.s[p.i-1]
	if s := escaped(c); s != nil {
		return s, nil
	}
	switch {
	case c == 'x':
		return p.hex()
	case c >= utf8.RuneSelf || c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z':
		return nil, p.refuse("the escape \\" + string(rune(c)))
	}
	return set{{rune(c), rune(c)}}, nil
}

// escaped is the set of an escape that is a letter, as RE2 has them; nil for others.
func escaped(c byte) set {
	switch c {
	case 'd':
		return digits
	case 'D':
		return digits.others()
	case 's':
		return spaces
	case 'S':
		return spaces.others()
	case 'w':
		return letters
	case 'W':
		return letters.others()
	}
	for i := range len(controls) {
		if c == controls[i] {
			r := rune("\a\f\n\r\t\v"[i])
			return set{{r, r}}
		}
	}
	return nil
}

const controls = "afnrtv"

var (
	digits  = set{{'0', '9'}}
	spaces  = set{{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}
	letters = set{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}
)

// hex reads 7F or {1F600} behind \x.
func (p *parser) hex() (set, error) {
	var number string
	var found bool
	if p.more('{') {
		number, _, found = strings.Cut(p.s[p.i:], "}")
		p.i += len(number) + 1
	} else {
		number = p.s[p.i:min(p.i+2, len(p.s))]
		p.i, found = p.i+2, len(number) == 2
	}
	v, err := strconv.ParseUint(number, 16, 32)
	if !found || err != nil || v > utf8.MaxRune {
		return nil, p.refuse("a character number that is none")
	}
	return set{{rune(v), rune(v)}}, nil
}
