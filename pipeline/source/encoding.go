package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// encoding is how the bytes of a text stand for characters.
type encoding uint8

const (
	detected encoding = iota // UTF-8 when all bytes above 127 form UTF-8, Windows-1252 when none do
	utf8Text
	windows1252
	utf16le
	utf16be
)

// encodingOf decides from what is said and from the head of the data; skip is the length of the byte order mark.
func encodingOf(head []byte, said string) (e encoding, skip int) {
	mark := detected
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		mark, skip = utf8Text, 3
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		mark, skip = utf16le, 2
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		mark, skip = utf16be, 2
	}
	switch said {
	case "utf-8":
		e = utf8Text
	case "windows-1252":
		e = windows1252
	case "utf-16le":
		e = utf16le
	case "utf-16be":
		e = utf16be
	case "utf-16":
		if e = mark; e != utf16le && e != utf16be {
			e = guess16(head)
		}
		if e == detected {
			e = utf16le
		}
	default:
		if e = mark; e == detected {
			e = guess16(head)
		}
	}
	if e != mark {
		skip = 0
	}
	return e, skip
}

// guess16 sees UTF-16 without a mark: in text of mostly Western characters every second byte is zero.
func guess16(head []byte) encoding {
	head = head[:min(len(head), 1024)&^1]
	var zeros [2]int
	for i, b := range head {
		if b == 0 {
			zeros[i&1]++
		}
	}
	switch half := len(head) / 2; {
	case half == 0:
	case zeros[1]*10 >= half*7 && zeros[0] == 0:
		return utf16le
	case zeros[0]*10 >= half*7 && zeros[1] == 0:
		return utf16be
	}
	return detected
}

func (e encoding) wide() bool { return e == utf16le || e == utf16be }

// wideReader turns UTF-16 into UTF-8. A lone surrogate or half a unit is an error: nothing is replaced silently.
type wideReader struct {
	name string
	r    io.Reader
	big  bool
	in   [1 << 14]byte
	n    int // bytes in `in` that are not yet decoded
	out  []byte
	err  error
}

func (w *wideReader) Read(p []byte) (int, error) {
	for len(w.out) == 0 {
		if w.err != nil {
			return 0, w.err
		}
		n, err := w.r.Read(w.in[w.n:])
		w.n += n
		w.err = err
		w.decode()
	}
	n := copy(p, w.out)
	w.out = w.out[n:]
	return n, nil
}

func (w *wideReader) unit(i int) rune {
	if w.big {
		return rune(w.in[i])<<8 | rune(w.in[i+1])
	}
	return rune(w.in[i+1])<<8 | rune(w.in[i])
}

func (w *wideReader) decode() {
	w.out = w.out[:0:0]
	i := 0
	for i+1 < w.n {
		r := w.unit(i)
		if utf16.IsSurrogate(r) {
			if i+3 >= w.n {
				break
			}
			if r = utf16.DecodeRune(r, w.unit(i+2)); r == utf8.RuneError {
				w.err = fault.New(fault.BadData, "not UTF-16: half a surrogate pair").At(w.name).Try("say the encoding, or convert the file to UTF-8")
				return
			}
			i += 2
		}
		i += 2
		w.out = utf8.AppendRune(w.out, r)
	}
	w.n = copy(w.in[:], w.in[i:w.n])
	if errors.Is(w.err, io.EOF) && w.n > 0 {
		w.err = fault.New(fault.BadData, "not UTF-16, or cut off: it ends within a character").At(w.name).Try("say the encoding, or copy the file again")
	}
}

// high1252 are the characters of the bytes 0x80 to 0x9F in Windows-1252; those of the rest equal their byte. The five
// that the code page leaves open are control characters, as in the WHATWG encoding standard.
var high1252 = [32]rune{
	0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D,
	0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,
	0x017E, 0x0178,
}

// from1252 appends text in Windows-1252 to dst as UTF-8.
func from1252(dst, text []byte) []byte {
	for _, c := range text {
		switch {
		case c < 0x80:
			dst = append(dst, c)
		case c < 0xA0:
			dst = utf8.AppendRune(dst, high1252[c-0x80])
		default:
			dst = utf8.AppendRune(dst, rune(c))
		}
	}
	return dst
}

// script is what the bytes above 127 in a block of text show.
type script uint8

const (
	plainASCII script = iota
	showsUTF8
	shows1252
)

// scriptOf looks at a block that ends at a line's end. Where some bytes form UTF-8 and some do not, mixed is the
// position of the first byte that is not like those before it; else it is -1.
func scriptOf(b []byte) (s script, mixed int) {
	if isASCII(b) {
		return plainASCII, -1
	}
	if utf8.Valid(b) {
		return showsUTF8, -1
	}
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		is := showsUTF8
		if r == utf8.RuneError && n == 1 {
			is = shows1252
		}
		if s != plainASCII && s != is {
			return s, i
		}
		s = is
		i += n
	}
	return s, -1
}

func isASCII(b []byte) bool {
	var high uint64
	for len(b) >= 32 {
		high |= binary.LittleEndian.Uint64(b) | binary.LittleEndian.Uint64(b[8:]) | binary.LittleEndian.Uint64(b[16:]) |
			binary.LittleEndian.Uint64(b[24:])
		b = b[32:]
	}
	for _, c := range b {
		high |= uint64(c)
	}
	return high&0x8080808080808080 == 0
}

// prepare turns a block into UTF-8: the text and what it shows. spare is room that may be used for it.
func prepare(b []byte, e encoding, spare []byte) (text []byte, s script, bad *badLine) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return nil, 0, &badLine{
			line: bytes.Count(b[:i], newline), code: fault.BadData, message: "a NUL byte: this is not text",
			hint: "the file is binary, damaged, or UTF-16: then say the encoding",
		}
	}
	if e.wide() {
		return b, plainASCII, nil
	}
	if e == windows1252 {
		return from1252(spare[:0], b), plainASCII, nil
	}
	s, mixed := scriptOf(b)
	if e == utf8Text && mixed < 0 && s == shows1252 {
		for mixed = 0; b[mixed] < 0x80; mixed++ {
		}
	}
	if mixed >= 0 {
		return nil, 0, mixedScripts(bytes.Count(b[:mixed], newline), e)
	}
	if s == shows1252 {
		return from1252(spare[:0], b), s, nil
	}
	return b, s, nil
}

func mixedScripts(line int, e encoding) *badLine {
	message := "two encodings are mixed: some text is UTF-8, and here is some that is not"
	if e == utf8Text {
		message = "not UTF-8"
	}
	return &badLine{
		line: line, code: fault.BadData, message: message,
		hint: "say the encoding (windows-1252 reads any byte), or convert the file to UTF-8",
	}
}

var newline = []byte{'\n'}
