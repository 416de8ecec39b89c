//go:build !amd64 && !arm64

package kernel

func machinePath() string { return plainGo }

func machineTall() tallness { return tallNever }

func wide() bool { return true }

func byteProducts() bool { return true }

func (t *tile) machine(int, int) bool { return false }

func weaveMachine([]float32, int, []float32, int, int, int) int { return 0 }

func cutMachine([]float32, []float32, int, int, int) bool { return false }

func turnMachine([]float32, int, []float32, int, int, int, int) bool { return false }
