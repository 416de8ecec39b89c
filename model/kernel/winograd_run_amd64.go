package kernel

// winogradSplitMachine is WinogradSplit in assembly. It returns the bits of the largest element.
func winogradSplitMachine(dst []float32, even, odd, step int, src []float32, ld, rows, width int) (uint32, bool) {
	if path != avx2 {
		return 0, false
	}
	rest := width % 16
	first, second := &masks[half-min(rest, half)], &masks[half-max(rest-half, 0)]
	return winogradSplit(&dst[even], &dst[odd], uintptr(step)*4, &src[0], uintptr(ld)*4, rows, width/16, first, second), true
}

func winogradIntoMachine(v []float32, vf int, src []float32, step, rows, tiles int) bool {
	if path != avx2 {
		return false
	}
	winogradInto(&v[0], uintptr(vf)*4, uintptr(tiles)*4, &src[0], uintptr(step/2)*4, uintptr(step)*4, rows, (tiles+7)/8)
	return true
}

func winogradOutMachine(dst []float32, step int, m []float32, mf, rows, tiles int) bool {
	if path != avx2 {
		return false
	}
	winogradOut(&dst[0], uintptr(step)*4, &m[0], uintptr(mf)*4, uintptr(tiles)*4, rows, (tiles+7)/8)
	return true
}

// machine is run in assembly; few rows, and what a machine with wider vectors does better, are left to tile.
func (w *winogradTile) machine(m, columns, count int) bool {
	if path != avx2 || tall || m < 4 {
		return false
	}
	a, b, c, ld, add := &w.a[0], &w.b[0], &w.c[0], uintptr(w.ld)*4, 0
	if w.add {
		add = 1
	}
	switch {
	case m == 4 && columns == half:
		winogradTile4x8(a, b, ld, w.k, c, ld, add, count)
	case m == 4:
		winogradTile4x16(a, b, ld, w.k, c, ld, add, count)
	case m == 5 && columns == half:
		winogradTile5x8(a, b, ld, w.k, c, ld, add, count)
	case m == 5:
		winogradTile5x16(a, b, ld, w.k, c, ld, add, count)
	case columns == half:
		winogradTile6x8(a, b, ld, w.k, c, ld, add, count)
	default:
		winogradTile6x16(a, b, ld, w.k, c, ld, add, count)
	}
	return true
}
