package server

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// cursor reads JSON (RFC 8259) from its beginning to its end, without a value of Go in between. Text that it returns is
// part of the body and valid until that changes.
type cursor struct {
	b []byte
	i int
}

// mostNested bounds the depth of values that are skipped.
const mostNested = 64

// next skips white space and returns the byte after it, 0 at the end.
func (c *cursor) next() byte {
	for c.i < len(c.b) {
		switch b := c.b[c.i]; b {
		case ' ', '\t', '\n', '\r':
			c.i++
		default:
			return b
		}
	}
	return 0
}

func (c *cursor) expect(b byte) error {
	if c.next() != b {
		return c.broken("expected " + strconv.QuoteRune(rune(b)))
	}
	c.i++
	return nil
}

func (c *cursor) broken(message string) error {
	return fault.New(fault.Invalid, "not the JSON that is wanted: "+message).At("byte " + strconv.Itoa(c.i))
}

// end checks that nothing follows.
func (c *cursor) end() error {
	if c.next(); c.i < len(c.b) {
		return c.broken("there is more after the end of the value")
	}
	return nil
}

// members calls f at the value of every member of an object; f reads the value.
func (c *cursor) members(f func(name []byte) error) error {
	if err := c.expect('{'); err != nil {
		return err
	}
	if c.next() == '}' {
		c.i++
		return nil
	}
	for {
		name, err := c.text()
		if err != nil {
			return err
		}
		if err := c.expect(':'); err != nil {
			return err
		}
		if err := f(name); err != nil {
			return err
		}
		if more, err := c.more('}'); !more {
			return err
		}
	}
}

// items calls f at every item of an array; f reads it.
func (c *cursor) items(f func(i int) error) error {
	if err := c.expect('['); err != nil {
		return err
	}
	if c.next() == ']' {
		c.i++
		return nil
	}
	for i := 0; ; i++ {
		if err := f(i); err != nil {
			return err
		}
		if more, err := c.more(']'); !more {
			return err
		}
	}
}

// more reads the comma or the end after an item.
func (c *cursor) more(end byte) (bool, error) {
	switch c.next() {
	case ',':
		c.i++
		return true, nil
	case end:
		c.i++
		return false, nil
	}
	return false, c.broken("expected , or " + string(end))
}

// text reads a string.
func (c *cursor) text() ([]byte, error) {
	if c.next() != '"' {
		return nil, c.broken("expected a string")
	}
	start := c.i
	for i, high := start+1, false; i < len(c.b); i++ {
		switch b := c.b[i]; {
		case b == '"':
			c.i = i + 1
			if s := c.b[start+1 : i]; !high || utf8.Valid(s) {
				return s, nil
			}
			return nil, c.broken("a text is not UTF-8")
		case b == '\\':
			return c.escaped(start, i)
		case b < ' ':
			c.i = i
			return nil, c.broken("a control character in a text")
		case b >= utf8.RuneSelf:
			high = true
		}
	}
	return nil, c.broken("a text does not end")
}

// escaped reads a string that began at start and has a backslash at i.
func (c *cursor) escaped(start, i int) ([]byte, error) {
	for ; i < len(c.b) && c.b[i] != '"'; i++ {
		if c.b[i] == '\\' {
			i++
		}
	}
	if i >= len(c.b) {
		return nil, c.broken("a text does not end")
	}
	var s string
	if raw := c.b[start : i+1]; !utf8.Valid(raw) || json.Unmarshal(raw, &s) != nil {
		return nil, c.broken("a text has a bad escape")
	}
	c.i = i + 1
	return []byte(s), nil
}

// number reads a number as RFC 8259, section 6 has it, and returns its text.
func (c *cursor) number() ([]byte, error) {
	c.next()
	start := c.i
	c.take('-', '-')
	whole := c.digits()
	ok := whole == 1 || whole > 1 && c.b[c.i-whole] != '0'
	if c.take('.', '.') {
		ok = c.digits() > 0 && ok
	}
	if c.take('e', 'E') {
		c.take('+', '-')
		ok = c.digits() > 0 && ok
	}
	if !ok {
		c.i = start
		return nil, c.broken("expected a number")
	}
	return c.b[start:c.i], nil
}

func (c *cursor) take(a, b byte) bool {
	if c.i < len(c.b) && (c.b[c.i] == a || c.b[c.i] == b) {
		c.i++
		return true
	}
	return false
}

func (c *cursor) digits() int {
	start := c.i
	for c.i < len(c.b) && c.b[c.i] >= '0' && c.b[c.i] <= '9' {
		c.i++
	}
	return c.i - start
}

// word reads true, false or null if it stands here.
func (c *cursor) word(w string) bool {
	c.next()
	if len(c.b)-c.i < len(w) || string(c.b[c.i:c.i+len(w)]) != w {
		return false
	}
	c.i += len(w)
	return true
}

// skip reads any value and returns its text.
func (c *cursor) skip() ([]byte, error) {
	c.next()
	start := c.i
	err := c.pass(0)
	return c.b[start:c.i], err
}

func (c *cursor) pass(depth int) error {
	if depth > mostNested {
		return c.broken("nested too deeply")
	}
	var err error
	switch b := c.next(); {
	case b == '{':
		err = c.members(func([]byte) error { return c.pass(depth + 1) })
	case b == '[':
		err = c.items(func(int) error { return c.pass(depth + 1) })
	case b == '"':
		_, err = c.text()
	case b == 't' && c.word("true"), b == 'f' && c.word("false"), b == 'n' && c.word("null"):
	default:
		_, err = c.number()
	}
	return err
}
