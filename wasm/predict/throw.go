//go:build js && wasm

package main

import (
	"errors"
	"syscall/js"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// A function of syscall/js can return a value to JavaScript but not throw one, and to make a JavaScript function that
// does would take eval, which a page's content security policy forbids. But a page that may run this program may run
// another WebAssembly module, and an exception passes through that unharmed. So each function is wrapped in one:
//
//	(module
//	  (import "m" "f" (func $f (param externref externref) (result externref)))   ;; ours: returns a box
//	  (import "m" "g" (func $g (param externref externref) (result externref)))   ;; Reflect.get
//	  (import "m" "k" (global $k externref))                                      ;; "value"
//	  (func (export "h") (param externref externref) (result externref)
//	    (call $g (call $f (local.get 0) (local.get 1)) (global.get $k))))
//
// The box {value} holds the result, or a getter of that name that throws: AbortSignal.throwIfAborted, a built-in
// function that throws what it is given.
var wrapper = []byte("\x00asm\x01\x00\x00\x00" +
	"\x01\x07\x01\x60\x02\x6f\x6f\x01\x6f" + // type 0: (externref, externref) → externref
	"\x02\x14\x03\x01m\x01f\x00\x00\x01m\x01g\x00\x00\x01m\x01k\x03\x6f\x00" + // imports f, g, k
	"\x03\x02\x01\x00" + // function 2 of type 0
	"\x07\x05\x01\x01h\x00\x02" + // exported as h
	"\x0a\x0e\x01\x0c\x00\x20\x00\x20\x01\x10\x00\x23\x00\x10\x01\x0b") // local.get 0, 1; call f; global.get k; call g

// throwing makes a JavaScript function of up to two arguments that returns what f returns and throws its error.
func throwing(f func(args []js.Value) (js.Value, error)) js.Value {
	boxed := js.FuncOf(func(_ js.Value, args []js.Value) any {
		box := jsObject.New()
		v, err := protect(f, args)
		if err == nil {
			box.Set("value", v)
			return box
		}
		signal := js.Global().Get("AbortSignal").Call("abort", exception(err))
		thrower := signal.Get("throwIfAborted").Call("bind", signal)
		js.Global().Get("Object").Call("defineProperty", box, "value", map[string]any{"get": thrower})
		return box
	})
	code := js.Global().Get("Uint8Array").New(len(wrapper))
	js.CopyBytesToJS(code, wrapper)
	wasm := js.Global().Get("WebAssembly")
	imports := map[string]any{"m": map[string]any{"f": boxed, "g": js.Global().Get("Reflect").Get("get"), "k": "value"}}
	return wasm.Get("Instance").New(wasm.Get("Module").New(code), imports).Get("exports").Get("h")
}

// exception makes an Error of JavaScript, with the code, hint and field of err.
func exception(err error) js.Value {
	e := js.Global().Get("Error").New(err.Error())
	e.Set("code", string(fault.CodeOf(err)))
	e.Set("hint", fault.HintOf(err))
	var f *fault.Error
	if errors.As(err, &f) {
		e.Set("field", f.Field)
	}
	return e
}
