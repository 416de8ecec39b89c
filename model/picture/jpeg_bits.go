package picture

// bits reads the bits of a scan, the most significant first.
type bits struct {
	data   []byte
	at     int
	acc    uint64
	n      int // bits in acc
	padded int // of them zeros that stand for what lies behind the end
}

func (b *bits) fill() {
	for b.n <= 48 {
		c := byte(0)
		switch {
		case b.at >= len(b.data) || b.data[b.at] == 0xff && (b.at+1 >= len(b.data) || b.data[b.at+1] != 0):
			b.padded += 8
		case b.data[b.at] == 0xff:
			c = 0xff
			b.at += 2
		default:
			c = b.data[b.at]
			b.at++
		}
		b.acc = b.acc<<8 | uint64(c)
		b.n += 8
	}
}

// take reads n bits, at most 16.
func (b *bits) take(n int) int32 {
	if b.n < n {
		b.fill()
	}
	b.n -= n
	return int32(b.acc >> b.n & (1<<n - 1))
}

// signed reads a number of n bits, whose first says the sign.
func (b *bits) signed(n byte) int32 {
	if n == 0 {
		return 0
	}
	if n > 16 {
		n = 16
	}
	v := b.take(int(n))
	if v < 1<<(n-1) {
		v += -1<<n + 1
	}
	return v
}

// over tells that more bits were taken than there are.
func (b *bits) over() bool { return b.n < b.padded }

// restart goes on behind the next restart marker, and reports whether it stands there.
func (b *bits) restart() bool {
	at := b.at
	for at+1 < len(b.data) && b.data[at] == 0xff && b.data[at+1] == 0xff {
		at++
	}
	if b.n-b.padded >= 8 || at+1 >= len(b.data) || b.data[at] != 0xff || b.data[at+1] < 0xd0 || b.data[at+1] > 0xd7 {
		return false
	}
	*b = bits{data: b.data, at: at + 2}
	return true
}

// huffman is a table of codes (ITU-T T.81, annex C).
type huffman struct {
	short  [256]uint16 // by the next 8 bits: length and value of a code that is no longer
	most   [17]int32   // greatest code of each length, -1 for none
	offset [17]int32   // from a code of that length to its place in values
	values []byte
}

func (j *jpegFile) huffmanTables(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 || b[0]>>4 > 1 || b[0]&15 > 3 {
			return jpegError("a wrong Huffman table")
		}
		total := 0
		for _, n := range b[1:17] {
			total += int(n)
		}
		if total > 256 || len(b) < 17+total {
			return jpegError("a wrong Huffman table")
		}
		t := &huffman{values: b[17 : 17+total]}
		code, k := int32(0), int32(0)
		for length := 1; length <= 16; length++ {
			t.offset[length], t.most[length] = k-code, -1
			for range b[length] {
				if code >= 1<<length {
					return jpegError("a wrong Huffman table")
				}
				if length <= 8 {
					for i := range 1 << (8 - length) {
						t.short[int(code)<<(8-length)|i] = uint16(length)<<8 | uint16(t.values[k])
					}
				}
				t.most[length] = code
				code++
				k++
			}
			code <<= 1
		}
		j.tables[b[0]>>4][b[0]&15], b = t, b[17+total:]
	}
	return nil
}

// next decodes a value; what is no code counts as data beyond the end.
func (t *huffman) next(b *bits) byte {
	if b.n < 16 {
		b.fill()
	}
	if e := t.short[b.acc>>(b.n-8)&255]; e != 0 {
		b.n -= int(e >> 8)
		return byte(e)
	}
	for length := 9; length <= 16; length++ {
		if code := int32(b.acc >> (b.n - length) & (1<<length - 1)); code <= t.most[length] {
			b.n -= length
			return t.values[code+t.offset[length]]
		}
	}
	b.n, b.padded = 0, 1
	return 0
}
