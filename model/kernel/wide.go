package kernel

import "math"

// Sums in float64 over rows of float32, as linear models need them: products of two float32 are exact in float64, so that what collinear or far-off
// features lose is what float64 loses. Rows of x have as many columns as mean, and follow each other without a gap; mean is taken from each row.

const (
	wideStep = 4 // columns that go together, and rows in WideDots
	wideTall = 4 // rows of a tile of WideGram
	// wideNarrow is the width up to which WideGram reads tiles where they lie; wider rows would be too far apart for the caches.
	wideNarrow = 128
	// WideColumns is what the columns of WideGram are a multiple of.
	WideColumns = 8
)

// WideDots adds to each element of dst (rows) the product of a row of x, centred, with u (cols).
func WideDots(dst []float64, x []float32, mean, u []float64) {
	cols := len(mean)
	u = u[:cols]
	if len(dst) == 0 || cols == 0 {
		return
	}
	x = x[:len(dst)*cols]
	whole := 0
	done := wideDotsMachine(dst, x, mean, u) // columns, of whole groups of rows
	if done > 0 {
		whole = len(dst) &^ (wideStep - 1)
		dotsFrom(dst[:whole], x, mean, u, done)
	}
	dotsFrom(dst[whole:], x[whole*cols:], mean, u, 0)
}

// dotsFrom is WideDots over the columns from first on.
func dotsFrom(dst []float64, x []float32, mean, u []float64, first int) {
	cols := len(mean)
	mean, u = mean[first:], u[first:cols]
	for i := range dst {
		row := x[i*cols+first:][:len(mean)]
		var s float64
		for j, m := range mean {
			s += (float64(row[j]) - m) * u[j]
		}
		dst[i] += s
	}
}

// WideSums adds to sum (cols) each row of x, centred, times its element of a (rows).
func WideSums(sum []float64, x []float32, mean, a []float64) {
	cols := len(mean)
	sum = sum[:cols]
	if len(a) == 0 || cols == 0 {
		return
	}
	x = x[:len(a)*cols]
	for j := wideSumsMachine(sum, x, mean, a); j < cols; j++ {
		m, s, at := mean[j], sum[j], j
		for _, w := range a {
			s += w * (float64(x[at]) - m)
			at += cols
		}
		sum[j] = s
	}
}

// WideMoments is WideSums, and adds to squares (cols) the squares of the centred rows, each times its element of a.
func WideMoments(sum, squares []float64, x []float32, mean, a []float64) {
	cols := len(mean)
	sum, squares = sum[:cols], squares[:cols]
	if len(a) == 0 || cols == 0 {
		return
	}
	x = x[:len(a)*cols]
	from := wideMomentsMachine(sum, squares, x, mean, a)
	for i := 0; i < len(a) && from < cols; i++ {
		row := x[i*cols:][:cols]
		for j := from; j < cols; j++ {
			d := float64(row[j]) - mean[j]
			sum[j] += a[i] * d
			squares[j] += a[i] * d * d
		}
	}
}

// WideRows writes rows of x, centred, times their elements of a (rows), to z (rows, ld).
func WideRows(z []float64, ld int, x []float32, mean, a []float64) {
	cols := len(mean)
	if len(a) == 0 || cols == 0 {
		return
	}
	x, z = x[:len(a)*cols], z[:(len(a)-1)*ld+cols]
	from := wideRowsMachine(z, ld, x, mean, a)
	for i, w := range a {
		row, out := x[i*cols:][:cols], z[i*ld:][:cols]
		for j := from; j < cols; j++ {
			out[j] = w * (float64(row[j]) - mean[j])
		}
	}
}

// WideSpace is how many elements WideGram needs beside its arguments.
func WideSpace(rows, n int) int {
	if n > wideNarrow {
		return 2 * rows * n
	}
	return 0
}

// WideGram adds left'·right to g (n, n), where n, a multiple of WideColumns, is the width of both (rows, n). The product must be symmetric, as it is
// where left is right, or right with rows multiplied by numbers; only its upper triangle is complete in g. space has
// WideSpace elements, of any content.
func WideGram(g, left, right []float64, rows, n int, space []float64) {
	g, left, right = g[:n*n], left[:rows*n], right[:rows*n]
	if rows == 0 || n == 0 || wideGramMachine(g, left, right, rows, n, space) {
		return
	}
	for r := range rows {
		row := right[r*n:][:n]
		for i, v := range left[r*n:][:n] {
			if v == 0 {
				continue
			}
			out := g[i*n:][:n]
			for j := i; j < n; j++ {
				out[j] += v * row[j]
			}
		}
	}
}

// WideExp writes e^x for x <= 0; what is below -708 gives e^-708 or less. dst is as long as src, and may be it.
func WideExp(dst, src []float64) {
	dst = dst[:len(src)]
	done := wideExpMachine(dst, src)
	for i, x := range src[done:] {
		dst[done+i] = math.Exp(x)
	}
}
