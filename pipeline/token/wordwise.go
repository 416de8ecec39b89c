package token

import (
	"context"
	"strings"
)

// mostKnown bounds the words whose parts are remembered.
const mostKnown = 1 << 20

// wordwise runs the nodes that cut texts into words, and those that part words for each word once. What comes of it is what Append's nodes give,
// which do both for every batch anew.
type wordwise struct {
	limit        int
	words, parts runner
	known        map[string][]int32
}

func (w *wordwise) encode(ctx context.Context, texts []string, to [][]int32) error {
	y, width, err := w.words.run(ctx, texts, len(texts), 1)
	if err != nil {
		return err
	}
	words := y.Str()[:len(texts)*width] // without those of the text that was added
	if err := w.learn(ctx, words); err != nil {
		return err
	}
	total := 0
	for _, word := range words {
		total += len(w.known[head(word)])
	}
	all := make([]int32, 0, total+len(texts))
	for i := range to {
		from := len(all)
		for _, word := range words[i*width:][:width] {
			all = append(all, w.known[head(word)]...)
		}
		if len(all) == from {
			all = append(all, Unknown)
		}
		all = all[:min(len(all), from+w.limit)]
		to[i] = all[from:len(all):len(all)]
	}
	return nil
}

// head is what is looked at of a word.
func head(word string) string {
	if len(word) <= longestHead {
		return word
	}
	n := 0
	for i := range word {
		if n++; n > longestHead {
			return word[:i]
		}
	}
	return word
}

// learn parts the words that are new, as many at a time as need little memory.
func (w *wordwise) learn(ctx context.Context, words []string) error {
	if len(w.known) > mostKnown {
		w.known = map[string][]int32{"": nil}
	}
	var fresh []string
	for _, word := range words {
		h := head(word)
		if _, ok := w.known[h]; !ok {
			h = strings.Clone(h)
			w.known[h], fresh = nil, append(fresh, h)
		}
	}
	for len(fresh) > 0 {
		some := fresh[:min(len(fresh), 4096)]
		fresh = fresh[len(some):]
		y, width, err := w.parts.run(ctx, some, len(some))
		if err != nil {
			return err
		}
		for i, h := range some {
			row := y.I64()[i*width:][:width]
			ids := make([]int32, length(row))
			for k := range ids {
				ids[k] = int32(row[k])
			}
			w.known[h] = ids
		}
	}
	return nil
}
