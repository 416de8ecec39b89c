package source

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// mode is what a pass over the data does with a column.
type mode uint8

const (
	ignore mode = iota
	check       // find out whether it is all numbers; keep nothing
	number
	text
)

// batch is what a worker made of a block: the columns that the pass asked for, in the file's order.
type batch struct {
	rows  int
	lines int // newlines in the block
	bytes int // of the file that the block took
	cols  []vector
	shows script
	bad   *badLine
	keys  []jsonKey // of a pass over JSON that discovers the columns
}

// vector is one column of a batch.
type vector struct {
	numbers []float64
	codes   []int32  // indices into set, -1 for missing
	set     *textSet // of this batch alone
	wrong   *badLine // the first value that is not a number, in a column read as numbers
}

// textSet collects the distinct texts of a column in a block, in the order of their first rows. It is private to a
// worker, so that the shared dictionary is asked once for each distinct text of a block instead of once a row.
type textSet struct {
	slots []uint32 // entry index plus one, 0 is free; a power of two
	texts []entry
	arena []byte
}

// entry is a distinct text. Texts of up to eight bytes are their key.
type entry struct {
	key     uint64
	hash    uint32
	off     uint32
	n       uint32
	missing bool
}

// The hash is a folded multiplication with secrets of the process, so that a hostile file cannot aim for collisions.
var secret0, secret1 = maphash.Bytes(maphash.MakeSeed(), nil) | 1, maphash.Bytes(maphash.MakeSeed(), nil) | 1

func hashWord(key uint64, n int) uint32 {
	hi, lo := bits.Mul64(key^secret0, uint64(n)^secret1)
	return uint32(hi ^ lo)
}

// wordOf is the key of a text of up to eight bytes: its bytes, the first one lowest.
func wordOf(b []byte) (key uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		key = key<<8 | uint64(b[i])
	}
	return key
}

func (s *textSet) reset() {
	clear(s.slots)
	s.texts, s.arena = s.texts[:0], s.arena[:0]
}

// short returns the entry of a text of n ≤ 8 bytes that are the key, and whether it is new.
func (s *textSet) short(key uint64, n int) (int32, bool) {
	h := hashWord(key, n)
	mask := uint32(len(s.slots) - 1)
	if len(s.slots) > 0 {
		for at := h & mask; s.slots[at] != 0; at = (at + 1) & mask {
			if e := &s.texts[s.slots[at]-1]; e.key == key && e.n == uint32(n) {
				return int32(s.slots[at] - 1), false
			}
		}
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], key)
	return s.add(entry{key: key, hash: h, n: uint32(n)}, b[:n]), true
}

// long is short for a text of more than eight bytes.
func (s *textSet) long(b []byte) (int32, bool) {
	h := longHash(b)
	mask := uint32(len(s.slots) - 1)
	if len(s.slots) > 0 {
		for at := h & mask; s.slots[at] != 0; at = (at + 1) & mask {
			e := &s.texts[s.slots[at]-1]
			if e.hash == h && e.n == uint32(len(b)) && bytes.Equal(s.bytes(e), b) {
				return int32(s.slots[at] - 1), false
			}
		}
	}
	return s.add(entry{hash: h, n: uint32(len(b))}, b), true
}

// longHash folds eight bytes at a time, the last eight overlapping, with the multiplication of hashWord.
func longHash(b []byte) uint32 {
	h := secret1 ^ uint64(len(b))
	for i := 0; i+8 < len(b); i += 8 {
		hi, lo := bits.Mul64(binary.LittleEndian.Uint64(b[i:])^secret0, h)
		h = hi ^ lo ^ secret1
	}
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(b[len(b)-8:])^secret0, h)
	return uint32(hi ^ lo)
}

// code is short or long, by the length.
func (s *textSet) code(b []byte) (int32, bool) {
	if len(b) <= 8 {
		return s.short(wordOf(b), len(b))
	}
	return s.long(b)
}

func (s *textSet) add(e entry, b []byte) int32 {
	e.off = uint32(len(s.arena))
	s.arena = append(s.arena, b...)
	s.texts = append(s.texts, e)
	if 2*len(s.texts) > len(s.slots) {
		s.slots = make([]uint32, max(64, 2*len(s.slots)))
		for i := range s.texts {
			s.place(i)
		}
	} else {
		s.place(len(s.texts) - 1)
	}
	return int32(len(s.texts) - 1)
}

func (s *textSet) place(i int) {
	mask := uint32(len(s.slots) - 1)
	at := s.texts[i].hash & mask
	for s.slots[at] != 0 {
		at = (at + 1) & mask
	}
	s.slots[at] = uint32(i + 1)
}

func (s *textSet) bytes(e *entry) []byte { return s.arena[e.off : e.off+e.n] }

// codesIn gives the set's texts their codes in the shared dictionary. to is room for the answer.
func (s *textSet) codesIn(d *table.Dict, to []int32) []int32 {
	to = to[:0]
	for i := range s.texts {
		if e := &s.texts[i]; e.missing {
			to = append(to, -1)
		} else {
			to = append(to, d.CodeBytes(s.bytes(e)))
		}
	}
	return to
}

// missingTexts is the set of texts that mean "no value", behind a filter by length and first byte.
type missingTexts struct {
	words  map[string]bool
	filter [256]uint64 // bit n: a word of n bytes begins with this byte
}

func newMissing(words []string) (*missingTexts, error) {
	m := &missingTexts{words: map[string]bool{}}
	for _, w := range words {
		if w == "" {
			continue
		}
		if len(w) > 63 {
			return nil, fault.New(fault.Invalid, "a text for missing values is longer than 63 bytes").At("missing")
		}
		m.words[w] = true
		m.filter[w[0]] |= 1 << len(w)
	}
	return m, nil
}

// has reports whether the text is empty, blank or one of the words.
func (m *missingTexts) has(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] == ' ' || b[0] == '\t' {
		if len(trimBlanks(b)) == 0 {
			return true
		}
	}
	return len(b) < 64 && m.filter[b[0]]>>len(b)&1 == 1 && m.words[string(b)]
}
