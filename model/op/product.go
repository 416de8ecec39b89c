package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

// gemm multiplies matrices, with scratch memory. float32 goes to the SIMD kernels, other types to a loop in Go.
type gemm[T kernel.Number] struct {
	threads int
	panels  scratch[[4]T]
	rows    scratch[T]
	runs    kept[products[T]]
	lent    kept[panels[T]]
	shares  kept[shared[T]]
}

// panels is B (k, n) laid out for products: single for float32, wide for other types.
type panels[T kernel.Number] struct {
	single kernel.PackedF32
	wide   kernel.Packed[T]

	elements *[]T // borrowed memory
	rows     *[][4]T
}

// asSingle is x where T is float32.
func asSingle[T kernel.Number](x []T) ([]float32, bool) {
	s, ok := any(x).([]float32)
	return s, ok
}

// layOut packs B (k, n), or B' (n, k) when trans, with rows ld apart, for good.
func layOut[T kernel.Number](b []T, k, n, ld int, trans bool) *panels[T] {
	if s, ok := asSingle(b); ok {
		return &panels[T]{single: kernel.PackF32(s, k, n, ld, trans, nil)}
	}
	return &panels[T]{wide: kernel.Pack(b, k, n, ld, trans, nil)}
}

// borrow is layOut in memory that giveBack takes back.
func (g *gemm[T]) borrow(b []T, k, n, ld int, trans bool) *panels[T] {
	p := g.lent.take()
	if s, ok := asSingle(b); ok {
		p.elements = g.rows.take(kernel.PackedLenF32(k, n))
		buf, _ := asSingle(*p.elements)
		p.single = kernel.PackF32(s, k, n, ld, trans, buf)
		return p
	}
	p.rows = g.panels.take(kernel.PackedLen(k, n))
	p.wide = kernel.Pack(b, k, n, ld, trans, *p.rows)
	return p
}

// giveBack ends what borrow began; nil was not borrowed.
func (g *gemm[T]) giveBack(p *panels[T]) {
	if p == nil {
		return
	}
	g.rows.put(p.elements)
	g.panels.put(p.rows)
	g.lent.put(p)
}

// run adds A·B to c (m, n): a (m, k), or (k, m) when ta, rows lda apart; b (k, n), or (n, k) when tb, rows ldb apart; packed is b
// laid out before, or nil.
func (g *gemm[T]) run(ctx context.Context, m, k, n int, a []T, lda int, ta bool, b []T, ldb int, tb bool, packed *panels[T], c []T) {
	if k > 0 {
		g.into(ctx, g.threads, m, k, n, a, lda, ta, b, ldb, tb, packed, c, n, true)
	}
}

// into is run on so many threads for c with rows ldc apart, whose content is replaced unless add is set.
func (g *gemm[T]) into(ctx context.Context, threads, m, k, n int, a []T, lda int, ta bool, b []T, ldb int, tb bool, packed *panels[T], c []T, ldc int, add bool) {
	if m == 0 || n == 0 {
		return
	}
	few := packed == nil && tb && !ta && m < 3
	if c32, ok := asSingle(c); ok && !few {
		e := &kernel.Epilogue{Add: add, Done: ctx.Done()}
		a32, _ := asSingle(a)
		if packed != nil {
			kernel.GemmF32(threads, m, a32, lda, ta, &packed.single, c32, ldc, e)
			return
		}
		b32, _ := asSingle(b)
		kernel.ProductF32(threads, m, k, n, a32, lda, ta, b32, ldb, tb, c32, ldc, e)
		return
	}
	if !add {
		for i := range m {
			clear(c[i*ldc:][:n])
		}
	}
	switch {
	case k == 0:
	case few:
		for i := range m {
			addDots(a[i*lda:][:k], b, ldb, c[i*ldc:][:n])
		}
	default:
		g.loop(ctx, threads, m, k, n, a, lda, ta, b, ldb, tb, packed, c, ldc)
	}
}

// loop adds A·B to c in plain Go; no dimension is 0.
func (g *gemm[T]) loop(ctx context.Context, threads, m, k, n int, a []T, lda int, ta bool, b []T, ldb int, tb bool, packed *panels[T], c []T, ldc int) {
	if ta {
		rows := g.rows.take(m * k)
		defer g.rows.put(rows)
		kernel.Transpose(*rows, a, k, m, lda)
		a, lda = *rows, k
	}
	if packed == nil && m < 4 && !tb {
		for i := range m {
			kernel.Axpy(a[i*lda:][:k], b, ldb, c[i*ldc:][:n])
		}
		return
	}
	if packed == nil {
		packed = g.borrow(b, k, n, ldb, tb)
		defer g.giveBack(packed)
	}
	if threads < 2 || m*n*k < 1<<18 {
		kernel.Gemm(m, a, lda, &packed.wide, c, ldc)
		return
	}
	r := g.shares.take()
	*r = shared[T]{a, c, lda, ldc, &packed.wide}
	spread(ctx, threads, m, max(2, (1<<17)/(n*k)), r)
	g.shares.put(r)
}

// shared is a product whose rows are divided among goroutines.
type shared[T kernel.Number] struct {
	a, c     []T
	lda, ldc int
	packed   *kernel.Packed[T]
}

func (r *shared[T]) Do(lo, hi int) {
	kernel.Gemm(hi-lo, r.a[lo*r.lda:], r.lda, r.packed, r.c[lo*r.ldc:], r.ldc)
}

// addDots adds the product of x (k) with each row of b (len(y), k), rows ld apart, to y.
func addDots[T kernel.Number](x, b []T, ld int, y []T) {
	for j := range y {
		row := b[j*ld:][:len(x)]
		var s0, s1, s2, s3 T
		i := 0
		for ; i+4 <= len(x); i += 4 {
			u, v := x[i:i+4:i+4], row[i:i+4:i+4]
			s0 += u[0] * v[0]
			s1 += u[1] * v[1]
			s2 += u[2] * v[2]
			s3 += u[3] * v[3]
		}
		for ; i < len(x); i++ {
			s0 += x[i] * row[i]
		}
		y[j] += s0 + s1 + s2 + s3
	}
}
