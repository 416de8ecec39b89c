package token

import (
	_ "embed"
	"sync"

	"github.com/jarvis-ml/jarvis/model/pattern"
)

// What a text is cut into, in every kind of tokenizer here: words, which are runs of letters, digits and their marks, with single apostrophes
// inside; and single marks of punctuation and symbols, ! and 😀 among them. Scripts that put no spaces between words are cut into characters.
// White space and control characters are dropped.
//
//	[word]+(?:['’][word]+)*|[single]
//
// The classes are written as ranges: what \pL means changes with every version of Unicode, and differs between runtimes today. A test makes them
// from Unicode's tables.
//
//go:embed words.pattern
var expression string

// cutting is the expression as this process runs it.
var cutting = sync.OnceValues(func() (*pattern.Pattern, error) { return pattern.Compile(expression) })

// eachToken calls f with the tokens of a text, one after the other, until it returns false.
func eachToken(p *pattern.Pattern, s string, f func(token string) bool) {
	for at := 0; ; {
		begin, end := p.Next(s, at)
		if end < 0 || !f(s[begin:end]) {
			return
		}
		at = end
	}
}
