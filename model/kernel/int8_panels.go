package kernel

// BytePanels is B (k, n) as unsigned bytes, in the layout of PackedBytes.
type BytePanels struct {
	K, N int
	data []byte
}

// BytePanelsLen is the number of bytes that B (k, n) needs.
func BytePanelsLen(k, n int) int { return ByteK(k) * ((n + byteColumns - 1) &^ (byteColumns - 1)) }

// NewBytePanels is a B of any content, for Weave to fill, in the memory of buf.
func NewBytePanels(k, n int, buf []byte) BytePanels {
	return BytePanels{K: k, N: n, data: buf[:BytePanelsLen(k, n)]}
}

// Weave writes rows k, a multiple of four, and the three after it, each of n bytes flipped by a mask. Lines are readable up to the next multiple
// of sixteen. Rows past K are to be given, too, with any content, up to ByteK.
func (b *BytePanels) Weave(k int, lines *[4][]byte, flip byte) {
	panels := (b.N + byteColumns - 1) / byteColumns
	if panels == 0 {
		return
	}
	step := ByteK(b.K) * byteColumns
	dst := b.data[k*byteColumns:]
	for _, l := range lines {
		_ = l[:panels*byteColumns]
	}
	if weaveBytesMachine(dst, step, lines, panels, flip) {
		return
	}
	for p := range panels {
		to := (*[4 * byteColumns]byte)(dst[p*step:])
		for r, l := range lines {
			for j, v := range l[p*byteColumns:][:byteColumns] {
				to[4*j+r] = v ^ flip
			}
		}
	}
}
