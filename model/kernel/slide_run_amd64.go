package kernel

func (t *slideTile) machine(rows int) bool {
	if path != avx2 {
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
	blocks := min(len(dst)/8, len(src)/16)
	if path != avx2 || blocks == 0 {
		return 0
	}
	slideEven(&dst[0], &src[0], blocks)
	return blocks * 8
}

func (e *End) machine(dst, sums []float32, step, rows, width int, bias float32, more []float32) bool {
	if path != avx2 {
		return false
	}
	var mask *int32
	if width%8 != 0 {
		mask = tail(width)
	}
	var m *float32
	if more != nil {
		m = &more[0]
	}
	d, s, ds, ss := &dst[0], &sums[0], uintptr(width)*4, uintptr(step)*4
	switch e.Act {
	case EndClip:
		slideEndClip(d, ds, s, ss, m, rows, width/8, mask, bias, e.A, e.B)
	case EndLeaky:
		slideEndLeaky(d, ds, s, ss, m, rows, width/8, mask, bias, e.A, e.B)
	case EndHardSigmoid:
		slideEndHardSigmoid(d, ds, s, ss, m, rows, width/8, mask, bias, e.A, e.B)
	case EndHardSwish:
		slideEndHardSwish(d, ds, s, ss, m, rows, width/8, mask, bias, e.A, e.B)
	default:
		slideEndNone(d, ds, s, ss, m, rows, width/8, mask, bias, e.A, e.B)
	}
	return true
}
