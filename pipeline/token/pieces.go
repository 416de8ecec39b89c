package token

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/jarvis-ml/jarvis/model/graph"
)

// pieces is byte-pair encoding (Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016, section 3.2),
// on characters: a word begins as its characters and a mark for its end, and the pair of neighbours that was learned first becomes one piece, as
// long as there is such a pair.
type pieces struct {
	keys   []string // characters, with every form that is the same letter
	ids    []int64
	merges []merge // merge i makes piece first+i
	first  int
	size   int
}

// merge is a pair of pieces that becomes one.
type merge struct{ left, right int32 }

// Marks of the operator Tokenizer, and the id of the end of a word.
const (
	wordStart = "\x02"
	wordEnd   = "\x03"
	endID     = 2
)

// longestHead is the most characters of a word that become pieces; those behind them are dropped.
const longestHead = 60

// pieceTokens lists what stands for nothing or for the end of a word.
func pieceTokens() []string { return []string{"<pad>", "<unk>", "</w>"} }

// learnPieces takes characters, most frequent first, and then pairs, until the vocabulary is full.
func learnPieces(ctx context.Context, counts []counted, o Options) (*Tokenizer, error) {
	counts = heads(counts, o)
	t := &Tokenizer{options: o, tokens: pieceTokens()}
	p := &pieces{}
	alphabet := map[rune]int32{}
	for _, c := range frequent(counts, o) {
		alphabet[c] = int32(len(t.tokens))
		t.tokens = append(t.tokens, string(c))
	}
	p.first = len(t.tokens)
	l := newLearner(counts, alphabet)
	for len(t.tokens) < o.VocabSize {
		m, ok, err := l.next(ctx, o.MinFrequency, int32(len(t.tokens)))
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		p.merges = append(p.merges, m)
		t.tokens = append(t.tokens, t.tokens[m.left]+t.tokens[m.right])
	}
	p.size = len(t.tokens)
	p.setKeys(alphabet, !o.KeepCase)
	t.scheme = p
	return t, nil
}

// heads cuts words to what is looked at, and brings them into one case.
func heads(counts []counted, o Options) []counted {
	total := map[string]int{}
	for _, c := range counts {
		text := c.text
		if !o.KeepCase {
			text = strings.Map(unicode.ToLower, text)
		}
		if r := []rune(text); len(r) > longestHead {
			text = string(r[:longestHead])
		}
		total[text] += c.count
	}
	out := make([]counted, 0, len(total))
	for text, n := range total {
		out = append(out, counted{text, n})
	}
	slices.SortFunc(out, byCount)
	return out
}

// frequent lists the characters that are frequent enough, most frequent first, as many as have room.
func frequent(counts []counted, o Options) []rune {
	total := map[rune]int{}
	for _, c := range counts {
		for _, r := range c.text {
			total[r] += c.count
		}
	}
	var list []counted
	for r, n := range total {
		if n >= o.MinFrequency {
			list = append(list, counted{string(r), n})
		}
	}
	slices.SortFunc(list, byCount)
	var out []rune
	for _, c := range list[:min(len(list), o.VocabSize-endID-1)] {
		out = append(out, []rune(c.text)[0])
	}
	return out
}

// setKeys lists the characters of the alphabet, and with fold those whose lower case they are.
func (p *pieces) setKeys(alphabet map[rune]int32, fold bool) {
	p.keys, p.ids = []string{"", wordStart, wordEnd}, []int64{Padding, Padding, endID}
	add := func(r rune, id int32) { p.keys, p.ids = append(p.keys, string(r)), append(p.ids, int64(id)) }
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if id, ok := alphabet[r]; ok {
			add(r, id)
		} else if fold && unicode.IsLetter(r) || fold && unicode.Is(unicode.So, r) || fold && unicode.Is(unicode.Nl, r) {
			if id, ok := alphabet[unicode.ToLower(r)]; ok {
				add(r, id)
			}
		}
	}
}

// append appends, with R = rows+1, W words of a text at most, U different words, S pieces of a word at most:
//
//	words = Tokenizer(texts)[:, :limit]             string (R, W)
//	heads = Tokenizer(words, .{1,60})[:, 0]         string (R·W)
//	different, which = Unique(heads)                string (U), int64 (R·W)
//	chars = Tokenizer(different, characters)        string (U, S+1), from one mark to the other
//	parts = LabelEncoder(chars)                     int64  (U, S+1), then merged in a Loop
//	ids   = the parts of each row's words, put together
func (p *pieces) append(b *graph.Builder, texts graph.Value, limit int) graph.Value {
	words := p.words(b, texts, limit)
	different, which := distinct(b, headsOf(b, words))
	return joined(b, words, p.parts(b, different), which, limit)
}

func (p *pieces) words(b *graph.Builder, texts graph.Value, limit int) graph.Value {
	return slice(b, cut(b, texts, expression, 0), 1, 0, int64(limit))
}

func (p *pieces) parts(b *graph.Builder, words graph.Value) graph.Value {
	parts := b.Node(graph.ML, "LabelEncoder", []graph.Value{cut(b, words, "", 1)}, 1, graph.StringsAttr("keys_strings", p.keys),
		graph.IntsAttr("values_int64s", p.ids...), graph.IntAttr("default_int64", Unknown))[0]
	parts = concat(b, 1, slice(b, parts, 1, 1, end), slice(b, parts, 1, 0, 1)) // the first mark, which is 0, goes to the end
	// What stands for no word, where a row has fewer than another, is an end alone: it is no part.
	empty := b.Op("Equal", slice(b, parts, 1, 0, 1), b.Ints("end", []int64{endID}))
	parts = b.Op("Where", empty, b.Ints("nothing", []int64{0}), parts)
	if len(p.merges) > 0 {
		parts = p.merge(b, parts)
	}
	return parts
}

// headsOf appends what is looked at of each word: string (R, W) to (R·W).
func headsOf(b *graph.Builder, words graph.Value) graph.Value {
	flat := b.Op("Reshape", words, b.Ints("flat", []int64{-1}))
	heads := cut(b, flat, ".{1,60}", 0)
	return b.Op("Reshape", slice(b, heads, 1, 0, 1), b.Ints("flat", []int64{-1}))
}

// distinct appends a Unique: the different texts of a vector, and for each element which of them it is.
func distinct(b *graph.Builder, x graph.Value) (different, which graph.Value) {
	n := &graph.Node{Op: "Unique", Inputs: []graph.Value{x}, Outputs: []graph.Value{b.Fresh("different"), "", b.Fresh("which")}, Attrs: []graph.Attr{graph.IntAttr("sorted", 0)}}
	b.Graph().Nodes = append(b.Graph().Nodes, n)
	return n.Outputs[0], n.Outputs[2]
}
