//go:build !amd64 && !arm64

package kernel

func winogradSplitMachine(dst []float32, even, odd, step int, src []float32, ld, rows, width int) (uint32, bool) {
	return 0, false
}

func winogradIntoMachine(v []float32, vf int, src []float32, step, rows, tiles int) bool {
	return false
}

func winogradOutMachine(dst []float32, step int, m []float32, mf, rows, tiles int) bool { return false }

func (w *winogradTile) machine(m, columns, count int) bool { return false }
