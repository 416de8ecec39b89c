package kernel

// What the way back of a convolution to its weights needs beside the product: operands laid out where they are made, a block of rows of B at a time.

// TilesLen is the number of elements that PackTiles needs for A (m, k).
func TilesLen(m, k int) int { return m*k + half }

// PackTiles lays out A (m, parts·n) for AddTiles: part j of row i is n elements of src from i·ld + j·step on. Eight elements behind it are overwritten.
func PackTiles(dst []float32, m, parts, n int, src []float32, ld, step int) {
	high, k := tileHigh(), parts*n
	whole, more, last := cutBy(m, high)
	i := 0
	for _, g := range [3][2]int{{high, whole}, {more, min(more, 1)}, {last, min(last, 1)}} {
		for range g[1] {
			for j := range parts {
				weaveTile(dst[i*k+j*n*g[0]:], g[0], src[i*ld+j*step:], n, ld)
			}
			i += g[0]
		}
	}
}

// AddTiles adds A·B to C (m, width), its rows one after another: A (m, k) was laid out by PackTiles, B (k, width) lies row by row, width is 8 or 16.
func AddTiles(a []float32, m, k int, b []float32, width int, c []float32) {
	if m <= 0 || k <= 0 {
		return
	}
	_, _, _ = a[m*k-1], b[k*width-1], c[m*width-1]
	high := tileHigh()
	whole, more, last := cutBy(m, high)
	t := tile{k: k, rs: 4, b: &b[0], bs: uintptr(width) * 4, ldc: uintptr(width) * 4, add: 1, padded: true, count: 1}
	i := 0
	for _, g := range [3][2]int{{high, whole}, {more, min(more, 1)}, {last, min(last, 1)}} {
		rows, count := g[0], g[1]
		if count == 0 {
			continue
		}
		t.a, t.cs, t.c = &a[i*k], uintptr(rows)*4, &c[i*width]
		t.count, t.an, t.cn = count, uintptr(rows*k)*4, uintptr(rows*width)*4
		t.run(rows, width)
		i += rows * count
	}
}

// Weave writes n rows of src, up to 16 and ld apart, side by side to dst (k, width), where width, 8 or 16, is at least n; what no row fills is zero.
func Weave(dst []float32, width, n int, src []float32, k, ld int) {
	if n < width {
		clear(dst[:k*width])
	}
	for c := 0; c < n; c += half {
		weave(dst[c:], width, min(half, n-c), src[c*ld:], k, ld)
	}
}

// PackSlideTurned lays out for SlideF32 the A (m, k·len(taps)) that a convolution has on its way back: A(i, p·len(taps) + t) is element taps[t] of the
// filter w(p, i), all elements long, of w (k, m, all). dst holds SlideLen.
func PackSlideTurned(dst, w []float32, m, k, all int, taps []int32) {
	six, more, last := cut(m)
	i, deep := 0, k*len(taps)
	for _, g := range [3][2]int{{tileRows, six}, {more, min(more, 1)}, {last, min(last, 1)}} {
		for range g[1] {
			rows := g[0]
			for p := range k {
				from, to := w[(p*m+i)*all:][:rows*all], dst[i*deep+p*len(taps)*rows:][:len(taps)*rows]
				for t, tap := range taps {
					at := int(tap)
					for r := range rows {
						to[t*rows+r] = from[at]
						at += all
					}
				}
			}
			i += rows
		}
	}
}
