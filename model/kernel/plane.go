package kernel

// ScalePlanes writes to dst (planes, size) each plane of src times its factor (planes). dst may be src.
func ScalePlanes(dst, src, factors []float32, size int) {
	n := len(factors) * size
	if dst, src = dst[:n], src[:n]; n == 0 || planeScaleMachine(dst, src, factors, size) {
		return
	}
	for i, f := range factors {
		to := dst[i*size:][:size]
		for j, v := range src[i*size:][:size] {
			to[j] = v * f
		}
	}
}

// PlaneMeans writes to dst (planes) the mean of each plane of src (planes, size): NaN where there is nothing.
func PlaneMeans(dst, src []float32, size int) {
	if src = src[:len(dst)*size]; len(dst) == 0 {
		return
	}
	if size == 0 || size > sumBlock || !planeMeansMachine(dst, src, size) {
		for i := range dst {
			dst[i] = float32(Sum(src[i*size:][:size]) / float64(size))
		}
	}
}
