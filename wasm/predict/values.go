//go:build js && wasm

package main

import (
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

// arrayFor names the typed array for elements of a type.
func arrayFor(d tensor.DType) string {
	for name, types := range typedArrays {
		for _, t := range types {
			if t == d && name != "Uint8ClampedArray" {
				return name
			}
		}
	}
	return "Uint8Array" // complex numbers, as bytes
}

// toTensor copies {data, shape} into a tensor; want is the element type that the model wants, where it says one.
func toTensor(v js.Value, want tensor.DType) (*tensor.Tensor, error) {
	if v.Type() != js.TypeObject || v.Get("data").Type() != js.TypeObject {
		return nil, fault.New(fault.Invalid, "want {data, shape}")
	}
	data := v.Get("data")
	shape, n, err := shapeOf(v.Get("shape"))
	if err != nil {
		return nil, err
	}
	if !js.Global().Get("ArrayBuffer").Call("isView", data).Bool() {
		return fromArray(data, shape, n, want)
	}
	types := typedArrays[data.Get("constructor").Get("name").String()]
	if types == nil {
		return nil, fault.New(fault.Invalid, "a view of this kind is not supported").Try("give a typed array")
	}
	dtype := types[0]
	for _, t := range types {
		if t == want {
			dtype = t
		}
	}
	if data.Length() != n {
		return nil, wrongLength(data.Length(), n)
	}
	t := tensor.New(dtype, shape...)
	js.CopyBytesToGo(t.Bytes(), js.Global().Get("Uint8Array").New(data.Get("buffer"), data.Get("byteOffset"), data.Get("byteLength")))
	if dtype == tensor.Bool {
		for i, b := range t.Bytes() {
			t.Bytes()[i] = min(b, 1)
		}
	}
	return t, nil
}

// fromArray makes a tensor of an array of strings, or of numbers and booleans for a model that wants such.
func fromArray(data js.Value, shape []int, n int, want tensor.DType) (*tensor.Tensor, error) {
	if !js.Global().Get("Array").Call("isArray", data).Bool() {
		return nil, fault.New(fault.Invalid, "data is no array").Try("give a typed array or an array of strings")
	}
	if data.Length() != n {
		return nil, wrongLength(data.Length(), n)
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
	out := js.ValueOf(map[string]any{"dtype": t.DType().String(), "shape": shape})
	if t.DType() == tensor.String {
		data := js.Global().Get("Array").New(t.Len())
		for i, s := range t.Str() {
			data.SetIndex(i, s)
		}
		out.Set("data", data)
		return out
	}
	raw := js.Global().Get("Uint8Array").New(len(t.Bytes()))
	js.CopyBytesToJS(raw, t.Bytes())
	out.Set("data", js.Global().Get(arrayFor(t.DType())).New(raw.Get("buffer")))
	return out
}
