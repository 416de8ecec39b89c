package reuse

import (
	"unsafe"

	"github.com/jarvis-ml/jarvis/model/memory"
)

// Slices are memory that is borrowed for the length of a call. The zero Slices are ready.
type Slices[T any] struct{ pool Pool[[]T] }

// Take returns n elements with any content, and the handle that Put gives back.
func (s *Slices[T]) Take(n int) *[]T {
	p := s.pool.Take()
	if cap(*p) < n {
		*p = make([]T, n)
		memory.Advise(unsafe.Pointer(unsafe.SliceData(*p)), uintptr(n)*unsafe.Sizeof(*new(T))) // not Make, which would be compiled for every T again
	}
	*p = (*p)[:n]
	return p
}

// Put gives memory back; nil is none.
func (s *Slices[T]) Put(p *[]T) {
	if p != nil {
		s.pool.Put(p)
	}
}
