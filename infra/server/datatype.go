package server

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// datatypes are the protocol's names of element types. FP16 and BF16 have no form in its JSON.
var datatypes = map[string]tensor.DType{
	"BOOL": tensor.Bool, "UINT8": tensor.Uint8, "UINT16": tensor.Uint16, "UINT32": tensor.Uint32, "UINT64": tensor.Uint64,
	"INT8": tensor.Int8, "INT16": tensor.Int16, "INT32": tensor.Int32, "INT64": tensor.Int64,
	"FP16": tensor.Float16, "BF16": tensor.BFloat16, "FP32": tensor.Float32, "FP64": tensor.Float64, "BYTES": tensor.String,
}

var datatypeNames = func() map[tensor.DType]string {
	names := map[tensor.DType]string{}
	for name, t := range datatypes {
		names[t] = name
	}
	return names
}()

func datatypeOf(d tensor.DType) string {
	if name, ok := datatypeNames[d]; ok {
		return name
	}
	return d.String()
}

// mostRank bounds the dimensions of a tensor in a request.
const mostRank = 32

// rawTensor is one input as it stands in a request.
type rawTensor struct {
	name     string
	datatype []byte
	shape    []int
	data     []byte // a JSON array, whose syntax was checked
}

// tensor decodes the data: flat, or nested as the shape says.
func (t *rawTensor) tensor() (*tensor.Tensor, error) {
	d, ok := datatypes[string(t.datatype)]
	switch {
	case t.datatype == nil:
		return nil, fault.New(fault.Invalid, "has no datatype").Try("use FP32 for numbers and BYTES for strings")
	case !ok:
		return nil, fault.New(fault.Invalid, "unknown datatype "+strconv.QuoteToASCII(string(t.datatype))).Try("use FP32 for numbers and BYTES for strings")
	case d == tensor.Float16 || d == tensor.BFloat16:
		return nil, fault.New(fault.Unsupported, string(t.datatype)+" has no form in JSON").Try("use FP32")
	case t.shape == nil:
		return nil, fault.New(fault.Invalid, "has no shape")
	case len(t.data) == 0 || t.data[0] != '[':
		return nil, fault.New(fault.Invalid, "the data must be an array")
	}
	n, err := tensor.Elements(t.shape)
	if err != nil {
		return nil, err
	}
	if n > len(t.data)/2 { // an element takes two bytes at the least: a digit, and a comma or bracket
		return nil, lengthError(n, "fewer")
	}
	r := elementReader{cursor: cursor{b: t.data}, to: tensor.New(d, t.shape...), n: n}
	if inner := bytes.TrimLeft(t.data[1:], " \t\n\r"); len(t.shape) > 1 && len(inner) > 0 && inner[0] == '[' {
		return r.to, r.nested(t.shape)
	}
	return r.to, r.flat()
}

func lengthError(want int, got string) error {
	return fault.New(fault.Invalid, "the shape has "+strconv.Itoa(want)+" elements, the data has "+got)
}

// elementReader fills a tensor from JSON.
type elementReader struct {
	cursor
	to *tensor.Tensor
	n  int // elements
	at int // elements that were read
}

func (r *elementReader) flat() error {
	err := r.items(func(int) error {
		if r.at == r.n {
			return lengthError(r.n, "more")
		}
		return r.element()
	})
	if err == nil && r.at < r.n {
		err = lengthError(r.n, strconv.Itoa(r.at))
	}
	return err
}

// nested reads arrays in arrays, each of the length of its dimension.
func (r *elementReader) nested(shape []int) error {
	length := 0
	err := r.items(func(i int) error {
		if length = i + 1; length > shape[0] {
			return nestingError(shape[0], "more")
		}
		if len(shape) == 1 {
			return r.element()
		}
		if r.next() != '[' {
			return fault.New(fault.Invalid, "the data is not nested as deeply as the shape says")
		}
		return r.nested(shape[1:])
	})
	if err == nil && length < shape[0] {
		err = nestingError(shape[0], strconv.Itoa(length))
	}
	return err
}

func nestingError(want int, got string) error {
	return fault.New(fault.Invalid, "an array in the data has "+got+" items, the shape says "+strconv.Itoa(want))
}

// element reads the next scalar. A number that is null is missing (NaN); a string that is null is missing ("").
func (r *elementReader) element() error {
	i := r.at
	r.at++
	var err error
	switch r.to.DType() {
	case tensor.String:
		if r.word("null") {
			return nil
		}
		if r.next() != '"' {
			return r.mistyped(i, "a string")
		}
		var text []byte
		if text, err = r.text(); err == nil {
			r.to.Str()[i] = string(text)
		}
		return err
	case tensor.Float32:
		var v float64
		v, err = r.float(i, 32)
		r.to.F32()[i] = float32(v)
		return err
	case tensor.Float64:
		tensor.Data[float64](r.to)[i], err = r.float(i, 64)
		return err
	case tensor.Bool:
		truth := r.word("true")
		if !truth && !r.word("false") {
			return r.mistyped(i, "true or false")
		}
		tensor.Data[bool](r.to)[i] = truth
		return nil
	}
	return r.integer(i)
}

func (r *elementReader) float(i, bits int) (float64, error) {
	if r.word("null") {
		return math.NaN(), nil
	}
	text, err := r.number()
	if err != nil {
		return 0, r.mistyped(i, "a number")
	}
	v, err := strconv.ParseFloat(string(text), bits)
	if err != nil {
		return 0, r.mistyped(i, "a number of "+strconv.Itoa(bits)+" bits")
	}
	return v, nil
}

func (r *elementReader) integer(i int) error {
	text, err := r.number()
	if err != nil {
		return r.mistyped(i, "an integer")
	}
	d := r.to.DType()
	bits := 8 * d.Size()
	switch d {
	case tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64:
		v, err := strconv.ParseUint(string(text), 10, bits)
		if err != nil {
			return r.mistyped(i, "an integer of "+d.String())
		}
		r.store(i, v)
		return nil
	}
	v, err := strconv.ParseInt(string(text), 10, bits)
	if err != nil {
		return r.mistyped(i, "an integer of "+d.String())
	}
	r.store(i, uint64(v)) //nolint:gosec // the bits of two's complement are what is stored
	return nil
}

// store writes the lowest bytes of v, little-endian as all tensors are.
func (r *elementReader) store(i int, v uint64) {
	size := r.to.DType().Size()
	at := r.to.Bytes()[i*size : (i+1)*size]
	for k := range at {
		at[k] = byte(v >> (8 * k))
	}
}

func (r *elementReader) mistyped(i int, want string) error {
	got := r.b[r.i:min(r.i+20, len(r.b))]
	if end := bytes.IndexAny(got, ",]"); end > 0 {
		got = got[:end]
	}
	return fault.New(fault.Invalid, "element "+strconv.Itoa(i)+" is not "+want+": "+strconv.QuoteToASCII(string(got)))
}

// appendTensor appends one output; numbers that JSON cannot say (NaN, infinity) become null.
func appendTensor(b []byte, name []byte, t *tensor.Tensor) ([]byte, error) {
	b = append(append(b, `{"name":`...), name...)
	b = append(b, `,"datatype":"`...)
	b = append(append(b, datatypeOf(t.DType())...), `","shape":[`...)
	for i, d := range t.Shape() {
		b = strconv.AppendInt(appendComma(b, i), int64(d), 10)
	}
	b = append(b, `],"data":[`...)
	switch t.DType() {
	case tensor.Float32:
		for i, v := range t.F32() {
			b = appendFloat(appendComma(b, i), float64(v), 32)
		}
	case tensor.Float64:
		for i, v := range tensor.Data[float64](t) {
			b = appendFloat(appendComma(b, i), v, 64)
		}
	case tensor.String:
		for i, v := range t.Str() {
			b = appendString(appendComma(b, i), v)
		}
	case tensor.Bool:
		for i, v := range tensor.Data[bool](t) {
			b = strconv.AppendBool(appendComma(b, i), v)
		}
	case tensor.Int64, tensor.Int32, tensor.Int16, tensor.Int8, tensor.Uint64, tensor.Uint32, tensor.Uint16, tensor.Uint8:
		b = appendIntegers(b, t)
	default:
		return b, fault.New(fault.Unsupported, "the output "+string(name)+" of "+t.DType().String()+" has no form in JSON")
	}
	return append(b, "]}"...), nil
}

func appendComma(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

func appendFloat(b []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, bits)
}

func appendIntegers(b []byte, t *tensor.Tensor) []byte {
	size := t.DType().Size()
	signed := false
	switch t.DType() {
	case tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64:
		signed = true
	}
	for i := range t.Len() {
		v := uint64(0)
		for k, x := range t.Bytes()[i*size : (i+1)*size] {
			v |= uint64(x) << (8 * k)
		}
		if b = appendComma(b, i); signed {
			shift := 64 - 8*size
			b = strconv.AppendInt(b, int64(v<<shift)>>shift, 10) //nolint:gosec // two's complement
		} else {
			b = strconv.AppendUint(b, v, 10)
		}
	}
	return b
}

// appendString appends s as JSON.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			quoted, _ := json.Marshal(s) // a string always has a JSON form
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
