package kernel

import "golang.org/x/sys/cpu"

// machinePath is the best path of this machine. X86.HasAVX2 counts only where the operating system saves the registers.
func machinePath() string {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		return avx2
	}
	return plainGo
}

// machine runs tiles in assembly, where this process uses it.
func (t *tile) machine(m, n int) bool {
	if path != avx2 {
		return false
	}
	switch {
	case n > tileColumns:
		switch m {
		case 1:
			tile1x64(t)
		case 2:
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
