//go:build !amd64 && !arm64

package kernel

func tileBytesMachine(bool, []int32, []int32, int, []byte, int, int, []byte) bool { return false }

func byteHigh() int { return byteTile }

func moreBytesMachine([]int32, []byte, int, int, []byte, []int32) bool { return false }

func moreRowsMachine([]int32, []byte, []byte, []int32) bool { return false }

func weaveBytesMachine([]byte, int, *[4][]byte, int, byte) bool { return false }

func requantizeMachine(*Requantizer, []byte, int, int, int, []int32) int { return 0 }

func scaleMachine([]float32, int, int, []int32, []float32, []float32) bool { return false }

func limitsMachine([]float32) (lo, hi float32, done int) { return 0, 0, 0 }

func quantizeMachine[T Byte]([]T, []float32, float32, float32, float32, int32) int { return 0 }

func realMachine[T Byte]([]float32, []T, int32, float32) int { return 0 }
