package memory

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// TestLargeSlicesLieOnHugePages reads what the kernel says of the mappings that hold a slice: the flag hg is MADV_HUGEPAGE.
func TestLargeSlicesLieOnHugePages(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("this kernel has no huge pages")
	}
	for _, n := range []int{least / 4, 3 << 20, 20 << 20} {
		s := Make[float32](n)
		for i, v := range s {
			if v != 0 {
				t.Fatalf("%d numbers: element %d is %v", n, i, v)
			}
		}
		for _, at := range []int{0, n / 2, n - 1} {
			if flags := flagsAt(t, unsafe.Pointer(&s[at])); !strings.Contains(flags, " hg") {
				t.Errorf("%d numbers: the page of element %d has the flags%s", n, at, flags)
			}
		}
	}
}

// flagsAt are the flags of the mapping that holds p.
func flagsAt(t *testing.T, p unsafe.Pointer) string {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	within := false
	for line := range strings.Lines(string(maps)) {
		from, to, isRange := strings.Cut(strings.Fields(line)[0], "-")
		if isRange {
			low, _ := strconv.ParseUint(from, 16, 64)
			high, _ := strconv.ParseUint(to, 16, 64)
			within = uint64(uintptr(p)) >= low && uint64(uintptr(p)) < high
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && within {
			return strings.TrimRight(flags, "\n")
		}
	}
	t.Fatalf("no mapping holds %p", p)
	return ""
}
