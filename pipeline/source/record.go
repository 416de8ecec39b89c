package source

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// recordParser turns blocks of CSV into batches. Each worker has one.
type recordParser struct {
	delim   byte
	modes   []mode // by column
	strict  []bool // by column: the kind was said, a value that is not a number ends the reading
	missing *missingTexts
	max     int // bytes of a field
	names   []string
	scratch []byte
	pool    *batchPool
}

var nan = math.NaN()

// parse reads b[:n], records that each end with a newline, with pad bytes of room after them.
func (p *recordParser) parse(b []byte, n int) *batch {
	out := p.pool.get(p.modes, bytes.Count(b[:n], newline))
	modes := append([]mode(nil), p.modes...) // a column that turns out wrong is ignored from there on
	last := len(modes) - 1
	line, row := 0, 0
	for pos := 0; pos < n; {
		if b[pos] == '\n' || b[pos] == '\r' && b[pos+1] == '\n' { // blank lines are no records, as pandas and encoding/csv have it
			pos += 1 + int(b[pos]&1) // '\r' is odd
			line++
			continue
		}
		first := line
		for c := 0; ; c++ {
			var q int
			switch modes[c] {
			case number, check:
				var v float64
				v, q = scanNumber(b, pos)
				if q < 0 || !p.ends(b, q) {
					v, q = p.slowNumber(b, pos, &line, c, modes, out)
				}
				if modes[c] == number && q >= 0 {
					out.cols[c].numbers[row] = v
				}
			case text:
				q = p.text(b, pos, &line, &out.cols[c], row, out)
			default:
				_, q = p.field(b, pos, &line, out)
			}
			if q < 0 {
				return out
			}
			if b[q] == p.delim {
				if c == last {
					out.bad = p.ragged(b, first, pos)
					return out
				}
				pos = q + 1
				continue
			}
			if b[q] == '\r' {
				q++
			}
			line++
			pos = q + 1
			if c != last {
				out.bad = &badLine{
					line: first, code: fault.BadData, message: strconv.Itoa(c+1) + " fields where the header has " + strconv.Itoa(last+1),
					hint: "fill in the missing fields or their delimiters; a wrong delimiter looks like this too",
				}
				return out
			}
			break
		}
		row++
	}
	out.rows, out.lines = row, line
	return out
}

// ends reports whether a field ends at q.
func (p *recordParser) ends(b []byte, q int) bool {
	return b[q] == p.delim || b[q] == '\n' || b[q] == '\r' && b[q+1] == '\n'
}

// slowNumber reads a field that is not a plain number. A value that is not a number at all makes the column wrong.
func (p *recordParser) slowNumber(b []byte, pos int, line *int, c int, modes []mode, out *batch) (float64, int) {
	at := *line
	f, q := p.field(b, pos, line, out)
	if q < 0 || p.missing.has(f) {
		return nan, q
	}
	if v, ok := parseNumber(f); ok {
		return v, q
	}
	bad := &badLine{
		line: at, code: fault.Invalid, message: strconv.Quote(p.names[c]) + " is " + strconv.Quote(string(f[:min(len(f), 40)])) + ", which is not a number",
		hint: "correct the value, or read the column as text",
	}
	if p.strict[c] {
		out.bad = bad
		return 0, -1
	}
	out.cols[c].wrong = bad
	modes[c] = ignore
	return nan, q
}

const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// zeroBytes has the high bit of the zero bytes of x set; exact up to the first one.
func zeroBytes(x uint64) uint64 { return (x - lows) &^ x & highs }

// text reads a field of a text column. Short unquoted fields, nearly all of them, are found, hashed and looked up as
// one word.
func (p *recordParser) text(b []byte, pos int, line *int, col *vector, row int, out *batch) int {
	w := binary.LittleEndian.Uint64(b[pos:])
	stop := zeroBytes(w^uint64(p.delim)*lows) | zeroBytes(w^'\n'*lows) | zeroBytes(w^'\r'*lows) | zeroBytes(w^'"'*lows)
	if n := bits.TrailingZeros64(stop) >> 3; n < 8 && p.ends(b, pos+n) {
		if n == 0 {
			col.codes[row] = -1
			return pos
		}
		code, fresh := col.set.short(w&(1<<(8*uint(n))-1), n)
		if fresh {
			col.set.texts[code].missing = p.missing.has(b[pos : pos+n])
		}
		col.codes[row] = code
		return pos + n
	}
	f, q := p.field(b, pos, line, out)
	if q < 0 {
		return q
	}
	if len(f) == 0 {
		col.codes[row] = -1
		return q
	}
	code, fresh := col.set.code(f)
	if fresh {
		col.set.texts[code].missing = p.missing.has(f)
	}
	col.codes[row] = code
	return q
}

// field returns the content of the field at pos and the position of the delimiter, \r\n or \n after it; -1 with
// out.bad set when it is malformed. The content is valid until the next call.
func (p *recordParser) field(b []byte, pos int, line *int, out *batch) ([]byte, int) {
	if b[pos] == '"' {
		return p.quoted(b, pos, line, out)
	}
	for q := pos; ; q += 8 {
		w := binary.LittleEndian.Uint64(b[q:])
		stop := zeroBytes(w^uint64(p.delim)*lows) | zeroBytes(w^'\n'*lows) | zeroBytes(w^'"'*lows)
		if stop == 0 {
			continue
		}
		q += bits.TrailingZeros64(stop) >> 3
		if b[q] == '"' {
			out.bad = &badLine{
				line: *line, code: fault.BadData, message: "a quote inside an unquoted field",
				hint: `put the whole field into quotes and double those inside, as in "5"" nail"`,
			}
			return nil, -1
		}
		if b[q] == '\n' && q > pos && b[q-1] == '\r' {
			q--
		}
		if q-pos > p.max {
			out.bad = p.tooLong(*line)
			return nil, -1
		}
		return b[pos:q], q
	}
}

// quoted reads a field that begins with a quote.
func (p *recordParser) quoted(b []byte, pos int, line *int, out *batch) ([]byte, int) {
	start, from, first := pos+1, pos+1, *line
	p.scratch = p.scratch[:0]
	for {
		i := bytes.IndexByte(b[from:], '"')
		if i < 0 {
			out.bad = &badLine{line: first, code: fault.BadData, message: "a quote is opened and not closed", hint: "close the quote, or double it if it is part of the text"}
			return nil, -1
		}
		*line += bytes.Count(b[from:from+i], newline)
		q := from + i + 1
		if b[q] == '"' { // "" is a quote
			p.scratch = append(p.scratch, b[start:q]...)
			start, from = q+1, q+1
			continue
		}
		if !p.ends(b, q) {
			out.bad = &badLine{
				line: *line, code: fault.BadData, message: "text after a closing quote",
				hint: `quotes inside a quoted field are doubled, as in "5"" nail"`,
			}
			return nil, -1
		}
		f := b[start : q-1]
		if len(p.scratch) > 0 {
			p.scratch = append(p.scratch, f...)
			f = p.scratch
		}
		if len(f) > p.max {
			out.bad = p.tooLong(first)
			return nil, -1
		}
		return f, q
	}
}

func (p *recordParser) tooLong(line int) *badLine {
	return &badLine{
		line: line, code: fault.TooLarge, message: "a field of more than " + strconv.Itoa(p.max) + " bytes",
		hint: "look for a quote that is not closed, or raise the limit on fields",
	}
}

// ragged says how many fields the record at line `first` has that goes on past the header's columns; pos is in its
// last expected field.
func (p *recordParser) ragged(b []byte, first, pos int) *badLine {
	fields := len(p.modes)
	var out batch
	for line := first; ; fields++ {
		_, q := p.field(b, pos, &line, &out)
		if q < 0 || b[q] != p.delim {
			break
		}
		pos = q + 1
	}
	return &badLine{
		line: first, code: fault.BadData, message: strconv.Itoa(fields) + " fields where the header has " + strconv.Itoa(len(p.modes)),
		hint: "put a text that holds the delimiter into quotes; a wrong delimiter looks like this too",
	}
}

// unfinished explains a block that no record end was found in.
func (p *recordParser) unfinished(b []byte) *badLine {
	var out batch
	line, n := 0, len(b)
	b = withPad(append(b[:n:n], '\n'))
	for pos := 0; pos <= n; {
		_, q := p.field(b, pos, &line, &out)
		if q < 0 {
			return out.bad
		}
		if b[q] == '\r' {
			q++
		}
		if b[q] == '\n' {
			line++
		}
		pos = q + 1
	}
	return p.tooLong(0)
}
