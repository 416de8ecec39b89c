package kernel

// planeScaleMachine is ScalePlanes in assembly.
func planeScaleMachine(dst, src, factors []float32, size int) bool {
	if path != neon {
		return false
	}
	planeScale(&dst[0], &src[0], &factors[0], len(factors), size)
	return true
}

// planeMeansMachine is PlaneMeans in assembly.
func planeMeansMachine(dst, src []float32, size int) bool {
	if path != neon {
		return false
	}
	planeMeans(&dst[0], &src[0], len(dst), size, float32(size))
	return true
}
