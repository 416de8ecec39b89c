package onnx

import (
	"bytes"
	"testing"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Elements of less than a byte share bytes in the file, the first in the lowest bits: the example of onnx.proto.
func TestPackedElements(t *testing.T) {
	cases := []struct {
		d      tensor.DType
		memory []byte
		file   []byte
	}{
		{tensor.Int4, []byte{1, 0xff, 0xf8}, []byte{0xf1, 0x08}},
		{tensor.Uint4, []byte{15, 2}, []byte{0x2f}},
		{tensor.Int2, []byte{1, 0xfe, 0xff, 0, 1}, []byte{0b00_11_10_01, 1}},
		{tensor.Uint2, []byte{3, 0, 1}, []byte{0b00_01_00_11}},
	}
	for _, c := range cases {
		x, err := tensor.FromBytes(c.d, c.memory, len(c.memory))
		if err != nil {
			t.Fatal(err)
		}
		file := EncodeTensor("x", x)
		if !bytes.HasSuffix(file, c.file) {
			t.Errorf("%v is written as %x", c.d, file)
		}
		back, err := DecodeTensor(file)
		if err != nil || !bytes.Equal(back.Bytes(), c.memory) {
			t.Errorf("%v is read as %v, %v", c.d, back, err)
		}
	}
}
