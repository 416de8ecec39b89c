package op

import (
	"context"
	"unicode/utf8"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/pattern"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// com.microsoft Tokenizer: each text of (c) or (n, c) cut into tokens, (…, d): the matches of tokenexp, or what stands between matches of the
// separators, of which the earlier win; one empty separator cuts into characters. Tokens shorter than mincharnum characters are left out, the
// row is filled with pad_value, and mark puts U+0002 before and U+0003 behind the tokens where any text has one. Bytes that are not UTF-8 are
// characters of their own. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Tokenizer
func init() {
	register(&Spec{
		Domain: "com.microsoft", Name: "Tokenizer", Since: 1, Attrs: []string{"mark", "mincharnum", "pad_value", "separators", "tokenexp"},
		In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferTokenizer, Compile: compileTokenizer, Cases: tested(tokenizerCases),
	})
}

// tokenizerCases are from onnxruntime 1.32.
func tokenizerCases() []Case {
	attrs := func(mark, least int64, more graph.Attr) []graph.Attr {
		return []graph.Attr{graph.IntAttr("mark", mark), graph.IntAttr("mincharnum", least), graph.StringAttr("pad_value", "#"), more}
	}
	exp := func(s string) graph.Attr { return graph.StringAttr("tokenexp", s) }
	sep := func(s ...string) graph.Attr { return graph.StringsAttr("separators", s) }
	return []Case{
		{Attrs: attrs(0, 1, exp("[a-zö]+|[,!]")), In: in(strs([]int{2, 1}, "hallo, wörld!!", "")), Out: in(strs([]int{2, 1, 5}, "hallo", ",", "wörld", "!", "!", "#", "#", "#", "#", "#"))},
		{Name: "longest", Attrs: attrs(0, 1, exp("a|ab")), In: in(strv("abcab", "c")), Out: in(strs([]int{2, 2}, "ab", "ab", "#", "#"))},
		{Name: "too short, then from the next character", Attrs: attrs(0, 3, exp("ab|bcd")), In: in(strv("abcd", "")), Out: in(strs([]int{2, 1}, "bcd", "#"))},
		{Name: "words of regexp", Attrs: attrs(0, 1, exp(`\b\w\w+\b`)), In: in(strv("a bcd é ef", "")), Out: in(strs([]int{2, 2}, "bcd", "ef", "#", "#"))},
		{Name: "letters of regexp", Attrs: attrs(0, 2, exp(`\pL+?|[a-z]`)), In: in(strv("é ab1cd", "")), Out: in(strs([]int{2, 2}, "ab", "cd", "#", "#"))},
		{Name: "characters", Attrs: attrs(0, 1, sep("")), In: in(strv("añb", "", "😀")), Out: in(strs([]int{3, 3}, "a", "ñ", "b", "#", "#", "#", "😀", "#", "#"))},
		{Name: "marks", Attrs: attrs(1, 1, sep("")), In: in(strv("ab", "")), Out: in(strs([]int{2, 4}, "\x02", "a", "b", "\x03", "\x02", "\x03", "#", "#"))},
		{Name: "nothing to mark", Attrs: attrs(1, 1, sep("")), In: in(strv("", "")), Out: in(strs([]int{2, 0}))},
		{Name: "separators", Attrs: attrs(0, 1, sep(" ", ",+", "b.")), In: in(strv("a b,,bc d", "", " a ")), Out: in(strs([]int{3, 3}, "a", "b", "d", "#", "#", "#", "a", "#", "#"))},
		{Name: "separators in order", Attrs: attrs(0, 1, sep("bc", "ab")), In: in(strv("xabcyaabz")), Out: in(strs([]int{1, 3}, "xa", "ya", "z"))},
		{Name: "short between separators", Attrs: attrs(0, 2, sep("b")), In: in(strv("abccbd", "")), Out: in(strs([]int{2, 1}, "cc", "#"))},
		{Name: "no rows", Attrs: attrs(0, 1, sep("")), In: in(strs([]int{0, 1})), Out: in(strs([]int{0, 1, 0}))},
		{Name: "neither", Attrs: attrs(0, 1, graph.StringAttr("tokenexp", "")), In: in(strv("a")), Err: "tokenexp or separators"},
		{Name: "no expression", Attrs: attrs(0, 1, exp("(a")), In: in(strv("a")), Err: "tokenexp"},
		{Name: "characters of two", Attrs: attrs(0, 2, sep("")), In: in(strv("a")), Err: "mincharnum"},
	}
}

func inferTokenizer(n *graph.Node, site *Site) ([]tensor.Type, error) {
	t := site.Types[0]
	if err := oneOf(n, t, tensor.String); err != nil {
		return nil, err
	}
	if err := kinds(n, graph.AttrInt, "mark", "mincharnum"); err != nil {
		return nil, err
	}
	if err := kinds(n, graph.AttrString, "pad_value", "tokenexp"); err != nil {
		return nil, err
	}
	if t.Unranked {
		return []tensor.Type{t}, nil
	}
	if len(t.Dims) != 1 && len(t.Dims) != 2 {
		return nil, bad(n, "an input that is neither (c) nor (n, c)")
	}
	return []tensor.Type{{DType: tensor.String, Dims: append(append([]tensor.Dim{}, t.Dims...), free)}}, nil
}

// cutter appends the tokens of a text.
type cutter func(to []string, s string) []string

func compileTokenizer(n *graph.Node, _ *Site) (Kernel, error) {
	least := n.Int("mincharnum", 1)
	if least < 1 || least > 1<<30 {
		return nil, bad(n, "mincharnum is not positive, or absurd")
	}
	expression, separators := n.Str("tokenexp", ""), n.Strs("separators")
	var cut cutter
	switch {
	case expression != "":
		found, err := matcherOf(expression, int(least))
		if err != nil {
			return nil, bad(n, "tokenexp: "+err.Error())
		}
		cut = found
	case len(separators) == 0:
		return nil, bad(n, "wants tokenexp or separators")
	case len(separators) == 1 && separators[0] == "":
		if least > 1 {
			return nil, bad(n, "mincharnum is too big for characters")
		}
		cut = characters
	default:
		between, err := betweenOf(separators, int(least))
		if err != nil {
			return nil, bad(n, "separators: "+err.Error())
		}
		cut = between
	}
	return tokenizerKernel(cut, n.Str("pad_value", ""), n.Int("mark", 0) != 0), nil
}

func tokenizerKernel(cut cutter, pad string, mark bool) Kernel {
	var texts scratch[string]
	var counts scratch[int]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		src := in[0].Str()
		if rank := in[0].Rank(); rank != 1 && rank != 2 {
			return misfit("Tokenizer", "the input is neither (c) nor (n, c): "+shapeText(in[0].Shape()))
		}
		held, count := texts.take(0), counts.take(len(src))
		tokens, most := (*held)[:0], 0
		defer func() { clear(tokens); *held = tokens; texts.put(held); counts.put(count) }() // keeps no text alive
		for i, s := range src {
			before := len(tokens)
			tokens = cut(tokens, s)
			(*count)[i] = len(tokens) - before
			if most = max(most, (*count)[i]); i%256 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if mark && most > 0 {
			most += 2
		}
		var buf [MaxRank]int
		if err := Reset(ctx, out[0], tensor.String, append(append(buf[:0], in[0].Shape()...), most)...); err != nil {
			return err
		}
		rest := tokens
		for i, dst := 0, out[0].Str(); most > 0 && i < len(src); i, dst = i+1, dst[most:] {
			k := (*count)[i]
			fillRow(dst[:most], rest[:k], pad, mark)
			rest = rest[k:]
		}
		return nil
	}
}

// fillRow lays one text's tokens out.
func fillRow(row, tokens []string, pad string, mark bool) {
	if mark {
		row[0] = "\x02"
		row = row[1:]
	}
	row = row[copy(row, tokens):]
	if mark {
		row[0] = "\x03"
		row = row[1:]
	}
	if pad != "" { // the tensor was cleared
		for i := range row {
			row[i] = pad
		}
	}
}

// characters cuts a text into its characters.
func characters(to []string, s string) []string {
	for len(s) > 0 {
		size := 1
		if s[0] >= utf8.RuneSelf {
			_, size = utf8.DecodeRuneInString(s)
		}
		to, s = append(to, s[:size]), s[size:]
	}
	return to
}

// finder finds the first match in s that begins at from or later and is not empty, end < 0 where there is none.
type finder func(s string, from int) (begin, end int)

// finderOf reads an expression; what package pattern lacks is package regexp's, where the build has it. In place of find there is all, every match
// at once, where what stands around a match has a say in it.
func finderOf(expression string) (find finder, all func(s string) [][]int, err error) {
	p, err := pattern.Compile(expression)
	if err == nil {
		return p.Next, nil, nil
	}
	return foreignFinder(expression, err)
}

// matcherOf cuts out the matches of an expression that have at least so many characters.
func matcherOf(expression string, least int) (cutter, error) {
	find, all, err := finderOf(expression)
	if err != nil {
		return nil, err
	}
	long := func(s string) bool { return least == 1 || utf8.RuneCountInString(s) >= least }
	if find == nil { // what stands around decides, so that only regexp itself can go on to the next match
		if least > 1 {
			return nil, misfit("Tokenizer", "an expression with ^, $ or \\b together with mincharnum above 1 is not built")
		}
		return func(to []string, s string) []string {
			for _, m := range all(s) {
				if m[1] > m[0] {
					to = append(to, s[m[0]:m[1]])
				}
			}
			return to
		}, nil
	}
	return func(to []string, s string) []string {
		for at := 0; at < len(s); {
			begin, end := find(s, at)
			if end < 0 {
				break
			}
			if at = end; long(s[begin:end]) {
				to = append(to, s[begin:end])
			} else { // a longer one may begin within it
				_, size := utf8.DecodeRuneInString(s[begin:])
				at = begin + size
			}
		}
		return to
	}, nil
}
