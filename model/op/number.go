package op

import (
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// parseFloat reads a number as C's strtod does, which onnxruntime uses: white space before it is skipped, what follows
// it is ignored; "nan", "inf", "infinity" in any case and hexadecimal are numbers.
// Errors: fault.Invalid where no number stands, or one beyond the range of float64.
func parseFloat(s string) (float64, error) {
	t := trimSpace(s)
	if x, err := strconv.ParseFloat(t, 64); err == nil && plain(t) {
		return x, nil
	}
	t, hex := floatPrefix(t)
	if hex {
		t += "p0"
	}
	x, err := strconv.ParseFloat(t, 64)
	if err != nil {
		return 0, unreadable(s)
	}
	return x, nil
}

// plain tells text without Go's own extras (underscores).
func plain(s string) bool {
	for i := range len(s) {
		if s[i] == '_' {
			return false
		}
	}
	return true
}

func unreadable(s string) error {
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return fault.New(fault.Invalid, "Cast: "+strconv.Quote(s)+" is not a number")
}

// trimSpace drops the white space of the C locale from the left.
func trimSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] >= '\t' && s[0] <= '\r') {
		s = s[1:]
	}
	return s
}

// floatPrefix is the longest start of s that is a number; hex tells a hexadecimal one without an exponent.
func floatPrefix(s string) (prefix string, hex bool) {
	i := signLength(s)
	for _, word := range []string{"infinity", "inf", "nan"} {
		if len(s) >= i+len(word) && sameLetters(s[i:i+len(word)], word) {
			return s[:i+len(word)], false
		}
	}
	if len(s) >= i+3 && s[i] == '0' && s[i+1]|0x20 == 'x' {
		if end := digits(s, i+2, isHex); end > i+2 && s[end-1] != '.' || end > i+3 {
			return withExponent(s, end, 'p')
		}
	}
	end := digits(s, i, isDecimal)
	if end == i || end == i+1 && s[i] == '.' {
		return "", false
	}
	prefix, _ = withExponent(s, end, 'e')
	return prefix, false
}

// withExponent adds an exponent that begins with mark, where a whole one follows.
func withExponent(s string, end int, mark byte) (string, bool) {
	if end < len(s) && s[end]|0x20 == mark {
		j := end + 1
		j += signLength(s[j:])
		if k := run(s, j, isDecimal); k > j {
			return s[:k], false
		}
	}
	return s[:end], true
}

func signLength(s string) int {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return 1
	}
	return 0
}

// digits is the end of digits with at most one point among them.
func digits(s string, i int, ok func(byte) bool) int {
	i = run(s, i, ok)
	if i < len(s) && s[i] == '.' {
		i = run(s, i+1, ok)
	}
	return i
}

func run(s string, i int, ok func(byte) bool) int {
	for i < len(s) && ok(s[i]) {
		i++
	}
	return i
}

func isDecimal(c byte) bool { return c >= '0' && c <= '9' }
func isHex(c byte) bool     { return isDecimal(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

func sameLetters(s, lower string) bool {
	for i := range len(s) {
		if s[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// parseInt reads an integer as C's strtoll does: white space before it is skipped, what follows it is ignored.
// Errors: fault.Invalid where no digit stands or the number passes limit (one more is allowed below zero).
func parseInt(s string, limit uint64) (x uint64, negative bool, err error) {
	t := trimSpace(s)
	sign := signLength(t)
	end := run(t, sign, isDecimal)
	negative = sign == 1 && t[0] == '-'
	if end == sign {
		return 0, false, unreadable(s)
	}
	x, bad := strconv.ParseUint(t[sign:end], 10, 64)
	if negative && limit == math.MaxInt64 {
		limit++
	}
	if bad != nil || x > limit {
		return 0, false, unreadable(s)
	}
	return x, negative, nil
}

// halfToFloat widens an IEEE 754 binary16.
func halfToFloat(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0: // zero or subnormal: frac · 2^-24
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// floatToHalf rounds to the nearest binary16, ties to even.
func floatToHalf(f float32) uint16 {
	bits := math.Float32bits(f)
	sign, bits := uint16(bits>>16)&0x8000, bits&0x7fffffff
	switch {
	case bits > 0x7f800000:
		return sign | 0x7e00
	case bits >= 0x477ff000: // rounds to more than 65504
		return sign | 0x7c00
	case bits < 0x38800000: // subnormal: the sum's rounding does the work
		sum := math.Float32frombits(bits) + 0.5
		return sign | uint16(math.Float32bits(sum)-math.Float32bits(0.5))
	}
	odd := bits >> 13 & 1
	return sign | uint16((bits+0xfff+odd-(112<<23))>>13)
}

// brainToFloat widens a bfloat16.
func brainToFloat(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// floatToBrain rounds to the nearest bfloat16, ties to even.
func floatToBrain(f float32) uint16 {
	bits := math.Float32bits(f)
	if f != f {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}
