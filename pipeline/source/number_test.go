package source

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// padded returns s as scanNumber wants it: ended by a delimiter, with bytes to read after it.
func padded(s string) []byte { return append([]byte(s+","), make([]byte, pad)...) }

// checkNumber holds both roads to strconv.ParseFloat, bit for bit.
func checkNumber(t *testing.T, s string) {
	t.Helper()
	want, err := strconv.ParseFloat(s, 64)
	if v, p := scanNumber(padded(s), 0); p == len(s) {
		if err != nil || math.Float64bits(v) != math.Float64bits(want) {
			t.Errorf("scanNumber(%q) = %v, strconv has %v, %v", s, v, want, err)
		}
	}
	if v, ok := parseNumber([]byte(s)); ok {
		if err != nil || math.Float64bits(v) != math.Float64bits(want) {
			t.Errorf("parseNumber(%q) = %v, strconv has %v, %v", s, v, want, err)
		}
	}
}

func TestNumbersEqualStrconv(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	short := 0
	for range 100_000 {
		f := math.Float64frombits(r.Uint64())
		switch r.IntN(4) {
		case 0:
			f = r.NormFloat64() * math.Pow(10, float64(r.IntN(40)-20))
		case 1:
			f = float64(r.IntN(2_000_000)-1_000_000) / 1000
		}
		if math.IsNaN(f) {
			continue
		}
		s := strconv.FormatFloat(f, "gef"[r.IntN(3)], []int{-1, -1, 3, 8, 17}[r.IntN(5)], 64)
		checkNumber(t, s)
		if _, p := scanNumber(padded(s), 0); p == len(s) {
			short++
		}
	}
	if short < 50_000 {
		t.Errorf("only %d of 100,000 took the short way", short)
	}
	// Digits at random, near the limits of every branch, and decimals half way between two floats.
	for range 50_000 {
		var b strings.Builder
		if r.IntN(3) == 0 {
			b.WriteByte('-')
		}
		for range r.IntN(12) {
			b.WriteByte(byte('0' + r.IntN(10)))
		}
		b.WriteByte('.')
		for range r.IntN(14) {
			b.WriteByte(byte('0' + r.IntN(10)))
		}
		if r.IntN(2) == 0 {
			b.WriteString("e" + strconv.Itoa(r.IntN(180)-90))
		}
		checkNumber(t, b.String())
		checkNumber(t, strconv.FormatUint(1<<53+r.Uint64N(1<<11), 10)+"."+strconv.Itoa(r.IntN(10)))
	}
}

func TestWhatIsANumber(t *testing.T) {
	for s, want := range map[string]bool{
		"0": true, "-0": true, "7": true, "+5": true, "1.": true, ".5": true, "-.5e3": true, "1E5": true, " 12 ": true,
		"9007199254740992": true, "-9007199254740992": true, "9007199254740993.0": true, "inf": true, "-Infinity": true,
		"9007199254740993": false, "-9007199254740993": false, "12345678901234567890": false, "007": false, "-01": false,
		"00": false, "00.5": false, "0x1F": false, "1_000": false, "1e400": false, "": false, ".": false, "-": false, "e5": false,
		"1e": false, "1e+": false, "1-2": false, "2024-01-31": false, "1.2.3": false, "1,5": false, "nan": false, "true": false,
		"1 2": false, "５": false, "i": false, "infin": false, "+-5": false, "1e5e5": false, "0b1": false, "1p4": false,
	} {
		if _, ok := parseNumber([]byte(s)); ok != want {
			t.Errorf("parseNumber(%q) says %v", s, ok)
		}
		if _, p := scanNumber(padded(s), 0); p == len(s) && !want {
			t.Errorf("scanNumber takes %q", s)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-1.5e-7", "9007199254740993", "1e400", "123456789012345678901234567890", "0.000000000000000000001", "+.e", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !strings.ContainsAny(s, "_xXpP,\x00") {
			checkNumber(t, s)
		}
	})
}
