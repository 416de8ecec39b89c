//go:build !lean

package exec

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// number is an element of a tensor of int64, as far as it is known before a run.
type number struct {
	value int64
	known bool
	name  string // of the free dimension that it is the length of, where it is not known
}

func whole(v int64) number { return number{value: v, known: true} }

// mostNumbers bounds how many elements of a tensor are followed: shapes are short.
const mostNumbers = 64

// learn follows what exporters compute with shapes — Shape, Gather, Slice, Concat and sums — element by element, where the whole is not constant
// because one dimension is open. It makes the types of Reshape and Expand more exact, and reports whether all of the node's output is known: it is constant then.
func (s *scope) learn(n *graph.Node) bool {
	if n.Domain != "" && n.Domain != "ai.onnx" || len(n.Outputs) == 0 || n.Outputs[0] == "" {
		return false
	}
	out := n.Outputs[0]
	switch n.Op {
	case "Reshape":
		s.sharpen(n, out)
	case "Expand":
		s.expanded(n, out)
	}
	t := s.types[out]
	if t.DType != tensor.Int64 || len(n.Outputs) > 1 {
		return false
	}
	list, ok := s.numbersOf(n)
	if !ok || len(list) > mostNumbers {
		return false
	}
	if s.numbers == nil {
		s.numbers = map[graph.Value][]number{}
	}
	s.numbers[out] = list
	return s.settled(out, t, list)
}

// sizeNumber is how many elements a value of known dimensions has.
func sizeNumber(t tensor.Type) ([]number, bool) {
	n := int64(1)
	for _, d := range t.Dims {
		if d.Size < 0 || n > 1<<40 {
			return nil, false
		}
		n *= int64(d.Size)
	}
	return []number{whole(n)}, !t.Unranked
}

// expanded makes the type of an Expand as exact as the elements of its shape are known: a length above 1 is that of the output.
func (s *scope) expanded(n *graph.Node, out graph.Value) {
	list, ok := s.numbers[n.In(1)]
	x := s.types[n.In(0)]
	if !ok || s.constants[n.In(1)] != nil || x.Unranked || len(x.Dims) > len(list) {
		return
	}
	dims := make([]tensor.Dim, len(list))
	for i, e := range list {
		k := i - len(list) + len(x.Dims)
		switch dims[i].Size = tensor.Free; {
		case e.known && e.value > 1 && e.value < 1<<40:
			dims[i].Size = int(e.value)
		case e.known && e.value == 1 && k < 0:
			dims[i].Size = 1
		case k >= 0 && x.Dims[k].Size > 1, e.known && e.value == 1:
			dims[i] = x.Dims[k]
		case !e.known && (k < 0 || x.Dims[k].Size == 1):
			dims[i].Name = e.name
		}
	}
	s.types[out] = tensor.Type{DType: x.DType, Dims: dims}
}

// settled makes a constant of a value all of whose elements are known.
func (s *scope) settled(v graph.Value, t tensor.Type, list []number) bool {
	if t.Unranked {
		return false
	}
	shape, n := make([]int, len(t.Dims)), 1
	for i, d := range t.Dims {
		if d.Size < 0 {
			return false
		}
		shape[i] = d.Size
		n *= d.Size
	}
	if n != len(list) || slices.ContainsFunc(list, func(e number) bool { return !e.known }) {
		return false
	}
	c := tensor.New(tensor.Int64, shape...)
	for i, e := range list {
		c.I64()[i] = e.value
	}
	s.constants[v], s.types[v] = c, c.Type()
	return true
}

// elements are those of a value that is a number or a list of numbers.
func (s *scope) elements(v graph.Value) ([]number, bool) {
	if c := s.constants[v]; c != nil {
		if c.DType() != tensor.Int64 || c.Rank() > 1 || c.Len() > mostNumbers {
			return nil, false
		}
		list := make([]number, c.Len())
		for i, x := range c.I64() {
			list[i] = whole(x)
		}
		return list, true
	}
	list, ok := s.numbers[v]
	return list, ok
}

// numbersOf are the elements of a node's output, or not ok.
func (s *scope) numbersOf(n *graph.Node) (list []number, ok bool) {
	switch n.Op {
	case "Shape":
		return shapeNumbers(n, s.types[n.In(0)])
	case "Size":
		return sizeNumber(s.types[n.In(0)])
	case "Concat":
		for _, v := range n.Inputs {
			part, ok := s.elements(v)
			if !ok || len(list)+len(part) > mostNumbers {
				return nil, false
			}
			list = append(list, part...)
		}
		return list, true // of one dimension, as its parts are lists
	case "Identity", "Squeeze", "Unsqueeze", "Cast", "Reshape":
		if t := s.types[n.Outputs[0]]; t.Unranked || len(t.Dims) > 1 {
			return nil, false
		}
		return s.elements(n.In(0))
	case "Gather":
		return s.gathered(n)
	case "Slice":
		return s.sliced(n)
	case "Add", "Sub", "Mul", "Div":
		return s.combined(n)
	}
	return nil, false
}

func shapeNumbers(n *graph.Node, t tensor.Type) ([]number, bool) {
	if t.Unranked || !t.DType.Known() || t.DType.Container() {
		return nil, false
	}
	from, to := op.ShapeSpan(n, len(t.Dims))
	list := []number{}
	for i := from; i < to; i++ {
		d := t.Dims[i]
		list = append(list, number{int64(d.Size), d.Size >= 0, d.Name})
	}
	return list, true
}

// gathered are elements of a list by constant indices.
func (s *scope) gathered(n *graph.Node) ([]number, bool) {
	from, ok := s.elements(n.In(0))
	at, known := s.elements(n.In(1))
	t := s.types[n.In(0)]
	if !ok || !known || t.Unranked || len(t.Dims) != 1 {
		return nil, false
	}
	list := make([]number, len(at))
	for i, a := range at {
		if a.value < 0 {
			a.value += int64(len(from))
		}
		if !a.known || a.value < 0 || a.value >= int64(len(from)) {
			return nil, false
		}
		list[i] = from[a.value]
	}
	return list, true
}

// sliced is a part of a list between constant ends, without gaps.
func (s *scope) sliced(n *graph.Node) ([]number, bool) {
	from, ok := s.elements(n.In(0))
	t := s.types[n.In(0)]
	if !ok || t.Unranked || len(t.Dims) != 1 {
		return nil, false
	}
	one := func(i int, attr string, or int64) (int64, bool) { // an input, or in old files an attribute
		if v := n.In(i); v != "" {
			e, ok := s.elements(v)
			return first(e).value, ok && len(e) == 1 && e[0].known
		}
		if list := n.Ints(attr); len(list) > 0 {
			return list[0], len(list) == 1
		}
		return or, true
	}
	ends, size := [2]int64{}, int64(len(from))
	for i, attr := range []string{"starts", "ends"} {
		at, ok := one(1+i, attr, size)
		if !ok {
			return nil, false
		}
		if at < 0 {
			at += size
		}
		ends[i] = min(max(at, 0), size)
	}
	step, ok := one(4, "", 1)
	if !ok || step != 1 {
		return nil, false
	}
	return from[ends[0]:max(ends[0], ends[1])], true
}

func first(list []number) number {
	if len(list) == 0 {
		return number{}
	}
	return list[0]
}

// combined is a sum, difference, product or quotient, element by element; a list of one goes with all of the other.
func (s *scope) combined(n *graph.Node) ([]number, bool) {
	a, okA := s.elements(n.In(0))
	b, okB := s.elements(n.In(1))
	if !okA || !okB || len(a) != len(b) && len(a) != 1 && len(b) != 1 || min(len(a), len(b)) == 0 {
		return nil, false
	}
	list := make([]number, max(len(a), len(b)))
	for i := range list {
		x, y := a[i%len(a)], b[i%len(b)]
		if !x.known || !y.known {
			continue
		}
		switch n.Op {
		case "Add":
			list[i] = whole(x.value + y.value)
		case "Sub":
			list[i] = whole(x.value - y.value)
		case "Mul":
			list[i] = whole(x.value * y.value)
		case "Div":
			if y.value != 0 {
				list[i] = whole(x.value / y.value)
			}
		}
	}
	return list, true
}

// sharpen tells the dimensions of Reshape's result that are known, where its shape as a whole is not.
func (s *scope) sharpen(n *graph.Node, out graph.Value) {
	list, ok := s.numbers[n.In(1)]
	t := s.types[out]
	if !ok || s.constants[n.In(1)] != nil || !t.Unranked && len(t.Dims) != len(list) {
		return
	}
	dims, from := make([]tensor.Dim, len(list)), s.types[n.In(0)]
	for i, e := range list {
		dims[i].Size = tensor.Free
		switch {
		case e.known && e.value > 0 && e.value < 1<<40:
			dims[i].Size = int(e.value)
		case e.known:
		case n.Int("allowzero", 0) == 1, !from.Unranked && i < len(from.Dims) && from.Dims[i].Name == e.name: // else a 0 would stand for another length
			dims[i].Name = e.name
		}
	}
	s.types[out] = tensor.Type{DType: t.DType, Dims: dims}
}
