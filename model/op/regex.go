//go:build !lean

package op

import (
	"regexp"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// RegexFullMatch: whether each text as a whole matches an RE2 pattern. https://onnx.ai/onnx/operators/onnx__RegexFullMatch.html
func init() {
	pattern := func(v string) []graph.Attr { return []graph.Attr{graph.StringAttr("pattern", v)} }
	register(&Spec{
		Name: "RegexFullMatch", Since: 20, Attrs: []string{"pattern"}, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			t := site.Types[0]
			if err := oneOf(n, t, tensor.String); err != nil {
				return nil, err
			}
			_, err := fullPattern(n)
			t.DType = tensor.Bool
			return []tensor.Type{t}, err
		},
		Compile: func(n *graph.Node, _ *Site) (Kernel, error) {
			re, err := fullPattern(n)
			if err != nil {
				return nil, err
			}
			return unaryKernel(texts, tensor.Data[bool], tensor.Bool, func(dst []bool, src []string) {
				for i, s := range src {
					dst[i] = re.MatchString(s)
				}
			}), nil
		},
		Cases: []Case{
			{Attrs: pattern("a|ab"), In: in(strv("ab", "a", "abc", "a\n")), Out: in(boolv(true, true, false, false))},
			{Name: "broken", Attrs: pattern("a)(b"), In: in(strv("ab")), Err: "pattern"},
		},
	})
}

// fullPattern compiles the pattern so that it must match from start to end.
func fullPattern(n *graph.Node) (*regexp.Regexp, error) {
	p := n.Str("pattern", "")
	if n.Attr("pattern") == nil {
		return nil, bad(n, "attribute pattern is missing")
	}
	if _, err := regexp.Compile(p); err != nil {
		return nil, bad(n, "a pattern that is not RE2: "+err.Error())
	}
	re, err := regexp.Compile(`\A(?:` + p + `)\z`)
	if err != nil {
		return nil, bad(n, "a pattern that is not RE2: "+err.Error())
	}
	return re, nil
}
