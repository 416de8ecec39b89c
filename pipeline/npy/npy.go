// Package npy reads and writes arrays in numpy's format NPY (numpy.org/doc/stable/reference/generated/numpy.lib.format.html), versions 1 to
// 3, without a copy of the elements. Arrays of objects and records are refused.
package npy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

const magic = "\x93NUMPY"

// descriptors of element types, little-endian. bfloat16 has none of its own: numpy writes it as raw bytes.
var descriptors = map[tensor.DType]string{
	tensor.Float16: "<f2", tensor.Float32: "<f4", tensor.Float64: "<f8", tensor.Int8: "|i1", tensor.Int16: "<i2", tensor.Int32: "<i4", tensor.Int64: "<i8",
	tensor.Uint8: "|u1", tensor.Uint16: "<u2", tensor.Uint32: "<u4", tensor.Uint64: "<u8", tensor.Bool: "|b1", tensor.Complex64: "<c8", tensor.Complex128: "<c16",
}

var (
	descrField   = regexp.MustCompile(`'descr':\s*'([^']*)'`)
	fortranField = regexp.MustCompile(`'fortran_order':\s*(True|False)`)
	shapeField   = regexp.MustCompile(`'shape':\s*\(([0-9, ]*)\)`)
)

// Decode reads an array. The tensor shares the memory of b; texts (U) become strings.
// Errors: fault.Invalid for what is no such file, fault.Unsupported for other element types, big-endian and Fortran order.
func Decode(b []byte) (*tensor.Tensor, error) {
	head, data, err := split(b)
	if err != nil {
		return nil, err
	}
	descr, fortran, dims := descrField.FindSubmatch(head), fortranField.FindSubmatch(head), shapeField.FindSubmatch(head)
	if descr == nil || fortran == nil || dims == nil {
		return nil, fault.New(fault.Unsupported, "the header names no plain element type, order and shape: "+strconv.Quote(string(bytes.TrimSpace(head))))
	}
	shape, err := parseShape(string(dims[1]))
	if err != nil {
		return nil, err
	}
	if string(fortran[1]) == "True" && len(shape) > 1 {
		return nil, fault.New(fault.Unsupported, "the array is in Fortran order").Try("save numpy.ascontiguousarray(a)")
	}
	return elements(string(descr[1]), data, shape)
}

// split separates the header from the elements.
func split(b []byte) (head, data []byte, err error) {
	if len(b) < 12 || string(b[:6]) != magic {
		return nil, nil, fault.New(fault.Invalid, "not an NPY file")
	}
	at, size := 10, int64(binary.LittleEndian.Uint16(b[8:]))
	if b[6] >= 2 {
		at, size = 12, int64(binary.LittleEndian.Uint32(b[8:]))
	}
	if b[6] < 1 || b[6] > 3 || size > int64(len(b)-at) {
		return nil, nil, fault.New(fault.Invalid, "an NPY file with a broken header")
	}
	return b[at : at+int(size)], b[at+int(size):], nil
}

func parseShape(text string) ([]int, error) {
	shape := []int{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fault.New(fault.Invalid, "an NPY file with a broken shape: "+strconv.Quote(text))
		}
		shape = append(shape, n)
	}
	if len(shape) > 64 {
		return nil, fault.New(fault.Invalid, "an NPY file of more than 64 dimensions")
	}
	return shape, nil
}

func elements(descr string, data []byte, shape []int) (*tensor.Tensor, error) {
	for d, name := range descriptors {
		if name == descr || name[1:] == descr[min(1, len(descr)):] && (descr[0] == '|' || descr[0] == '=') {
			t, err := tensor.FromBytes(d, data, shape...)
			if err != nil {
				return nil, fault.New(fault.Invalid, "the elements do not fill the shape").Because(err)
			}
			return t, nil
		}
	}
	if width, ok := strings.CutPrefix(descr, "<U"); ok {
		return texts(width, data, shape)
	}
	return nil, fault.New(fault.Unsupported, "elements of numpy type "+strconv.Quote(descr)+" are not read").Try("numbers are little-endian, texts are of type U")
}

// texts reads strings of a fixed width in UTF-32, padded with zeros.
func texts(width string, data []byte, shape []int) (*tensor.Tensor, error) {
	w, err := strconv.Atoi(width)
	n, bad := tensor.Elements(shape)
	if err != nil || bad != nil || w < 0 || w > 1<<20 || int64(n)*int64(w)*4 != int64(len(data)) || w == 0 && n > 1<<20 {
		return nil, fault.New(fault.Invalid, "the elements do not fill the shape")
	}
	list := make([]string, n)
	for i := range list {
		var s strings.Builder
		for k := range w {
			r := rune(binary.LittleEndian.Uint32(data[(i*w+k)*4:]))
			if r == 0 {
				break
			}
			s.WriteRune(r)
		}
		list[i] = s.String()
	}
	return tensor.Strings(list, shape...), nil
}

// Encode writes an array, version 1.0. Errors: fault.Unsupported for an element type that numpy does not have.
func Encode(t *tensor.Tensor) ([]byte, error) {
	descr, data := descriptors[t.DType()], t.Bytes()
	if t.DType() == tensor.String {
		descr, data = utf32(t.Str())
	}
	if descr == "" {
		return nil, fault.New(fault.Unsupported, "numpy has no element type "+t.DType().String()).Try("write the tensor as .pb")
	}
	shape := ""
	for _, d := range t.Shape() {
		shape += strconv.Itoa(d) + ", "
	}
	if t.Rank() > 1 {
		shape = strings.TrimSuffix(shape, ", ")
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, strings.TrimSuffix(shape, " "))
	pad := 64 - (10+len(head)+1)%64
	head += strings.Repeat(" ", pad%64) + "\n"
	b := append([]byte(magic), 1, 0, byte(len(head)), byte(len(head)>>8))
	return append(append(b, head...), data...), nil
}

func utf32(list []string) (descr string, data []byte) {
	width := 1
	for _, s := range list {
		width = max(width, len([]rune(s)))
	}
	data = make([]byte, 4*width*len(list))
	for i, s := range list {
		for k, r := range []rune(s) {
			binary.LittleEndian.PutUint32(data[4*(i*width+k):], uint32(r))
		}
	}
	return "<U" + strconv.Itoa(width), data
}
