package kernel

import "unsafe"

// The tiles of the float32 product: so many rows of A times so many columns of B have their sums in registers.
const (
	tileRows    = 6
	tallRows    = 12 // where tiles are tall
	tileColumns = 16
	half        = tileColumns / 2 // the width of a last panel that is no wider
)

// tile is what a micro-kernel needs: C (m, n) = act(A·B + what is there) for count tiles in a row. Steps are in bytes. Package gen knows the
// offsets of the fields.
type tile struct {
	a          *float32 // (m, k)
	rs, cs     uintptr  // from row to row and from column to column of A
	b          *float32 // (k, n), sixteen columns side by side
	bs, ps     uintptr  // from row to row of B, and from sixteen columns to the next sixteen
	k          int
	c          *float32 // (m, n)
	ldc        uintptr
	colBias    *float32 // (n), or nil
	rowBias    *float32 // (m), or nil
	count      int      // at least 1
	an, bn, cn uintptr  // from tile to tile
	colN, rowN uintptr  // the same for biases that are not nil
	mask       *int32   // (8) for the last vector of eight columns: all bits set where a column counts
	add        int      // 1: C is added to, 0: overwritten
	act        int      // an Activation
	lo, hi     float32
	w          int  // columns of the last vector that count, where they are fewer than eight; in a tall tile a bit for each of sixteen
	padded     bool // the rows of B are 8 or 16 wide where fewer columns count
}

// masks selects the first w of eight columns from index 8-w on.
var masks = [16]int32{-1, -1, -1, -1, -1, -1, -1, -1}

// run computes tiles of m rows and n columns: (1…6, 16), (1, 64), (1…3, 32), or (1…6, 1…15) from a last panel of 8 or 16; where they are
// tall, (1…12, 16), (1…12, 32), (1, 64) or (1…12, 1…15).
func (t *tile) run(m, n int) {
	if n < tileColumns {
		t.mask, t.w = &masks[(16-n)%half], n%half
	}
	if !t.machine(m, n) {
		t.plain(m, n)
	}
}

// plain is run in plain Go. A pointer never goes past its operand, where the garbage collector would find it: offsets do.
func (t *tile) plain(m, n int) {
	a, b, c := unsafe.Pointer(t.a), unsafe.Pointer(t.b), unsafe.Pointer(t.c)
	col, row := unsafe.Pointer(t.colBias), unsafe.Pointer(t.rowBias)
	for left := t.count; ; {
		for j := 0; j < n; j += 4 {
			w := min(4, n-j)
			at := uintptr(j/tileColumns)*t.ps + uintptr(j%tileColumns)*4
			for i := 0; i < m; i++ {
				var s, u [4]float32
				ap := unsafe.Add(a, uintptr(i)*t.rs)
				cp := unsafe.Add(c, uintptr(i)*t.ldc+uintptr(j)*4)
				t.begin(s[:w], cp, col, row, i, j)
				switch {
				case w == 4 && i+1 < m:
					dp := unsafe.Add(cp, t.ldc)
					t.begin(u[:], dp, col, row, i+1, j)
					t.sum2(ap, b, at, &s, &u)
					t.end(s[:], cp)
					t.end(u[:], dp)
					i++
				case w == 4:
					t.sum1(ap, b, at, &s)
					t.end(s[:], cp)
				default:
					t.sumPart(ap, b, at, s[:w])
					t.end(s[:w], cp)
				}
			}
		}
		if left--; left == 0 {
			return
		}
		a, b, c = unsafe.Add(a, t.an), unsafe.Add(b, t.bn), unsafe.Add(c, t.cn)
		col, row = unsafe.Add(col, t.colN), unsafe.Add(row, t.rowN)
	}
}

// begin sets sums of row i, column j on, to what the product is added to.
func (t *tile) begin(s []float32, c, col, row unsafe.Pointer, i, j int) {
	for x := range s {
		if t.add != 0 {
			s[x] = *(*float32)(unsafe.Add(c, x*4))
		}
		if col != nil {
			s[x] += *(*float32)(unsafe.Add(col, (j+x)*4))
		}
		if row != nil {
			s[x] += *(*float32)(unsafe.Add(row, i*4))
		}
	}
}

// end writes sums through the activation.
func (t *tile) end(s []float32, c unsafe.Pointer) {
	for x, v := range s {
		switch Activation(t.act) {
		case Clip:
			if v < t.lo {
				v = t.lo
			}
			if v > t.hi {
				v = t.hi
			}
		case Leaky:
			if v < 0 {
				v *= t.lo
			}
		}
		*(*float32)(unsafe.Add(c, x*4)) = v
	}
}

// sum2 adds two rows of A times four columns of B, which begin at an offset, to s and u.
func (t *tile) sum2(a, b unsafe.Pointer, at uintptr, s, u *[4]float32) {
	s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
	u0, u1, u2, u3 := u[0], u[1], u[2], u[3]
	rs, cs, bs := t.rs, t.cs, t.bs
	var from uintptr
	for range t.k {
		x, y, r := *(*float32)(unsafe.Add(a, from)), *(*float32)(unsafe.Add(a, from+rs)), (*[4]float32)(unsafe.Add(b, at))
		b0, b1, b2, b3 := r[0], r[1], r[2], r[3]
		s0 += x * b0
		u0 += y * b0
		s1 += x * b1
		u1 += y * b1
		s2 += x * b2
		u2 += y * b2
		s3 += x * b3
		u3 += y * b3
		from += cs
		at += bs
	}
	*s, *u = [4]float32{s0, s1, s2, s3}, [4]float32{u0, u1, u2, u3}
}

// sum1 is sum2 for one row.
func (t *tile) sum1(a, b unsafe.Pointer, at uintptr, s *[4]float32) {
	s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
	var from uintptr
	for range t.k {
		x, r := *(*float32)(unsafe.Add(a, from)), (*[4]float32)(unsafe.Add(b, at))
		s0 += x * r[0]
		s1 += x * r[1]
		s2 += x * r[2]
		s3 += x * r[3]
		from += t.cs
		at += t.bs
	}
	*s = [4]float32{s0, s1, s2, s3}
}

// sumPart is sum1 for fewer than four columns.
func (t *tile) sumPart(a, b unsafe.Pointer, at uintptr, s []float32) {
	var from uintptr
	for range t.k {
		x := *(*float32)(unsafe.Add(a, from))
		for j := range s {
			s[j] += x * *(*float32)(unsafe.Add(b, at+uintptr(j)*4))
		}
		from += t.cs
		at += t.bs
	}
}
