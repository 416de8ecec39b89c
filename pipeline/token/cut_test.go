package token

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var update = flag.Bool("update", false, "write words.pattern and testdata/*.onnx; test/goldens/make_tokens.py then makes the ids")

// alone are the scripts whose characters are tokens each.
var alone = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar}

// classes lists the ranges of both classes. Code points that nobody has assigned go with their neighbours, so that there are few ranges.
func classes() (word, single string) {
	const none, inWord, asSingle = 0, 1, 2
	var out [3]strings.Builder
	kind, from, last := none, rune(0), rune(0)
	flush := func() {
		if kind == none {
			return
		}
		escaped(&out[kind], from)
		if last > from {
			out[kind].WriteByte('-')
			escaped(&out[kind], last)
		}
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		now := none
		switch {
		case unicode.In(r, unicode.Variation_Selector):
		case unicode.In(r, alone...) && unicode.In(r, unicode.L, unicode.M, unicode.N), unicode.In(r, unicode.P, unicode.S):
			now = asSingle
		case unicode.In(r, unicode.L, unicode.M, unicode.N):
			now = inWord
		case !unicode.In(r, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs):
			continue
		}
		if now != kind {
			flush()
			kind, from = now, r
		}
		last = r
	}
	flush()
	return out[inWord].String(), out[asSingle].String()
}

// escaped writes a character as one of a class.
func escaped(b *strings.Builder, r rune) {
	if r < 0x80 && !unicode.In(r, unicode.L, unicode.N) {
		b.WriteByte('\\')
	}
	b.WriteRune(r)
}

// The pattern is what Unicode's tables say, as long as they are of the version that it was made from.
func TestPatternFollowsUnicode(t *testing.T) {
	word, single := classes()
	want := "[" + word + "]+(?:['’][" + word + "]+)*|[" + single + "]"
	if *update {
		if err := os.WriteFile("words.pattern", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if unicode.Version == "15.0.0" && expression != want {
		t.Error("words.pattern is not what Unicode 15 gives: run the test with -update")
	}
}

func TestCutting(t *testing.T) {
	p, err := cutting()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"It's ‘quoted’ über-cool, isn’t it?!": "It's|‘|quoted|’|über|-|cool|,|isn’t|it|?|!",
		"❤️ 👩‍💻 $3.14\x00\u200b\t\n":          "❤|👩|💻|$|3|.|14",
		"日本語カタカナ ไทย":                         "日|本|語|カタカナ|ไ|ท|ย",
		"हिन्दी, عربي، Ελληνικά עִבְרִית":     "हिन्दी|,|عربي|،|Ελληνικά|עִבְרִית",
		"a_b\xffc\ufe0f": "a|_|b|\xff|c",
		"  ":             "",
	} {
		var got []string
		eachToken(p, text, func(token string) bool { got = append(got, token); return true })
		if !slices.Equal(got, strings.FieldsFunc(want, func(r rune) bool { return r == '|' })) && strings.Join(got, "|") != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
