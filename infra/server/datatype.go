package server

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// datatypes are the protocol's names of element types.
var datatypes = map[string]tensor.DType{
	"BOOL": tensor.Bool, "UINT8": tensor.Uint8, "UINT16": tensor.Uint16, "UINT32": tensor.Uint32, "UINT64": tensor.Uint64,
	"INT8": tensor.Int8, "INT16": tensor.Int16, "INT32": tensor.Int32, "INT64": tensor.Int64,
	"FP32": tensor.Float32, "FP64": tensor.Float64, "BYTES": tensor.String,
}

func datatypeOf(d tensor.DType) string {
	for name, t := range datatypes {
		if t == d {
			return name
		}
	}
	return d.String()
}

// readTensor decodes the data of one input. The JSON has been checked; its nesting is not compared with the shape.
func readTensor(t inferTensor) (*tensor.Tensor, error) {
	d, ok := datatypes[t.Datatype]
	if !ok {
		return nil, fault.New(fault.Invalid, "unknown datatype "+strconv.Quote(t.Datatype)).Try("use FP32 for numbers and BYTES for strings")
	}
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return nil, err
	}
	if n > len(t.Data) { // an element takes a byte at the least
		return nil, lengthError(n, "fewer")
	}
	out := tensor.New(d, t.Shape...)
	i := 0
	err = elements(t.Data, func(text []byte) error {
		if i == n {
			return lengthError(n, "more")
		}
		if err := setElement(out, i, text); err != nil {
			return fault.New(fault.Invalid, "element "+strconv.Itoa(i)+": "+err.Error())
		}
		i++
		return nil
	})
	if err == nil && i < n {
		err = lengthError(n, strconv.Itoa(i))
	}
	return out, err
}

func lengthError(want int, got string) error {
	return fault.New(fault.Invalid, "the shape has "+strconv.Itoa(want)+" elements, the data has "+got)
}

// elements calls f with every scalar of a (nested) JSON array.
func elements(data []byte, f func(text []byte) error) error {
	for i := 0; i < len(data); {
		switch c := data[i]; c {
		case '[', ']', ',', ' ', '\t', '\n', '\r':
			i++
			continue
		case '{':
			return fault.New(fault.Invalid, "the data holds an object")
		}
		end := scalarEnd(data, i)
		if err := f(data[i:end]); err != nil {
			return err
		}
		i = end
	}
	return nil
}

// scalarEnd returns the index after the JSON scalar that begins at i.
func scalarEnd(data []byte, i int) int {
	if data[i] == '"' {
		for j := i + 1; j < len(data); j++ {
			switch data[j] {
			case '\\':
				j++
			case '"':
				return j + 1
			}
		}
		return len(data)
	}
	for j := i + 1; j < len(data); j++ {
		switch data[j] {
		case ',', ']', ' ', '\t', '\n', '\r':
			return j
		}
	}
	return len(data)
}

func setElement(t *tensor.Tensor, i int, text []byte) error {
	s := string(text)
	switch t.DType() {
	case tensor.String:
		if s == "null" {
			return nil // missing is the empty string
		}
		return json.Unmarshal(text, &t.Str()[i])
	case tensor.Float32, tensor.Float64:
		v, err := math.NaN(), error(nil)
		if s != "null" {
			v, err = strconv.ParseFloat(s, 64)
		}
		if t.DType() == tensor.Float32 {
			t.F32()[i] = float32(v)
		} else {
			tensor.Data[float64](t)[i] = v
		}
		return err
	case tensor.Bool:
		return json.Unmarshal(text, &tensor.Data[bool](t)[i])
	}
	return setInteger(t, i, text)
}

func setInteger(t *tensor.Tensor, i int, text []byte) error {
	switch t.DType() {
	case tensor.Uint8:
		return json.Unmarshal(text, &tensor.Data[uint8](t)[i])
	case tensor.Uint16:
		return json.Unmarshal(text, &tensor.Data[uint16](t)[i])
	case tensor.Uint32:
		return json.Unmarshal(text, &tensor.Data[uint32](t)[i])
	case tensor.Uint64:
		return json.Unmarshal(text, &tensor.Data[uint64](t)[i])
	case tensor.Int8:
		return json.Unmarshal(text, &tensor.Data[int8](t)[i])
	case tensor.Int16:
		return json.Unmarshal(text, &tensor.Data[int16](t)[i])
	case tensor.Int32:
		return json.Unmarshal(text, &tensor.Data[int32](t)[i])
	}
	return json.Unmarshal(text, &tensor.Data[int64](t)[i])
}

// writeTensor encodes one output; numbers that JSON cannot say (NaN, infinity) become null.
func writeTensor(name string, t *tensor.Tensor) (inferTensor, error) {
	out := inferTensor{Name: name, Shape: t.Shape(), Datatype: datatypeOf(t.DType())}
	var err error
	switch t.DType() {
	case tensor.Float32:
		out.Data = appendFloats(nil, t.F32(), 32)
	case tensor.Float64:
		out.Data = appendFloats(nil, tensor.Data[float64](t), 64)
	case tensor.String:
		out.Data, err = json.Marshal(t.Str())
	case tensor.Bool:
		out.Data, err = json.Marshal(tensor.Data[bool](t))
	case tensor.Int64:
		out.Data, err = json.Marshal(t.I64())
	case tensor.Int32:
		out.Data, err = json.Marshal(tensor.Data[int32](t))
	default:
		err = fault.New(fault.Unsupported, "output "+name+" of type "+t.DType().String()+" has no JSON form here")
	}
	return out, err
}

func appendFloats[T float32 | float64](b []byte, data []T, bits int) []byte {
	b = append(b, '[')
	for i, v := range data {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFloat(b, float64(v), bits)
	}
	return append(b, ']')
}

func appendFloat(b []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, bits)
}
