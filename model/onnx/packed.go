package onnx

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// packed makes the tensor of n elements of less than a byte: in the file they share bytes, the first in the lowest bits, in raw_data or
// one byte for each value of int32_data (onnx.proto, TensorProto).
func (d *decoder) packed(b []byte, p *tensorProto, n int) (*tensor.Tensor, error) {
	bits := p.dtype.Bits()
	want := (n*bits + 7) / 8
	raw, name := p.raw, "raw_data"
	if p.data != rawData && p.data != 0 {
		name = dataNames[p.data]
		if p.data != int32Data {
			return nil, broken("elements of " + p.dtype.String() + " cannot be here").At(name)
		}
		raw = make([]byte, 0, p.size)
		err := each(b, func(f field) error {
			if f.num != int32Data {
				return nil
			}
			return f.numbers(name, wireVarint, func(v uint64) { raw = append(raw, byte(v)) })
		})
		if err != nil {
			return nil, err
		}
	}
	if len(raw) != want {
		return nil, broken("has " + strconv.Itoa(len(raw)) + " bytes, " + tensor.TypeOf(p.dtype, p.shape...).String() + " needs " + strconv.Itoa(want)).At(name)
	}
	t := tensor.New(p.dtype, p.shape...)
	unpack(t.Bytes(), raw, p.dtype)
	return t, nil
}

// unpack spreads packed elements to a byte each; signed ones keep their sign as int8.
func unpack(dst, src []byte, d tensor.DType) {
	bits := d.Bits()
	per, mask := 8/bits, byte(1)<<bits-1
	signed := d == tensor.Int4 || d == tensor.Int2
	for i := range dst {
		v := src[i/per] >> (i % per * bits) & mask
		if signed {
			v = byte(int8(v<<(8-bits)) >> (8 - bits))
		}
		dst[i] = v
	}
}

// pack is the inverse of unpack.
func pack(src []byte, d tensor.DType) []byte {
	bits := d.Bits()
	per, mask := 8/bits, byte(1)<<bits-1
	dst := make([]byte, (len(src)*bits+7)/8)
	for i, v := range src {
		dst[i/per] |= v & mask << (i % per * bits)
	}
	return dst
}
