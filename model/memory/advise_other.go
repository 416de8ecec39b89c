//go:build !linux

package memory

import "unsafe"

// Advise does nothing where nobody asks for huge pages.
func Advise(unsafe.Pointer, uintptr) {}
