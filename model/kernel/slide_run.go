//go:build !amd64 && !arm64

package kernel

func (t *slideTile) machine(int) bool { return false }

func evenMachine(dst, src []float32) int { return 0 }

func (e *End) machine(dst, sums []float32, step, rows, width int, bias float32, more []float32) bool {
	return false
}
