// Package paged gives memory for columns that may be larger than the machine's: large slices lie in files that the system maps, writes out when memory is
// short, and reads in again where they are touched.
//
// Such memory is not collected, so only a process that trains and ends asks for it (Enable). Elsewhere, and where no file can be had, slices are ordinary ones.
package paged

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// Large is the size in bytes from which slices are paged.
const Large = 256 << 20

var (
	enabled atomic.Bool
	folder  string
	mu      sync.Mutex
	regions = map[unsafe.Pointer][]byte{} // by their first byte
)

// Enable lets large slices lie in files of a folder, "" for that of temporary files. The files have no names and are gone when the process ends.
func Enable(dir string) {
	folder = dir
	enabled.Store(true)
}

// Enabled reports whether large slices are paged.
func Enabled() bool { return enabled.Load() }

// Number is what slices may be of: nothing that points to memory.
type Number interface {
	~float64 | ~float32 | ~int32 | ~uint8
}

// Make returns a slice of n zeros.
func Make[T Number](n int) []T { return MakeRoom[T](n, n) }

// MakeRoom returns a slice of n zeros with room for more.
func MakeRoom[T Number](n, room int) []T {
	var one T
	if size := room * int(unsafe.Sizeof(one)); size >= Large && enabled.Load() {
		if b := mapped(folder, size); b != nil {
			mu.Lock()
			regions[unsafe.Pointer(&b[0])] = b
			mu.Unlock()
			return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), room)[:n]
		}
	}
	return make([]T, n, room)
}

// Grow returns s with room for at least n elements. s itself is not to be used any more.
func Grow[T Number](s []T, n int) []T {
	if n <= cap(s) {
		return s
	}
	out := MakeRoom[T](len(s), n)
	copy(out, s)
	Free(s)
	return out
}

// Free gives the memory of a slice that Make returned back; nobody may use it any more. Ordinary slices are left to the collector.
func Free[T Number](s []T) {
	if cap(s) == 0 {
		return
	}
	first := unsafe.Pointer(unsafe.SliceData(s))
	mu.Lock()
	b := regions[first]
	delete(regions, first)
	mu.Unlock()
	if b != nil {
		unmap(b)
	}
}
