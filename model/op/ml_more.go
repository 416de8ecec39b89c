//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ai.onnx.ml CategoryMapper: texts to the numbers of their categories and back. https://onnx.ai/onnx/operators/onnx_aionnxml_CategoryMapper.html
// ai.onnx.ml LabelEncoder 1: the same, numbers being places in a list. https://onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html
// ai.onnx.ml FeatureVectorizer: tables beside each other, as float32. https://onnx.ai/onnx/operators/onnx_aionnxml_FeatureVectorizer.html
// ai.onnx.ml ZipMap: each row of (rows, classes) as a map from class to number. https://onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html
func init() {
	cats := []graph.Attr{graph.StringsAttr("cats_strings", []string{"a", "b"}), graph.IntsAttr("cats_int64s", 5, 7)}
	register(&Spec{
		Domain: graph.ML, Name: "CategoryMapper", Since: 1, Attrs: []string{"cats_int64s", "cats_strings", "default_int64", "default_string"}, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: inferMapper, Compile: compileMapper, Cases: []Case{
			{Attrs: cats, In: in(strv("b", "z")), Out: in(i64v(7, -1))},
			{Name: "back", Attrs: cats, In: in(i64v(5, 6)), Out: in(strv("a", "_Unused"))},
		},
	})
	classes := []graph.Attr{graph.StringsAttr("classes_strings", []string{"a", "b"})}
	register(&Spec{
		Domain: graph.ML, Name: "LabelEncoder", Since: 1, Attrs: []string{"classes_strings", "default_int64", "default_string"}, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: inferMapper, Compile: compileMapper, Cases: []Case{
			{Opset: 1, Attrs: classes, In: in(strv("b", "z")), Out: in(i64v(1, -1))},
			{Name: "back", Opset: 1, Attrs: classes, In: in(i64v(0, 6)), Out: in(strv("a", "_Unused"))},
		},
	})
	register(&Spec{
		Domain: graph.ML, Name: "FeatureVectorizer", Since: 1, Attrs: []string{"inputdimensions"}, In: Arity{1, Many}, Out: Arity{1, 1}, Infer: inferVectorizer, Compile: compileVectorizer, Grad: gradVectorizer, Cases: []Case{
			{Attrs: []graph.Attr{graph.IntsAttr("inputdimensions", 2, 1)}, In: in(f32s([]int{2, 2}, 1, 2, 3, 4), f32s([]int{2, 1}, 5, 6)), Out: in(f32s([]int{2, 3}, 1, 2, 5, 3, 4, 6))},
			{Name: "cut and filled", Attrs: []graph.Attr{graph.IntsAttr("inputdimensions", 1, 2)}, In: in(i64s([]int{1, 2}, 1, 2), i64s([]int{1, 1}, 5)), Out: in(f32s([]int{1, 3}, 1, 5, 0))},
			{Name: "rows", Attrs: []graph.Attr{graph.IntsAttr("inputdimensions", 1, 1)}, In: in(f32s([]int{1, 1}, 1), f32s([]int{2, 1}, 5, 6)), Err: "rows"},
		},
	})
	register(&Spec{
		Domain: graph.ML, Name: "ZipMap", Since: 1, Attrs: []string{"classlabels_int64s", "classlabels_strings"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferZipMap, Compile: compileZipMap, Cases: []Case{
			{Attrs: []graph.Attr{graph.StringsAttr("classlabels_strings", []string{"a", "b"})}, In: in(f32s([]int{1, 2}, 1, 2)), Out: in(tensor.SequenceOf(tensor.MapOf(strv("a", "b"), f32v(1, 2))))},
			{Name: "misfit", Attrs: []graph.Attr{graph.IntsAttr("classlabels_int64s", 1)}, In: in(f32s([]int{1, 2}, 1, 2)), Err: "classes"},
		},
	})
}

// mapperSides gives the texts and their numbers.
func mapperSides(n *graph.Node) ([]string, []int64, error) {
	if n.Op == "CategoryMapper" {
		s, i := n.Strs("cats_strings"), n.Ints("cats_int64s")
		if len(s) == 0 || len(s) != len(i) {
			return nil, nil, bad(n, "cats_strings and cats_int64s have not the same length, or none")
		}
		return s, i, nil
	}
	s := n.Strs("classes_strings")
	i := make([]int64, len(s))
	for k := range i {
		i[k] = int64(k)
	}
	return s, i, nil
}

func inferMapper(n *graph.Node, site *Site) ([]tensor.Type, error) {
	t := site.Types[0]
	if err := oneOf(n, t, tensor.String, tensor.Int64); err != nil {
		return nil, err
	}
	if t.DType == tensor.String {
		t.DType = tensor.Int64
	} else {
		t.DType = tensor.String
	}
	_, _, err := mapperSides(n)
	return []tensor.Type{t}, err
}

func compileMapper(n *graph.Node, site *Site) (Kernel, error) {
	s, i, err := mapperSides(n)
	if err != nil {
		return nil, err
	}
	keys, values := tensor.Strings(s, len(s)), tensor.Ints(i, len(i))
	if site.Types[0].DType == tensor.String {
		return labelKernel(findLabels(texts, keys, func(string) bool { return false }), values, i64v(n.Int("default_int64", -1))), nil
	}
	return labelKernel(findLabels(tensor.Data[int64], values, func(int64) bool { return false }), keys, strv(n.Str("default_string", "_Unused"))), nil
}

// vectorWidths are the columns that each input has in the result; without inputdimensions its own.
func vectorWidths(n *graph.Node) ([]int64, error) {
	w := n.Ints("inputdimensions")
	if len(w) != len(n.Inputs) {
		return nil, bad(n, "inputdimensions are not one for each input")
	}
	for _, v := range w {
		if v < 1 || v > 1<<30 {
			return nil, bad(n, "absurd inputdimensions")
		}
	}
	return w, nil
}

func inferVectorizer(n *graph.Node, site *Site) ([]tensor.Type, error) {
	w, err := vectorWidths(n)
	if err != nil {
		return nil, err
	}
	width := 0
	for i, t := range site.Types {
		if err := oneOf(n, t, signed...); err != nil {
			return nil, err
		}
		width += int(w[i])
	}
	return []tensor.Type{{DType: tensor.Float32, Dims: []tensor.Dim{rowsDim(site.Types[0]), {Size: width}}}}, nil
}

func compileVectorizer(n *graph.Node, _ *Site) (Kernel, error) {
	w, err := vectorWidths(n)
	if err != nil {
		return nil, err
	}
	width := 0
	for _, v := range w {
		width += int(v)
	}
	var s scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		rows, _, err := tableShape("FeatureVectorizer", in[0].Shape())
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], tensor.Float32, rows, width); err != nil {
			return err
		}
		y, at := out[0].F32(), 0
		clear(y)
		for i, t := range in {
			r, features, err := tableShape("FeatureVectorizer", t.Shape())
			if err != nil {
				return err
			}
			if r != rows {
				return misfit("FeatureVectorizer", "inputs with different numbers of rows")
			}
			x, borrowed, err := asFloats(ctx, t, &s)
			if err == nil {
				take := min(features, int(w[i]))
				for k := range rows {
					copy(y[k*width+at:][:take], x[k*features:])
				}
			}
			s.put(borrowed)
			if err != nil {
				return err
			}
			at += int(w[i])
		}
		return nil
	}, nil
}

func inferZipMap(n *graph.Node, site *Site) ([]tensor.Type, error) {
	labels, err := classLabels(n, "classlabels_int64s")
	if err != nil {
		return nil, err
	}
	if err := oneOf(n, site.Types[0], tensor.Float32); err != nil {
		return nil, err
	}
	value := unranked(tensor.Float32)
	row := tensor.Type{DType: tensor.Map, Key: labels.DType(), Elem: &value, Unranked: true}
	return []tensor.Type{{DType: tensor.Sequence, Elem: &row, Unranked: true}}, nil
}

func compileZipMap(n *graph.Node, _ *Site) (Kernel, error) {
	labels, err := classLabels(n, "classlabels_int64s")
	if err != nil {
		return nil, err
	}
	classes := labels.Len()
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		rows, columns, err := tableShape("ZipMap", in[0].Shape())
		if err != nil {
			return err
		}
		if columns != classes {
			return misfit("ZipMap", itoa(int64(columns))+" columns for "+itoa(int64(classes))+" classes")
		}
		if err := growList(ctx, rows*2); err != nil {
			return err
		}
		for r, m := range out[0].ResetList(tensor.Sequence, rows) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			pair := m.ResetList(tensor.Map, 2)
			if err := copyInto(ctx, pair[0], labels); err != nil {
				return err
			}
			if err := Reset(ctx, pair[1], tensor.Float32, classes); err != nil {
				return err
			}
			moveBlock(pair[1], 0, in[0], r*classes, classes)
		}
		return nil
	}, nil
}

// growList asks for the memory of so many tensors of a container.
func growList(ctx context.Context, n int) error {
	const size = 160 // of a Tensor without its elements
	if b, ok := ctx.(Budget); ok {
		return b.Grow(int64(n) * size)
	}
	return nil
}
