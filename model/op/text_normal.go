package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// StringNormalizer: the texts of a vector, or of one row, that are no stopwords, in lower or upper case; one empty text where none is left.
// In the locale C only the letters of ASCII have a case, as in every onnxruntime; all others are taken for one that knows Unicode.
// https://onnx.ai/onnx/operators/onnx__StringNormalizer.html
func init() {
	text := graph.StringAttr
	stop := graph.StringsAttr("stopwords", []string{"Monday"})
	register(&Spec{Name: "StringNormalizer", Since: 10, Attrs: []string{"case_change_action", "is_case_sensitive", "locale", "stopwords"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferNormalizer, Compile: compileStringNormalizer, Cases: tested(func() []Case {
		return []Case{
			{Attrs: []graph.Attr{stop, text("case_change_action", "UPPER")}, In: in(strs([]int{1, 3}, "monday", "é", "Tuesday")), Out: in(strs([]int{1, 2}, "É", "TUESDAY"))},
			{Name: "sensitive", Attrs: []graph.Attr{stop, graph.IntAttr("is_case_sensitive", 1), text("case_change_action", "LOWER")}, In: in(strv("monday", "Monday")), Out: in(strv("monday"))},
			{Name: "nothing left", Attrs: []graph.Attr{stop}, In: in(strv("MONDAY")), Out: in(strv(""))},
			{Name: "rows", In: in(strs([]int{2, 1}, "a", "b")), Err: "one row"},
			{Name: "locale C", Attrs: []graph.Attr{text("case_change_action", "LOWER"), text("locale", "C")}, In: in(strv("ÀÉ Hello", "é", "I")), Out: in(strv("ÀÉ hello", "é", "i"))},
		}
	})})
}

func inferNormalizer(n *graph.Node, site *Site) ([]tensor.Type, error) {
	t := site.Types[0]
	if err := oneOf(n, t, tensor.String); err != nil {
		return nil, err
	}
	if err := kind(n, "is_case_sensitive", graph.AttrInt); err != nil {
		return nil, err
	}
	if c := n.Str("case_change_action", "NONE"); c != "NONE" && c != "LOWER" && c != "UPPER" {
		return nil, refuseAttr(n, "case_change_action", c)
	}
	switch {
	case t.Unranked:
		return []tensor.Type{t}, nil
	case len(t.Dims) == 1:
		return []tensor.Type{tensor.TypeOf(tensor.String, tensor.Free)}, nil
	case len(t.Dims) == 2:
		return []tensor.Type{tensor.TypeOf(tensor.String, 1, tensor.Free)}, nil
	}
	return nil, bad(n, "an input that is neither a vector nor one row")
}

func compileStringNormalizer(n *graph.Node, _ *Site) (Kernel, error) {
	sensitive, change := n.Int("is_case_sensitive", 0) != 0, n.Str("case_change_action", "NONE")
	lower, upper := asciiLower, asciiUpper
	if n.Str("locale", "") != "C" {
		if lower, upper = worldLower, worldUpper; lower == nil {
			return nil, refuseAttr(n, "locale", n.Str("locale", ""))
		}
	}
	stop := make(map[string]bool)
	for _, w := range n.Strs("stopwords") {
		if !sensitive {
			w = lower(w)
		}
		stop[w] = true
	}
	var borrowed scratch[string]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		if len(shape) != 1 && (len(shape) != 2 || shape[0] != 1) {
			return misfit("StringNormalizer", "the input is neither a vector nor one row: "+shapeText(shape))
		}
		memory := borrowed.take(max(in[0].Len(), 1))
		defer func() { clear(*memory); borrowed.put(memory) }() // keeps no text alive
		kept := (*memory)[:0]
		for _, s := range in[0].Str() {
			key := s
			if !sensitive && len(stop) > 0 {
				key = lower(s)
			}
			if stop[key] {
				continue
			}
			switch change {
			case "LOWER":
				s = lower(s)
			case "UPPER":
				s = upper(s)
			}
			kept = append(kept, s)
		}
		if len(kept) == 0 {
			kept = append(kept, "")
		}
		to := [2]int{1, len(kept)}
		if err := Reset(ctx, out[0], tensor.String, to[2-len(shape):]...); err != nil {
			return err
		}
		copy(out[0].Str(), kept)
		return nil
	}, nil
}

// asciiLower and asciiUpper change the letters of ASCII.
func asciiLower(s string) string { return recased(s, 'A', 'Z') }

func asciiUpper(s string) string { return recased(s, 'a', 'z') }

// recased gives the letters from first to last the other case.
func recased(s string, first, last byte) string {
	for i := range len(s) {
		if s[i] < first || s[i] > last {
			continue
		}
		out := []byte(s)
		for ; i < len(out); i++ {
			if c := out[i]; first <= c && c <= last {
				out[i] = c ^ 0x20
			}
		}
		return string(out)
	}
	return s
}
