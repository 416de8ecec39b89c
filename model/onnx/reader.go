package onnx

import (
	"errors"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Wire types of protobuf (protobuf.dev/programming-guides/encoding). Groups, 3 and 4, are in no ONNX message.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// field is one field of a message as it lies in the file.
type field struct {
	num  uint64
	wire uint8
	n    uint64 // value of a varint or fixed field
	b    []byte // value of a length-delimited field, sharing the file's memory
}

// broken makes the error of a file that is not well-formed.
func broken(message string) *fault.Error { return fault.New(fault.BadModel, message) }

// at puts a name in front of the field path of err.
func at(name string, err error) error {
	if err == nil {
		return nil
	}
	var e *fault.Error
	if !errors.As(err, &e) {
		return fault.New(fault.BadModel, "cannot be read").At(name).Because(err)
	}
	switch {
	case e.Field == "":
		return e.At(name)
	case e.Field[0] == '[':
		return e.At(name + e.Field)
	}
	return e.At(name + "." + e.Field)
}

// atIndex is at for element i of a repeated field.
func atIndex(name string, i int, err error) error {
	if err == nil {
		return nil
	}
	return at(name+"["+strconv.Itoa(i)+"]", err)
}

// each calls visit for every field of the message b, in the order of the file.
func each(b []byte, visit func(f field) error) error {
	for len(b) > 0 {
		f, n, err := next(b)
		if err != nil {
			return err
		}
		if err := visit(f); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// next reads the first field of b and tells how many bytes it takes.
func next(b []byte) (field, int, error) {
	key, n := uvarint(b)
	if n <= 0 || key>>3 == 0 || key>>3 > 1<<29-1 {
		return field{}, 0, broken("not a protobuf message")
	}
	f := field{num: key >> 3, wire: uint8(key & 7)}
	rest := b[n:]
	switch f.wire {
	case wireVarint:
		v, k := uvarint(rest)
		if k <= 0 {
			return field{}, 0, broken("truncated or overlong number")
		}
		f.n, n = v, n+k
	case wireFixed32:
		if len(rest) < 4 {
			return field{}, 0, broken("truncated in a 4-byte number")
		}
		f.n, n = uint64(uint32At(rest)), n+4
	case wireFixed64:
		if len(rest) < 8 {
			return field{}, 0, broken("truncated in an 8-byte number")
		}
		f.n, n = uint64At(rest), n+8
	case wireBytes:
		size, k := uvarint(rest)
		if k <= 0 || size > uint64(len(rest)-k) {
			return field{}, 0, broken("a field of " + strconv.FormatUint(size, 10) + " bytes reaches beyond the end")
		}
		f.b, n = rest[k:k+int(size):k+int(size)], n+k+int(size)
	default:
		return field{}, 0, broken("unknown wire type " + strconv.Itoa(int(f.wire)))
	}
	return f, n, nil
}

// count tells how often a field occurs, so that slices are made once at their size. It stops at the first defect, which
// each will meet again.
func count(b []byte, num uint64) int {
	total := 0
	for len(b) > 0 {
		f, n, err := next(b)
		if err != nil {
			break
		}
		if f.num == num {
			total++
		}
		b = b[n:]
	}
	return total
}

// message returns the bytes of a length-delimited field.
func (f field) message(name string) ([]byte, error) {
	if f.wire != wireBytes {
		return nil, broken("has wire type " + strconv.Itoa(int(f.wire)) + ", want bytes").At(name)
	}
	return f.b, nil
}

// text reads a string or bytes field.
func (f field) text(name string, to *string) error {
	b, err := f.message(name)
	*to = string(b)
	return err
}

// int reads an integer field.
func (f field) int(name string, to *int64) error {
	if f.wire != wireVarint {
		return broken("has wire type " + strconv.Itoa(int(f.wire)) + ", want a number").At(name)
	}
	*to = int64(f.n)
	return nil
}

// float reads a float field.
func (f field) float(name string, to *float32) error {
	if f.wire != wireFixed32 {
		return broken("has wire type " + strconv.Itoa(int(f.wire)) + ", want a 4-byte number").At(name)
	}
	*to = math.Float32frombits(uint32(f.n))
	return nil
}

// numbers calls visit for each value of a repeated numeric field, packed or not. wire is that of one element.
func (f field) numbers(name string, wire uint8, visit func(v uint64)) error {
	if f.wire == wire {
		visit(f.n)
		return nil
	}
	if f.wire != wireBytes {
		return broken("has wire type " + strconv.Itoa(int(f.wire)) + ", want numbers").At(name)
	}
	b := f.b // packed
	switch wire {
	case wireFixed32:
		for ; len(b) >= 4; b = b[4:] {
			visit(uint64(uint32At(b)))
		}
	case wireFixed64:
		for ; len(b) >= 8; b = b[8:] {
			visit(uint64At(b))
		}
	default:
		for len(b) > 0 {
			v, n := uvarint(b)
			if n <= 0 {
				break
			}
			visit(v)
			b = b[n:]
		}
	}
	if len(b) > 0 {
		return broken("truncated in packed numbers").At(name)
	}
	return nil
}

// countNumbers tells how many values f holds at most.
func (f field) countNumbers(wire uint8) int {
	if f.wire != wireBytes {
		return 1
	}
	switch wire {
	case wireFixed32:
		return len(f.b) / 4
	case wireFixed64:
		return len(f.b) / 8
	}
	n := 0
	for _, c := range f.b {
		if c < 0x80 {
			n++
		}
	}
	return n
}

// ints appends the values of a repeated int64 field.
func (f field) ints(name string, to *[]int64) error {
	return f.numbers(name, wireVarint, func(v uint64) { *to = append(*to, int64(v)) })
}

// floats appends the values of a repeated float field.
func (f field) floats(name string, to *[]float32) error {
	return f.numbers(name, wireFixed32, func(v uint64) { *to = append(*to, math.Float32frombits(uint32(v))) })
}
