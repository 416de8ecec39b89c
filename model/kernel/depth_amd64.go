package kernel

// depthMachine reports whether depthTile.run can run.
func depthMachine() bool { return path == avx2 }

// run goes over all planes with windows of d's kind.
func (t *depthTile) run(d *depth) {
	switch {
	case d.taps == 3 && d.down == 1 && d.right == 1:
		depth3x1x1(t)
	case d.taps == 3 && d.down == 1:
		depth3x1x2(t)
	case d.taps == 3 && d.right == 1:
		depth3x2x1(t)
	case d.taps == 3:
		depth3x2x2(t)
	case d.down == 1 && d.right == 1:
		depth5x1x1(t)
	case d.down == 1:
		depth5x1x2(t)
	case d.right == 1:
		depth5x2x1(t)
	default:
		depth5x2x2(t)
	}
}
