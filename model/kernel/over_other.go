//go:build !amd64

package kernel

func (e *End) overMachine([]float32, int, int, int) bool { return false }
