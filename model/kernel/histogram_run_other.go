//go:build !amd64

package kernel

func histogramMachine([]uint64, []uint32, []uint8, int, []uint64, []int32) bool { return false }

func histogramListsMachine([]uint64, []int, []uint32, []uint64, []int32) bool { return false }
