package kernel

func (t *slideTile) machine(rows int) bool {
	if path != neon {
		return false
	}
	a, x, at, k, c, ldc := &t.a[0], &t.x[0], &t.at[0], len(t.at), &t.c[0], uintptr(t.ldc)*4
	add, an, xn, cn := 0, uintptr(t.an)*4, uintptr(t.xn)*4, uintptr(t.cn)*4
	if t.add {
		add = 1
	}
	switch rows {
	case 1:
		slideTile1(a, x, at, k, c, ldc, add, t.count, an, xn, cn)
	case 2:
		slideTile2(a, x, at, k, c, ldc, add, t.count, an, xn, cn)
	case 3:
		slideTile3(a, x, at, k, c, ldc, add, t.count, an, xn, cn)
	case 4:
		slideTile4(a, x, at, k, c, ldc, add, t.count, an, xn, cn)
	case 5:
		slideTile5(a, x, at, k, c, ldc, add, t.count, an, xn, cn)
	default:
		slideTile6(a, x, at, k, c, ldc, add, t.count, an, xn, cn)
	}
	return true
}

// evenMachine is Even in assembly for whole vectors; it returns how many elements it has done.
func evenMachine(dst, src []float32) int {
	blocks := min(len(dst)/4, len(src)/8)
	if path != neon || blocks == 0 {
		return 0
	}
	slideEven(&dst[0], &src[0], blocks)
	return blocks * 4
}

func (e *End) machine(dst, sums []float32, step, rows, width int, bias float32, more []float32) bool {
	if path != neon {
		return false
	}
	var m *float32
	if more != nil {
		m = &more[0]
	}
	d, s, ss := &dst[0], &sums[0], uintptr(step)*4
	switch e.Act {
	case EndClip:
		lo, hi := limits(e.A, e.B)
		slideEndClip(d, s, ss, m, rows, width, bias, lo, hi)
	case EndLeaky:
		slideEndLeaky(d, s, ss, m, rows, width, bias, e.A, e.B)
	case EndHardSigmoid:
		slideEndHardSigmoid(d, s, ss, m, rows, width, bias, e.A, e.B)
	case EndHardSwish:
		slideEndHardSwish(d, s, ss, m, rows, width, bias, e.A, e.B)
	default:
		slideEndNone(d, s, ss, m, rows, width, bias, e.A, e.B)
	}
	return true
}
