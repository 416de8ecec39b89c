package kernel

// weaveMachine is weave in assembly for as many columns of the lines as it can do; it returns how many.
func weaveMachine(dst []float32, width int, src []float32, k, ld, n int) int {
	if path != neon || k < 4 {
		return 0
	}
	_, _ = dst[(k-1)*width+n-1], src[(n-1)*ld+k-1]
	to, step, from, distance := &dst[0], uintptr(width)*4, &src[0], uintptr(ld)*4
	switch n {
	case 8:
		weave8(to, step, from, distance, k/4)
	case 6:
		weave6(to, step, from, distance, k/4)
	case 5:
		weave5(to, step, from, distance, k/4)
	case 4:
		weave4(to, step, from, distance, k/4)
	default:
		return 0
	}
	return k &^ 3
}

// cutMachine cuts rows of src into panels of 16 columns in assembly, and reports whether it did.
func cutMachine(dst, src []float32, ld, rows, panels int) bool {
	if path != neon {
		return false
	}
	_, _ = dst[rows*panels*tileColumns-1], src[(rows-1)*ld+panels*tileColumns-1]
	cutRows(&dst[0], uintptr(rows)*tileColumns*4, &src[0], uintptr(ld)*4, rows, panels)
	return true
}

// turnMachine cuts rows of src into tiles of so many columns in assembly, and reports whether it did; distance is from tile to tile.
func turnMachine(dst []float32, distance int, src []float32, ld, rows, columns, tiles int) bool {
	if path != neon || columns != tileRows {
		return false
	}
	_, _ = dst[(tiles-1)*distance+rows*columns-1], src[(rows-1)*ld+tiles*columns-1]
	turnRows6(&dst[0], uintptr(distance)*4, &src[0], uintptr(ld)*4, rows, tiles)
	return true
}
