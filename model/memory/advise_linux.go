package memory

import (
	"syscall"
	"unsafe"
)

// hugePage is what Linux calls one on the processors that Jarvis has kernels for.
const hugePage = 2 << 20

// advise asks for huge pages around the memory. Go's heap lies in arenas of 64 MB, so that the pages that hold the ends belong to it too. The system may
// decline, which costs nothing but time.
func advise(p unsafe.Pointer, size uintptr) {
	low := uintptr(p) &^ (hugePage - 1)
	high := (uintptr(p) + size + hugePage - 1) &^ (hugePage - 1)
	_, _, _ = syscall.RawSyscall(syscall.SYS_MADVISE, low, high-low, syscall.MADV_HUGEPAGE)
}
