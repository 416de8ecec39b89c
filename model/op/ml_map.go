//go:build !lean

package op

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// DictVectorizer: a map's values in the order of a vocabulary, 0 or "" for what the map does not have, as (1, n).
// CastMap: a map from integers as a row: its values in the order of their keys (DENSE), or at the places that the keys name (SPARSE, max_map
// columns), cast. https://onnx.ai/onnx/operators/onnx_aionnxml_DictVectorizer.html, …_CastMap.html
func init() {
	words := tensor.MapOf(strv("b", "a", "z"), f32v(2, 1, 9))
	places := tensor.MapOf(i64v(3, 0), strv("4.5", "1"))
	vocabulary := graph.StringsAttr("string_vocabulary", []string{"a", "c", "b"})
	register(&Spec{
		Domain: graph.ML, Name: "DictVectorizer", Since: 1, Attrs: []string{"int64_vocabulary", "string_vocabulary"}, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: inferDictVectorizer, Compile: compileDictVectorizer, Cases: []Case{
			{Attrs: []graph.Attr{vocabulary}, In: in(words), Out: in(f32s([]int{1, 3}, 1, 0, 2))},
			{Name: "numbers", Attrs: []graph.Attr{graph.IntsAttr("int64_vocabulary", 0, 5, 3)}, In: in(places), Out: in(strs([]int{1, 3}, "1", "", "4.5"))},
			{Name: "other keys", Attrs: []graph.Attr{vocabulary}, In: in(places), Err: "vocabulary"},
		},
	})
	to := func(name string) graph.Attr { return graph.StringAttr("cast_to", name) }
	register(&Spec{
		Domain: graph.ML, Name: "CastMap", Since: 1, Attrs: []string{"cast_to", "map_form", "max_map"}, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: inferCastMap, Compile: compileCastMap, Cases: []Case{
			{In: in(places), Out: in(f32s([]int{1, 2}, 1, 4.5))},
			{Name: "sparse", Attrs: []graph.Attr{to("TO_INT64"), graph.StringAttr("map_form", "SPARSE"), graph.IntAttr("max_map", 3)}, In: in(places), Out: in(i64s([]int{1, 3}, 1, 0, 0))},
			{Name: "unknown type", Attrs: []graph.Attr{to("TO_MOON")}, In: in(places), Err: "TO_MOON"},
		},
	})
}

func inferDictVectorizer(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "string_vocabulary", graph.AttrStrings); err != nil {
		return nil, err
	}
	if err := kind(n, "int64_vocabulary", graph.AttrInts); err != nil {
		return nil, err
	}
	t := site.Types[0]
	texts, numbers := n.Attr("string_vocabulary") != nil, n.Attr("int64_vocabulary") != nil
	switch {
	case t.DType != tensor.Map || t.Elem == nil:
		return nil, refuse(n, t.DType)
	case texts == numbers || texts != (t.Key == tensor.String):
		return nil, bad(n, "the vocabulary is not of the map's keys")
	}
	return []tensor.Type{tensor.TypeOf(t.Elem.DType, 1, len(n.Strs("string_vocabulary"))+len(n.Ints("int64_vocabulary")))}, oneOf(n, *t.Elem, anyDType...)
}

// mapParts are the keys and values of a map whose values are a vector.
func mapParts(op string, m *tensor.Tensor) (keys, values *tensor.Tensor, err error) {
	list := m.List()
	if m.DType() != tensor.Map || len(list) != 2 || list[1].DType().Container() || list[0].Len() != list[1].Len() {
		return nil, nil, misfit(op, "the input is no map of keys to plain values")
	}
	return list[0], list[1], nil
}

func compileDictVectorizer(n *graph.Node, _ *Site) (Kernel, error) {
	texts, numbers := map[string]int{}, map[int64]int{}
	for i, word := range n.Strs("string_vocabulary") {
		texts[word] = i
	}
	for i, v := range n.Ints("int64_vocabulary") {
		numbers[v] = i
	}
	width := len(n.Strs("string_vocabulary")) + len(n.Ints("int64_vocabulary"))
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		keys, values, err := mapParts("DictVectorizer", in[0])
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], values.DType(), 1, width); err != nil {
			return err
		}
		clear(out[0].Bytes())
		for i, word := range keys.Str() {
			if at, ok := texts[word]; ok {
				moveBlock(out[0], at, values, i, 1)
			}
		}
		if keys.DType() == tensor.Int64 {
			for i, v := range keys.I64() {
				if at, ok := numbers[v]; ok {
					moveBlock(out[0], at, values, i, 1)
				}
			}
		}
		return nil
	}, nil
}

var castMapTypes = map[string]tensor.DType{"TO_FLOAT": tensor.Float32, "TO_STRING": tensor.String, "TO_INT64": tensor.Int64}

func inferCastMap(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrString, "cast_to", "map_form"); err != nil {
		return nil, err
	}
	if err := kind(n, "max_map", graph.AttrInt); err != nil {
		return nil, err
	}
	to, ok := castMapTypes[n.Str("cast_to", "TO_FLOAT")]
	if !ok {
		return nil, refuseAttr(n, "cast_to", n.Str("cast_to", ""))
	}
	t := site.Types[0]
	if t.DType != tensor.Map || t.Key != tensor.Int64 || t.Elem == nil {
		return nil, refuse(n, t.DType)
	}
	switch form := n.Str("map_form", "DENSE"); form {
	case "DENSE":
		return []tensor.Type{{DType: to, Dims: []tensor.Dim{{Size: 1}, free}}}, oneOf(n, *t.Elem, tensor.String, tensor.Float32)
	case "SPARSE":
		width := n.Int("max_map", 1)
		if width < 1 || width > 1<<31 {
			return nil, bad(n, "max_map "+strconv.FormatInt(width, 10))
		}
		return []tensor.Type{tensor.TypeOf(to, 1, int(width))}, oneOf(n, *t.Elem, tensor.String, tensor.Float32)
	default:
		return nil, refuseAttr(n, "map_form", form)
	}
}

func compileCastMap(n *graph.Node, _ *Site) (Kernel, error) {
	to := castMapTypes[n.Str("cast_to", "TO_FLOAT")]
	sparse, width := n.Str("map_form", "DENSE") == "SPARSE", n.Int("max_map", 1)
	var slots scratch[tensor.Tensor]
	var places scratch[int]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		keys, values, err := mapParts("CastMap", in[0])
		if err != nil {
			return err
		}
		if keys.DType() != tensor.Int64 {
			return misfit("CastMap", "keys that are no int64")
		}
		held := slots.take(1)
		defer slots.put(held)
		cast := &(*held)[0]
		if err := Reset(ctx, cast, to, values.Len()); err != nil {
			return err
		}
		if err := castInto(cast, values); err != nil {
			return err
		}
		size := keys.Len()
		if sparse {
			size = int(width)
		}
		if err := Reset(ctx, out[0], to, 1, size); err != nil {
			return err
		}
		clear(out[0].Bytes())
		if !sparse {
			order := places.take(size)
			defer places.put(order)
			ascending(*order, keys.I64())
			for at, i := range *order {
				moveBlock(out[0], at, cast, i, 1)
			}
			return nil
		}
		for i, key := range keys.I64() {
			if key < 0 {
				return misfit("CastMap", "a negative key")
			}
			if key < width {
				moveBlock(out[0], int(key), cast, i, 1)
			}
		}
		return nil
	}, nil
}

// ascending fills order with the places of keys in the order of their values.
func ascending(order []int, keys []int64) {
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
}
