package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Identity, Reshape, Flatten, Squeeze, Unsqueeze: the same elements under another shape.
// All are views. https://onnx.ai/onnx/operators/onnx__Reshape.html and so on.
func init() {
	view := func(s *Spec) { s.View = true; s.Out = Arity{1, max(s.Out.Max, 1)}; register(s) }
	identity := func(ctx context.Context, in, out []*tensor.Tensor) error {
		out[0].Alias(in[0], in[0].Shape()...)
		return nil
	}
	view(&Spec{
		Name: "Identity", Since: 1, In: Arity{1, 1}, Infer: like(append(anyDType, tensor.Sequence, tensor.Optional, tensor.Map)...),
		Compile: func(*graph.Node, *Site) (Kernel, error) { return identity, nil },
		Grad:    func(_ *graph.Builder, _ *graph.Node, dy []graph.Value) ([]graph.Value, error) { return dy[:1], nil },
		Cases: tested(func() []Case {
			return []Case{{In: in(f64v(1, 2)), Out: in(f64v(1, 2))}, {Name: "strings", In: in(strv("a")), Out: in(strv("a"))}}
		}),
	})
	ints := func(v ...int64) *tensor.Tensor { return tensor.Ints(v) }
	six := f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	view(&Spec{
		Name: "Reshape", Since: 5, Attrs: []string{"allowzero"}, In: Arity{2, 2}, Infer: inferReshape, Compile: compileReshape, Grad: differentiable(gradReshape),
		Cases: tested(func() []Case {
			return []Case{
				{In: in(six, ints(3, 2)), Out: in(f64s([]int{3, 2}, 1, 2, 3, 4, 5, 6))},
				{Name: "rest", In: in(six, ints(-1)), Out: in(f64v(1, 2, 3, 4, 5, 6))},
				{Name: "keep", In: in(six, ints(0, 1, -1)), Out: in(f64s([]int{2, 1, 3}, 1, 2, 3, 4, 5, 6))},
				{Name: "to scalar", In: in(f64v(7), i64s([]int{0})), Out: in(f64s(nil, 7))},
				{Name: "allowzero", Attrs: []graph.Attr{graph.IntAttr("allowzero", 1)}, In: in(f64s([]int{0, 3}), ints(3, 0)), Out: in(f64s([]int{3, 0}))},
				{Name: "empty keeps", In: in(f64s([]int{0, 3}), ints(0, -1)), Err: "-1"},
				{Name: "misfit", In: in(six, ints(4, 2)), Err: "(2, 3)"},
				{Name: "two rests", In: in(six, ints(-1, -1)), Err: "-1"},
				{Name: "absurd", In: in(six, ints(1<<62, 1<<62)), Err: "(2, 3)"},
			}
		}),
	})
	view(&Spec{
		Name: "Flatten", Since: 1, Attrs: []string{"axis"}, In: Arity{1, 1}, Infer: inferFlatten, Compile: compileFlatten, Grad: differentiable(gradReshape),
		Cases: tested(func() []Case {
			return []Case{
				{In: in(f64s([]int{2, 1, 2}, 1, 2, 3, 4)), Out: in(f64s([]int{2, 2}, 1, 2, 3, 4))},
				{Name: "axis 0", Attrs: []graph.Attr{graph.IntAttr("axis", 0)}, In: in(six), Out: in(f64s([]int{1, 6}, 1, 2, 3, 4, 5, 6))},
				{Name: "axis -1", Attrs: []graph.Attr{graph.IntAttr("axis", -1)}, In: in(f64s([]int{2, 1, 2}, 1, 2, 3, 4)), Out: in(f64s([]int{2, 2}, 1, 2, 3, 4))},
				{Name: "vector", In: in(f64v(1, 2)), Out: in(f64s([]int{2, 1}, 1, 2))},
			}
		}),
	})
	view(&Spec{Name: "Squeeze", Since: 13, In: Arity{1, 2}, Infer: inferSqueeze, Compile: compileSqueeze, Grad: differentiable(gradReshape), Cases: tested(func() []Case {
		return []Case{
			{In: in(f64s([]int{1, 2, 1}, 1, 2), ints(0)), Out: in(f64s([]int{2, 1}, 1, 2))},
			{Name: "negative", In: in(f64s([]int{1, 2, 1}, 1, 2), ints(-1)), Out: in(f64s([]int{1, 2}, 1, 2))},
			{Name: "all", In: in(f64s([]int{1, 2, 1}, 1, 2)), Out: in(f64v(1, 2))},
			{Name: "not one", In: in(f64s([]int{1, 2, 1}, 1, 2), ints(1)), Err: "length"},
		}
	})})
	view(&Spec{Name: "Squeeze", Since: 1, Attrs: []string{"axes"}, In: Arity{1, 1}, Infer: inferSqueeze, Compile: compileSqueeze, Grad: differentiable(gradReshape), Cases: tested(func() []Case {
		return []Case{
			{Opset: 11, Attrs: []graph.Attr{graph.IntsAttr("axes", 0)}, In: in(f64s([]int{1, 2}, 1, 2)), Out: in(f64v(1, 2))},
		}
	})})
	view(&Spec{Name: "Unsqueeze", Since: 13, In: Arity{2, 2}, Infer: inferUnsqueeze, Compile: compileUnsqueeze, Grad: differentiable(gradReshape), Cases: tested(func() []Case {
		return []Case{
			{In: in(f64v(1, 2), ints(0, -1)), Out: in(f64s([]int{1, 2, 1}, 1, 2))},
			{Name: "scalar", In: in(f64s(nil, 5), ints(0)), Out: in(f64v(5))},
			{Name: "unsorted", In: in(f64v(1, 2), ints(2, 0)), Out: in(f64s([]int{1, 2, 1}, 1, 2))},
			{Name: "twice", In: in(f64v(1, 2), ints(0, 0)), Err: "twice"},
		}
	})})
	view(&Spec{Name: "Unsqueeze", Since: 1, Attrs: []string{"axes"}, In: Arity{1, 1}, Infer: inferUnsqueeze, Compile: compileUnsqueeze, Grad: differentiable(gradReshape), Cases: tested(func() []Case {
		return []Case{
			{Opset: 11, Attrs: []graph.Attr{graph.IntsAttr("axes", 1)}, In: in(f64v(1, 2)), Out: in(f64s([]int{2, 1}, 1, 2))},
		}
	})})
}

// dx = dy in the shape of x.
func gradReshape(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	asItIs := []graph.Attr{graph.IntAttr("allowzero", 1)}
	dx := []graph.Value{b.OpWith("Reshape", asItIs, dy[0], b.Op("Shape", n.Inputs[0]))}
	if len(n.Inputs) > 1 {
		dx = append(dx, "")
	}
	return dx, nil
}

// reshaped appends to dst the shape that want asks for: 0 keeps the input's dimension (unless allowZero), -1 takes what is left.
func reshaped(dst, shape []int, want []int64, allowZero bool) ([]int, error) {
	total, known, rest := 1, 1, -1
	for _, d := range shape {
		total *= d
	}
	fits := len(want) <= MaxRank
	for i, w := range want[:min(len(want), MaxRank)] {
		switch {
		case w == 0 && !allowZero:
			if i >= len(shape) {
				return nil, misfit("Reshape", "a 0 beyond the input's rank")
			}
			w = int64(shape[i])
		case w == -1:
			if rest >= 0 {
				return nil, misfit("Reshape", "more than one -1")
			}
			rest = i
			dst = append(dst, 1)
			continue
		case w < 0 || w > 1<<40:
			fits = false
			w = 1
		}
		dst = append(dst, int(w))
		if known > 0 && w > 0 && int64(known) > (1<<60)/w {
			fits = false
			continue
		}
		known *= int(w)
	}
	if rest >= 0 {
		if known == 0 {
			return nil, misfit("Reshape", "-1 beside a dimension of length 0")
		}
		dst[rest] = total / known
		known *= dst[rest]
	}
	if !fits || known != total {
		return nil, misfit("Reshape", "elements of the shape "+shapeText(shape)+" do not fill the shape that was asked for")
	}
	return dst, nil
}

func inferReshape(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "allowzero", graph.AttrInt); err != nil {
		return nil, err
	}
	if site.Types[1].DType != tensor.Int64 {
		return nil, bad(n, "a shape that is not int64")
	}
	t, c := site.Types[0], site.constant(1)
	if c == nil { // its length is the rank
		t, err := shapeType(n, site, 1, t.DType)
		return []tensor.Type{t}, err
	}
	want := c.I64()
	if sizes, ok := fixed(t); ok {
		shape, err := reshaped(nil, sizes, want, n.Int("allowzero", 0) == 1)
		if err != nil {
			return nil, err
		}
		return []tensor.Type{tensor.TypeOf(t.DType, shape...)}, nil
	}
	dims := make([]tensor.Dim, len(want))
	for i, w := range want {
		switch {
		case w == 0 && n.Int("allowzero", 0) == 0:
			if dims[i] = free; !t.Unranked {
				if i >= len(t.Dims) {
					return nil, bad(n, "a 0 beyond the input's rank")
				}
				dims[i] = t.Dims[i]
			}
		case w < -1 || w > 1<<40:
			return nil, bad(n, "a shape with absurd dimensions")
		case w == -1:
			dims[i] = free
		default:
			dims[i].Size = int(w)
		}
	}
	return []tensor.Type{{DType: t.DType, Dims: dims}}, nil
}

func compileReshape(n *graph.Node, _ *Site) (Kernel, error) {
	allowZero := n.Int("allowzero", 0) == 1
	return func(_ context.Context, in, out []*tensor.Tensor) error {
		var buf [MaxRank]int
		shape, err := reshaped(buf[:0], in[0].Shape(), in[1].I64(), allowZero)
		if err != nil {
			return err
		}
		out[0].Alias(in[0], shape...)
		return nil
	}, nil
}

func inferFlatten(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "axis", graph.AttrInt); err != nil {
		return nil, err
	}
	t := site.Types[0]
	dims := []tensor.Dim{free, free}
	if !t.Unranked {
		at, err := flattenAxis(n.Int("axis", 1), len(t.Dims))
		if err != nil {
			return nil, err
		}
		for i, part := range [][]tensor.Dim{t.Dims[:at], t.Dims[at:]} {
			if len(part) == 1 {
				dims[i] = part[0]
			} else if sizes, ok := fixed(tensor.Type{Dims: part}); ok {
				if dims[i].Size, err = tensor.Elements(sizes); err != nil {
					return nil, err
				}
			}
		}
	}
	return []tensor.Type{{DType: t.DType, Dims: dims}}, nil
}

// flattenAxis allows the rank itself, unlike axisOf.
func flattenAxis(axis int64, rank int) (int, error) {
	if axis == int64(rank) {
		return rank, nil
	}
	return axisOf("Flatten", axis, rank)
}

func compileFlatten(n *graph.Node, _ *Site) (Kernel, error) {
	axis := n.Int("axis", 1)
	return func(_ context.Context, in, out []*tensor.Tensor) error {
		at, err := flattenAxis(axis, in[0].Rank())
		if err != nil {
			return err
		}
		rows, columns := 1, 1
		for i, d := range in[0].Shape() {
			if i < at {
				rows *= d
			} else {
				columns *= d
			}
		}
		out[0].Alias(in[0], rows, columns)
		return nil
	}, nil
}

// axesOf gives the axes of a node from input 1 or, in older opsets, from the attribute; ok tells whether they are known
// when compiling, present whether there are any.
func axesOf(n *graph.Node, site *Site) (axes []int64, present, ok bool) {
	if a := n.Attr("axes"); a != nil {
		return a.Ints, true, true
	}
	if n.In(1) == "" {
		return nil, false, true
	}
	if c := site.constant(1); c != nil && c.DType() == tensor.Int64 {
		return c.I64(), true, true
	}
	return nil, true, false
}

// checkAxes checks the kind of the attribute and the type of the input that hold axes.
func checkAxes(n *graph.Node, site *Site) error {
	if n.In(1) != "" && site.typ(1).DType != tensor.Int64 {
		return bad(n, "axes that are not int64")
	}
	return kind(n, "axes", graph.AttrInts)
}

// marks sets the axes among rank dimensions, each at most once.
func marks(op string, axes []int64, rank int) (set [MaxRank]bool, err error) {
	if rank > MaxRank {
		return set, misfit(op, "too many dimensions")
	}
	for _, a := range axes {
		i, err := axisOf(op, a, rank)
		if err != nil {
			return set, err
		}
		if set[i] {
			return set, misfit(op, "an axis is given twice")
		}
		set[i] = true
	}
	return set, nil
}

func inferSqueeze(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := checkAxes(n, site); err != nil {
		return nil, err
	}
	t := site.Types[0]
	axes, present, ok := axesOf(n, site)
	if t.Unranked || !ok || !present && slices.ContainsFunc(t.Dims, func(d tensor.Dim) bool { return d.Size == tensor.Free }) {
		return []tensor.Type{unranked(t.DType)}, nil
	}
	set, err := marks("Squeeze", axes, len(t.Dims))
	if err != nil {
		return nil, err
	}
	dims := []tensor.Dim{}
	for i, d := range t.Dims {
		if set[i] && d.Size > 1 {
			return nil, bad(n, "an axis whose length is not 1")
		}
		if !set[i] && (present || d.Size != 1) {
			dims = append(dims, d)
		}
	}
	return []tensor.Type{{DType: t.DType, Dims: dims}}, nil
}

func compileSqueeze(n *graph.Node, site *Site) (Kernel, error) {
	axes, present, _ := axesOf(n, site)
	return func(_ context.Context, in, out []*tensor.Tensor) error {
		axes := axes
		if len(in) > 1 && in[1] != nil {
			axes = in[1].I64()
		}
		set, err := marks("Squeeze", axes, in[0].Rank())
		if err != nil {
			return err
		}
		var buf [MaxRank]int
		shape := buf[:0]
		for i, d := range in[0].Shape() {
			if set[i] && d != 1 {
				return misfit("Squeeze", "an axis whose length is not 1")
			}
			if !set[i] && (present || d != 1) {
				shape = append(shape, d)
			}
		}
		out[0].Alias(in[0], shape...)
		return nil
	}, nil
}

func inferUnsqueeze(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := checkAxes(n, site); err != nil {
		return nil, err
	}
	t := site.Types[0]
	axes, _, ok := axesOf(n, site)
	if t.Unranked || !ok {
		return []tensor.Type{unranked(t.DType)}, nil
	}
	set, err := marks("Unsqueeze", axes, len(t.Dims)+len(axes))
	if err != nil {
		return nil, err
	}
	dims, rest := make([]tensor.Dim, len(t.Dims)+len(axes)), t.Dims
	for i := range dims {
		if set[i] {
			dims[i].Size = 1
		} else {
			dims[i], rest = rest[0], rest[1:]
		}
	}
	return []tensor.Type{{DType: t.DType, Dims: dims}}, nil
}

func compileUnsqueeze(n *graph.Node, site *Site) (Kernel, error) {
	axes, _, _ := axesOf(n, site)
	return func(_ context.Context, in, out []*tensor.Tensor) error {
		axes := axes
		if len(in) > 1 {
			axes = in[1].I64()
		}
		rank := in[0].Rank() + len(axes)
		set, err := marks("Unsqueeze", axes, rank)
		if err != nil {
			return err
		}
		var buf [MaxRank]int
		rest := in[0].Shape()
		for i := range rank {
			if buf[i] = 1; !set[i] {
				buf[i], rest = rest[0], rest[1:]
			}
		}
		out[0].Alias(in[0], buf[:rank]...)
		return nil
	}, nil
}
