package paged

import (
	"os"
	"syscall"
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

func unmap(b []byte) { _ = syscall.Munmap(b) } // of what Mmap gave
