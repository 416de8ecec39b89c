package predict

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
)

// RowsJSON is Rows for a request body: {"rows":[{"island":"Biscoe",…},…]} or the bare array. Values go from the text into
// the model's inputs without a map or a boxed value in between; a row costs a few hundred nanoseconds.
//
// It takes JSON as RFC 8259 has it, and is stricter than encoding/json: a field that stands twice in a row and text that is
// not UTF-8 are errors, and so is any other member beside "rows".
func (m *Model) RowsJSON(ctx context.Context, body []byte) (*Result, error) {
	if m.columns != nil {
		return nil, m.columns
	}
	f, err := m.decode(body)
	if err != nil {
		return nil, err
	}
	r := m.outputs.result(f.rows)
	return r, m.run(ctx, f, r, 0)
}

// decoder reads one request body.
type decoder struct {
	m    *Model
	b    []byte
	i    int
	f    *frame
	seen []int // (fields) the last row, counted from 1, that had the field
}

func (m *Model) decode(body []byte) (*frame, error) {
	// A row takes at least as many bytes as its braces; the room is a guess that spares small requests from growing.
	d := &decoder{m: m, b: body, f: m.newFrame(0, 1+len(body)/(40+30*len(m.fields))), seen: make([]int, len(m.fields))}
	return d.f, d.body()
}

// body reads {"rows": […]} or […] and checks that there are rows.
func (d *decoder) body() error {
	var err error
	if d.next() == '{' {
		err = d.object()
	} else if err = d.rows(); err == nil {
		err = d.end()
	}
	if err == nil && d.f.rows == 0 {
		err = noRows()
	}
	return err
}

// object reads {"rows": […]}.
func (d *decoder) object() error {
	d.i++
	for first := true; ; first = false {
		c := d.next()
		if c == '}' && first {
			return noRows()
		}
		name, err := d.str()
		if err != nil {
			return err
		}
		if string(name) != "rows" {
			return fault.New(fault.Invalid, "the request has no such member").At(cut(string(name))).Try(`send {"rows":[{…},…]}`)
		}
		if err := d.expect(':'); err != nil {
			return err
		}
		if !first {
			return d.broken("rows stands twice")
		}
		if err := d.rows(); err != nil {
			return err
		}
		switch d.next() {
		case ',':
			d.i++
		case '}':
			d.i++
			return d.end()
		default:
			return d.broken("expected , or }")
		}
	}
}

// rows reads [{…}, …].
func (d *decoder) rows() error {
	if d.next() != '[' {
		return d.broken("rows must be a list of objects")
	}
	d.i++
	if d.next() == ']' {
		d.i++
		return nil
	}
	for {
		if err := d.row(); err != nil {
			return err
		}
		switch d.next() {
		case ',':
			d.i++
		case ']':
			d.i++
			return nil
		default:
			return d.broken("expected , or ]")
		}
	}
}

// row reads one object into a new row of the frame.
func (d *decoder) row() error {
	row := d.f.rows
	if d.next() != '{' {
		return fault.New(fault.Invalid, "must be an object of fields").At("rows[" + strconv.Itoa(row) + "]")
	}
	d.i++
	d.f.grow(d.m)
	found, guess := 0, 0
	if d.next() == '}' {
		d.i++
		return d.complete(row, found)
	}
	for {
		name, err := d.str()
		if err != nil {
			return err
		}
		at := guess // fields mostly come in one order
		if at >= len(d.m.fields) || d.m.fields[at].name != string(name) {
			var ok bool
			if at, ok = d.m.index[string(name)]; !ok {
				return d.m.unknown(row, string(name))
			}
		}
		guess = at + 1
		if d.seen[at] == row+1 {
			return invalid(row, d.m.fields[at].name, "the field stands twice")
		}
		d.seen[at] = row + 1
		found++
		if err := d.expect(':'); err != nil {
			return err
		}
		if err := d.value(&d.m.fields[at], row); err != nil {
			return err
		}
		switch d.next() {
		case ',':
			d.i++
		case '}':
			d.i++
			return d.complete(row, found)
		default:
			return d.broken("expected , or }")
		}
	}
}

// complete checks that no required field was left out.
func (d *decoder) complete(row, found int) error {
	if found == len(d.m.fields) {
		return nil
	}
	for i := range d.m.fields {
		if d.seen[i] != row+1 {
			if err := d.m.setMissing(d.f, &d.m.fields[i], row, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// value reads one value into its cell.
func (d *decoder) value(fd *field, row int) error {
	switch c := d.next(); {
	case c == '"':
		s, err := d.str()
		if err != nil {
			return err
		}
		if known, ok := fd.known[string(s)]; ok {
			return d.m.setText(d.f, fd, row, known)
		}
		return d.m.setText(d.f, fd, row, string(s))
	case c == '-' || c >= '0' && c <= '9':
		x, err := d.number()
		if err != nil {
			return err
		}
		return d.m.setNumber(d.f, fd, row, x)
	case d.word("null"):
		return d.m.setMissing(d.f, fd, row, true)
	case d.word("true"):
		return d.m.setTruth(d.f, fd, row, true)
	case d.word("false"):
		return d.m.setTruth(d.f, fd, row, false)
	case c == '[' && fd.kind == card.Sequence:
		return d.sequence(fd, row)
	case c == '[' || c == '{':
		return wrongType(fd, row, "a list or an object")
	case d.word("NaN") || d.word("Infinity") || d.word("nan"):
		return invalid(row, fd.name, "NaN and Infinity are not JSON").Try("send null for a value that is not known")
	}
	return d.broken("expected a value")
}

// next skips white space and returns the byte after it, 0 at the end.
func (d *decoder) next() byte {
	for d.i < len(d.b) {
		switch c := d.b[d.i]; c {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return c
		}
	}
	return 0
}

func (d *decoder) expect(c byte) error {
	if d.next() != c {
		return d.broken("expected " + string(c))
	}
	d.i++
	return nil
}

func (d *decoder) word(w string) bool {
	if !bytes.HasPrefix(d.b[d.i:], []byte(w)) {
		return false
	}
	d.i += len(w)
	return true
}

func (d *decoder) end() error {
	if d.next(); d.i < len(d.b) {
		return d.broken("there is more after the end of the JSON value")
	}
	return nil
}

// str reads a string; the bytes are valid until the body changes.
func (d *decoder) str() ([]byte, error) {
	if d.next() != '"' {
		return nil, d.broken("expected a string")
	}
	start := d.i
	for i, high := start+1, false; i < len(d.b); i++ {
		switch c := d.b[i]; {
		case c == '"':
			d.i = i + 1
			if s := d.b[start+1 : i]; !high || utf8.Valid(s) {
				return s, nil
			}
			return nil, d.broken("a text is not UTF-8")
		case c == '\\':
			return d.escaped(start, i)
		case c < ' ':
			d.i = i
			return nil, d.broken("a control character in a text")
		case c >= utf8.RuneSelf:
			high = true
		}
	}
	d.i = len(d.b)
	return nil, d.broken("a text does not end")
}

// escaped reads a string with a backslash at i.
func (d *decoder) escaped(start, i int) ([]byte, error) {
	for ; i < len(d.b) && d.b[i] != '"'; i++ {
		if d.b[i] == '\\' {
			i++
		}
	}
	if i >= len(d.b) {
		d.i = len(d.b)
		return nil, d.broken("a text does not end")
	}
	var s string
	if raw := d.b[start : i+1]; !utf8.Valid(raw) || json.Unmarshal(raw, &s) != nil {
		return nil, d.broken("a text has a bad escape")
	}
	d.i = i + 1
	return []byte(s), nil
}

// number reads a number as RFC 8259, section 6 has it. One beyond float64 is infinite, which setNumber refuses.
func (d *decoder) number() (float64, error) {
	start := d.i
	if d.b[d.i] == '-' {
		d.i++
	}
	whole := d.digits()
	ok := whole > 0 && (whole == 1 || d.b[d.i-whole] != '0')
	if d.i < len(d.b) && d.b[d.i] == '.' {
		d.i++
		ok = d.digits() > 0 && ok
	}
	if d.i < len(d.b) && (d.b[d.i] == 'e' || d.b[d.i] == 'E') {
		if d.i++; d.i < len(d.b) && (d.b[d.i] == '+' || d.b[d.i] == '-') {
			d.i++
		}
		ok = d.digits() > 0 && ok
	}
	if !ok {
		return 0, d.broken("a malformed number")
	}
	x, err := strconv.ParseFloat(string(d.b[start:d.i]), 64)
	if err != nil && !math.IsInf(x, 0) {
		return 0, d.broken("a malformed number")
	}
	return x, nil
}

func (d *decoder) digits() int {
	start := d.i
	for d.i < len(d.b) && d.b[d.i] >= '0' && d.b[d.i] <= '9' {
		d.i++
	}
	return d.i - start
}

func (d *decoder) broken(message string) error {
	return fault.New(fault.Invalid, "not the JSON that is wanted: "+message).At("byte " + strconv.Itoa(d.i)).Try(`send {"rows":[{"column":value,…},…]}`)
}
