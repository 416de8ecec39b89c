package paged

import (
	"os"
	"syscall"
	"unsafe"
)

// mapped maps a file without a name, whose room on the disk is taken at once: a full disk is found here, not when the memory is written to. It returns nil where
// there is no room.
func mapped(folder string, size int) []byte {
	f, err := os.CreateTemp(folder, "jarvis-*")
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // the mapping outlives the descriptor, and there is nothing to write any more
	if os.Remove(f.Name()) != nil || syscall.Fallocate(int(f.Fd()), 0, 0, int64(size)) != nil {
		return nil
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil
	}
	return b
}

func scattered(b []byte) { _ = syscall.Madvise(b, syscall.MADV_RANDOM) } // advice: a system that does not take it reads more than it needs

// ahead has the pages of b read; those of ordinary memory are left as they are.
func ahead(b []byte) {
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, uintptr(unsafe.Pointer(&b[0]))&^uintptr(os.Getpagesize()-1), uintptr(len(b)), syscall.MADV_WILLNEED) // advice
}

func unmap(b []byte) { _ = syscall.Munmap(b) } // of what Mmap gave
