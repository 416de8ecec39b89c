package memory

import (
	"syscall"
	"unsafe"
)

const (
	least    = 512 << 10 // bytes from which memory is worth a call to the operating system
	hugePage = 2 << 20   // what Linux calls one on the processors that Jarvis has kernels for
)

// Advise asks for huge pages around memory of so many bytes that nobody has touched, if it is large. Go's heap lies in arenas of 64 MB, so that the pages that
// hold the ends belong to it too. The system may decline, which costs nothing but time.
func Advise(p unsafe.Pointer, size uintptr) {
	if size < least {
		return
	}
	low := uintptr(p) &^ (hugePage - 1)
	high := (uintptr(p) + size + hugePage - 1) &^ (hugePage - 1)
	_, _, _ = syscall.RawSyscall(syscall.SYS_MADVISE, low, high-low, syscall.MADV_HUGEPAGE)
}
