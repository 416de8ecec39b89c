package kernel

// What a convolution does under its window, without writing out what each window sees: where an image lies so that neighbours in the output are
// neighbours in memory, what tap p sees of all of them is the image itself, from some place on (Zhang, Franchetti and Low, "High Performance
// Zero-Memory Overhead Direct Convolutions", 2018, have the same loops over another layout).

// slideColumns is what the number of columns of SlideF32 is a multiple of.
const slideColumns = 32

// SlideColumns rounds n up to what SlideF32 takes.
func SlideColumns(n int) int { return (n + slideColumns - 1) &^ (slideColumns - 1) }

// SlideLen is the number of elements that PackSlide needs for A (m, k).
func SlideLen(m, k int) int { return m*k + half }

// PackSlide lays out A (m, k) for SlideF32 in dst (SlideLen).
func PackSlide(dst, a []float32, m, k int) { packA(dst, a, m, k, k, tileRows) }

// SlideF32 makes C (m, n), its rows n apart, of A·B, where row p of B (k, n) are the n elements of x from at[p]/4 on: at (k) is in bytes, from 0 to
// last. A (m, k) was laid out by PackSlide. n is a multiple of 32.
func SlideF32(m int, a, x []float32, at []int32, last int, c []float32, n int) {
	const depth = 256 // taps that are summed at a time: what they see of sixteen columns fits the first-level cache
	k := len(at)
	if m <= 0 || k == 0 || n <= 0 {
		return
	}
	_, _, _ = a[m*k-1], x[last/4+n-1], c[m*n-1]
	blocks := (k + depth - 1) / depth
	six, more, rest := cut(m)
	for i := 0; i < m; { // rows of A that stay in the second-level cache
		s := slide{row: i, six: min(six, aRows/tileRows), n: n}
		if six -= s.six; six == 0 {
			s.ends = [2]int{more, rest}
		}
		for b := range blocks {
			p, p1 := k*b/blocks, k*(b+1)/blocks
			s.block(a, x, at, p, p1, c)
		}
		i += s.six*tileRows + s.ends[0] + s.ends[1]
	}
}

// slide is a part of the rows of C: so many tiles of six from row on, and at the end up to two smaller ones.
type slide struct {
	row, six int
	ends     [2]int
	n        int
}

// block adds what the taps p…p1 give.
func (s *slide) block(a, x []float32, at []int32, p, p1 int, c []float32) {
	k := len(at)
	t := slideTile{at: at[p:p1], add: p > 0, ldc: s.n}
	for j := 0; j < s.n; j += tileColumns {
		t.x = x[j:]
		row := s.row
		if s.six > 0 {
			t.a, t.c, t.count, t.an, t.xn, t.cn = a[row*k+p*tileRows:], c[row*s.n+j:], s.six, tileRows*k, 0, tileRows*s.n
			t.run(tileRows)
			row += s.six * tileRows
		}
		for _, rows := range s.ends {
			if rows == 0 {
				break
			}
			t.a, t.c = a[row*k+p*rows:], c[row*s.n+j:]
			if rows > 3 {
				t.count = 1
				t.run(rows)
			} else if j == 0 { // all columns at once
				t.count, t.an, t.xn, t.cn = s.n/slideColumns, 0, slideColumns, slideColumns
				t.run(rows)
			}
			row += rows
		}
	}
}

// slideTile is count tiles of up to six rows and sixteen columns, from four rows on, or 32: an, xn and cn elements apart.
type slideTile struct {
	a, x, c    []float32
	at         []int32
	ldc        int
	add        bool
	count      int
	an, xn, cn int
}

func (t *slideTile) run(rows int) {
	if t.machine(rows) {
		return
	}
	columns := tileColumns
	if rows < 4 {
		columns = slideColumns
	}
	for n := range t.count {
		for i := range rows {
			c := t.c[n*t.cn+i*t.ldc:][:columns]
			if !t.add {
				clear(c)
			}
			for p, at := range t.at {
				w, x := t.a[n*t.an+p*rows+i], t.x[n*t.xn+int(at/4):][:len(c)]
				for j, v := range x {
					c[j] += w * v
				}
			}
		}
	}
}

// Even writes every other element of src to dst (n): src[0], src[2], …
func Even(dst, src []float32) {
	if len(dst) == 0 {
		return
	}
	_ = src[2*len(dst)-2]
	done := evenMachine(dst, src)
	for i := done; i < len(dst); i++ {
		dst[i] = src[2*i]
	}
}

// End is how sums become an output: f(sum + bias + more). A and B are those of f.
type End struct {
	Act  EndActivation
	A, B float32
}

// EndActivation is a function that End knows.
type EndActivation int

// The functions of End. NaN stays NaN.
const (
	EndNone        EndActivation = iota
	EndClip                      // into [A, B]
	EndLeaky                     // x·A where x < 0
	EndHardSigmoid               // max(0, min(1, A·x + B))
	EndHardSwish                 // x·max(0, min(1, A·x + B))
)

// Rows writes rows of width elements, one after another in dst, of sums that are step apart. more lies as dst does, or is nil.
func (e *End) Rows(dst, sums []float32, step, rows, width int, bias float32, more []float32) {
	if rows <= 0 || width <= 0 {
		return
	}
	_, _ = dst[rows*width-1], sums[(rows-1)*step+width-1]
	if more != nil {
		_ = more[rows*width-1]
	}
	if e.machine(dst, sums, step, rows, width, bias, more) {
		return
	}
	for r := range rows {
		d, s := dst[r*width:][:width], sums[r*step:][:width]
		for i, x := range s {
			x += bias
			if more != nil {
				x += more[r*width+i]
			}
			d[i] = e.of(x)
		}
	}
}

func (e *End) of(x float32) float32 {
	switch e.Act {
	case EndClip:
		if x < e.A {
			x = e.A
		}
		if x > e.B {
			x = e.B
		}
	case EndLeaky:
		if x < 0 {
			x *= e.A
		}
	case EndHardSigmoid:
		x = min(max(e.A*x+e.B, 0), 1)
	case EndHardSwish:
		x *= min(max(e.A*x+e.B, 0), 1)
	}
	return x
}
