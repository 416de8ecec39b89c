package pattern_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/pattern"
)

// all lists the matches of a pattern.
func all(p *pattern.Pattern, s string) []string {
	var out []string
	for at := 0; ; {
		begin, end := p.Next(s, at)
		if end < 0 {
			return out
		}
		out, at = append(out, s[begin:end]), end
	}
}

// expected does the same by package regexp, without matches of nothing.
func expected(expression, s string) []string {
	re := regexp.MustCompile(expression)
	re.Longest()
	return slices.DeleteFunc(re.FindAllString(s, -1), func(m string) bool { return m == "" })
}

var expressions = []string{
	`[a-z]+`, `a|ab|abc`, `(ab|bcd)`, `.{1,3}`, `\w+`, `[^\s,.]+|[,.]`, `a*`, `(?:a|b)?c`, `x{2}`, `x{2,}y?`, `[à-ÿ]+(?:['’][à-ÿ]+)*|[!?]`, `\x41\x{1F600}?`, `[]a-]+`, `[^]x]`,
	`\.|\\|\+`, `(a|b|)+c?`, `\D\d`, `\W`, `(?:(?:ab){1,2}c?){1,2}`, `[\d\s-]+`, `a{0}b`, `(){3}a`, `(a?){3}`, `a{0,63}`, `(a{1,2}){2}`, `[^\x00-\x7f]{1,2}`, `a{0,0}`, `[a-a]`, `\S+`, `\n|\t| |\r|\f|\v|\a`,
}

var samples = []string{
	"", "a", "abcabcd", "xx xxx xxxxy", "été d’été! ça va?", "A😀A", "a]b-c]", "12 345-6\n7", "ab,cd..é\xff\xfe,\xe2\x82", "ababcababc", "\\+.", strings.Repeat("aab", 50), "aaaaaaa", "\u2028日本語 text",
}

func TestFindsWhatRegexpFinds(t *testing.T) {
	for _, e := range expressions {
		p, err := pattern.Compile(e)
		if err != nil {
			t.Errorf("%s: %v", e, err)
			continue
		}
		for _, s := range samples {
			if got, want := all(p, s), expected(e, s); !slices.Equal(got, want) {
				t.Errorf("%s in %q: %q, want %q", e, s, got, want)
			}
		}
	}
}

func TestRefusesWhatItLacks(t *testing.T) {
	for e, why := range map[string]string{
		`^a`: "anchor", `a$`: "anchor", `\bword`: "escape", `\pL`: "escape", `(?i)a`: "flags", `(?P<n>a)`: "flags", `a*?`: "lazy", `a**`: "double", `*a`: "repetition of nothing",
		`(a`: "without an end", `a)`: "too many", `[a`: "without an end", `[z-a]`: "range", `[\d-z]`: "range", `[[:alpha:]]`: "by name", `a{2,1}`: "count", `a{1`: "count", `a{,2}`: "count",
		`a{64}`: "too many parts", `(a{9}){9}`: "too many parts", `a+b`: "read far", `a|a+b`: "read far", `\`: `\ at its end`, `\x{110000}`: "number", `\xg0`: "number", `\x{41`: "number", `\x4`: "number",
		strings.Repeat("(", 200): "groups in groups", strings.Repeat("a", 1<<17): "too many characters", "\xff": "UTF-8", `\8`: "escape",
	} {
		if _, err := pattern.Compile(e); !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), why) {
			t.Errorf("%.20s: %v, want %q", e, err, why)
		}
	}
}

// A text is read once, however long its matches are and however many it has.
func TestLongTexts(t *testing.T) {
	p, err := pattern.Compile(`[a-z]+|[!?]`)
	if err != nil {
		t.Fatal(err)
	}
	if got := all(p, strings.Repeat("a", 1<<20)+strings.Repeat(" !", 1<<19)); len(got) != 1+1<<19 || len(got[0]) != 1<<20 {
		t.Errorf("%d matches", len(got))
	}
}

// What both understand, both find.
func FuzzPattern(f *testing.F) {
	for i, e := range expressions {
		f.Add(e, samples[i%len(samples)])
	}
	f.Fuzz(func(t *testing.T, e, s string) {
		p, err := pattern.Compile(e)
		if err != nil || len(s) > 1000 {
			return
		}
		if _, err := regexp.Compile(e); err != nil {
			t.Fatalf("%q is no expression for regexp: %v", e, err)
		}
		if got, want := all(p, s), expected(e, s); !slices.Equal(got, want) {
			t.Errorf("%q in %q: %q, want %q", e, s, got, want)
		}
	})
}

func BenchmarkWords(b *testing.B) {
	p, err := pattern.Compile(`[a-zA-Z0-9à-ÿ]+(?:'[a-zA-Z0-9à-ÿ]+)*|[!-&(-/:-@]`)
	if err != nil {
		b.Fatal(err)
	}
	s := strings.Repeat("It's a small text, with some words. ", 100)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		all(p, s)
	}
}
