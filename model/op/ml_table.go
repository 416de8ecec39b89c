package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ai.onnx.ml Imputer, Scaler, Normalizer, Binarizer: columns of a table (rows, features), or of one row (features).
// https://onnx.ai/onnx/operators/onnx_aionnxml_Imputer.html and so on. Higher ranks are refused: the standard has none.
func init() {
	nan := float32(math.NaN())
	holes := f32s([]int{2, 2}, nan, -4, 0, nan)
	register(&Spec{
		Domain: graph.ML, Name: "Imputer", Since: 1, Attrs: []string{"imputed_value_floats", "imputed_value_int64s", "replaced_value_float", "replaced_value_int64"},
		In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferTable(tensor.Undefined, tensor.Float32, tensor.Float64, tensor.Int64, tensor.Int32), Compile: compileImputer, Grad: differentiable(gradImputer), Cases: tested(func() []Case {
			return []Case{
				{Attrs: []graph.Attr{graph.FloatsAttr("imputed_value_floats", []float32{7, 8}), graph.FloatAttr("replaced_value_float", nan)}, In: in(holes), Out: in(f32s([]int{2, 2}, 7, -4, 0, 8))},
				{Name: "float64", Attrs: []graph.Attr{graph.FloatsAttr("imputed_value_floats", []float32{7}), graph.FloatAttr("replaced_value_float", nan)}, In: in(f64s([]int{2, 2}, 1, -4, 0, math.NaN())), Out: in(f64s([]int{2, 2}, 1, -4, 0, 7))},
				{Name: "a number", Attrs: []graph.Attr{graph.FloatsAttr("imputed_value_floats", []float32{7}), graph.FloatAttr("replaced_value_float", -5)}, In: in(f64s([]int{2, 2}, 1, -4, 0, 2)), Out: in(f64s([]int{2, 2}, 1, -4, 0, 2))},
				{Name: "one value", Attrs: []graph.Attr{graph.FloatsAttr("imputed_value_floats", []float32{7}), graph.FloatAttr("replaced_value_float", -4)}, In: in(holes), Out: in(f32s([]int{2, 2}, nan, 7, 0, nan))},
				{Name: "ints", Attrs: []graph.Attr{graph.IntsAttr("imputed_value_int64s", 7, 8)}, In: in(i64s([]int{2, 2}, 3, -4, 0, 0)), Out: in(i64s([]int{2, 2}, 3, -4, 7, 8))},
				{Name: "wrong width", Attrs: []graph.Attr{graph.FloatsAttr("imputed_value_floats", []float32{7, 8, 9})}, In: in(holes), Err: "3 values"},
			}
		}),
	})
	scale := []graph.Attr{graph.FloatsAttr("offset", []float32{1, 2}), graph.FloatsAttr("scale", []float32{2, 3})}
	register(&Spec{
		Domain: graph.ML, Name: "Scaler", Since: 1, Attrs: []string{"offset", "scale"}, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: inferTable(tensor.Float32, signed...), Compile: compileScaler, Grad: differentiable(gradScaler), Cases: tested(func() []Case {
			return []Case{
				{Attrs: scale, In: in(f32s([]int{2, 2}, 3, -4, 0, 0)), Out: in(f32s([]int{2, 2}, 4, -18, -2, -6))},
				{Name: "ints", Attrs: scale, In: in(i64s([]int{1, 2}, 3, -4)), Out: in(f32s([]int{1, 2}, 4, -18))},
				{Name: "row", Attrs: scale, In: in(f32v(3, -4)), Out: in(f32v(4, -18))},
				{Name: "one factor", Attrs: []graph.Attr{graph.FloatsAttr("offset", []float32{1}), graph.FloatsAttr("scale", []float32{2})}, In: in(f32v(3, -4)), Out: in(f32v(4, -10))},
			}
		}),
	})
	norm := func(v string) []graph.Attr { return []graph.Attr{graph.StringAttr("norm", v)} }
	x, rows := f32s([]int{3, 2}, 3, -4, 0, 0, -1, -2), f32s([]int{2, 2}, 3, -4, -1, 2)
	register(&Spec{
		Domain: graph.ML, Name: "Normalizer", Since: 1, Attrs: []string{"norm"}, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: inferTable(tensor.Float32, signed...), Compile: compileNormalizer, Grad: differentiable(gradNormalizer), Cases: tested(func() []Case {
			return []Case{ // from onnxruntime 1.32
				{Attrs: norm("MAX"), In: in(x), Out: in(f32s([]int{3, 2}, 1, -4./3, 0, 0, 1, 2)), NoGrad: true},
				{Name: "L1", Attrs: norm("L1"), In: in(x), Out: in(f32s([]int{3, 2}, 3./7, -4./7, 0, 0, -1./3, -2./3)), NoGrad: true},
				{Name: "L2", Attrs: norm("L2"), In: in(x), Out: in(f32s([]int{3, 2}, .6, -.8, 0, 0, -.4472136, -.8944272)), NoGrad: true},
				{Name: "greatest", Attrs: norm("MAX"), In: in(rows), Out: in(f32s([]int{2, 2}, 1, -4./3, -.5, 1))},
				{Name: "absolutes", Attrs: norm("L1"), In: in(rows), Out: in(f32s([]int{2, 2}, 3./7, -4./7, -1./3, 2./3))},
				{Name: "length", Attrs: norm("L2"), In: in(rows), Out: in(f32s([]int{2, 2}, .6, -.8, -.4472136, .8944272))},
				{Name: "unknown", Attrs: norm("L3"), In: in(x), Err: "norm=L3"},
			}
		}),
	})
	register(&Spec{
		Domain: graph.ML, Name: "Binarizer", Since: 1, Attrs: []string{"threshold"}, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: like(tensor.Float32), Compile: func(n *graph.Node, _ *Site) (Kernel, error) {
			threshold := n.Float("threshold", 0)
			return unaryKernel(tensor.Data[float32], tensor.Data[float32], tensor.Float32, func(dst, src []float32) {
				for i, v := range src {
					if dst[i] = 0; v > threshold {
						dst[i] = 1
					}
				}
			}), nil
		}, Cases: tested(func() []Case {
			return []Case{{Attrs: []graph.Attr{graph.FloatAttr("threshold", 1)}, In: in(f32v(1, 1.5, -2)), Out: in(f32v(0, 1, 0))}}
		}),
	})
}

// inferTable keeps the shape; to Undefined keeps the element type too.
func inferTable(to tensor.DType, ok ...tensor.DType) func(*graph.Node, *Site) ([]tensor.Type, error) {
	return func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		t := site.Types[0]
		if err := oneOf(n, t, ok...); err != nil {
			return nil, err
		}
		if !t.Unranked && (len(t.Dims) < 1 || len(t.Dims) > 2) {
			return nil, refuseRank(n.Op)
		}
		if to != tensor.Undefined {
			t.DType = to
		}
		return []tensor.Type{t}, nil
	}
}

func refuseRank(op string) error {
	return misfit(op, "the input must have the shape (rows, features) or (features)")
}

// tableShape gives rows and features of (rows, features) or (features).
func tableShape(op string, shape []int) (rows, features int, err error) {
	switch len(shape) {
	case 1:
		return 1, shape[0], nil
	case 2:
		return shape[0], shape[1], nil
	}
	return 0, 0, refuseRank(op)
}

// perFeature checks that values are one for each feature or one for all, and gives the step between features.
func perFeature(op string, values, features int) (int, error) {
	if values == 1 {
		return 0, nil
	}
	if values != features {
		return 0, misfit(op, itoa(int64(values))+" values for "+itoa(int64(features))+" features")
	}
	return 1, nil
}

func compileImputer(n *graph.Node, site *Site) (Kernel, error) {
	floats, ints := n.Floats("imputed_value_floats"), n.Ints("imputed_value_int64s")
	if (len(floats) == 0) == (len(ints) == 0) {
		return nil, bad(n, "wants either imputed_value_floats or imputed_value_int64s")
	}
	d := site.Types[0].DType
	if integer := d == tensor.Int64 || d == tensor.Int32; integer != (len(ints) > 0) {
		return nil, bad(n, "imputed values of another type than "+d.String())
	}
	hole := n.Float("replaced_value_float", 0)
	switch d {
	case tensor.Float32:
		return imputeKernel(tensor.Data[float32], d, floats, hole), nil
	case tensor.Float64:
		wide := make([]float64, len(floats))
		convert(wide, floats)
		return imputeKernel(tensor.Data[float64], d, wide, float64(hole)), nil
	case tensor.Int64:
		return imputeKernel(tensor.Data[int64], d, ints, n.Int("replaced_value_int64", 0)), nil
	}
	narrow := make([]int32, len(ints))
	convert(narrow, ints)
	return imputeKernel(tensor.Data[int32], d, narrow, int32(n.Int("replaced_value_int64", 0))), nil
}

// imputeKernel replaces hole, or NaN where hole is NaN, by the feature's value.
func imputeKernel[T number](data lane[T], d tensor.DType, values []T, hole T) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		rows, features, err := tableShape("Imputer", in[0].Shape())
		if err != nil {
			return err
		}
		step, err := perFeature("Imputer", len(values), features)
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], d, in[0].Shape()...); err != nil {
			return err
		}
		dst, src := data(out[0]), data(in[0])
		for r := range rows {
			for f := range features {
				x := src[r*features+f]
				if x == hole || hole != hole && x != x {
					x = values[f*step]
				}
				dst[r*features+f] = x
			}
		}
		return nil
	}
}

// asFloats gives the elements of t as float32: its own memory, or that of a slot which is borrowed from s then.
func asFloats(ctx context.Context, t *tensor.Tensor, s *scratch[tensor.Tensor]) (v []float32, borrowed *[]tensor.Tensor, err error) {
	if t.DType() == tensor.Float32 {
		return t.F32(), nil, nil
	}
	borrowed = s.take(1)
	wide := &(*borrowed)[0]
	if err := Reset(ctx, wide, tensor.Float32, t.Len()); err != nil {
		return nil, borrowed, err
	}
	return wide.F32(), borrowed, castInto(wide, t)
}

func compileScaler(n *graph.Node, _ *Site) (Kernel, error) {
	offset, factor := n.Floats("offset"), n.Floats("scale")
	if len(offset) == 0 || len(offset) != len(factor) {
		return nil, bad(n, "offset and scale must have the same length")
	}
	var s scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		rows, features, err := tableShape("Scaler", in[0].Shape())
		if err != nil {
			return err
		}
		step, err := perFeature("Scaler", len(offset), features)
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], tensor.Float32, in[0].Shape()...); err != nil {
			return err
		}
		src, borrowed, err := asFloats(ctx, in[0], &s)
		defer s.put(borrowed)
		if err != nil {
			return err
		}
		dst := out[0].F32()
		for r := range rows {
			for f := range features {
				dst[r*features+f] = (src[r*features+f] - offset[f*step]) * factor[f*step]
			}
		}
		return nil
	}, nil
}

func compileNormalizer(n *graph.Node, _ *Site) (Kernel, error) {
	norm := n.Str("norm", "MAX")
	if norm != "MAX" && norm != "L1" && norm != "L2" {
		return nil, refuseAttr(n, "norm", norm)
	}
	var s scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		_, features, err := tableShape("Normalizer", in[0].Shape())
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], tensor.Float32, in[0].Shape()...); err != nil {
			return err
		}
		src, borrowed, err := asFloats(ctx, in[0], &s)
		defer s.put(borrowed)
		if err != nil {
			return err
		}
		dst := out[0].F32()
		for at := 0; at < len(dst); at += features {
			normalize(dst[at:at+features], src[at:], norm)
		}
		return nil
	}, nil
}

// normalize divides a row by its greatest element, the sum of absolutes or its length; a row of norm 0 becomes 0.
func normalize(dst, src []float32, norm string) {
	src = src[:len(dst)]
	var sum float64
	top := math.Inf(-1)
	for _, v := range src {
		x := float64(v)
		top = math.Max(top, x)
		if norm == "L2" {
			sum += x * x
		} else {
			sum += math.Abs(x)
		}
	}
	switch norm {
	case "MAX":
		sum = top
	case "L2":
		sum = math.Sqrt(sum)
	}
	for i, v := range src {
		if dst[i] = 0; sum != 0 {
			dst[i] = float32(float64(v) / sum)
		}
	}
}
