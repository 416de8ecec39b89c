//go:build !lean

package op

import (
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// The operators of opsets 1 to 6 whose only differences to later ones are attributes: consumed_inputs, a hint that says nothing about values;
// broadcast and axis, which say how the second operand of Add and its like lies along the first; is_test; the name of a type in Cast.
// https://onnx.ai/onnx/operators/onnx__Add.html#add-1 and so on.
func init() {
	for _, name := range []string{"Abs", "Ceil", "Clip", "Elu", "Exp", "Floor", "HardSigmoid", "LeakyRelu", "Log", "Neg", "Reciprocal", "Relu", "Selu", "Sigmoid", "Sqrt", "Tanh"} {
		oldest(name, 1, 6, Arity{1, 1}, "consumed_inputs")
	}
	for name, attrs := range map[string][]string{"Clip": {"max", "min"}, "Elu": {"alpha"}, "HardSigmoid": {"alpha", "beta"}, "LeakyRelu": {"alpha"}, "Selu": {"alpha", "gamma"}} {
		s := specs[[2]string{"", name}]
		s[len(s)-1].Attrs = append(attrs, "consumed_inputs")
	}
	for _, name := range []string{"Max", "Mean", "Min", "Sum"} {
		for since, attrs := range map[int64][]string{1: {"consumed_inputs"}, 6: nil} {
			s := oldest(name, since, 8, Arity{1, Many}, attrs...)
			s.Infer, s.Compile = inferAllEqual(s.Infer), compileAllEqual(s.Compile)
		}
	}
	pairs := func(name string, versions ...int64) {
		for _, since := range versions {
			attrs := []string{"axis", "broadcast", "consumed_inputs"}
			if since == 6 || len(versions) == 1 {
				attrs = attrs[:2]
			}
			s := oldest(name, since, 7, Arity{2, 2}, attrs...)
			if s.Infer, s.Compile = inferAlong, compileAlong; !flat[name] {
				s.Grad = gradAlong
			}
		}
	}
	for _, name := range []string{"Add", "Sub", "Mul", "Div"} {
		pairs(name, 1, 6)
	}
	for _, name := range []string{"And", "Or", "Xor", "Equal", "Greater", "Less", "Pow"} {
		pairs(name, 1)
	}
	for since, attrs := range map[int64][]string{1: {"consumed_inputs"}, 6: nil} {
		s := oldest("PRelu", since, 7, Arity{2, 2}, attrs...)
		s.Infer, s.Compile, s.Grad = inferAlong, compileAlong, gradOldPRelu
		s = oldest("Dropout", since, 7, Arity{1, 1}, append([]string{"is_test", "ratio"}, attrs...)...)
		s.Half, s.View, s.Out.Max = false, true, 2
		s.Infer, s.Compile, s.Grad = inferOldDropout, compileOldDropout, gradDropout
	}
	cast := oldest("Cast", 1, 6, Arity{1, 1}, "to")
	cast.Half, cast.Infer, cast.Compile, cast.Grad = false, inferOldCast, compileOldCast, gradOldCast
	oldestCases()
}

func oldestCases() {
	add := func(name string, opset int64, cases ...Case) {
		s := Lookup("", name, opset)
		s.Cases = append(s.Cases, withOpset(opset, cases)...)
	}
	broadcast, axis := graph.IntAttr("broadcast", 1), func(v int64) graph.Attr { return graph.IntAttr("axis", v) }
	x := f64s([]int{2, 2, 1}, 1, 2, 3, 4)
	for _, opset := range []int64{1, 6} {
		add("Sub", opset, []Case{
			{In: in(f64v(1, 2), f64v(10, 30)), Out: in(f64v(-9, -28))},
			{Name: "first axis", Attrs: []graph.Attr{broadcast, axis(0)}, In: in(x, f64v(10, 20)), Out: in(f64s([]int{2, 2, 1}, -9, -8, -17, -16))},
			{Name: "suffix", Attrs: []graph.Attr{broadcast}, In: in(x, f64s([]int{2, 1}, 10, 20)), Out: in(f64s([]int{2, 2, 1}, -9, -18, -7, -16))},
			{Name: "negative axis", Attrs: []graph.Attr{broadcast, axis(-2)}, In: in(x, f64v(10, 20)), Out: in(f64s([]int{2, 2, 1}, -9, -18, -7, -16))},
			{Name: "not asked for", In: in(x, f64v(1)), Err: "broadcast"},
			{Name: "axis beyond", Attrs: []graph.Attr{broadcast, axis(2)}, In: in(x, f64s([]int{2, 1}, 1, 2)), Err: "axis"},
			{Name: "wider right", Attrs: []graph.Attr{broadcast}, In: in(f64v(1), f64v(1, 2)), Err: "broadcast"},
		}...)
		add("Add", opset, Case{Attrs: []graph.Attr{broadcast, axis(0)}, In: in(x, f64v(10, 20)), Out: in(f64s([]int{2, 2, 1}, 11, 12, 23, 24))})
		add("Mul", opset, Case{Attrs: []graph.Attr{broadcast, axis(0)}, In: in(x, f64v(10, 20)), Out: in(f64s([]int{2, 2, 1}, 10, 20, 60, 80))})
		add("Div", opset, Case{Attrs: []graph.Attr{broadcast, axis(1)}, In: in(x, f64v(10, 20)), Out: in(f64s([]int{2, 2, 1}, .1, .1, .3, .2))})
		add("Min", opset, Case{In: in(f64v(1, 5), f64v(2, 3)), Out: in(f64v(1, 3))})
		add("Sum", opset, Case{In: in(f64v(1, 5), f64v(2, 3), f64v(1, 1)), Out: in(f64v(4, 9))})
		add("Max", opset, Case{In: in(f64v(1, 5), f64v(2, 3)), Out: in(f64v(2, 5))}, Case{Name: "shapes", In: in(f64v(1, 5), f64v(2)), Err: "shape"})
		add("Mean", opset, Case{In: in(f64v(1, 5), f64v(2, 3)), Out: in(f64v(1.5, 4))})
		add("PRelu", opset, Case{In: in(f64s([]int{1, 2, 2}, -1, 2, -3, -4), f64v(2, 3)), Out: in(f64s([]int{1, 2, 2}, -2, 2, -9, -12))},
			Case{Name: "shared", In: in(f64s([]int{1, 2, 1}, -1, -3), f64v(2)), Out: in(f64s([]int{1, 2, 1}, -2, -6))})
		add("Dropout", opset, Case{Attrs: []graph.Attr{graph.IntAttr("is_test", 1)}, In: in(f64v(1, 2)), Out: in(f64v(1, 2))}, Case{Name: "training", In: in(f64v(1)), Err: "is_test=0"})
	}
	add("Less", 1, Case{Attrs: []graph.Attr{broadcast, axis(0)}, In: in(f64s([]int{2, 2}, 1, 2, 3, 4), f64v(2, 4)), Out: in(boolMatrix(2, 2, true, false, true, false))})
	add("Greater", 1, Case{In: in(f64v(1, 3), f64v(2, 2)), Out: in(boolv(false, true))})
	add("Equal", 1, Case{In: in(i64v(1, 2), i64v(2, 2)), Out: in(boolv(false, true))})
	add("And", 1, Case{In: in(boolv(true, true), boolv(false, true)), Out: in(boolv(false, true))})
	add("Or", 1, Case{In: in(boolv(false, false), boolv(false, true)), Out: in(boolv(false, true))})
	add("Pow", 1, Case{Attrs: []graph.Attr{broadcast}, In: in(f64v(2, 3), f64s(nil, 2)), Out: in(f64v(4, 9))})
	add("Xor", 1, Case{Attrs: []graph.Attr{broadcast}, In: in(boolMatrix(2, 2, true, false, true, false), boolv(true, false)), Out: in(boolMatrix(2, 2, false, false, false, false))})
	add("Abs", 1, Case{Attrs: []graph.Attr{graph.IntsAttr("consumed_inputs", 0)}, In: in(f64v(-1)), Out: in(f64v(1))})
	for name, y := range map[string][]float64{
		"Ceil": {math.Copysign(0, -1), 1, 3}, "Elu": {math.Exp(-.5) - 1, .25, 2.25}, "Exp": {math.Exp(-.5), math.Exp(.25), math.Exp(2.25)}, "Floor": {-1, 0, 2},
		"HardSigmoid": {.4, .55, .95}, "LeakyRelu": {-.005, .25, 2.25}, "Neg": {.5, -.25, -2.25}, "Reciprocal": {-2, 4, 4. / 9}, "Relu": {0, .25, 2.25},
		"Sigmoid": {1 / (1 + math.Exp(.5)), 1 / (1 + math.Exp(-.25)), 1 / (1 + math.Exp(-2.25))}, "Tanh": {math.Tanh(-.5), math.Tanh(.25), math.Tanh(2.25)},
	} {
		add(name, 1, Case{In: in(f64v(-.5, .25, 2.25)), Out: in(f64v(y...)), Tol: 1e-7})
	}
	add("Log", 1, Case{In: in(f64v(.5, 2)), Out: in(f64v(math.Log(.5), math.Log(2)))})
	add("Sqrt", 1, Case{In: in(f64v(.25, 4)), Out: in(f64v(.5, 2))})
	add("Clip", 1, Case{Attrs: []graph.Attr{graph.FloatAttr("min", -1), graph.FloatAttr("max", 1)}, In: in(f64v(-2, .5, 2)), Out: in(f64v(-1, .5, 1))})
	add("Selu", 1, Case{In: in(f64v(2)), Out: in(f64v(2 * float64(float32(1.0507)))), Tol: 1e-9})
	add("Cast", 1, Case{Attrs: []graph.Attr{graph.StringAttr("to", "INT64")}, In: in(f32v(1.5)), Out: in(i64v(1))},
		Case{Name: "wide", Attrs: []graph.Attr{graph.StringAttr("to", "DOUBLE")}, In: in(f64v(1.5)), Out: in(f64v(1.5))}, Case{Name: "unknown", Attrs: []graph.Attr{graph.StringAttr("to", "INT65")}, In: in(f32v(1.5)), Err: "INT65"})
}

// oldest registers an operator that works like its version at opset later, attributes that this one does not know left out.
func oldest(name string, since, later int64, inputs Arity, attrs ...string) *Spec {
	s := &Spec{Name: name, Since: since, Half: true, Attrs: attrs, In: inputs, Out: Arity{1, 1}}
	s.Infer = func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		next, n, site := laterOf(n, site, later)
		return next.Infer(n, site)
	}
	s.Compile = func(n *graph.Node, site *Site) (Kernel, error) {
		next, n, site := laterOf(n, site, later)
		return next.Compile(n, site)
	}
	s.Grad = gradLater(later)
	register(s)
	return s
}

// gradLater is the gradient that the version at opset later has, by the attributes that it knows.
func gradLater(later int64) Gradient {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		next, with, _ := laterOf(n, &Site{}, later)
		dx, err := next.Grad(b, with, dy)
		n.Outputs = with.Outputs // it may have further ones, kept for the way back
		return dx, err
	}
}

// laterOf is a node as the opset later knows it.
func laterOf(n *graph.Node, site *Site, later int64) (*Spec, *graph.Node, *Site) {
	next, with, at := Lookup("", n.Op, later), *n, *site
	with.Attrs, at.Opset = nil, later
	for _, a := range n.Attrs {
		if slices.Contains(next.Attrs, a.Name) {
			with.Attrs = append(with.Attrs, a)
		}
	}
	if n.Op == "Selu" { // Selu 1 writes its constants with fewer digits
		for _, a := range []graph.Attr{graph.FloatAttr("alpha", 1.6732), graph.FloatAttr("gamma", 1.0507)} {
			if n.Attr(a.Name) == nil {
				with.Attrs = append(with.Attrs, a)
			}
		}
	}
	return next, &with, &at
}

// allEqual refuses inputs of different shapes: these versions do not broadcast.
func allEqual(op string, in []*tensor.Tensor) error {
	for _, t := range in[1:] {
		if t == nil {
			return misfit(op, "an absent input")
		}
		if !slices.Equal(t.Shape(), in[0].Shape()) {
			return misfit(op, "inputs of the shapes "+shapeText(in[0].Shape())+" and "+shapeText(t.Shape()))
		}
	}
	return nil
}

func inferAllEqual(infer func(*graph.Node, *Site) ([]tensor.Type, error)) func(*graph.Node, *Site) ([]tensor.Type, error) {
	return func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		for _, t := range site.Types[1:] {
			if a, b := site.Types[0], t; !a.Unranked && !b.Unranked && len(a.Dims) != len(b.Dims) {
				return nil, bad(n, "inputs of different shapes")
			}
		}
		return infer(n, site)
	}
}

func compileAllEqual(compile compileFunc) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		kernel, err := compile(n, site)
		return func(ctx context.Context, in, out []*tensor.Tensor) error {
			if err := allEqual(n.Op, in); err != nil {
				return err
			}
			return kernel(ctx, in, out)
		}, err
	}
}

// alongAxis is the axis of an input of that rank at which the dimensions of a second one of rank second begin.
func alongAxis(n *graph.Node, rank, second int, many bool) (int, error) {
	axis := rank - second
	switch a := n.Attr("axis"); {
	case n.Op == "PRelu" && second == 1 && many && rank > 1: // one slope for each channel
		axis = 1
	case n.Op == "PRelu":
	case n.Int("broadcast", 0) == 0:
		if rank != second {
			return 0, misfit(n.Op, "without broadcast=1 operands must have one shape")
		}
	case a != nil && second > 0:
		var err error
		if axis, err = axisOf(n.Op, a.Int, rank); err != nil {
			return 0, err
		}
	}
	if axis < 0 || axis+second > rank {
		return 0, misfit(n.Op, "the second operand does not broadcast to the first from axis "+itoa(int64(axis))+" on")
	}
	return axis, nil
}

// alongSite is the site with the second input as the newer version wants it: with the dimensions that follow it in the first as ones.
func alongSite(n *graph.Node, site *Site) (*Site, error) {
	if err := kinds(n, graph.AttrInt, "axis", "broadcast"); err != nil {
		return nil, err
	}
	at := *site
	x, y := site.Types[0], site.Types[1]
	at.Constant = nil
	if x.Unranked || y.Unranked || n.Op == "PRelu" && len(y.Dims) == 1 && y.Dims[0].Size == tensor.Free {
		at.Types = []tensor.Type{x, unranked(y.DType)}
		return &at, nil
	}
	size, _ := fixed(y)
	axis, err := alongAxis(n, len(x.Dims), len(y.Dims), !slices.Equal(size, []int{1}))
	if err != nil {
		return nil, err
	}
	dims := slices.Clone(y.Dims)
	for len(dims) < len(x.Dims)-axis {
		dims = append(dims, tensor.Dim{Size: 1})
	}
	at.Types = []tensor.Type{x, {DType: y.DType, Dims: dims}}
	return &at, nil
}

func inferAlong(n *graph.Node, site *Site) ([]tensor.Type, error) {
	at, err := alongSite(n, site)
	if err != nil {
		return nil, err
	}
	next, with, at := laterOf(n, at, 7)
	types, err := next.Infer(with, at)
	if err != nil {
		return nil, err
	}
	d := types[0].DType // the shape is that of the first operand
	types[0] = site.Types[0]
	types[0].DType = d
	return types, nil
}

func compileAlong(n *graph.Node, site *Site) (Kernel, error) {
	at, err := alongSite(n, site)
	if err != nil {
		return nil, err
	}
	next, with, at := laterOf(n, at, 7)
	kernel, err := next.Compile(with, at)
	if err != nil {
		return nil, err
	}
	var operands lists
	var views scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, y := in[0].Shape(), in[1].Shape()
		axis, err := alongAxis(n, len(x), len(y), in[1].Len() != 1)
		if err != nil {
			return err
		}
		var buf, joint [MaxRank]int
		shape := append(buf[:0], y...)
		for len(shape) < len(x)-axis {
			shape = append(shape, 1)
		}
		if to, err := broadcastShape(n.Op, joint[:0], x, shape); err != nil || !slices.Equal(to, x) || n.Op != "PRelu" && n.Int("broadcast", 0) == 0 && !slices.Equal(x, y) {
			return misfit(n.Op, "an operand "+shapeText(y)+" does not broadcast to "+shapeText(x))
		}
		held := views.take(1)
		defer views.put(held)
		view := &(*held)[0]
		view.Alias(in[1], shape...)
		defer view.Alias(nothing, 0) // keeps the operand no longer alive
		both := operands.take(in[0], view)
		defer operands.put(both)
		return kernel(ctx, *both, out)
	}, nil
}

// gradAlong is the gradient of the newer version, whose second operand has ones for the dimensions of the first that follow it.
func gradAlong(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	attrs := []graph.Attr{graph.StringAttr("operator", n.Op)}
	for _, name := range []string{"axis", "broadcast"} {
		if a := n.Attr(name); a != nil {
			attrs = append(attrs, *a)
		}
	}
	second := b.Node(Private, "Along", []graph.Value{n.Inputs[1], n.Inputs[0]}, 1, attrs...)[0]
	with := *n
	with.Inputs = []graph.Value{n.Inputs[0], second}
	dx, err := gradLater(7)(b, &with, dy)
	if err != nil || len(dx) < 2 || dx[1] == "" {
		return dx, err
	}
	sum := b.Node(Private, "ReduceTo", []graph.Value{dx[1], second}, 1)[0]
	dx[1] = b.OpWith("Reshape", []graph.Attr{graph.IntAttr("allowzero", 1)}, sum, b.Op("Shape", n.Inputs[1]))
	return dx, nil
}

// Along(y, x; operator, axis, broadcast): y with ones for the dimensions of x that follow it, as an operator of opset 1 or 6 lays it along x.
func init() {
	register(&Spec{
		Domain: Private, Name: "Along", Since: 1, Attrs: []string{"axis", "broadcast", "operator"}, In: Arity{2, 2}, Out: Arity{1, 1}, View: true,
		Infer: func(_ *graph.Node, site *Site) ([]tensor.Type, error) {
			return []tensor.Type{unranked(site.Types[0].DType)}, nil
		},
		Compile: func(n *graph.Node, _ *Site) (Kernel, error) {
			old := *n
			old.Op = n.Str("operator", "")
			return func(_ context.Context, in, out []*tensor.Tensor) error {
				y, rank := in[0].Shape(), in[1].Rank()
				axis, err := alongAxis(&old, rank, len(y), in[0].Len() != 1)
				if err != nil {
					return err
				}
				var buf [MaxRank]int
				shape := append(buf[:0], y...)
				for len(shape) < rank-axis {
					shape = append(shape, 1)
				}
				out[0].Alias(in[0], shape...)
				return nil
			}, nil
		},
		Cases: []Case{{
			Attrs: []graph.Attr{graph.IntAttr("axis", 0), graph.IntAttr("broadcast", 1), graph.StringAttr("operator", "Add")},
			In:    in(f64v(1, 2), f64s([]int{2, 1, 1}, 0, 0)), Out: in(f64s([]int{2, 1, 1}, 1, 2)),
		}},
	})
}

// nothing is an empty tensor.
var nothing = tensor.New(tensor.Float32, 0)

// inferOldDropout refuses what trains: is_test is 0 unless it is given.
func inferOldDropout(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "is_test", graph.AttrInt); err != nil {
		return nil, err
	}
	if n.Int("is_test", 0) == 0 {
		return nil, refuseAttr(n, "is_test", "0")
	}
	next, n, site := laterOf(n, site, 7)
	return next.Infer(n, site)
}

func compileOldDropout(n *graph.Node, site *Site) (Kernel, error) {
	next, n, site := laterOf(n, site, 7)
	return next.Compile(n, site)
}

// oldTypes are the names that Cast 1 knows.
var oldTypes = map[string]tensor.DType{
	"FLOAT": tensor.Float32, "UINT8": tensor.Uint8, "INT8": tensor.Int8, "UINT16": tensor.Uint16, "INT16": tensor.Int16, "INT32": tensor.Int32,
	"INT64": tensor.Int64, "BOOL": tensor.Bool, "FLOAT16": tensor.Float16, "DOUBLE": tensor.Float64, "UINT32": tensor.Uint32, "UINT64": tensor.Uint64,
}

func oldCast(n *graph.Node, site *Site) (*Spec, *graph.Node, *Site, error) {
	if err := kind(n, "to", graph.AttrString); err != nil {
		return nil, nil, nil, err
	}
	to, ok := oldTypes[n.Str("to", "")]
	if !ok {
		return nil, nil, nil, refuseAttr(n, "to", n.Str("to", ""))
	}
	next, with, at := laterOf(n, site, 6)
	with.Attrs = castTo(to)
	return next, with, at, nil
}

func inferOldCast(n *graph.Node, site *Site) ([]tensor.Type, error) {
	next, n, site, err := oldCast(n, site)
	if err != nil {
		return nil, err
	}
	return next.Infer(n, site)
}

func compileOldCast(n *graph.Node, site *Site) (Kernel, error) {
	next, n, site, err := oldCast(n, site)
	if err != nil {
		return nil, err
	}
	return next.Compile(n, site)
}

func gradOldCast(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	with := *n
	with.Attrs = castTo(oldTypes[n.Str("to", "")])
	return gradLater(6)(b, &with, dy)
}
