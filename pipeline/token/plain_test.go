package token

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plain gives the ids of a text as a few lines of Go would.
func plain(t *Tokenizer, text string) []int32 {
	p, err := cutting()
	if err != nil {
		panic(err)
	}
	var tokens []string
	eachToken(p, text, func(token string) bool { tokens = append(tokens, token); return true })
	var ids []int32
	for _, token := range tokens[:min(len(tokens), t.options.MaxLen)] {
		if k, ok := t.scheme.(*pieces); ok {
			ids = append(ids, k.plain(t, token)...)
		} else {
			ids = append(ids, plainWord(t, token))
		}
	}
	if len(ids) == 0 {
		ids = []int32{Unknown}
	}
	return ids[:min(len(ids), t.options.MaxLen)]
}

func plainWord(t *Tokenizer, token string) int32 {
	if !utf8.ValidString(token) {
		return Unknown
	}
	if !t.options.KeepCase {
		token = strings.ToLower(token)
	}
	if at := slices.Index(t.tokens, token); at > 1 {
		return int32(at)
	}
	return Unknown
}

// plain is Algorithm 1 of Sennrich et al. applied: merge the pair that was learned first, everywhere in the word, until there is none.
func (k *pieces) plain(t *Tokenizer, token string) []int32 {
	var ids []int32
	for i, r := range []rune(token) {
		if i == longestHead {
			break
		}
		if !t.options.KeepCase {
			r = unicode.ToLower(r)
		}
		id := slices.Index(t.tokens[:k.first], string(r))
		if id <= endID || !utf8.ValidString(token) {
			id = Unknown
		}
		ids = append(ids, int32(id))
	}
	ids = append(ids, endID)
	for {
		best := len(k.merges)
		for i := 1; i < len(ids); i++ {
			if at := slices.Index(k.merges, merge{ids[i-1], ids[i]}); at >= 0 {
				best = min(best, at)
			}
		}
		if best == len(k.merges) {
			return ids
		}
		var out []int32
		for i := 0; i < len(ids); i++ {
			if i+1 < len(ids) && (merge{ids[i], ids[i+1]}) == k.merges[best] {
				out = append(out, int32(k.first+best))
				i++
			} else {
				out = append(out, ids[i])
			}
		}
		ids = out
	}
}
