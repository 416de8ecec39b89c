package kernel

// The sums in float64 in assembly, where this process uses it. The functions return how many columns they did. Slices are not empty and fit.

// wholeWide is how many of the columns go in whole vectors.
func wholeWide(cols int) int {
	if path != avx2 {
		return 0
	}
	return cols &^ (wideStep - 1)
}

func wideDotsMachine(dst []float64, x []float32, mean, u []float64) int {
	whole, groups := wholeWide(len(mean)), len(dst)/wideStep
	if whole == 0 || groups == 0 {
		return 0
	}
	wideDots(&dst[0], &x[0], uintptr(len(mean))*4, &mean[0], &u[0], groups, whole/wideStep)
	return whole
}

func wideSumsMachine(sum []float64, x []float32, mean, a []float64) int {
	whole, ld := wholeWide(len(mean)), uintptr(len(mean))*4
	j := 0
	for ; j+16 <= whole; j += 16 {
		wideSums16(&sum[j], &x[j], ld, &mean[j], &a[0], len(a))
	}
	for ; j < whole; j += 4 {
		wideSums4(&sum[j], &x[j], ld, &mean[j], &a[0], len(a))
	}
	return whole
}

func wideMomentsMachine(sum, squares []float64, x []float32, mean, a []float64) int {
	whole, ld := wholeWide(len(mean)), uintptr(len(mean))*4
	j := 0
	for ; j+8 <= whole; j += 8 {
		wideMoments8(&sum[j], &squares[j], &x[j], ld, &mean[j], &a[0], len(a))
	}
	for ; j < whole; j += 4 {
		wideMoments4(&sum[j], &squares[j], &x[j], ld, &mean[j], &a[0], len(a))
	}
	return whole
}

func wideRowsMachine(z []float64, to int, x []float32, mean, a []float64) int {
	whole := wholeWide(len(mean))
	if whole > 0 {
		wideRows(&z[0], uintptr(to)*8, &x[0], uintptr(len(mean))*4, &mean[0], &a[0], len(a), whole/wideStep)
	}
	return whole
}

func wideGramMachine(g, left, right []float64, rows, n int, space []float64) bool {
	if path != avx2 {
		return false
	}
	leftAt, rightAt, leftLD, rightLD := 1, 1, n, n // elements from column to column, and from row to row
	if n > wideNarrow {
		left, right = strips(space[:rows*n], left, rows, n, wideTall), strips(space[rows*n:2*rows*n], right, rows, n, WideColumns)
		leftAt, rightAt, leftLD, rightLD = rows, rows, wideTall, WideColumns
	}
	for i := 0; i < n; i += wideTall {
		for j := i / WideColumns * WideColumns; j < n; j += WideColumns {
			wideTile(&g[i*n+j], uintptr(n)*8, &left[i*leftAt], uintptr(leftLD)*8, &right[j*rightAt], uintptr(rightLD)*8, rows)
		}
	}
	return true
}

// strips copies z (rows, n) into strips of so many columns, one after another, so that rows of a strip lie together.
func strips(dst, z []float64, rows, n, width int) []float64 {
	for r := range rows {
		row := z[r*n:][:n]
		for j := 0; j < n; j += width {
			copy(dst[j*rows+r*width:][:width], row[j:])
		}
	}
	return dst
}

// wideExpMachine returns how many numbers it did.
func wideExpMachine(dst, src []float64) int {
	groups := len(src) / 16
	if path != avx2 || groups == 0 {
		return 0
	}
	wideExp(&dst[0], &src[0], groups)
	return 16 * groups
}
