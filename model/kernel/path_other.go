//go:build !amd64

package kernel

func machinePath() string { return plainGo }

func (t *tile) machine(int, int) bool { return false }
