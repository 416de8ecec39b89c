package kernel

// winogradSplitMachine is WinogradSplit in assembly. It returns the bits of the largest element.
func winogradSplitMachine(dst []float32, even, odd, step int, src []float32, ld, rows, width int) (uint32, bool) {
	if path != neon {
		return 0, false
	}
	return winogradSplit(&dst[even], &dst[odd], uintptr(step)*4, &src[0], uintptr(ld)*4, rows, width), true
}

func winogradIntoMachine(v []float32, vf int, src []float32, step, rows, tiles int) bool {
	if path != neon {
		return false
	}
	winogradInto(&v[0], uintptr(vf)*4, uintptr(tiles)*4, &src[0], uintptr(step/2)*4, uintptr(step)*4, rows, (tiles+3)/4)
	return true
}

func winogradOutMachine(dst []float32, step int, m []float32, mf, rows, tiles int) bool {
	if path != neon {
		return false
	}
	winogradOut(&dst[0], uintptr(step)*4, &m[0], uintptr(mf)*4, uintptr(tiles)*4, rows, (tiles+3)/4)
	return true
}

// machine leaves products to tile.
func (w *winogradTile) machine(int, int, int) bool { return false }
