package source

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unsafe"
)

// What is a number: an optional sign, digits with an optional point, an optional decimal exponent; or inf, infinity in
// any case. Not a number, because reading it as one would lose something: a leading zero before a digit (007), an
// integer beyond ±2^53, a decimal beyond float64's range, hexadecimal, digits with underscores or separators.

//go:generate go run power.go

const maxInteger = 1 << 53

// exact10 are the powers of ten that a float64 holds exactly.
var exact10 = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
	1e21, 1e22,
}

var uint10 = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// digits reads up to eight decimal digits at the start of the eight bytes of w (little endian): their value and count.
func digits(w uint64) (uint64, int) {
	w ^= 0x3030303030303030                                   // digits become 0…9
	stop := (w + 0x7676767676767676 | w) & 0x8080808080808080 // the high bit of bytes above 9; right up to the first
	n := bits.TrailingZeros64(stop) >> 3
	w <<= uint(8-n) * 8 // leading zeros in front: eight digits always
	w = w*10 + w>>8
	const pairs = 0x000000FF000000FF
	return ((w&pairs)*0x000F424000000064 + (w>>16&pairs)*0x0000271000000001) >> 32, n
}

// pad is how many readable bytes follow every buffer that scanning functions get.
const pad = 16

// scanNumber reads the plain number that starts at b[p]: its value, and the position after it. It returns -1 where
// there is none, or where the long way (parseNumber) has to decide. b is readable up to pad bytes after its content.
func scanNumber(b []byte, p int) (float64, int) {
	neg := false
	switch b[p] {
	case '-':
		neg = true
		p++
	case '+':
		p++
	}
	start := p
	m, n := digits(binary.LittleEndian.Uint64(b[p:]))
	p += n
	for n == 8 {
		if p-start > 19 {
			return 0, -1
		}
		var d uint64
		d, n = digits(binary.LittleEndian.Uint64(b[p:]))
		m = m*uint10[n] + d
		p += n
	}
	count := p - start
	if b[start] == '0' && count > 1 {
		return 0, -1
	}
	exp := 0
	if b[p] == '.' {
		p++
		point := p
		for {
			d, n := digits(binary.LittleEndian.Uint64(b[p:]))
			m = m*uint10[n] + d
			p += n
			if n < 8 {
				break
			}
			if p-start > 21 {
				return 0, -1
			}
		}
		exp = point - p
		count += p - point
	} else if c := b[p] | 0x20; c != 'e' {
		if count == 0 || count > 16 || m > maxInteger {
			return 0, -1
		}
		v := float64(m)
		if neg {
			v = -v
		}
		return v, p
	}
	if count == 0 || count > 19 {
		return 0, -1
	}
	if b[p]|0x20 == 'e' {
		var ok bool
		if exp, p, ok = scanExponent(b, p+1, exp); !ok {
			return 0, -1
		}
	}
	v, ok := decimal(m, exp)
	if !ok {
		return 0, -1
	}
	if neg {
		v = -v
	}
	return v, p
}

// scanExponent reads the digits after an e, and adds them to exp.
func scanExponent(b []byte, p, exp int) (int, int, bool) {
	neg := b[p] == '-'
	if neg || b[p] == '+' {
		p++
	}
	e, n := digits(binary.LittleEndian.Uint64(b[p:]))
	if n == 0 || n > 4 {
		return 0, 0, false
	}
	if neg {
		e = -e
	}
	return exp + int(e), p + n, true
}

// decimal is m·10^exp rounded to the nearest float64, false where this short way does not tell.
func decimal(m uint64, exp int) (float64, bool) {
	if m <= maxInteger { // both factors are exact, so one rounding is all there is (Clinger 1990, fast path)
		switch {
		case exp == 0:
			return float64(m), true
		case exp < 0 && exp >= -22:
			return float64(m) / exact10[-exp], true
		case exp > 0 && exp <= 22:
			return float64(m) * exact10[exp], true
		}
	}
	return eiselLemire(m, exp)
}

// eiselLemire is the algorithm of D. Lemire, "Number Parsing at a Gigabyte per Second" (2021), section 5, as
// strconv has it: the product of m with a 128-bit power of ten decides the rounding, except in rare close cases.
func eiselLemire(m uint64, exp int) (float64, bool) {
	if m == 0 {
		return 0, true
	}
	if exp < minPower10 || exp > maxPower10 {
		return 0, false
	}
	lz := bits.LeadingZeros64(m)
	m <<= uint(lz)
	// 217706/2^16 is a little below log2(10).
	retExp := uint64(217706*exp>>16+64+1023) - uint64(lz)
	pow := power10[exp-minPower10]
	hi, lo := bits.Mul64(m, pow[0])
	if hi&0x1FF == 0x1FF && lo+m < m {
		yhi, ylo := bits.Mul64(m, pow[1])
		mhi, mlo := hi, lo+yhi
		if mlo < lo {
			mhi++
		}
		if mhi&0x1FF == 0x1FF && mlo+1 == 0 && ylo+m < m {
			return 0, false
		}
		hi, lo = mhi, mlo
	}
	msb := hi >> 63
	mant := hi >> (msb + 9)
	retExp -= 1 ^ msb
	if lo == 0 && hi&0x1FF == 0 && mant&3 == 1 { // half way between two floats
		return 0, false
	}
	mant += mant & 1
	mant >>= 1
	if mant>>53 > 0 {
		mant >>= 1
		retExp++
	}
	if retExp-1 >= 0x7FF-1 {
		return 0, false
	}
	return math.Float64frombits(retExp<<52 | mant&(1<<52-1)), true
}

// parseNumber decides over a whole field, blanks around it allowed: the value, and whether it is a number.
func parseNumber(f []byte) (float64, bool) {
	f = trimBlanks(f)
	if len(f) == 0 {
		return 0, false
	}
	p := 0
	if f[0] == '-' || f[0] == '+' {
		p = 1
	}
	whole, count := true, 0 // whole: an integer literal
	for i, c := range f[p:] {
		switch {
		case c >= '0' && c <= '9':
			count++
			if i == 1 && f[p] == '0' {
				return 0, false // 007
			}
		case c == '.' || c == 'e' || c == 'E':
			whole = false
		case c == '+' || c == '-':
			if f[p+i-1]|0x20 != 'e' {
				return 0, false
			}
		default:
			return parseInf(f, p)
		}
	}
	if count == 0 {
		return 0, false
	}
	v, err := strconv.ParseFloat(unsafe.String(&f[0], len(f)), 64)
	if err != nil || whole && math.Abs(v) > maxInteger {
		return 0, false
	}
	if whole && count > 15 { // 2^53+1 rounds to 2^53
		if n, err := strconv.ParseInt(unsafe.String(&f[0], len(f)), 10, 64); err != nil || n > maxInteger || n < -maxInteger {
			return 0, false
		}
	}
	return v, true
}

// parseInf reads inf and infinity; p is the position after the sign.
func parseInf(f []byte, p int) (float64, bool) {
	if c := f[p] | 0x20; c != 'i' || len(f)-p > 8 {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(f), 64)
	return v, err == nil && math.IsInf(v, 0)
}

// trimBlanks cuts spaces and tabs off both ends.
func trimBlanks(f []byte) []byte {
	for len(f) > 0 && (f[0] == ' ' || f[0] == '\t') {
		f = f[1:]
	}
	for len(f) > 0 && (f[len(f)-1] == ' ' || f[len(f)-1] == '\t') {
		f = f[:len(f)-1]
	}
	return f
}
