package onnx

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
)

// Keys of the unpacked list fields of AttributeProto, one byte each.
const (
	floatsKey  = 7<<3 | wireFixed32
	intsKey    = 8<<3 | wireVarint
	stringsKey = 9<<3 | wireBytes
)

// run reads the list elements that stand at the front of attribute message b in one tight loop, and returns the rest. A
// forest is a node of a few attributes with a hundred thousand elements each, every one a field of its own; reading
// them one by one through each is five times slower. What it does not know it leaves to attrField.
func (d *decoder) run(b []byte, a *graph.Attr) (rest []byte, kind graph.AttrKind) {
	if len(b) == 0 {
		return b, 0
	}
	switch b[0] {
	case floatsKey:
		n := 0
		for r := b; len(r) >= 5 && r[0] == floatsKey; r = r[5:] {
			n++
		}
		a.Floats = grow(a.Floats, n)
		for range n {
			a.Floats = append(a.Floats, math.Float32frombits(uint32At(b[1:])))
			b = b[5:]
		}
		return b, graph.AttrFloats
	case intsKey:
		n := 0
		for r := b; len(r) > 1 && r[0] == intsKey; n++ {
			_, k := uvarint(r[1:])
			if k == 0 {
				break
			}
			r = r[1+k:]
		}
		a.Ints = grow(a.Ints, n)
		for range n {
			v, k := uvarint(b[1:])
			a.Ints = append(a.Ints, int64(v))
			b = b[1+k:]
		}
		return b, graph.AttrInts
	case stringsKey:
		return d.stringRun(b, a), graph.AttrStrings
	}
	return b, 0
}

// stringRun is run for strings of at most 127 bytes. Neighbours are often equal and then share their memory.
func (d *decoder) stringRun(b []byte, a *graph.Attr) []byte {
	short := func(r []byte) bool {
		return len(r) > 1 && r[0] == stringsKey && r[1] < 0x80 && len(r) >= 2+int(r[1])
	}
	n := 0
	for r := b; short(r); r = r[2+int(r[1]):] {
		n++
	}
	a.Strs = grow(a.Strs, n)
	last := ""
	for range n {
		s := b[2 : 2+int(b[1])]
		if string(s) != last {
			last = d.name(s)
		}
		a.Strs = append(a.Strs, last)
		b = b[2+len(s):]
	}
	return b
}

// grow makes room for n more elements, exactly where s is empty.
func grow[T any](s []T, n int) []T {
	if s == nil && n > 0 {
		return make([]T, 0, n)
	}
	return s
}
