package onnx

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
)

// longList is the number of elements from which a list stays in the file: below it a slice costs nothing worth saving.
const longList = 4096

// list is a graph.List: the unpacked elements of an attribute, each with its key, which run has checked.
type list struct {
	raw []byte
	n   int
}

// kind is that of an attribute which has the list.
func (l *list) kind() graph.AttrKind {
	switch l.raw[0] {
	case floatsKey:
		return graph.AttrFloats
	case intsKey:
		return graph.AttrInts
	}
	return graph.AttrStrings
}

// Len implements graph.List.
func (l *list) Len() int { return l.n }

// Ints implements graph.List.
func (l *list) Ints(at int, to []int64) (next int) {
	b := l.raw[at:]
	for i := 0; i < len(to) && len(b) > 1; {
		if len(b) < 8 || len(to)-i < 4 {
			v, k := uvarint(b[1:])
			to[i], b = int64(v), b[1+k:]
			i++
			continue
		}
		switch x := uint64At(b); {
		case x&shortMask == shortInts:
			t := to[i : i+4 : i+4]
			t[0], t[1], t[2], t[3] = int64(x>>8&0x7f), int64(x>>24&0x7f), int64(x>>40&0x7f), int64(x>>56)
			i, b = i+4, b[8:]
		case x&pairMask == pairInts:
			t := to[i : i+2 : i+2]
			t[0], t[1] = int64(x>>8&0x7f|x>>9&0x3f80), int64(x>>32&0x7f|x>>33&0x3f80)
			i, b = i+2, b[6:]
		case x&0x800000 == 0 || x&0x8000 == 0: // one or two bytes; a jump would be guessed wrong too often
			two := x >> 15 & 1
			to[i] = int64(x>>8&0x7f | x>>9&0x3f80&-two)
			i, b = i+1, b[2+two:]
		default:
			v, k := uvarint(b[1:])
			to[i], b = int64(v), b[1+k:]
			i++
		}
	}
	return len(l.raw) - len(b)
}

// Nearly every number of a forest takes one byte or two, and the next often as many: eight bytes of the file are four
// numbers of one byte with their keys, or begin with two of two bytes.
const (
	shortMask = 0x80ff80ff80ff80ff
	shortInts = 0x0001000100010001 * intsKey
	pairMask  = 0x8080ff8080ff
	pairInts  = 0x000080000080*0x100 + 0x000001000001*intsKey
)

// Floats implements graph.List.
func (l *list) Floats(at int, to []float32) (next int) {
	b := l.raw[at:]
	n := min(len(to), len(b)/5)
	for i := range n {
		to[i] = math.Float32frombits(uint32At(b[5*i+1:]))
	}
	return at + 5*n
}

// Strs implements graph.List. Neighbours are often equal and then share their memory.
func (l *list) Strs(at int, to []string) (next int) {
	b := l.raw[at:]
	last, other := "", "" // of the modes of a forest, two alternate
	for i := range to {
		if len(b) < 2 {
			break
		}
		s := b[2 : 2+int(b[1])]
		if string(s) != last {
			if last, other = other, last; string(s) != last {
				last = string(s)
			}
		}
		to[i], b = last, b[2+len(s):]
	}
	return len(l.raw) - len(b)
}

// take makes n elements that stand at the front of attribute message b, size bytes, those of a: as they are where they
// are many and the first, or else appended to what is there.
func take(a *graph.Attr, b []byte, size, n int) {
	l := &list{raw: b[:size:size], n: n}
	if n >= longList && a.List == nil && len(a.Ints)+len(a.Floats)+len(a.Strs) == 0 {
		a.List = l
		return
	}
	unlist(a)
	l.appendTo(a)
}

// unlist makes slices of the list of a, where it has one.
func unlist(a *graph.Attr) {
	if l, ok := a.List.(*list); ok {
		a.List = nil
		l.appendTo(a)
	}
}

func (l *list) appendTo(a *graph.Attr) {
	switch l.kind() {
	case graph.AttrFloats:
		a.Floats = extend(a.Floats, l.n)
		l.Floats(0, a.Floats[len(a.Floats)-l.n:])
	case graph.AttrInts:
		a.Ints = extend(a.Ints, l.n)
		l.Ints(0, a.Ints[len(a.Ints)-l.n:])
	default:
		a.Strs = extend(a.Strs, l.n)
		l.Strs(0, a.Strs[len(a.Strs)-l.n:])
	}
}

// extend makes s longer by n elements, at their exact number where s is empty.
func extend[T any](s []T, n int) []T {
	if s == nil {
		return make([]T, n)
	}
	return append(s, make([]T, n)...)
}
