//go:build !amd64

package kernel

func machinePath() string { return plainGo }

func (t *tile) machine(int, int) bool { return false }

func weaveMachine([]float32, int, []float32, int, int, int) int { return 0 }

func cutMachine([]float32, []float32, int, int, int) bool { return false }
