package kernel

import "math/bits"

// Dropout by a counter: whether an element is kept depends on a key, a stream and the element's place alone, not on what was drawn before or by whom.

// Philox is the generator Philox4x32-10: a bijection of counters, chosen by a key (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
// easy as 1, 2, 3", 2011, section 4.3). The zero Philox is that of key 0.
type Philox struct {
	keys    [20]uint32 // two words for each round
	counter [4]uint32  // the first word counts blocks
}

const (
	philoxM0, philoxM1 = 0xd2511f53, 0xcd9e8d57
	philoxW0, philoxW1 = 0x9e3779b9, 0xbb67ae85
)

// NewPhilox returns the generator of a key, and of those of its counters whose upper three words are stream and step.
func NewPhilox(key uint64, stream uint32, step uint64) Philox {
	p := Philox{counter: [4]uint32{0, stream, uint32(step), uint32(step >> 32)}}
	k0, k1 := uint32(key), uint32(key>>32)
	for i := 0; i < len(p.keys); i += 2 {
		p.keys[i], p.keys[i+1] = k0, k1
		k0, k1 = k0+philoxW0, k1+philoxW1
	}
	return p
}

// Block is the four words of counter i.
func (p *Philox) Block(i uint32) [4]uint32 {
	c := p.counter
	c[0] = i
	for k := 0; k < len(p.keys); k += 2 {
		h0, l0 := bits.Mul32(philoxM0, c[0])
		h1, l1 := bits.Mul32(philoxM1, c[2])
		c = [4]uint32{h1 ^ c[1] ^ p.keys[k], l1, h0 ^ c[3] ^ p.keys[k+1], l0}
	}
	return c
}

// DropGroup is how many elements share their blocks: eight blocks, element 8w + b of a group having word w of block b.
const DropGroup = 32

// Keep sets bit i of kept where element i, counted from a group's beginning, is not dropped: where its word is threshold or more. kept has a bit for
// each of n elements; those behind are 0.
func (p *Philox) Keep(kept []byte, group, n int, threshold uint32) {
	for at := 0; at < n; at += DropGroup {
		var draws [DropGroup]uint32
		for b := range 8 {
			for w, v := range p.Block(uint32((group+at/DropGroup)*8 + b)) {
				draws[8*w+b] = v
			}
		}
		for i := at; i < min(at+DropGroup, n); i += 8 {
			var set byte
			for k, v := range draws[i-at : min(i-at+8, n-at)] {
				if v >= threshold {
					set |= 1 << k
				}
			}
			kept[i/8] = set
		}
	}
}

// Drop writes scale·src where Keep keeps an element, 0 elsewhere.
func (p *Philox) Drop(dst, src []float32, kept []byte, group int, threshold uint32, scale float32) {
	dst, kept = dst[:len(src)], kept[:(len(src)+7)/8]
	whole := len(src) / DropGroup
	if whole > 0 && dropMachine(p, dst, src, kept, whole, group, threshold, scale) {
		at := whole * DropGroup
		dst, src, kept, group = dst[at:], src[at:], kept[at/8:], group+whole
	}
	p.Keep(kept, group, len(src), threshold)
	Kept(dst, src, kept, scale)
}

// Kept writes scale·src where the bits of kept are set, 0 elsewhere. dst may be src.
func Kept(dst, src []float32, kept []byte, scale float32) {
	dst, kept = dst[:len(src)], kept[:(len(src)+7)/8]
	if whole := len(src) / 8; whole > 0 && keepMachine(dst, src, kept, whole, scale) {
		dst, src, kept = dst[whole*8:], src[whole*8:], kept[whole:]
	}
	for i, x := range src {
		var y float32
		if kept[i/8]>>(i&7)&1 != 0 {
			y = x * scale
		}
		dst[i] = y
	}
}
