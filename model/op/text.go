package op

import (
	"context"
	"strings"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// StringSplit: each text cut at the delimiter, or at runs of white space where it is empty; the pieces fill a last dimension as long as the
// most pieces, the rest of it is empty texts. The second output counts the pieces. An empty text has none.
// https://onnx.ai/onnx/operators/onnx__StringSplit.html
// StringConcat: z = x followed by y, with broadcasting. https://onnx.ai/onnx/operators/onnx__StringConcat.html
func init() {
	dash := graph.StringAttr("delimiter", "-")
	register(&Spec{Name: "StringSplit", Since: 20, Attrs: []string{"delimiter", "maxsplit"}, In: Arity{1, 1}, Out: Arity{1, 2}, Infer: inferStringSplit, Compile: compileStringSplit, Cases: tested(func() []Case {
		return []Case{ // from onnxruntime 1.32
			{
				Attrs: []graph.Attr{dash}, In: in(strs([]int{2, 2}, "2020-01-02", "a", "", "--b-")),
				Out: in(strs([]int{2, 2, 4}, "2020", "01", "02", "", "a", "", "", "", "", "", "", "", "", "", "b", ""), i64s([]int{2, 2}, 3, 1, 0, 4)),
			},
			{Name: "white space", Attrs: []graph.Attr{graph.IntAttr("maxsplit", 1)}, In: in(strv("  a  b  c ", "", " ")), Out: in(strs([]int{3, 2}, "a", "b  c", "", "", "", ""), i64v(2, 0, 0))},
			{Name: "at most", Attrs: []graph.Attr{dash, graph.IntAttr("maxsplit", 1)}, In: in(strv("a-b-c", "x", "")), Out: in(strs([]int{3, 2}, "a", "b-c", "x", "", "", ""), i64v(2, 1, 0))},
			{Name: "nothing", Attrs: []graph.Attr{dash}, In: in(strs([]int{0})), Out: in(strs([]int{0, 0}), i64s([]int{0}))},
		}
	})})
	register(&Spec{
		Name: "StringConcat", Since: 20, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: broadcastInfer(tensor.Undefined, tensor.String),
		Compile: func(*graph.Node, *Site) (Kernel, error) {
			return binaryKernel("StringConcat", texts, texts, tensor.String, zip(func(x, y string) string { return x + y })), nil
		},
		Cases: tested(func() []Case { return []Case{{In: in(strv("a", "b"), strv("c")), Out: in(strv("ac", "bc"))}} }),
	})
}

func inferStringSplit(n *graph.Node, site *Site) ([]tensor.Type, error) {
	t := site.Types[0]
	if err := kind(n, "maxsplit", graph.AttrInt); err != nil {
		return nil, err
	}
	if err := oneOf(n, t, tensor.String); err != nil {
		return nil, err
	}
	counts := t
	counts.DType = tensor.Int64
	if !t.Unranked {
		t.Dims = append(append([]tensor.Dim{}, t.Dims...), free)
	}
	return []tensor.Type{t, counts}[:len(n.Outputs)], nil
}

func compileStringSplit(n *graph.Node, _ *Site) (Kernel, error) {
	delimiter, limit := n.Str("delimiter", ""), -1
	if m := n.Attr("maxsplit"); m != nil && m.Int >= 0 && m.Int < 1<<30 {
		limit = int(m.Int)
	}
	var borrowed scratch[int64]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		src := in[0].Str()
		counts := borrowed.take(len(src))
		defer borrowed.put(counts)
		width := 0
		for i, s := range src {
			k := 0
			for s, more := s, s != ""; more; k++ {
				_, s, more = piece(s, delimiter, limit-k)
			}
			if delimiter == "" && strings.TrimSpace(s) == "" {
				k = 0
			}
			(*counts)[i] = int64(k)
			width = max(width, k)
		}
		if len(out) > 1 && out[1] != nil {
			if err := Reset(ctx, out[1], tensor.Int64, in[0].Shape()...); err != nil {
				return err
			}
			copy(out[1].I64(), *counts)
		}
		if out[0] == nil {
			return nil
		}
		var buf [MaxRank + 1]int
		if err := Reset(ctx, out[0], tensor.String, append(append(buf[:0], in[0].Shape()...), width)...); err != nil {
			return err
		}
		dst := out[0].Str()
		for i, s := range src {
			for k := range int((*counts)[i]) {
				dst[i*width+k], s, _ = piece(s, delimiter, limit-k)
			}
		}
		return nil
	}, nil
}

// piece cuts the first piece off s; more tells whether another follows. With a limit of 0 all of s is the piece, below 0 there is none.
func piece(s, delimiter string, limit int) (first, rest string, more bool) {
	if delimiter == "" {
		s = strings.TrimSpace(s)
		at := strings.IndexAny(s, " \t\n\v\f\r")
		if at < 0 || limit == 0 {
			return s, "", false
		}
		return s[:at], s[at:], true
	}
	at := strings.Index(s, delimiter)
	if at < 0 || limit == 0 {
		return s, "", false
	}
	return s[:at], s[at+len(delimiter):], true
}
