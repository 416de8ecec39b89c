package kernel

import "golang.org/x/sys/cpu"

const vnniRows = 8

// vnni tells whether products of bytes run in AVX-512 with VNNI: where tiles are tall and the machine has it.
func vnni() bool { return tall && path == avx2 && cpu.X86.HasAVX512VNNI }

// byteHigh is how many rows tileBytes takes at most.
func byteHigh() int {
	if vnni() {
		return vnniRows
	}
	return byteTile
}

func tileVnni(rows bool, m int, c, from *int32, step uintptr, a *uint8, lda uintptr, b *uint8, steps int) {
	if rows {
		switch m {
		case 1:
			int8VnniRows1(c, from, step, a, lda, b, steps)
		case 2:
			int8VnniRows2(c, from, step, a, lda, b, steps)
		case 3:
			int8VnniRows3(c, from, step, a, lda, b, steps)
		case 4:
			int8VnniRows4(c, from, step, a, lda, b, steps)
		case 5:
			int8VnniRows5(c, from, step, a, lda, b, steps)
		case 6:
			int8VnniRows6(c, from, step, a, lda, b, steps)
		case 7:
			int8VnniRows7(c, from, step, a, lda, b, steps)
		default:
			int8VnniRows8(c, from, step, a, lda, b, steps)
		}
		return
	}
	switch m {
	case 1:
		int8Vnni1(c, from, step, a, lda, b, steps)
	case 2:
		int8Vnni2(c, from, step, a, lda, b, steps)
	case 3:
		int8Vnni3(c, from, step, a, lda, b, steps)
	case 4:
		int8Vnni4(c, from, step, a, lda, b, steps)
	case 5:
		int8Vnni5(c, from, step, a, lda, b, steps)
	case 6:
		int8Vnni6(c, from, step, a, lda, b, steps)
	case 7:
		int8Vnni7(c, from, step, a, lda, b, steps)
	default:
		int8Vnni8(c, from, step, a, lda, b, steps)
	}
}
