package kernel

// columnMachine multiplies tiles of m rows and k columns, step bytes from column to column, with b (k), in assembly; each gives eight elements, of
// which those past the tile's rows mean nothing. It only tells whether it could where there are no tiles.
func columnMachine(dst, a *float32, step uintptr, b *float32, k, tiles int, an, dn uintptr) bool {
	if path != avx2 {
		return false
	}
	if tiles > 0 {
		vectorColumn(dst, a, step, b, k, tiles, an, dn)
	}
	return true
}
