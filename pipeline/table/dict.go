package table

import (
	"hash/maphash"
	"unsafe"

	"github.com/jarvis-ml/jarvis/pipeline/paged"
)

// Dict is the distinct texts of a column. Chunks of one source share it: codes never change their meaning, values are
// only added. Values never holds "" (that is missing). The zero Dict is empty and ready for use; a Dict that was made
// with Values alone works as well. It is not safe for concurrent writing.
type Dict struct {
	Values []string

	// slots is an open-addressing table, its length a power of two: the high half of a slot is the hash of a value,
	// the low half its code plus one, and 0 is free. It takes 8 bytes a slot where a map[string]int32 takes 24, and a
	// hit compares texts only where 32 bits of the hash agree.
	slots []uint64
	known int    // how many of Values are in slots
	arena []byte // the texts of new values are cut from here, so that a million of them are not a million allocations
	bytes int    // the length of all texts added
}

var seed = maphash.MakeSeed()

// NewDict returns an empty dictionary.
func NewDict() *Dict { return &Dict{} }

// Code returns the code of a text, adding it when it is new; -1 for "".
func (d *Dict) Code(s string) int32 {
	return d.CodeBytes(unsafe.Slice(unsafe.StringData(s), len(s)))
}

// CodeBytes is Code without allocating for a text that is known. It keeps no reference to b.
func (d *Dict) CodeBytes(b []byte) int32 {
	if len(b) == 0 {
		return -1
	}
	d.index()
	h := uint32(maphash.Bytes(seed, b))
	at, code := d.find(h, unsafe.String(&b[0], len(b)))
	if code >= 0 {
		return code
	}
	code = int32(len(d.Values))
	d.Values = append(d.Values, d.keep(b))
	d.slots[at] = uint64(h)<<32 | uint64(code+1)
	d.known++
	return code
}

// Find returns the code of a text, -1 when the dictionary does not hold it.
func (d *Dict) Find(s string) int32 {
	if s == "" || len(d.Values) == 0 {
		return -1
	}
	if d.known < len(d.Values) { // Values were set from outside; a reader must not build the index under others
		for i, v := range d.Values {
			if v == s {
				return int32(i)
			}
		}
		return -1
	}
	_, code := d.find(uint32(maphash.String(seed, s)), s)
	return code
}

// Bytes is about how much memory the dictionary takes.
func (d *Dict) Bytes() int { return d.bytes + 16*cap(d.Values) + 8*len(d.slots) }

// find returns the slot of a text and its code; for one that is not there, the free slot where it belongs, and -1.
func (d *Dict) find(h uint32, s string) (int, int32) {
	mask := len(d.slots) - 1
	for at := int(h) & mask; ; at = (at + 1) & mask {
		slot := d.slots[at]
		if slot == 0 {
			return at, -1
		}
		if uint32(slot>>32) == h {
			if code := int32(uint32(slot)) - 1; d.Values[code] == s {
				return at, code
			}
		}
	}
}

// index makes room for one value more and takes in values that were put into Values directly.
func (d *Dict) index() {
	if 4*(len(d.Values)+1) > 3*len(d.slots) {
		size := max(16, 2*len(d.slots))
		for 4*(len(d.Values)+1) > 3*size {
			size *= 2
		}
		old := d.slots
		d.slots = make([]uint64, size)
		for _, slot := range old {
			if slot != 0 {
				d.place(slot)
			}
		}
	}
	for ; d.known < len(d.Values); d.known++ {
		h := uint32(maphash.String(seed, d.Values[d.known]))
		d.place(uint64(h)<<32 | uint64(d.known+1))
	}
}

// place puts a slot into the first free place of its run.
func (d *Dict) place(slot uint64) {
	mask := len(d.slots) - 1
	at := int(slot>>32) & mask
	for d.slots[at] != 0 {
		at = (at + 1) & mask
	}
	d.slots[at] = slot
}

// keep copies a text into the arena.
func (d *Dict) keep(b []byte) string {
	d.bytes += len(b)
	if len(b) > cap(d.arena)-len(d.arena) {
		if d.bytes > paged.Large && paged.Enabled() {
			d.arena = paged.MakeRoom[byte](0, max(paged.Large, len(b)))
		} else if len(b) > 4096 {
			return string(b)
		} else {
			d.arena = make([]byte, 0, min(1<<16, max(256, 2*cap(d.arena), len(b))))
		}
	}
	at := len(d.arena)
	d.arena = append(d.arena, b...)
	return unsafe.String(&d.arena[at], len(b))
}
