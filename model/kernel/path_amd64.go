package kernel

import "golang.org/x/sys/cpu"

// machinePath is the best path of this machine. X86.HasAVX2 counts only where the operating system saves the registers.
func machinePath() string {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		return avx2
	}
	return plainGo
}

// machineTall: X86.HasAVX512F, too, counts only where the operating system saves the registers. The first servers with AVX-512 lower their clock
// for it, and some of them have one unit for it that is no faster than the two of AVX2; from Ice Lake and Zen 4 on, which are told by VBMI2, it is
// never slower.
func machineTall() tallness {
	switch {
	case machinePath() != avx2 || !cpu.X86.HasAVX512F:
		return tallNever
	case !cpu.X86.HasAVX512VBMI2:
		return tallMaybe
	}
	return tallBest
}

// wide says whether tiles of one to three rows may be 32 or 64 columns wide.
func wide() bool { return true }

// byteProducts says whether products of bytes are faster than those of float32.
func byteProducts() bool { return true }

// machine runs tiles in assembly, where this process uses it.
func (t *tile) machine(m, n int) bool {
	if path != avx2 {
		return false
	}
	if tall {
		t.avx512(m, n)
		return true
	}
	switch {
	case n > tileColumns:
		switch {
		case n == 4*tileColumns:
			tile1x64(t)
		case m == 1:
			tile1x32(t)
		case m == 2:
			tile2x32(t)
		default:
			tile3x32(t)
		}
	case n == tileColumns:
		switch m {
		case 1:
			tile1x16(t)
		case 2:
			tile2x16(t)
		case 3:
			tile3x16(t)
		case 4:
			tile4x16(t)
		case 5:
			tile5x16(t)
		default:
			tile6x16(t)
		}
	case n > half:
		switch m {
		case 1:
			tile1x16m(t)
		case 2:
			tile2x16m(t)
		case 3:
			tile3x16m(t)
		case 4:
			tile4x16m(t)
		case 5:
			tile5x16m(t)
		default:
			tile6x16m(t)
		}
	case n == half:
		switch m {
		case 1:
			tile1x8(t)
		case 2:
			tile2x8(t)
		case 3:
			tile3x8(t)
		case 4:
			tile4x8(t)
		case 5:
			tile5x8(t)
		default:
			tile6x8(t)
		}
	default:
		switch m {
		case 1:
			tile1x8m(t)
		case 2:
			tile2x8m(t)
		case 3:
			tile3x8m(t)
		case 4:
			tile4x8m(t)
		case 5:
			tile5x8m(t)
		default:
			tile6x8m(t)
		}
	}
	return true
}

// avx512 is machine for tall tiles.
func (t *tile) avx512(m, n int) {
	switch {
	case n > 2*tileColumns:
		zmm1x64(t)
	case n > tileColumns:
		t.zmm32(m)
	case n == tileColumns:
		t.zmm16(m)
	default:
		t.w = 1<<n - 1
		t.zmm16m(m)
	}
}

// weaveMachine is weave in assembly for as many columns of the lines as it can do; it returns how many. dst must hold eight elements more
// than the lines need.
func weaveMachine(dst []float32, width int, src []float32, k, ld, n int) int {
	if path != avx2 || k < 8 {
		return 0
	}
	_, _ = dst[(k-1)*width+n-1], src[(n-1)*ld+k-1]
	to, step, from, distance := &dst[0], uintptr(width)*4, &src[0], uintptr(ld)*4
	switch {
	case n == 8:
		weave8(to, step, from, distance, k/8)
	case n == 6 && n == width:
		weave6(to, step, from, distance, k/8)
	case n == 5 && n == width:
		weave5(to, step, from, distance, k/8)
	case n == 4 && (n == width || width == tallRows):
		weave4(to, step, from, distance, k/8)
	default:
		return 0
	}
	return k &^ 7
}

// cutMachine cuts rows of src into panels of 16 columns in assembly, and reports whether it did.
func cutMachine(dst, src []float32, ld, rows, panels int) bool {
	if path != avx2 {
		return false
	}
	_, _ = dst[rows*panels*tileColumns-1], src[(rows-1)*ld+panels*tileColumns-1]
	cutRows(&dst[0], uintptr(rows)*tileColumns*4, &src[0], uintptr(ld)*4, rows, panels)
	return true
}

// turnMachine cuts rows of src into tiles of so many columns in assembly, and reports whether it did; distance is from tile to tile.
func turnMachine(dst []float32, distance int, src []float32, ld, rows, columns, tiles int) bool {
	if path != avx2 || columns != tileRows && columns != tallRows {
		return false
	}
	_, _ = dst[(tiles-1)*distance+rows*columns-1], src[(rows-1)*ld+tiles*columns-1]
	if columns == tileRows {
		turnRows6(&dst[0], uintptr(distance)*4, &src[0], uintptr(ld)*4, rows, tiles)
	} else {
		turnRows12(&dst[0], uintptr(distance)*4, &src[0], uintptr(ld)*4, rows, tiles)
	}
	return true
}
