// Package memory makes slices for large arrays of numbers. Where the operating system can, they lie on huge pages: a first touch of ordinary ones costs
// more than the arithmetic on them, and it is the first step of a training run, or the first answer of a server, that pays for it.
package memory

import "unsafe"

// Make is make([]T, n) for numbers.
func Make[T any](n int) []T {
	s := make([]T, n)
	Advise(unsafe.Pointer(unsafe.SliceData(s)), uintptr(n)*unsafe.Sizeof(*new(T)))
	return s
}
