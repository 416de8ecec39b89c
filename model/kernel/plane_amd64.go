package kernel

// planeScaleMachine is ScalePlanes in assembly, which writes past a plane into the next one: so not in place, and not for the smallest planes.
func planeScaleMachine(dst, src, factors []float32, size int) bool {
	if path != avx2 || size < half || &dst[0] == &src[0] {
		return false
	}
	over := size % half
	planeScale(&dst[0], &src[0], &factors[0], len(factors), size/half, &masks[half-over], uintptr(over)*4)
	return true
}

// planeMeansMachine is PlaneMeans in assembly.
func planeMeansMachine(dst, src []float32, size int) bool {
	if path != avx2 {
		return false
	}
	over := size % half
	planeMeans(&dst[0], &src[0], len(dst), size/half, &masks[half-over], uintptr(over)*4, float32(size))
	return true
}
