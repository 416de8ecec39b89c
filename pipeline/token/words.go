package token

import (
	"slices"
	"strings"

	"github.com/jarvis-ml/jarvis/model/graph"
)

// words is a vocabulary of whole words.
//
//	lower = StringNormalizer(texts)          string (rows+1), ASCII in lower case
//	words = Tokenizer(lower)[:, :limit]      string (rows+1, words)
//	ids   = LabelEncoder(words)              int64  (rows+1, words)
//
// The lower case of all of Unicode hangs on locales that a machine has or has not. That of ASCII is everywhere, and for the other letters the
// LabelEncoder knows each word as it was seen, and in lower, upper and title case.
type words struct {
	keys []string
	ids  []int64
	fold bool
}

// learnWords takes the most frequent words.
func learnWords(counts []counted, o Options) *Tokenizer {
	forms := map[string][]string{} // by folded word: as they were seen
	total := map[string]int{}
	for _, c := range counts {
		word, seen := c.text, c.text
		if !o.KeepCase {
			word, seen = strings.ToLower(c.text), asciiLower(c.text)
		}
		total[word] += c.count
		if seen != word && !slices.Contains(forms[word], seen) {
			forms[word] = append(forms[word], seen)
		}
	}
	var list []counted
	for word, n := range total {
		if n >= o.MinFrequency {
			list = append(list, counted{word, n})
		}
	}
	slices.SortFunc(list, byCount)
	list = list[:min(len(list), o.VocabSize-2)]

	t := &Tokenizer{options: o, tokens: []string{"<pad>", "<unk>"}}
	w := &words{keys: []string{""}, ids: []int64{Padding}, fold: !o.KeepCase}
	for _, c := range list {
		id := int64(len(t.tokens))
		t.tokens = append(t.tokens, c.text)
		keys := []string{c.text}
		if w.fold {
			keys = cases(c.text, forms[c.text])
		}
		for _, key := range keys {
			w.keys, w.ids = append(w.keys, key), append(w.ids, id)
		}
	}
	t.scheme = w
	return t
}

// cases lists the forms of a word in lower case that are the same word, ASCII in lower case: the word itself, those that were seen, in upper and
// in title case.
func cases(word string, seen []string) []string {
	keys := append([]string{word}, seen...)
	first := strings.ToUpper(string([]rune(word)[:1]))
	for _, form := range []string{strings.ToUpper(word), first + string([]rune(word)[1:])} {
		if key := asciiLower(form); strings.ToLower(key) == word && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// asciiLower is s with the letters of ASCII in lower case.
func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

func (w *words) append(b *graph.Builder, texts graph.Value, limit int) graph.Value {
	if w.fold {
		texts = b.OpWith("StringNormalizer", []graph.Attr{graph.StringAttr("case_change_action", "LOWER"), graph.StringAttr("locale", "C")}, texts)
	}
	tokens := slice(b, cut(b, texts, expression, 0), 1, 0, int64(limit))
	return b.Node(graph.ML, "LabelEncoder", []graph.Value{tokens}, 1, graph.StringsAttr("keys_strings", w.keys),
		graph.IntsAttr("values_int64s", w.ids...), graph.IntAttr("default_int64", Unknown))[0]
}
