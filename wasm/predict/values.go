//go:build js && wasm

package main

import (
	"slices"
	"strconv"
	"syscall/js"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// typedArrays are the arrays of JavaScript and the element types that they hold; the first is meant where the model does
// not want one of the others.
var typedArrays = map[string][]tensor.DType{
	"Float32Array":      {tensor.Float32},
	"Float64Array":      {tensor.Float64},
	"Int8Array":         {tensor.Int8},
	"Uint8Array":        {tensor.Uint8, tensor.Bool},
	"Uint8ClampedArray": {tensor.Uint8, tensor.Bool},
	"Int16Array":        {tensor.Int16},
	"Uint16Array":       {tensor.Uint16, tensor.Float16, tensor.BFloat16},
	"Int32Array":        {tensor.Int32},
	"Uint32Array":       {tensor.Uint32},
	"BigInt64Array":     {tensor.Int64},
	"BigUint64Array":    {tensor.Uint64},
}

// arrayNames are typedArrays turned round.
var arrayNames = map[tensor.DType]string{}

func init() {
	for name, types := range typedArrays {
		for _, t := range types {
			if name != "Uint8ClampedArray" {
				arrayNames[t] = name
			}
		}
	}
}

// arrayFor names the typed array for elements of a type; complex numbers come as bytes.
func arrayFor(d tensor.DType) string {
	if name, ok := arrayNames[d]; ok {
		return name
	}
	return "Uint8Array"
}

// toTensor copies {data, shape} into a tensor; want is the element type that the model wants, where it says one.
func toTensor(v js.Value, want tensor.DType) (*tensor.Tensor, error) {
	if v.Type() != js.TypeObject {
		return nil, fault.New(fault.Invalid, "want {data, shape}")
	}
	data := v.Get("data")
	if data.Type() != js.TypeObject {
		return nil, fault.New(fault.Invalid, "want {data, shape}")
	}
	shape, n, err := shapeOf(v.Get("shape"))
	if err != nil {
		return nil, err
	}
	if data.InstanceOf(jsArray) {
		return fromArray(data, shape, n, want)
	}
	dtype, err := typeOf(data, want)
	if err != nil {
		return nil, err
	}
	if got := data.Length(); got != n {
		return nil, wrongLength(got, n)
	}
	t := tensor.New(dtype, shape...)
	if dtype == tensor.Float32 && n == 1 {
		t.F32()[0] = float32(data.Index(0).Float()) // a column of one row: one look instead of five
		return t, nil
	}
	js.CopyBytesToGo(t.Bytes(), jsUint8Array.New(data.Get("buffer"), data.Get("byteOffset"), data.Get("byteLength")))
	if dtype == tensor.Bool {
		for i, b := range t.Bytes() {
			t.Bytes()[i] = min(b, 1)
		}
	}
	return t, nil
}

// typeOf finds the element type of a typed array: want where the array can hold it.
func typeOf(data js.Value, want tensor.DType) (tensor.DType, error) {
	if data.InstanceOf(arrays[arrayFor(want)]) && slices.Contains(typedArrays[arrayFor(want)], want) {
		return want, nil
	}
	for name, array := range arrays {
		if data.InstanceOf(array) {
			if slices.Contains(typedArrays[name], want) {
				return want, nil
			}
			return typedArrays[name][0], nil
		}
	}
	return 0, fault.New(fault.Invalid, "data is no array").Try("give a typed array or an array of strings")
}

// fromArray makes a tensor of an array of strings, or of numbers and booleans for a model that wants such.
func fromArray(data js.Value, shape []int, n int, want tensor.DType) (*tensor.Tensor, error) {
	if got := data.Length(); got != n {
		return nil, wrongLength(got, n)
	}
	if want == tensor.Undefined || n > 0 && data.Index(0).Type() == js.TypeString {
		want = tensor.String
	}
	set := setters[want]
	if set == nil {
		return nil, fault.New(fault.Invalid, "an array cannot be converted to "+want.String()).Try("give a " + arrayFor(want))
	}
	t := tensor.New(want, shape...)
	for i := range n {
		if x := data.Index(i); !set(t, i, x) {
			return nil, fault.New(fault.Invalid, "element "+strconv.Itoa(i)+" is no "+want.String())
		}
	}
	return t, nil
}

// setters put element i, where it has the right type.
var setters = map[tensor.DType]func(t *tensor.Tensor, i int, x js.Value) bool{
	tensor.String: func(t *tensor.Tensor, i int, x js.Value) bool {
		if x.Type() != js.TypeString {
			return false
		}
		t.Str()[i] = x.String()
		return true
	},
	tensor.Float32: func(t *tensor.Tensor, i int, x js.Value) bool {
		return number(x, func(f float64) bool { t.F32()[i] = float32(f); return true })
	},
	tensor.Float64: func(t *tensor.Tensor, i int, x js.Value) bool {
		return number(x, func(f float64) bool { tensor.Data[float64](t)[i] = f; return true })
	},
	tensor.Int64: func(t *tensor.Tensor, i int, x js.Value) bool {
		return number(x, func(f float64) bool {
			t.I64()[i] = int64(f)
			return f == float64(int64(f)) && f < 1<<53 && f > -(1<<53)
		})
	},
	tensor.Int32: func(t *tensor.Tensor, i int, x js.Value) bool {
		return number(x, func(f float64) bool { tensor.Data[int32](t)[i] = int32(f); return f == float64(int32(f)) })
	},
	tensor.Bool: func(t *tensor.Tensor, i int, x js.Value) bool {
		if x.Type() != js.TypeBoolean {
			return false
		}
		tensor.Data[bool](t)[i] = x.Bool()
		return true
	},
}

func number(x js.Value, put func(f float64) bool) bool {
	return x.Type() == js.TypeNumber && put(x.Float())
}

// fromTensor copies a tensor into {dtype, data, shape}.
func fromTensor(t *tensor.Tensor) js.Value {
	shape := make([]any, t.Rank())
	for i, d := range t.Shape() {
		shape[i] = d
	}
	out := jsObject.New()
	out.Set("dtype", t.DType().String())
	out.Set("shape", shape)
	if t.DType() == tensor.String {
		data := jsArray.New(t.Len())
		for i, s := range t.Str() {
			data.SetIndex(i, s)
		}
		out.Set("data", data)
		return out
	}
	raw := jsUint8Array.New(len(t.Bytes()))
	js.CopyBytesToJS(raw, t.Bytes())
	out.Set("data", arrays[arrayFor(t.DType())].New(raw.Get("buffer")))
	return out
}
