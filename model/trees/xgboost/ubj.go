package xgboost

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// decoder reads Universal Binary JSON (ubjson.org, draft 12): markers of one byte, numbers big-endian, lists of numbers of one type
// without markers.
type decoder struct {
	bytes []byte
	at    int
	depth int
}

func parseUBJ(file []byte) (*value, error) {
	d := &decoder{bytes: file}
	marker, err := d.marker()
	if err != nil {
		return nil, err
	}
	v, err := d.value(marker)
	if err != nil {
		return nil, err
	}
	if d.at < len(file) {
		return nil, d.bad("something follows the document")
	}
	return v, nil
}

func (d *decoder) bad(message string) error {
	return fault.New(fault.BadModel, message).At("byte " + strconv.Itoa(d.at))
}

// take returns the next n bytes.
func (d *decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(d.bytes)-d.at {
		return nil, d.bad("the file ends too early")
	}
	d.at += n
	return d.bytes[d.at-n : d.at], nil
}

// marker returns the next marker; N, which says nothing, is skipped.
func (d *decoder) marker() (byte, error) {
	for {
		b, err := d.take(1)
		if err != nil {
			return 0, err
		}
		if b[0] != 'N' {
			return b[0], nil
		}
	}
}

// peek reports whether the next byte is c, and skips it then.
func (d *decoder) peek(c byte) bool {
	if d.at < len(d.bytes) && d.bytes[d.at] == c {
		d.at++
		return true
	}
	return false
}

// size is how many bytes a number of a type takes, 0 for what is no number.
func size(marker byte) int {
	switch marker {
	case 'i', 'U':
		return 1
	case 'I':
		return 2
	case 'l', 'd':
		return 4
	case 'L', 'D':
		return 8
	}
	return 0
}

func number64(marker byte, b []byte) float64 {
	switch marker {
	case 'i':
		return float64(int8(b[0]))
	case 'U':
		return float64(b[0])
	case 'I':
		return float64(int16(binary.BigEndian.Uint16(b)))
	case 'l':
		return float64(int32(binary.BigEndian.Uint32(b)))
	case 'd':
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	case 'L':
		return float64(int64(binary.BigEndian.Uint64(b)))
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b))
}

// length reads a number of items or bytes: an integer with its marker.
func (d *decoder) length() (int, error) {
	marker, err := d.marker()
	if err != nil {
		return 0, err
	}
	if size(marker) == 0 || marker == 'd' || marker == 'D' {
		return 0, d.bad("a length that is not an integer")
	}
	b, err := d.take(size(marker))
	if err != nil {
		return 0, err
	}
	n := number64(marker, b)
	if n < 0 || n > float64(len(d.bytes)-d.at) { // an item has a byte at least
		return 0, d.bad("a length beyond the end of the file")
	}
	return int(n), nil
}

func (d *decoder) string() (string, error) {
	n, err := d.length()
	if err != nil {
		return "", err
	}
	b, err := d.take(n)
	return string(b), err
}

func (d *decoder) value(marker byte) (*value, error) {
	if n := size(marker); n > 0 {
		b, err := d.take(n)
		if err != nil {
			return nil, err
		}
		return &value{kind: number, number: number64(marker, b)}, nil
	}
	switch marker {
	case 'Z':
		return &value{}, nil
	case 'T':
		return &value{kind: number, number: 1}, nil
	case 'F':
		return &value{kind: number}, nil
	case 'C':
		b, err := d.take(1)
		return &value{kind: text, text: string(b)}, err
	case 'S', 'H':
		s, err := d.string()
		return &value{kind: text, text: s}, err
	case '{', '[':
		if d.depth++; d.depth > maxDepth {
			return nil, d.bad("nested too deeply")
		}
		defer func() { d.depth-- }()
		if marker == '{' {
			return d.object()
		}
		return d.list()
	}
	return nil, d.bad("this is not Universal Binary JSON: a marker " + strconv.QuoteRune(rune(marker)))
}

// head reads the type and the length that a list or an object may begin with: 0 and -1 for none.
func (d *decoder) head() (kind byte, n int, err error) {
	n = -1
	if d.peek('$') {
		if kind, err = d.marker(); err != nil {
			return 0, 0, err
		}
		if kind == 'Z' || kind == 'T' || kind == 'F' {
			return 0, 0, d.bad("a list of values that take no room")
		}
		if !d.peek('#') {
			return 0, 0, d.bad("a list with a type and no length")
		}
		n, err = d.length()
	} else if d.peek('#') {
		n, err = d.length()
	}
	return kind, n, err
}

func (d *decoder) object() (*value, error) {
	v := &value{kind: object, fields: map[string]*value{}}
	kind, n, err := d.head()
	for i := 0; err == nil && i != n; i++ {
		if n < 0 && d.peek('}') {
			return v, nil
		}
		var name string
		if name, err = d.string(); err != nil {
			break
		}
		marker := kind
		if kind == 0 {
			if marker, err = d.marker(); err != nil {
				break
			}
		}
		v.fields[name], err = d.value(marker)
	}
	return v, err
}

func (d *decoder) list() (*value, error) {
	kind, n, err := d.head()
	if err != nil {
		return nil, err
	}
	v := &value{kind: numbers}
	if width := size(kind); width > 0 {
		b, err := d.take(n * width)
		if err != nil {
			return nil, err
		}
		v.numbers = make([]float64, n)
		for i := range v.numbers {
			v.numbers[i] = number64(kind, b[i*width:])
		}
		return v, nil
	}
	for i := 0; i != n; i++ {
		if n < 0 && d.peek(']') {
			break
		}
		marker := kind
		if kind == 0 {
			if marker, err = d.marker(); err != nil {
				return nil, err
			}
		}
		if err := d.item(v, marker, i); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// item appends to a list: of numbers, if the first item is one, or of anything but numbers.
func (d *decoder) item(v *value, marker byte, i int) error {
	item, err := d.value(marker)
	if err != nil {
		return err
	}
	isNumber := item.kind == number
	if i > 0 && isNumber != (v.kind == numbers) {
		return d.bad("a list with both numbers and something else")
	}
	if isNumber {
		v.numbers = append(v.numbers, item.number)
	} else {
		v.kind, v.items = list, append(v.items, item)
	}
	return nil
}
