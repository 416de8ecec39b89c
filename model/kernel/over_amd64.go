package kernel

// overMachine is Over for the dearer activations in assembly.
func (e *End) overMachine(c []float32, ld, rows, width int) bool {
	if path != avx2 {
		return false
	}
	var mask *int32
	if width%half != 0 {
		mask = tail(width)
	}
	step := uintptr(ld) * 4
	switch e.Act {
	case EndHardSigmoid:
		slideEndHardSigmoid(&c[0], step, &c[0], step, nil, rows, width/half, mask, 0, e.A, e.B)
	case EndHardSwish:
		slideEndHardSwish(&c[0], step, &c[0], step, nil, rows, width/half, mask, 0, e.A, e.B)
	default:
		return false
	}
	return true
}
