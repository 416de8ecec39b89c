//go:build !amd64

package kernel

func wideDotsMachine([]float64, []float32, []float64, []float64) int { return 0 }

func wideSumsMachine([]float64, []float32, []float64, []float64) int { return 0 }

func wideMomentsMachine([]float64, []float64, []float32, []float64, []float64) int { return 0 }

func wideRowsMachine([]float64, int, []float32, []float64, []float64) int { return 0 }

func wideGramMachine([]float64, []float64, []float64, int, int, []float64) bool { return false }

func wideExpMachine([]float64, []float64) int { return 0 }
