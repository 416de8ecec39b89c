//go:build !amd64 && !arm64

package kernel

func mapMachine(mapping, []float32, []float32, float32, float32) bool { return false }

func pairMachine(Pairing, []float32, []float32, []float32) bool { return false }

func lineEachMachine([]float32, []float32, []float32, []float32) bool { return false }

func normalizeMachine([]float32, []float32, []float32, []float32, float32, float32, float32) bool {
	return false
}

func sumMachine([]float32) (float32, bool) { return 0, false }

func squaresMachine([]float32, float32) (float32, bool) { return 0, false }

func dotMachine([]float32, []float32) (float32, bool) { return 0, false }

func greatestMachine([]float32) (float32, bool) { return 0, false }

func expSumMachine([]float32, []float32, float32) (float32, bool) { return 0, false }

func slideMachine(*Window, []float32, []float32, []float32, float32, int) bool { return false }

func splitMachine([]float32, []float32, []float32) int { return 0 }
