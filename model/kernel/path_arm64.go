package kernel

import "unsafe"

// machinePath is the best path of this machine: every arm64 has NEON.
func machinePath() string { return neon }

func machineTall() tallness { return tallNever }

// wide says whether tiles of one to three rows may be 32 or 64 columns wide.
func wide() bool { return path == plainGo }

// machine runs tiles in assembly, where this process uses it.
func (t *tile) machine(m, n int) bool {
	switch {
	case path != neon:
		return false
	case n == tileColumns:
		t.neon16(m)
	case n == half:
		t.neon8(m)
	case t.padded:
		t.neonPart(m, n)
	default:
		return false
	}
	return true
}

func (t *tile) neon16(m int) {
	switch m {
	case 1:
		neon1x16(t)
	case 2:
		neon2x16(t)
	case 3:
		neon3x16(t)
	case 4:
		neon4x16(t)
	case 5:
		neon5x16(t)
	default:
		neon6x16(t)
	}
}

func (t *tile) neon8(m int) {
	switch m {
	case 1:
		neon1x8(t)
	case 2:
		neon2x8(t)
	case 3:
		neon3x8(t)
	case 4:
		neon4x8(t)
	case 5:
		neon5x8(t)
	default:
		neon6x8(t)
	}
}

// neonPart computes n columns of padded panels in memory of its own that is as wide as the panel: NEON cannot store a part of a vector.
func (t *tile) neonPart(m, n int) {
	var c [tileRows][tileColumns]float32
	var col [tileColumns]float32
	u := *t
	u.count, u.ldc = 1, tileColumns*4
	u.c = &c[0][0]
	if t.colBias != nil {
		copy(col[:], unsafe.Slice(t.colBias, n))
		u.colBias = &col[0]
	}
	out := unsafe.Pointer(t.c)
	for left := t.count; ; {
		for i := 0; i < m && t.add != 0; i++ {
			copy(c[i][:n], unsafe.Slice((*float32)(unsafe.Add(out, uintptr(i)*t.ldc)), n))
		}
		if n > half {
			u.neon16(m)
		} else {
			u.neon8(m)
		}
		for i := range m {
			copy(unsafe.Slice((*float32)(unsafe.Add(out, uintptr(i)*t.ldc)), n), c[i][:n])
		}
		if left--; left == 0 {
			return
		}
		u.a, out = (*float32)(unsafe.Add(unsafe.Pointer(u.a), t.an)), unsafe.Add(out, t.cn)
		if u.rowBias != nil {
			u.rowBias = (*float32)(unsafe.Add(unsafe.Pointer(u.rowBias), t.rowN))
		}
	}
}
