//go:build js && wasm

package main

import "syscall/js"

// Each look at a JavaScript property costs microseconds, so what every run needs is looked up once.
var (
	jsArray      = js.Global().Get("Array")
	jsObject     = js.Global().Get("Object")
	jsUint8Array = js.Global().Get("Uint8Array")
	objectKeys   = jsObject.Get("keys")
	arrays       = map[string]js.Value{} // constructors of typed arrays by name
)

func init() {
	for name := range typedArrays {
		arrays[name] = js.Global().Get(name)
	}
}
