package paged

import (
	"runtime"
	"testing"
)

// TestPaged: large slices do not lie on the heap, hold what is written, and grow.
func TestPaged(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("slices are ordinary ones here")
	}
	Enable(t.TempDir(), 1<<30)
	defer enabled.Store(false)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const n = Large / 8
	s := Make[float64](n)
	s[0], s[n-1] = 1, 2
	s = append(Grow(s, n+n/8), 3)
	runtime.ReadMemStats(&after)
	if s[0] != 1 || s[1] != 0 || s[n-1] != 2 || s[n] != 3 || len(s) != n+1 {
		t.Error("the numbers are others now")
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes of the heap were taken", grown)
	}
	if len(regions) != 1 {
		t.Errorf("%d mappings are left of one slice", len(regions))
	}
	Free(s)
	if len(regions) != 0 {
		t.Error("the mapping is left")
	}
}

// TestMany: many slices that are not large are paged once there is no room for more in memory, and freeing one makes room.
func TestMany(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("slices are ordinary ones here")
	}
	Enable(t.TempDir(), 5*small)
	defer enabled.Store(false)
	var all [][]float32
	for range 8 {
		all = append(all, Make[float32](small/4))
	}
	if len(regions) != 3 {
		t.Errorf("%d of 8 slices are paged, with room for 5", len(regions))
	}
	Free(all[0])
	all[0] = Make[float32](small / 4)
	if Make[float32](small/4 - 1); len(regions) != 3 {
		t.Errorf("%d are paged after one made room", len(regions))
	}
	for _, s := range all {
		Free(s)
	}
	if len(regions) != 0 {
		t.Errorf("%d mappings are left", len(regions))
	}
}

// TestFullDisk: where no file can be had, slices are ordinary ones.
func TestFullDisk(t *testing.T) {
	Enable("/nowhere", 0)
	defer Enable("", 0)
	if s := Make[uint8](Large); len(s) != Large || len(regions) != 0 {
		t.Error("no ordinary slice")
	}
	enabled.Store(false)
}
