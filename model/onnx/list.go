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
	for i := range to {
		if len(b) < 2 {
			break
		}
		v, k := uint64(b[1]), 2
		if v >= 0x80 { // nearly every number of a forest takes one byte or two
			if b[2] < 0x80 {
				v, k = v&0x7f|uint64(b[2])<<7, 3
			} else {
				v, k = uvarint(b[1:])
				k++
			}
		}
		to[i], b = int64(v), b[k:]
	}
	return len(l.raw) - len(b)
}

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
