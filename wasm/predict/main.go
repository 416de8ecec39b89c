//go:build js && wasm

// Command predict is the browser predictor: it loads ONNX models and runs them in a page or a Worker, in Go compiled to
// WebAssembly. Build it with
//
//	GOOS=js GOARCH=wasm go build -tags lean -trimpath -ldflags="-s -w" -o jarvis-predict.wasm ./wasm/predict
//
// and serve it beside $(go env GOROOT)/lib/wasm/wasm_exec.js of the same toolchain. After go.run(instance) it has set
//
//	globalThis.jarvisPredict = {
//	  load(bytes: Uint8Array): {id, metadata, inputs: {name, dtype, shape}[], outputs: {name, dtype, shape}[]},
//	  run(id, {NAME: {data, shape}, …}): {NAME: {dtype, data, shape}, …},
//	  unload(id),
//	}
//
// and calls globalThis.jarvisReady() if there is one. A shape has -1 for a free dimension. data is a typed array of the
// element type (BigInt64Array for int64, Uint16Array for float16, Uint8Array for bool) or an array of strings; an array
// of numbers or booleans is converted to what the model wants. The three functions throw an Error with the properties
// code, hint and field of package fault; whatever happens in one call, the next finds the instance alive.
//
// It imports neither fmt nor reflect nor encoding/json: they would double its size.
package main

import (
	"syscall/js"

	"github.com/jarvis-ml/jarvis/model/fault"
)

func main() {
	s := &session{loaded: map[int]*loaded{}}
	api := js.ValueOf(map[string]any{})
	api.Set("load", throwing(s.load))
	api.Set("run", throwing(s.run))
	api.Set("unload", throwing(s.unload))
	js.Global().Set("jarvisPredict", api)
	if ready := js.Global().Get("jarvisReady"); ready.Type() == js.TypeFunction {
		ready.Invoke()
	}
	select {} // the functions are called from now on
}

// protect calls f and turns a panic into an error.
func protect(f func(args []js.Value) (js.Value, error), args []js.Value) (v js.Value, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = fault.Wrap(r, fault.Internal, "the predictor failed")
		default:
			err = fault.New(fault.Internal, "the predictor failed")
		}
	}()
	return f(args)
}
