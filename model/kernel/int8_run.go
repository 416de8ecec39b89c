//go:build !amd64

package kernel

func tileBytesMachine([]int32, []int16, int, int, []int16, bool) bool { return false }

func widenMachine[T Byte]([]int16, []T, int32) int { return 0 }

func scaleMachine([]float32, int, int, []int32, []float32, []float32) bool { return false }

func limitsMachine([]float32) (lo, hi float32, done int) { return 0, 0, 0 }

func quantizeMachine[T Byte]([]T, []float32, float32, float32, float32, int32) int { return 0 }
