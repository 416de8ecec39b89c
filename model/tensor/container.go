package tensor

// List returns the elements of a container, sharing memory; nil for other tensors. See Sequence, Optional and Map for what they are.
func (t *Tensor) List() []*Tensor { return t.list }

// ResetList makes t a container of n elements and returns them, each a slot to be filled; those that t had keep their memory.
func (t *Tensor) ResetList(d DType, n int) []*Tensor {
	t.dtype, t.raw, t.str = d, nil, nil
	t.shape = append(t.shape[:0], n)
	had := t.list[:min(cap(t.list), max(n, len(t.list)))]
	for len(had) < n {
		had = append(had, new(Tensor))
	}
	t.list = had[:n]
	for i, e := range t.list {
		if e == nil {
			t.list[i] = new(Tensor)
		}
	}
	return t.list
}

// SequenceOf returns a sequence that holds the given tensors, sharing their memory.
func SequenceOf(elements ...*Tensor) *Tensor { return container(Sequence, elements) }

// OptionalOf returns an optional that holds a value, or nothing where it is nil.
func OptionalOf(value *Tensor) *Tensor {
	if value == nil {
		return container(Optional, nil)
	}
	return container(Optional, []*Tensor{value})
}

// MapOf returns a map from keys, a vector of strings or integers, to values in the same order.
func MapOf(keys, values *Tensor) *Tensor { return container(Map, []*Tensor{keys, values}) }

func container(d DType, list []*Tensor) *Tensor {
	return &Tensor{dtype: d, shape: []int{len(list)}, list: list}
}

// containerType is Type for containers. Elements after the first may have other shapes, so that only its element type is told.
func containerType(t *Tensor) Type {
	c := Type{DType: t.dtype, Unranked: true}
	var elem Type
	switch {
	case t.dtype == Map && len(t.list) == 2:
		c.Key, elem = t.list[0].dtype, t.list[1].Type()
		if elem.DType == Sequence && elem.Elem != nil {
			elem = *elem.Elem
		}
	case t.dtype != Map && len(t.list) > 0:
		elem = t.list[0].Type()
	default:
		return c
	}
	if !elem.DType.Container() {
		elem = Type{DType: elem.DType, Unranked: true}
	}
	c.Elem = &elem
	return c
}
