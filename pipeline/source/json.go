package source

import (
	"bytes"
	"context"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// jsonFile decodes JSON lines: one object a line. Objects within are flattened, {"a":{"b":1}} to a column "a.b"; arrays
// of numbers, and of such arrays, are texts as they are written, without blanks; other arrays are refused. A key that an object lacks, null and "" are missing. Strings and booleans are text, numbers numbers,
// unless the column has both or a number that float64 cannot hold: then all are text, as they are written.
type jsonFile struct {
	in  *input
	o   *Options
	enc encoding
	off int
	ids map[string]int
}

// jsonKey is a column found in a block.
type jsonKey struct {
	name string
	text bool // some value is not a number
}

const maxDepth = 32

// heading reads the whole file: which columns there are is known at its end.
func (f *jsonFile) heading(ctx context.Context) (*heading, error) {
	raw, err := f.in.head(ctx, 4096, f.o)
	if err != nil {
		return nil, err
	}
	if len(trimLines(raw)) == 0 {
		return nil, fault.New(fault.BadData, "the file is empty").At(f.in.name).Try("it needs one JSON object a line")
	}
	f.enc, f.off = encodingOf(raw, f.o.Encoding)
	f.ids = map[string]int{}
	h := &heading{size: f.in.size}
	err = f.run(ctx, nil, nil, func(b *batch) error {
		for _, k := range b.keys {
			id, known := f.ids[k.name]
			if !known {
				if id = len(h.names); id == f.o.MaxColumns {
					return fault.New(fault.TooLarge, "more than "+strconv.Itoa(f.o.MaxColumns)+" columns").At(f.in.name).
						Try("keys that are data belong into values; or raise the limit on columns")
				}
				f.ids[k.name] = id
				h.names = append(h.names, k.name)
				h.kinds = append(h.kinds, table.Number)
				h.settled = append(h.settled, true)
			}
			if k.text {
				h.kinds[id] = table.Text
			}
		}
		return nil
	})
	if err == nil && len(h.names) == 0 {
		err = fault.New(fault.BadData, "the objects have no keys").At(f.in.name).Try("each line needs an object with a value for each column")
	}
	return h, err
}

func (f *jsonFile) pass(ctx context.Context, modes []mode, strict []bool, visit func(*batch) error) error {
	return f.run(ctx, modes, strict, visit)
}

func (f *jsonFile) run(ctx context.Context, modes []mode, strict []bool, visit func(*batch) error) error {
	t := textPass{in: f.in, o: f.o, enc: f.enc, mark: f.off, max: max(4*f.o.MaxField, 1<<20)}
	return t.run(ctx, func(_ int, b []byte, n int, whole bool) *batch {
		if !whole {
			return &batch{bad: &badLine{code: fault.TooLarge, message: "a line of more than " + strconv.Itoa(t.max) + " bytes", hint: "write one object a line"}}
		}
		p := &objectParser{b: b, n: n, o: f.o, modes: modes, strict: strict, ids: f.ids}
		return p.parse()
	}, visit)
}

// objectParser reads one block of JSON lines.
type objectParser struct {
	b       []byte
	n, pos  int
	o       *Options
	modes   []mode // nil: discover the columns
	strict  []bool
	ids     map[string]int
	seen    []int // the row, counted from 1, that a column was last met in
	path    []byte
	scratch []byte
	out     *batch
	row     int
	line    int
}

func (p *objectParser) parse() *batch {
	p.out = &batch{}
	if p.modes == nil {
		p.ids = map[string]int{}
	} else {
		rows := bytes.Count(p.b[:p.n], newline)
		p.out.cols, p.seen = make([]vector, len(p.modes)), make([]int, len(p.modes))
		for i, m := range p.modes {
			switch m {
			case number:
				p.out.cols[i].numbers = missingNumbers(rows)
			case text:
				p.out.cols[i] = vector{codes: missingCodes(rows), set: &textSet{}}
			}
		}
	}
	for p.pos < p.n {
		p.blanks()
		if p.b[p.pos] == '\n' {
			p.pos++
			p.line++
			continue
		}
		if p.b[p.pos] != '{' {
			p.fail("the line does not hold a JSON object", "write one object a line; an array of objects is unpacked with: jq -c '.[]'")
			return p.out
		}
		if !p.object(0) {
			return p.out
		}
		if p.blanks(); p.b[p.pos] != '\n' {
			p.fail("something follows the object on its line", "write one object a line")
			return p.out
		}
		p.row++
	}
	p.out.rows, p.out.lines = p.row, p.line
	return p.out
}

func (p *objectParser) fail(message, hint string) bool {
	p.out.bad = &badLine{line: p.line, code: fault.BadData, message: message, hint: hint}
	return false
}

func (p *objectParser) blanks() {
	for c := p.b[p.pos]; c == ' ' || c == '\t' || c == '\r'; c = p.b[p.pos] {
		p.pos++
	}
}

// object reads the object at pos, whose keys continue the path.
func (p *objectParser) object(depth int) bool {
	if depth == maxDepth {
		return p.fail("objects are nested more than "+strconv.Itoa(maxDepth)+" deep", "flatten the objects")
	}
	p.pos++
	p.blanks()
	if p.b[p.pos] == '}' {
		p.pos++
		return true
	}
	base := len(p.path)
	for {
		p.blanks()
		if p.b[p.pos] != '"' {
			return p.broken("a key in quotes")
		}
		key, ok := p.string()
		if !ok {
			return false
		}
		if len(key) == 0 {
			return p.fail("an empty key", "give every value a name")
		}
		p.path = append(p.path[:base], key...)
		if p.blanks(); p.b[p.pos] != ':' {
			return p.broken("a colon")
		}
		p.pos++
		p.blanks()
		if p.b[p.pos] == '{' {
			p.path = append(p.path, '.')
			ok = p.object(depth + 1)
		} else {
			ok = p.value()
		}
		if !ok {
			return false
		}
		p.blanks()
		c := p.b[p.pos]
		p.pos++
		if c == '}' {
			p.path = p.path[:base]
			return true
		}
		if c != ',' {
			p.pos--
			return p.broken("a comma or }")
		}
	}
}

func (p *objectParser) broken(wanted string) bool {
	if p.b[p.pos] == '\n' {
		return p.fail("the object does not end on its line", "write one object a line; jq -c . does it")
	}
	return p.fail("not JSON: "+wanted+" is expected before "+strconv.QuoteRune(rune(p.b[p.pos])), "check the file with: jq -c .")
}

// value reads the scalar at pos into the column of the path.
func (p *objectParser) value() bool {
	start := p.pos
	switch c := p.b[p.pos]; {
	case c == '"':
		s, ok := p.string()
		return ok && p.leaf(s, len(s) > 0, false)
	case c == '-' || c >= '0' && c <= '9':
		if !p.number() {
			return p.fail("not a JSON number", "check the file with: jq -c .")
		}
		return p.leaf(p.b[start:p.pos], true, true)
	case p.word("true"), p.word("false"):
		return p.leaf(p.b[start:p.pos], true, false)
	case p.word("null"):
		return p.leaf(nil, false, false)
	case c == '[':
		p.scratch = p.scratch[:0]
		return p.array(0) && p.leaf(p.scratch, true, false)
	case p.word("NaN"), p.word("Infinity"):
		return p.fail("JSON has no NaN and no Infinity", "write null for a missing number")
	}
	return p.broken("a value")
}

// array copies the array of numbers at pos, or of arrays of numbers, to scratch.
func (p *objectParser) array(depth int) bool {
	p.pos++
	p.scratch = append(p.scratch, '[')
	if p.blanks(); p.b[p.pos] == ']' {
		p.pos++
		p.scratch = append(p.scratch, ']')
		return true
	}
	for {
		p.blanks()
		switch start, c := p.pos, p.b[p.pos]; {
		case c == '[' && depth == 0:
			if !p.array(1) {
				return false
			}
		case c == '-' || c >= '0' && c <= '9':
			if !p.number() {
				return p.fail("not a JSON number", "check the file with: jq -c .")
			}
			p.scratch = append(p.scratch, p.b[start:p.pos]...)
		case p.word("null"):
			p.scratch = append(p.scratch, "null"...)
		case c == '"' || c == '{' || c == '[' || c == 't' || c == 'f':
			return p.fail("the value of "+strconv.Quote(string(p.path))+" is an array of other things than numbers", "give each element a key of its own, or leave the array out")
		default:
			return p.broken("a number")
		}
		p.blanks()
		c := p.b[p.pos]
		if c != ',' && c != ']' {
			return p.broken("a comma or ]")
		}
		p.pos++
		if p.scratch = append(p.scratch, c); c == ']' {
			return true
		}
	}
}

func (p *objectParser) word(w string) bool {
	if bytes.HasPrefix(p.b[p.pos:], []byte(w)) {
		p.pos += len(w)
		return true
	}
	return false
}

func (p *objectParser) digits() bool {
	start := p.pos
	for p.b[p.pos]-'0' <= 9 {
		p.pos++
	}
	return p.pos > start
}

// number steps over a number by the grammar of RFC 8259, section 6.
func (p *objectParser) number() bool {
	if p.b[p.pos] == '-' {
		p.pos++
	}
	if p.b[p.pos] == '0' {
		p.pos++
	} else if !p.digits() {
		return false
	}
	if p.b[p.pos] == '.' {
		if p.pos++; !p.digits() {
			return false
		}
	}
	if p.b[p.pos]|0x20 == 'e' {
		if p.pos++; p.b[p.pos] == '+' || p.b[p.pos] == '-' {
			p.pos++
		}
		return p.digits()
	}
	return true
}

// leaf puts a value into its column. some is false for null and "".
func (p *objectParser) leaf(v []byte, some, numeric bool) bool {
	if len(v) > p.o.MaxField {
		p.fail("a value of more than "+strconv.Itoa(p.o.MaxField)+" bytes", "raise the limit on fields")
		p.out.bad.code = fault.TooLarge
		return false
	}
	id, known := p.ids[string(p.path)]
	if !known {
		if p.modes != nil {
			return p.fail("the key "+strconv.Quote(string(p.path))+" is new: the data changed while it was read", "read again when nobody writes to it")
		}
		if id = len(p.out.keys); id == p.o.MaxColumns {
			p.fail("more than "+strconv.Itoa(p.o.MaxColumns)+" columns", "keys that are data belong into values; or raise the limit on columns")
			p.out.bad.code = fault.TooLarge
			return false
		}
		p.ids[string(p.path)] = id
		p.out.keys = append(p.out.keys, jsonKey{name: string(p.path)})
		p.seen = append(p.seen, 0)
	}
	if p.seen[id] == p.row+1 {
		return p.fail("the key "+strconv.Quote(string(p.path))+" comes twice in one object", "give each value a key of its own")
	}
	p.seen[id] = p.row + 1
	if !some {
		return true
	}
	if p.modes == nil {
		if !p.out.keys[id].text {
			if _, ok := parseNumber(v); !ok || !numeric {
				p.out.keys[id].text = true
			}
		}
		return true
	}
	return p.store(id, v, numeric)
}

func (p *objectParser) store(id int, v []byte, numeric bool) bool {
	col := &p.out.cols[id]
	switch p.modes[id] {
	case text:
		col.codes[p.row], _ = col.set.code(v)
	case number, check:
		f, ok := parseNumber(v)
		if !ok || !numeric {
			f = math.NaN()
			bad := &badLine{line: p.line, code: fault.Invalid, message: strconv.Quote(string(p.path)) + " is " +
				strconv.Quote(string(v[:min(len(v), 40)])) + ", which is not a number", hint: "correct the value, or read the column as text"}
			if p.strict[id] {
				p.out.bad = bad
				return false
			}
			col.wrong = bad
		}
		if p.modes[id] == number {
			col.numbers[p.row] = f
		}
	}
	return true
}

// string reads the string at pos. It is valid until the next call.
func (p *objectParser) string() ([]byte, bool) {
	p.pos++
	start := p.pos
	for {
		switch c := p.b[p.pos]; {
		case c == '"':
			p.pos++
			return p.b[start : p.pos-1], true
		case c == '\\':
			p.scratch = append(p.scratch[:0], p.b[start:p.pos]...)
			return p.escaped()
		case c < 0x20:
			return nil, p.control()
		}
		p.pos++
	}
}

func (p *objectParser) control() bool {
	if p.b[p.pos] == '\n' {
		return p.fail("a string does not end on its line", `write one object a line, line breaks within strings as \n`)
	}
	return p.fail("a control character in a string", `write it as \u00XX`)
}

// escaped goes on with a string from its first backslash.
func (p *objectParser) escaped() ([]byte, bool) {
	for {
		c := p.b[p.pos]
		switch {
		case c == '"':
			p.pos++
			return p.scratch, true
		case c < 0x20:
			return nil, p.control()
		case c != '\\':
			p.scratch = append(p.scratch, c)
			p.pos++
			continue
		}
		p.pos += 2
		switch c = p.b[p.pos-1]; c {
		case '"', '\\', '/':
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, ok := p.unicode()
			if !ok {
				return nil, p.fail("a wrong \\u escape", "it takes four hexadecimal digits, and pairs for characters beyond U+FFFF")
			}
			p.scratch = utf8.AppendRune(p.scratch, r)
			continue
		default:
			return nil, p.fail("an unknown escape in a string", "check the file with: jq -c .")
		}
		p.scratch = append(p.scratch, c)
	}
}

// unicode reads the digits after \u, and the second half of a surrogate pair.
func (p *objectParser) unicode() (rune, bool) {
	r, ok := p.hex()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok && r != 0
	}
	if !p.word(`\u`) {
		return 0, false
	}
	low, ok := p.hex()
	r = utf16.DecodeRune(r, low)
	return r, ok && r != utf8.RuneError
}

func (p *objectParser) hex() (rune, bool) {
	if p.pos+4 > p.n {
		return 0, false
	}
	v, err := strconv.ParseUint(string(p.b[p.pos:p.pos+4]), 16, 16)
	p.pos += 4
	return rune(v), err == nil
}
