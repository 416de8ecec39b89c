//go:build !amd64

package kernel

func slopeMachine(Slope, []float32, []float32, []float32, float32, float32, float32) bool {
	return false
}

func momentsMachine([]float32, []float32, []float32, float32) (sum, with float32, ok bool) {
	return 0, 0, false
}

func blendMachine([]float32, []float32, []float32, float32, float32, float32) bool { return false }

func columnsMachine([]float32, []float32, []float32, []float32, []float32) bool { return false }

func layerBackMachine([]float32, []float32, []float32, []float32, []float32, []float32, float32, float32, float32, float32) bool {
	return false
}

func lstmCellMachine([]float32, []float32, []float32) bool { return false }

func lstmBackMachine([]float32, []float32, []float32, []float32, []float32, []float32) bool {
	return false
}

func dropMachine(*Philox, []float32, []float32, []byte, int, int, uint32, float32) bool { return false }

func keepMachine([]float32, []float32, []byte, int, float32) bool { return false }
