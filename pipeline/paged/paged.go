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

// Large is the size in bytes from which slices are paged; those from small on are paged too when ordinary ones take the room that there is for them.
const (
	Large = 256 << 20
	small = 1 << 20
)

var (
	enabled atomic.Bool
	folder  string
	room    atomic.Int64 // that ordinary slices from small on may still take
	mu      sync.Mutex
	regions = map[unsafe.Pointer][]byte{} // by their first byte
)

// Enable lets large slices lie in files of a folder, "" for that of temporary files, and smaller ones when those in memory take so many bytes. The files have no
// names and are gone when the process ends.
func Enable(dir string, memory int64) {
	folder = dir
	room.Store(memory)
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
func MakeRoom[T Number](n, capacity int) []T {
	size := bytes[T](capacity)
	if !enabled.Load() || size < Large && fits(size) {
		return make([]T, n, capacity)
	}
	b := mapped(folder, int(size))
	if b == nil {
		return make([]T, n, capacity)
	}
	if size < Large { // of many columns, what is read ahead of one drives out another
		scattered(b)
	}
	mu.Lock()
	regions[unsafe.Pointer(&b[0])] = b
	mu.Unlock()
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), capacity)[:n]
}

// fits reports whether an ordinary slice of so many bytes may be made, and counts it.
func fits(size int64) bool {
	if size < small || room.Add(-size) >= 0 {
		return true
	}
	room.Add(size)
	return false
}

// bytes is how many a slice of n takes.
func bytes[T Number](n int) int64 {
	var one T
	return int64(n) * int64(unsafe.Sizeof(one))
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

// Ahead tells that all of a slice is about to be read, which need not begin where one that Make returned does.
func Ahead[T Number](s []T) {
	if size := bytes[T](len(s)); size >= 1<<12 && size < Large && enabled.Load() { // of larger ones the system reads ahead by itself
		ahead(unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), size))
	}
}

// Scattered tells that a slice that Make returned will be read here and there, so that what lies around is not read with it.
func Scattered[T Number](s []T) {
	if cap(s) == 0 {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	if b := regions[unsafe.Pointer(unsafe.SliceData(s))]; b != nil {
		scattered(b)
	}
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
	if size := bytes[T](cap(s)); b != nil {
		unmap(b)
	} else if size >= small && size < Large && enabled.Load() {
		room.Add(size)
	}
}
