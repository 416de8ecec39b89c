package token

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Bounds of what learning keeps in memory.
const (
	longestWord = 100     // bytes of a word that can be learned
	mostWords   = 1 << 21 // different ones that are counted at a time
)

// counted is a word and how often it occurs.
type counted struct {
	text  string
	count int
}

// byCount orders words: most frequent first, equals by text.
func byCount(a, b counted) int {
	return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.text, b.text))
}

// count counts the words of all texts as they stand there, most frequent first, equals by text. Where there are too many different ones, the
// rarest are forgotten.
func count(ctx context.Context, texts []string, o Options) ([]counted, error) {
	p, err := cutting()
	if err != nil {
		return nil, err
	}
	counts := map[string]*int{}
	for i, s := range texts {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, fault.Wrap(context.Cause(ctx), fault.Canceled, "learning the tokenizer was given up")
		}
		eachToken(p, s, func(token string) bool {
			if len(token) > longestWord || !utf8.ValidString(token) {
				return true
			}
			n := counts[token]
			if n == nil {
				n = new(int)
				counts[strings.Clone(token)] = n // not a part of a text that would stay in memory
			}
			*n++
			return true
		})
		if len(counts) > mostWords {
			forget(counts, mostWords/2)
		}
	}
	out := make([]counted, 0, len(counts))
	for text, n := range counts {
		out = append(out, counted{text, *n})
	}
	slices.SortFunc(out, byCount)
	return out, nil
}

// forget drops the rarest words until no more than most are left (Manku and Motwani, "Approximate Frequency Counts over Data Streams", 2002, in
// simple form).
func forget(counts map[string]*int, most int) {
	for least := 1; len(counts) > most; least *= 2 {
		for text, n := range counts {
			if *n <= least {
				delete(counts, text)
			}
		}
	}
}
