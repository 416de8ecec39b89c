//go:build !amd64 && !arm64

package kernel

func descentMachine(rule, *Step, []float32, []float32, []float32, []float32, []float32) bool {
	return false
}

func accumulateMachine([]float32, []float32, float32) bool { return false }

func energyMachine(*[energyLanes]float64, []float32) bool { return false }
