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

func wideGramMachine(g, left, right []float64, rows, n int) bool {
	if path != avx2 {
		return false
	}
	ld := uintptr(n) * 8
	for j := 0; j < n; j += WideColumns {
		for i := 0; i < j+WideColumns; i += wideTall {
			wideTile(&g[i*n+j], ld, &left[i], &right[j], ld, rows)
		}
	}
	return true
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
