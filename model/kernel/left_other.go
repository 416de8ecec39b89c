//go:build !amd64

package kernel

func columnMachine(_, _ *float32, _ uintptr, _ *float32, _, _ int, _, _ uintptr) bool { return false }
