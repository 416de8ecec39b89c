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
		for i := 0; i+5 <= len(b) && b[i] == floatsKey; i += 5 {
			n++
		}
		a.Floats = grow(a.Floats, n)
		for i := range n {
			a.Floats = append(a.Floats, math.Float32frombits(uint32At(b[5*i+1:])))
		}
		return b[5*n:], graph.AttrFloats
	case intsKey:
		a.Ints = grow(a.Ints, countInts(b))
		for len(b) > 2 && b[0] == intsKey {
			var v uint64
			k := 1
			if v = uint64(b[1]); v >= 0x80 { // nearly every number of a forest takes one byte or two
				if k = 2; b[2] < 0x80 {
					v = v&0x7f | uint64(b[2])<<7
				} else if v, k = uvarint(b[1:]); k == 0 {
					break
				}
			}
			a.Ints = append(a.Ints, int64(v))
			b = b[1+k:]
		}
		return b, graph.AttrInts
	case stringsKey:
		return d.stringRun(b, a), graph.AttrStrings
	}
	return b, 0
}

// countInts tells how many integers stand at the front of b, or one less.
func countInts(b []byte) (n int) {
	for i := 0; i+1 < len(b) && b[i] == intsKey; n++ {
		i++
		for i < len(b) && b[i] >= 0x80 {
			i++
		}
		i++
	}
	return n
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
	last, other := "", "" // of the modes of a forest, two alternate
	for range n {
		s := b[2 : 2+int(b[1])]
		if string(s) != last {
			if last, other = other, last; string(s) != last {
				last = d.name(s)
			}
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
