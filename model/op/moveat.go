//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// moveAt copies src[s+from[i]] to dst[d+i]; a negative place leaves the element as it is. Both have one element type.
func moveAt(dst *tensor.Tensor, d int, src *tensor.Tensor, s int, from []int) {
	switch dst.DType().Size() {
	case 0:
		moveFrom(dst.Str()[d:], src.Str()[s:], from)
	case 1:
		moveFrom(tensor.Data[uint8](dst)[d:], tensor.Data[uint8](src)[s:], from)
	case 2:
		moveFrom(tensor.Data[uint16](dst)[d:], tensor.Data[uint16](src)[s:], from)
	case 4:
		moveFrom(tensor.Data[uint32](dst)[d:], tensor.Data[uint32](src)[s:], from)
	case 8:
		moveFrom(tensor.Data[uint64](dst)[d:], tensor.Data[uint64](src)[s:], from)
	default:
		moveFrom(tensor.Data[complex128](dst)[d:], tensor.Data[complex128](src)[s:], from)
	}
}

func moveFrom[T any](dst, src []T, from []int) {
	dst = dst[:len(from)]
	for i, at := range from {
		if at >= 0 {
			dst[i] = src[at]
		}
	}
}

// putAt copies src[s+i] to dst[to[i]], in order.
func putAt(dst *tensor.Tensor, src *tensor.Tensor, s int, to []int) {
	switch dst.DType().Size() {
	case 0:
		moveTo(dst.Str(), src.Str()[s:], to)
	case 1:
		moveTo(tensor.Data[uint8](dst), tensor.Data[uint8](src)[s:], to)
	case 2:
		moveTo(tensor.Data[uint16](dst), tensor.Data[uint16](src)[s:], to)
	case 4:
		moveTo(tensor.Data[uint32](dst), tensor.Data[uint32](src)[s:], to)
	case 8:
		moveTo(tensor.Data[uint64](dst), tensor.Data[uint64](src)[s:], to)
	default:
		moveTo(tensor.Data[complex128](dst), tensor.Data[complex128](src)[s:], to)
	}
}

func moveTo[T any](dst, src []T, to []int) {
	src = src[:len(to)]
	for i, at := range to {
		dst[at] = src[i]
	}
}

// fillFrom sets n elements of dst from d on to element 0 of value, or to zero ("" for strings) where value is nil.
func fillFrom(dst *tensor.Tensor, d, n int, value *tensor.Tensor) {
	size := dst.DType().Size()
	switch {
	case n <= 0:
	case value == nil && size == 0:
		clear(dst.Str()[d : d+n])
	case value == nil:
		clear(dst.Bytes()[d*size : (d+n)*size])
	case size == 0:
		fill(dst.Str()[d:d+n], value.Str()[0])
	case size == 1:
		fill(dst.Bytes()[d:d+n], value.Bytes()[0])
	case size == 2:
		fill(tensor.Data[uint16](dst)[d:d+n], tensor.Data[uint16](value)[0])
	case size == 4:
		fill(tensor.Data[uint32](dst)[d:d+n], tensor.Data[uint32](value)[0])
	case size == 8:
		fill(tensor.Data[uint64](dst)[d:d+n], tensor.Data[uint64](value)[0])
	default:
		fill(tensor.Data[complex128](dst)[d:d+n], tensor.Data[complex128](value)[0])
	}
}

// copyInto makes dst a copy of src.
func copyInto(ctx context.Context, dst, src *tensor.Tensor) error {
	if err := Reset(ctx, dst, src.DType(), src.Shape()...); err != nil {
		return err
	}
	moveBlock(dst, 0, src, 0, src.Len())
	return nil
}

// blurred is t with every dimension of unknown length.
func blurred(t tensor.Type) tensor.Type {
	if t.Unranked {
		return t
	}
	dims := make([]tensor.Dim, len(t.Dims))
	for i := range dims {
		dims[i] = free
	}
	return tensor.Type{DType: t.DType, Dims: dims}
}

// wants checks that input i, where it is present, has one of the element types.
func wants(n *graph.Node, site *Site, i int, ok ...tensor.DType) error {
	if n.In(i) == "" {
		return nil
	}
	return oneOf(n, site.typ(i), ok...)
}

// presentIn returns input i of a run, nil when it is absent.
func presentIn(in []*tensor.Tensor, i int) *tensor.Tensor {
	if i < len(in) {
		return in[i]
	}
	return nil
}

// scalars are for reading one number as another type.
var scalars scratch[tensor.Tensor]

// oneInt reads an input of one element, of any type, as an integer.
func oneInt(op string, t *tensor.Tensor) (int64, error) {
	if t.Len() != 1 {
		return 0, misfit(op, "a number that is not one element")
	}
	held := scalars.take(1)
	defer scalars.put(held)
	one := &(*held)[0]
	one.Reset(tensor.Int64)
	err := castInto(one, t)
	return one.I64()[0], err
}
