package kernel

const (
	limitLanes   = 8  // numbers that int8Limits compares at a time
	quantizeStep = 32 // numbers that int8Quantize takes at a time
)

// tileBytesWide is a tile in the instructions of newer processors, where this one has them.
func tileBytesWide(rows bool, m int, c, s *int32, between uintptr, x *byte, lda uintptr, b *byte, steps int) bool {
	if !vnni() {
		return false
	}
	tileVnni(rows, m, c, s, between, x, lda, b, steps)
	return true
}
