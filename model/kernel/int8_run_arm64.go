package kernel

import "golang.org/x/sys/cpu"

const (
	limitLanes   = 4  // numbers that int8Limits compares at a time
	quantizeStep = 16 // numbers that int8Quantize takes at a time
)

// dotProduct: from 2017 on, processors add products of four bytes at once. Without, those of float32 are faster.
var dotProduct = cpu.ARM64.HasASIMDDP

// byteProducts says whether products of bytes are faster than those of float32.
func byteProducts() bool { return path != neon || dotProduct }

func byteHigh() int { return byteTile }

// tileBytesWide is nothing here: all tiles are of one kind.
func tileBytesWide(bool, int, *int32, *int32, uintptr, *byte, uintptr, *byte, int) bool { return false }
