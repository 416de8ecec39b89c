package op

import (
	"context"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

func itoa(v int64) string { return strconv.FormatInt(v, 10) }

// Shape, Size, Expand, ConstantOfShape, Constant: shapes as tensors and tensors made from shapes.
// https://onnx.ai/onnx/operators/onnx__Shape.html and so on.
func init() {
	x := f32s([]int{2, 1, 3}, 1, 2, 3, 4, 5, 6)
	register(&Spec{Name: "Shape", Since: 1, Attrs: []string{"start", "end"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferShape, Compile: compileShape, Cases: tested(func() []Case {
		return []Case{
			{In: in(x), Out: in(i64v(2, 1, 3))},
			{Name: "part", Attrs: []graph.Attr{graph.IntAttr("start", -2), graph.IntAttr("end", 99)}, In: in(x), Out: in(i64v(1, 3))},
			{Name: "nothing", Attrs: []graph.Attr{graph.IntAttr("start", 2), graph.IntAttr("end", 1)}, In: in(x), Out: in(i64s([]int{0}))},
		}
	})})
	register(&Spec{
		Name: "Size", Since: 1, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: func(*graph.Node, *Site) ([]tensor.Type, error) {
			return []tensor.Type{tensor.TypeOf(tensor.Int64)}, nil
		},
		Compile: func(*graph.Node, *Site) (Kernel, error) {
			return func(ctx context.Context, in, out []*tensor.Tensor) error {
				if err := Reset(ctx, out[0], tensor.Int64); err != nil {
					return err
				}
				out[0].I64()[0] = int64(in[0].Len())
				return nil
			}, nil
		},
		Cases: tested(func() []Case { return []Case{{In: in(x), Out: in(i64s(nil, 6))}} }),
	})
	register(&Spec{
		Name: "Expand", Since: 8, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferExpand, Compile: compileExpand,
		Grad: func(_ *graph.Builder, _ *graph.Node, dy []graph.Value) ([]graph.Value, error) { // dx = dy, summed back
			return []graph.Value{dy[0], ""}, nil
		},
		Cases: tested(func() []Case {
			return []Case{
				{In: in(f64s([]int{2, 1}, 1, 2), i64v(2, 3)), Out: in(f64s([]int{2, 3}, 1, 1, 1, 2, 2, 2))},
				{Name: "both ways", In: in(f64s([]int{2, 1}, 1, 2), i64v(2, 1, 1)), Out: in(f64s([]int{2, 2, 1}, 1, 2, 1, 2))},
				{Name: "strings", In: in(strs([]int{1}, "a"), i64v(2)), Out: in(strv("a", "a"))},
				{Name: "absurd", In: in(f64v(1), i64v(1<<50, 1<<50)), Err: "2^40"},
				{Name: "negative", In: in(f64v(1), i64v(-3)), Err: "negative"},
			}
		}),
	})
	register(&Spec{Name: "ConstantOfShape", Since: 9, Attrs: []string{"value"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferConstantOfShape, Compile: compileConstantOfShape, Cases: tested(func() []Case {
		return []Case{
			{In: in(i64v(2, 1)), Out: in(f32s([]int{2, 1}, 0, 0))},
			{Name: "value", Attrs: []graph.Attr{graph.TensorAttr("value", i64v(7))}, In: in(i64v(2)), Out: in(i64v(7, 7))},
			{Name: "scalar", In: in(i64s([]int{0})), Out: in(f32s(nil, 0))},
			{Name: "absurd", In: in(i64v(1 << 39)), Err: "memory limit"},
		}
	})})
	register(&Spec{
		Name: "Constant", Since: 1, Attrs: []string{"value", "value_float", "value_floats", "value_int", "value_ints", "value_string", "value_strings"},
		In: Arity{0, 0}, Out: Arity{1, 1}, Infer: inferConstant, Compile: compileConstant, Cases: tested(func() []Case {
			return []Case{
				{Attrs: []graph.Attr{graph.TensorAttr("value", f32v(1, 2))}, Out: in(f32v(1, 2))},
				{Name: "float", Attrs: []graph.Attr{graph.FloatAttr("value_float", 2)}, Out: in(f32s(nil, 2))},
				{Name: "ints", Attrs: []graph.Attr{graph.IntsAttr("value_ints", 2, 3)}, Out: in(i64v(2, 3))},
				{Name: "strings", Attrs: []graph.Attr{graph.StringsAttr("value_strings", []string{"a"})}, Out: in(strv("a"))},
				{Name: "none", Err: "one value"},
			}
		}),
	})
}

// ShapeSpan is which dimensions of a tensor of that rank a Shape node tells: start and end, clamped into the rank.
func ShapeSpan(n *graph.Node, rank int) (int, int) {
	r := int64(rank)
	clamp := func(v int64) int64 {
		if v < 0 {
			v += r
		}
		return min(max(v, 0), r)
	}
	start, end := clamp(n.Int("start", 0)), clamp(n.Int("end", r))
	return int(start), int(max(start, end))
}

func inferShape(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "start", "end"); err != nil {
		return nil, err
	}
	if site.Types[0].Unranked {
		return []tensor.Type{tensor.TypeOf(tensor.Int64, tensor.Free)}, nil
	}
	start, end := ShapeSpan(n, len(site.Types[0].Dims))
	return []tensor.Type{tensor.TypeOf(tensor.Int64, end-start)}, nil
}

func compileShape(n *graph.Node, _ *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		start, end := ShapeSpan(n, in[0].Rank())
		if err := Reset(ctx, out[0], tensor.Int64, end-start); err != nil {
			return err
		}
		for i, d := range in[0].Shape()[start:end] {
			out[0].I64()[i] = int64(d)
		}
		return nil
	}, nil
}

// sizesOf checks a shape that comes as a tensor.
func sizesOf(op string, buf []int, t *tensor.Tensor) ([]int, error) {
	if t.Rank() > 1 || t.Len() > MaxRank {
		return nil, misfit(op, "a shape of more than "+itoa(MaxRank)+" dimensions")
	}
	for _, v := range t.I64() {
		if v < 0 {
			return nil, misfit(op, "a negative dimension")
		}
		if v > 1<<40 {
			return nil, fault.New(fault.TooLarge, op+": a dimension of more than 2^40")
		}
		buf = append(buf, int(v))
	}
	return buf, nil
}

// shapeType infers the type of a tensor whose shape is input i.
func shapeType(n *graph.Node, site *Site, i int, d tensor.DType) (tensor.Type, error) {
	if site.Types[i].DType != tensor.Int64 {
		return tensor.Type{}, bad(n, "a shape that is not int64")
	}
	if c := site.constant(i); c != nil {
		shape, err := sizesOf(n.Op, nil, c)
		return tensor.TypeOf(d, shape...), err
	}
	if t := site.Types[i]; len(t.Dims) == 1 && !t.Unranked && t.Dims[0].Size >= 0 && t.Dims[0].Size <= MaxRank {
		dims := make([]tensor.Dim, t.Dims[0].Size)
		for k := range dims {
			dims[k] = free
		}
		return tensor.Type{DType: d, Dims: dims}, nil
	}
	return unranked(d), nil
}

func inferExpand(n *graph.Node, site *Site) ([]tensor.Type, error) {
	to, err := shapeType(n, site, 1, site.Types[0].DType)
	if err != nil {
		return nil, err
	}
	t, err := broadcastTypes(n, to.DType, site.Types[0], to)
	return []tensor.Type{t}, err
}

func compileExpand(*graph.Node, *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		var wb, tb [MaxRank]int
		want, err := sizesOf("Expand", wb[:0], in[1])
		if err != nil {
			return err
		}
		to, err := broadcastShape("Expand", tb[:0], in[0].Shape(), want)
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), to...); err != nil {
			return err
		}
		var g grid
		g.set(to, to, in[0].Shape())
		moveGrid(out[0], 0, in[0], 0, &g)
		return nil
	}, nil
}

func inferConstantOfShape(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "value", graph.AttrTensor); err != nil {
		return nil, err
	}
	d := tensor.Float32
	if a := n.Attr("value"); a != nil {
		if a.Tensor == nil || a.Tensor.Len() != 1 {
			return nil, bad(n, "a value that is not one element")
		}
		d = a.Tensor.DType()
	}
	t, err := shapeType(n, site, 0, d)
	return []tensor.Type{t}, err
}

func compileConstantOfShape(n *graph.Node, _ *Site) (Kernel, error) {
	value := tensor.New(tensor.Float32, 1)
	if a := n.Attr("value"); a != nil {
		value = a.Tensor
	}
	one := make([]int, 1)
	one[0] = 1
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		var buf [MaxRank]int
		shape, err := sizesOf("ConstantOfShape", buf[:0], in[0])
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], value.DType(), shape...); err != nil {
			return err
		}
		var g grid
		g.set(shape, shape, one)
		moveGrid(out[0], 0, value, 0, &g)
		return nil
	}, nil
}

// constantValue is the tensor that a Constant node stands for.
func constantValue(n *graph.Node) (*tensor.Tensor, error) {
	if len(n.Attrs) != 1 {
		return nil, bad(n, "wants exactly one value")
	}
	a := &n.Attrs[0]
	kinds := map[string]graph.AttrKind{
		"value": graph.AttrTensor, "value_float": graph.AttrFloat, "value_floats": graph.AttrFloats, "value_int": graph.AttrInt,
		"value_ints": graph.AttrInts, "value_string": graph.AttrString, "value_strings": graph.AttrStrings,
	}
	if kinds[a.Name] != a.Kind {
		return nil, bad(n, "attribute "+a.Name+" has the wrong kind")
	}
	switch a.Kind {
	case graph.AttrTensor:
		if a.Tensor != nil {
			return a.Tensor, nil
		}
	case graph.AttrFloat:
		return f32s(nil, a.Float), nil
	case graph.AttrFloats:
		return tensor.Floats(a.Floats, len(a.Floats)), nil
	case graph.AttrInt:
		return i64s(nil, a.Int), nil
	case graph.AttrInts:
		return tensor.Ints(a.Ints, len(a.Ints)), nil
	case graph.AttrString:
		t := tensor.New(tensor.String)
		t.Str()[0] = a.Str
		return t, nil
	case graph.AttrStrings:
		return tensor.Strings(a.Strs, len(a.Strs)), nil
	}
	return nil, bad(n, "wants exactly one value")
}

func inferConstant(n *graph.Node, _ *Site) ([]tensor.Type, error) {
	t, err := constantValue(n)
	if err != nil {
		return nil, err
	}
	return []tensor.Type{t.Type()}, nil
}

func compileConstant(n *graph.Node, _ *Site) (Kernel, error) {
	t, err := constantValue(n)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, _, out []*tensor.Tensor) error {
		out[0].Alias(t, t.Shape()...)
		return nil
	}, nil
}
