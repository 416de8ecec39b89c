package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ai.onnx.ml OneHotEncoder: a last dimension of one column for each category, 1 where the element is it. An element that is none is an
// error with zeros=0, all 0 with zeros=1. Numbers are truncated to integers.
// https://onnx.ai/onnx/operators/onnx_aionnxml_OneHotEncoder.html
func init() {
	letters := []graph.Attr{graph.StringsAttr("cats_strings", []string{"a", "b"})}
	ints := []graph.Attr{graph.IntsAttr("cats_int64s", 1, 2)}
	register(&Spec{
		Domain: graph.ML, Name: "OneHotEncoder", Since: 1, Attrs: []string{"cats_int64s", "cats_strings", "zeros"}, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: inferOneHot, Compile: compileOneHot, Cases: tested(func() []Case {
			return []Case{
				{Attrs: letters, In: in(strs([]int{2, 1}, "b", "q")), Out: in(f32s([]int{2, 1, 2}, 0, 1, 0, 0))},
				{Name: "strict", Attrs: append([]graph.Attr{graph.IntAttr("zeros", 0)}, letters...), In: in(strv("q")), Err: "no category"},
				{Name: "floats", Attrs: ints, In: in(f32v(1.5, 2, float32(math.NaN()))), Out: in(f32s([]int{3, 2}, 1, 0, 0, 1, 0, 0))},
				{Name: "ints", Attrs: ints, In: in(i64v(2, 3)), Out: in(f32s([]int{2, 2}, 0, 1, 0, 0))},
			}
		}),
	})
	register(&Spec{
		Domain: graph.ML, Name: "LabelEncoder", Since: 2, Attrs: append([]string{"default_float", "default_int64", "default_string"}, labelAttrs...), In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: inferLabels, Compile: compileLabels, Cases: tested(func() []Case {
			return []Case{
				{Attrs: []graph.Attr{graph.StringsAttr("keys_strings", []string{"a", "b"}), graph.IntsAttr("values_int64s", 5, 6)}, In: in(strs([]int{1, 3}, "b", "a", "z")), Out: in(i64s([]int{1, 3}, 6, 5, -1))},
				{
					Name: "to strings", Attrs: []graph.Attr{graph.FloatsAttr("keys_floats", []float32{1, float32(math.NaN())}), graph.StringsAttr("values_strings", []string{"a", "b"})},
					In: in(f32v(1, float32(math.NaN()), 3)), Out: in(strv("a", "_Unused", "_Unused")),
				},
				{Name: "first of equals", Attrs: []graph.Attr{graph.StringsAttr("keys_strings", []string{"a", "a"}), graph.FloatsAttr("values_floats", []float32{1, 2})}, In: in(strv("a", "b")), Out: in(f32v(1, 0))},
				{Name: "lengths", Attrs: []graph.Attr{graph.StringsAttr("keys_strings", []string{"a", "a"}), graph.FloatsAttr("values_floats", []float32{1})}, In: in(strv("a")), Err: "length"},
				{Name: "default", Attrs: []graph.Attr{graph.IntsAttr("keys_int64s", 1), graph.FloatsAttr("values_floats", []float32{1}), graph.FloatAttr("default_float", 9)}, In: in(i64v(1, 2)), Out: in(f32v(1, 9))},
			}
		}),
	})
	register(&Spec{
		Domain: graph.ML, Name: "LabelEncoder", Since: 4, Attrs: append([]string{"default_float", "default_int64", "default_string", "default_tensor", "keys_tensor", "values_tensor"}, labelAttrs...), In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: inferLabels, Compile: compileLabels, Cases: tested(func() []Case {
			return []Case{
				{Attrs: []graph.Attr{graph.TensorAttr("keys_tensor", f64v(1, math.NaN())), graph.TensorAttr("values_tensor", f64v(5, 6))}, In: in(f64v(1, math.NaN(), 3)), Out: in(f64v(5, 6, 0))},
				{Name: "default", Attrs: []graph.Attr{graph.TensorAttr("keys_tensor", strv("a", "b")), graph.TensorAttr("values_tensor", i64v(5, 6)), graph.TensorAttr("default_tensor", i64v(42))}, In: in(strv("a", "z")), Out: in(i64v(5, 42))},
			}
		}),
	})
}

func inferOneHot(n *graph.Node, site *Site) ([]tensor.Type, error) {
	t := site.Types[0]
	strings, ints := n.Strs("cats_strings"), n.Ints("cats_int64s")
	if (len(strings) == 0) == (len(ints) == 0) {
		return nil, bad(n, "wants either cats_strings or cats_int64s")
	}
	if err := oneOf(n, t, tensor.String, tensor.Int64, tensor.Int32, tensor.Float32, tensor.Float64); err != nil {
		return nil, err
	}
	if (t.DType == tensor.String) != (len(strings) > 0) {
		return nil, bad(n, "categories of another type than "+t.DType.String())
	}
	if t.Unranked {
		return []tensor.Type{unranked(tensor.Float32)}, nil
	}
	dims := append(append([]tensor.Dim{}, t.Dims...), tensor.Dim{Size: len(strings) + len(ints)})
	return []tensor.Type{{DType: tensor.Float32, Dims: dims}}, nil
}

func compileOneHot(n *graph.Node, site *Site) (Kernel, error) {
	lenient := n.Int("zeros", 1) != 0
	if site.Types[0].DType == tensor.String {
		return oneHotKernel(texts, placesOf(n.Strs("cats_strings")), lenient, func(s string) string { return s }), nil
	}
	places := placesOf(n.Ints("cats_int64s"))
	switch site.Types[0].DType {
	case tensor.Int32:
		return oneHotKernel(tensor.Data[int32], places, lenient, func(x int32) int64 { return int64(x) }), nil
	case tensor.Float32:
		return oneHotKernel(tensor.Data[float32], places, lenient, func(x float32) int64 { return truncated(float64(x)) }), nil
	case tensor.Float64:
		return oneHotKernel(tensor.Data[float64], places, lenient, truncated), nil
	}
	return oneHotKernel(tensor.Data[int64], places, lenient, func(x int64) int64 { return x }), nil
}

// truncated drops the fraction; what no int64 holds becomes the least one, as on amd64.
func truncated(x float64) int64 {
	if !(x > -(1<<63) && x < 1<<63) {
		return math.MinInt64
	}
	return int64(x)
}

// places finds categories: few by comparing, many by a map. A category that is listed twice counts where it stands last.
type places[K comparable] struct {
	keys []K
	at   map[K]int
}

func placesOf[K comparable](keys []K) *places[K] {
	p := &places[K]{keys: keys}
	if len(keys) > 8 {
		p.at = make(map[K]int, len(keys))
		for i, k := range keys {
			p.at[k] = i
		}
	}
	return p
}

func (p *places[K]) find(k K) int {
	if p.at != nil {
		if i, ok := p.at[k]; ok {
			return i
		}
		return -1
	}
	for i := len(p.keys) - 1; i >= 0; i-- {
		if p.keys[i] == k {
			return i
		}
	}
	return -1
}

func oneHotKernel[T any, K comparable](data lane[T], p *places[K], lenient bool, key func(T) K) Kernel {
	width := len(p.keys)
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		var buf [MaxRank + 1]int
		shape := append(append(buf[:0], in[0].Shape()...), width)
		if err := Reset(ctx, out[0], tensor.Float32, shape...); err != nil {
			return err
		}
		dst := out[0].F32()
		clear(dst)
		for i, x := range data(in[0]) {
			at := p.find(key(x))
			if at >= 0 {
				dst[i*width+at] = 1
			} else if !lenient {
				return misfit("OneHotEncoder", "element "+itoa(int64(i))+" is no category, and zeros=0 forbids that")
			}
		}
		return nil
	}
}

// ai.onnx.ml LabelEncoder: each element, a key, becomes its value, or the default. NaN is a key like any other from version 4 on.
// https://onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html
var labelAttrs = []string{"keys_floats", "keys_int64s", "keys_strings", "values_floats", "values_int64s", "values_strings"}

// labelSide reads keys or values, from whichever attribute holds them.
func labelSide(n *graph.Node, side string) (*tensor.Tensor, error) {
	var found []*tensor.Tensor
	if v := n.Strs(side + "_strings"); v != nil {
		found = append(found, tensor.Strings(v, len(v)))
	}
	if v := n.Ints(side + "_int64s"); v != nil {
		found = append(found, tensor.Ints(v, len(v)))
	}
	if v := n.Floats(side + "_floats"); v != nil {
		found = append(found, tensor.Floats(v, len(v)))
	}
	if a := n.Attr(side + "_tensor"); a != nil && a.Kind == graph.AttrTensor && a.Tensor != nil {
		found = append(found, a.Tensor)
	}
	if len(found) != 1 {
		return nil, bad(n, "wants "+side+" in exactly one attribute")
	}
	return found[0], oneOf(n, found[0].Type(), tensor.String, tensor.Int64, tensor.Int32, tensor.Int16, tensor.Float32, tensor.Float64)
}

// labelTable reads keys, values and default.
func labelTable(n *graph.Node) (keys, values, other *tensor.Tensor, err error) {
	if keys, err = labelSide(n, "keys"); err != nil {
		return
	}
	if values, err = labelSide(n, "values"); err != nil {
		return
	}
	if keys.Len() != values.Len() || keys.Len() == 0 {
		return nil, nil, nil, bad(n, "keys and values have not the same length, or none")
	}
	if a := n.Attr("default_tensor"); a != nil {
		if a.Tensor == nil || a.Tensor.DType() != values.DType() || a.Tensor.Len() != 1 {
			return nil, nil, nil, bad(n, "the default is not one element of the values' type")
		}
		return keys, values, a.Tensor, nil
	}
	other = tensor.New(values.DType(), 1)
	switch values.DType() {
	case tensor.String:
		other.Str()[0] = n.Str("default_string", "_Unused")
	case tensor.Int64:
		other.I64()[0] = n.Int("default_int64", -1)
	case tensor.Int32:
		tensor.Data[int32](other)[0] = -1
	case tensor.Int16:
		tensor.Data[int16](other)[0] = -1
	case tensor.Float32:
		other.F32()[0] = n.Float("default_float", float32(math.Copysign(0, -1)))
	default:
		tensor.Data[float64](other)[0] = math.Copysign(0, -1)
	}
	return keys, values, other, nil
}

func inferLabels(n *graph.Node, site *Site) ([]tensor.Type, error) {
	keys, values, _, err := labelTable(n)
	if err != nil {
		return nil, err
	}
	t := site.Types[0]
	if t.DType != keys.DType() {
		return nil, bad(n, "keys of another type than "+t.DType.String())
	}
	t.DType = values.DType()
	return []tensor.Type{t}, nil
}

func compileLabels(n *graph.Node, site *Site) (Kernel, error) {
	keys, values, other, err := labelTable(n)
	if err != nil {
		return nil, err
	}
	nan := site.Opset >= 4
	switch keys.DType() {
	case tensor.String:
		return labelKernel(findLabels(texts, keys, func(string) bool { return false }), values, other), nil
	case tensor.Int64:
		if t := newPlaces64(keys.I64()); t != nil {
			return labelKernel(t.findAll, values, other), nil
		}
		return labelKernel(findLabels(tensor.Data[int64], keys, func(int64) bool { return false }), values, other), nil
	case tensor.Int32:
		return labelKernel(findLabels(tensor.Data[int32], keys, func(int32) bool { return false }), values, other), nil
	case tensor.Int16:
		return labelKernel(findLabels(tensor.Data[int16], keys, func(int16) bool { return false }), values, other), nil
	case tensor.Float32:
		return labelKernel(findLabels(tensor.Data[float32], keys, func(x float32) bool { return nan && x != x }), values, other), nil
	}
	return labelKernel(findLabels(tensor.Data[float64], keys, func(x float64) bool { return nan && x != x }), values, other), nil
}

// findLabels makes what finds the place of each element among the keys, -1 where it is none. isNaN tells keys that equal only each other.
func findLabels[K comparable](data lane[K], keys *tensor.Tensor, isNaN func(K) bool) func(x *tensor.Tensor, to []int) {
	at, nan := make(map[K]int, keys.Len()), -1
	for i, k := range data(keys) {
		if isNaN(k) {
			nan = i
		} else if _, ok := at[k]; !ok {
			at[k] = i
		}
	}
	return func(x *tensor.Tensor, to []int) {
		for i, k := range data(x) {
			j, ok := at[k]
			if !ok {
				if j = -1; nan >= 0 && isNaN(k) {
					j = nan
				}
			}
			to[i] = j
		}
	}
}

// labelKernel moves values to where find says.
func labelKernel(find func(x *tensor.Tensor, to []int), values, other *tensor.Tensor) Kernel {
	var borrowed scratch[int]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if err := Reset(ctx, out[0], values.DType(), in[0].Shape()...); err != nil {
			return err
		}
		p := borrowed.take(in[0].Len())
		defer borrowed.put(p)
		find(in[0], *p)
		switch values.DType().Size() {
		case 8:
			moveLabels(tensor.Data[uint64], out[0], values, other, *p)
		case 4:
			moveLabels(tensor.Data[uint32], out[0], values, other, *p)
		case 2:
			moveLabels(tensor.Data[uint16], out[0], values, other, *p)
		default:
			moveLabels(texts, out[0], values, other, *p)
		}
		return nil
	}
}

func moveLabels[V any](data lane[V], out, values, other *tensor.Tensor, places []int) {
	dst, src, rest := data(out), data(values), data(other)[0]
	for i, j := range places {
		if j >= 0 {
			dst[i] = src[j]
		} else {
			dst[i] = rest
		}
	}
}

// places64 finds integers among keys: a table with the next free slot for what collides, several times as fast as a map. The pairs of
// byte-pair encoding are looked up by the million.
type places64 struct {
	keys  []int64
	at    []int32 // place among the keys, plus one; 0 is a free slot
	shift uint
}

// newPlaces64 is nil for keys that crowd together, which a file may have on purpose, or that are too many.
func newPlaces64(keys []int64) *places64 {
	if len(keys) > 1<<30 {
		return nil
	}
	bits := 3
	for 1<<bits < 2*len(keys) {
		bits++
	}
	t := &places64{keys: make([]int64, 1<<bits), at: make([]int32, 1<<bits), shift: uint(64 - bits)}
	for i, k := range keys {
		slot := t.slot(k)
		for tries := 0; t.at[slot] != 0 && t.keys[slot] != k; tries++ {
			if slot = (slot + 1) & (len(t.keys) - 1); tries == 64 {
				return nil
			}
		}
		if t.at[slot] == 0 { // of equal keys the first counts
			t.keys[slot], t.at[slot] = k, int32(i+1)
		}
	}
	return t
}

// slot is where a key begins to look: Fibonacci hashing (Knuth, "The Art of Computer Programming", volume 3, section 6.4).
func (t *places64) slot(k int64) int { return int(uint64(k) * 0x9e3779b97f4a7c15 >> t.shift) }

func (t *places64) findAll(x *tensor.Tensor, to []int) {
	mask := len(t.keys) - 1
	for i, k := range x.I64() {
		slot := t.slot(k)
		for t.at[slot] != 0 && t.keys[slot] != k {
			slot = (slot + 1) & mask
		}
		to[i] = int(t.at[slot]) - 1
	}
}
