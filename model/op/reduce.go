package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ReduceSum, ReduceMean, ReduceMax, ReduceMin: y = sum (mean, greatest, least) of x over axes, all by default. The axes are an input
// from opset 13 (ReduceSum) or 18 (the others) on, an attribute before. Over nothing the sum is 0, the greatest -∞.
// https://onnx.ai/onnx/operators/onnx__ReduceSum.html and so on.
func init() {
	six := f64s([]int{2, 3}, 1, 2, 3, 4, 5, 7)
	keep := graph.IntAttr("keepdims", 0)
	axes := func(v ...int64) graph.Attr { return graph.IntsAttr("axes", v...) }
	family := reduceFamily
	family("ReduceSum", 13, sumTypes, reducing(sumOf[float32], sumOf[float64], sumOf[int32], sumOf[int64]), gradReduceSum, tested(func() []Case {
		return []Case{
			{In: in(six, i64v(1)), Out: in(f64s([]int{2, 1}, 6, 16))},
			{Name: "drop", Attrs: []graph.Attr{keep}, In: in(six, i64v(-2)), Out: in(f64v(5, 7, 10))},
			{Name: "all", In: in(six), Out: in(f64s([]int{1, 1}, 22))},
			{Name: "all, scalar", Attrs: []graph.Attr{keep}, In: in(six, i64s([]int{0})), Out: in(f64s(nil, 22))},
			{Name: "no-op", Attrs: []graph.Attr{graph.IntAttr("noop_with_empty_axes", 1)}, In: in(f64v(1, 2)), Out: in(f64v(1, 2))},
			{Name: "outer and inner", Attrs: []graph.Attr{keep}, In: in(f64s([]int{2, 2, 2}, 1, 2, 3, 4, 5, 6, 7, 8), i64v(0, 2)), Out: in(f64v(14, 22))},
			{Name: "nothing", In: in(f64s([]int{2, 0}), i64v(1)), Out: in(f64s([]int{2, 1}, 0, 0))},
			{Name: "outside", In: in(six, i64v(2)), Err: "axis 2"},
		}
	}), tested(func() []Case {
		return []Case{{Opset: 11, Attrs: []graph.Attr{axes(1)}, In: in(six), Out: in(f64s([]int{2, 1}, 6, 16))}}
	}))
	family("ReduceMean", 18, sumTypes, reducing(meanOf[float32], meanOf[float64], meanOf[int32], meanOf[int64]), gradReduceMean,
		tested(func() []Case {
			return []Case{{Opset: 18, In: in(six, i64v(1)), Out: in(f64s([]int{2, 1}, 2, 16./3))}, {Name: "integers truncate", Opset: 18, In: in(i64v(-1, -4)), Out: in(i64v(-2))}}
		}),
		tested(func() []Case {
			return []Case{{Attrs: []graph.Attr{axes(1), keep}, In: in(six), Out: in(f64v(2, 16./3))}, {Name: "all", In: in(six), Out: in(f64s([]int{1, 1}, 22./6))}}
		}))
	family("ReduceMax", 18, orderedTypes, reducing(maxOf[float32](float32(math.Inf(-1))), maxOf[float64](math.Inf(-1)), maxOf[int32](math.MinInt32), maxOf[int64](math.MinInt64)), gradReduceExtreme,
		tested(func() []Case { return []Case{{Opset: 18, In: in(six, i64v(0)), Out: in(f64s([]int{1, 3}, 4, 5, 7))}} }),
		tested(func() []Case {
			return []Case{
				{Attrs: []graph.Attr{axes(-1)}, In: in(six), Out: in(f64s([]int{2, 1}, 3, 7))},
				{Name: "ints", In: in(i64v(1, 5, 2, 3, 9, 0)), Out: in(i64v(9))},
				{Name: "NaN", NoGrad: true, In: in(f64v(1, math.NaN(), 2, 3, 4, 5)), Out: in(f64v(math.NaN()))},
			}
		}))
	family("ReduceMin", 18, orderedTypes, reducing(minOf[float32](float32(math.Inf(1))), minOf[float64](math.Inf(1)), minOf[int32](math.MaxInt32), minOf[int64](math.MaxInt64)), gradReduceExtreme,
		tested(func() []Case { return []Case{{Opset: 18, In: in(six, i64v(0)), Out: in(f64s([]int{1, 3}, 1, 2, 3))}} }),
		tested(func() []Case {
			return []Case{{Attrs: []graph.Attr{axes(-1)}, In: in(six), Out: in(f64s([]int{2, 1}, 1, 4))}}
		}))
}

// sumTypes are the types that reductions by arithmetic take.
var sumTypes = []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int32, tensor.Int64, tensor.Uint32, tensor.Uint64}

// orderedTypes are the types that have a greatest element.
var orderedTypes = append([]tensor.DType{tensor.Bool}, numbers...)

// reduceFamily registers a reduction: with the axes as an input from one opset on, and as an attribute before.
func reduceFamily(name string, inputFrom int64, types []tensor.DType, compile compileFunc, grad gradFunc, newer, older []Case) {
	register(&Spec{
		Name: name, Since: inputFrom, Half: true, Attrs: []string{"keepdims", "noop_with_empty_axes"}, In: Arity{1, 2}, Out: Arity{1, 1},
		Infer: inferReduce(types), Compile: compile, Grad: differentiable(grad), Cases: newer,
	})
	register(&Spec{
		Name: name, Since: 1, Half: true, Attrs: []string{"keepdims", "axes"}, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: inferReduce(types), Compile: compile, Grad: differentiable(grad), Cases: older,
	})
}

// inferReduce gives the reduced shape where rank and axes are known.
func inferReduce(types []tensor.DType) func(*graph.Node, *Site) ([]tensor.Type, error) {
	return func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		t := site.Types[0]
		if err := oneOf(n, t, types...); err != nil {
			return nil, err
		}
		if err := kinds(n, graph.AttrInt, "keepdims", "noop_with_empty_axes"); err != nil {
			return nil, err
		}
		if err := checkAxes(n, site); err != nil {
			return nil, err
		}
		axes, _, ok := axesOf(n, site)
		if t.Unranked || !ok {
			return []tensor.Type{unranked(t.DType)}, nil
		}
		set, err := reduced(n, axes, len(t.Dims))
		if err != nil {
			return nil, err
		}
		dims := []tensor.Dim{}
		for i, d := range t.Dims {
			if !set[i] {
				dims = append(dims, d)
			} else if n.Int("keepdims", 1) != 0 {
				dims = append(dims, tensor.Dim{Size: 1})
			}
		}
		return []tensor.Type{{DType: t.DType, Dims: dims}}, nil
	}
}

// reduced tells which dimensions a node reduces.
func reduced(n *graph.Node, axes []int64, rank int) ([MaxRank]bool, error) {
	set, err := marks(n.Op, axes, rank)
	if len(axes) == 0 && n.Int("noop_with_empty_axes", 0) == 0 {
		for i := range rank {
			set[i] = true
		}
	}
	return set, err
}

// reduction adds src, which goes to one element when len(dst) is 1 and element by element otherwise; finish gets the number of elements
// that went into each.
type reduction[T any] struct {
	start  T
	take   func(dst, src []T)
	finish func(dst []T, count int)
}

func reducing(f32 func() reduction[float32], f64 func() reduction[float64], i32 func() reduction[int32], i64 func() reduction[int64]) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d {
		case tensor.Float32:
			return reduceKernel(n, site, tensor.Data[float32], f32()), nil
		case tensor.Float64:
			return reduceKernel(n, site, tensor.Data[float64], f64()), nil
		case tensor.Int32:
			return reduceKernel(n, site, tensor.Data[int32], i32()), nil
		case tensor.Int64:
			return reduceKernel(n, site, tensor.Data[int64], i64()), nil
		default:
			return rare(n, site)
		}
	}
}

// layout is a reduction of one input shape, laid out for the walk.
type layout struct {
	grid  grid // operand 0 is the result, operand 1 the input
	count int  // elements that go into each of the result
	rank  int
	to    [MaxRank]int // shape of the result
}

// layoutOf finds the axes, reads the shape of the input and lays out the reduction; axes are those known at compile time.
func layoutOf(n *graph.Node, in []*tensor.Tensor, axes []int64, keep bool) (l layout, err error) {
	if len(in) > 1 && in[1] != nil {
		axes = in[1].I64()
	}
	shape := in[0].Shape()
	set, err := reduced(n, axes, len(shape))
	if err != nil {
		return l, err
	}
	l.count = 1
	width, step := 1, 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] != 1 {
			s := [3]int{width, step}
			if set[i] {
				s[0] = 0
			}
			l.grid.push(shape[i], s)
		}
		step *= shape[i]
		if set[i] {
			l.count *= shape[i]
		} else {
			width *= shape[i]
		}
	}
	l.grid.finish()
	for i, d := range shape {
		if set[i] {
			d = 1
		}
		if !set[i] || keep {
			l.to[l.rank] = d
			l.rank++
		}
	}
	return l, nil
}

// walk calls take for every run of the input, with its part of the result: one element, or as many as the run has.
func walk[R, T any](ctx context.Context, runs *kept[walkRun[R, T]], l *layout, threads int, dst []R, src []T, take func(dst []R, src []T)) error {
	r := runs.take()
	defer runs.put(r)
	*r = walkRun[R, T]{dst, src, take, l.grid}
	last := l.grid.rank - 1
	rows := l.grid.dims[last]
	if len(src) <= cheapGrain || last == 0 {
		r.Do(0, rows)
		return ctx.Err()
	}
	if l.grid.step[0][last] == 0 {
		threads = 1 // all of the outermost dimension goes to the same elements
	}
	return sweep(ctx, threads, rows, max(cheapGrain*rows/len(src), 1), r)
}

// walkRun is one walk.
type walkRun[R, T any] struct {
	dst  []R
	src  []T
	take func(dst []R, src []T)
	grid grid
}

// Do walks a part of the outermost dimension.
func (r *walkRun[R, T]) Do(lo, hi int) {
	g, o := r.grid.part(lo, hi)
	w, dst, src := runLength(g.unit[0], g.inner), r.dst[o[0]:], r.src[o[1]:]
	g.each(func(_ int, o [3]int) { r.take(dst[o[0]:o[0]+w], src[o[1]:o[1]+g.inner]) })
}

func reduceKernel[T number](n *graph.Node, site *Site, data lane[T], r reduction[T]) Kernel {
	axes, _, _ := axesOf(n, site)
	keep, threads := n.Int("keepdims", 1) != 0, site.Threads
	var runs kept[walkRun[T, T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		l, err := layoutOf(n, in, axes, keep)
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), l.to[:l.rank]...); err != nil {
			return err
		}
		dst := data(out[0])
		fill(dst, r.start)
		err = walk(ctx, &runs, &l, threads, dst, data(in[0]), r.take)
		if r.finish != nil {
			r.finish(dst, l.count)
		}
		return err
	}
}

func sumOf[T number]() reduction[T] {
	return reduction[T]{take: func(dst, src []T) {
		if s, ok := any(src).([]float32); ok {
			if d := any(dst).([]float32); len(d) == 1 {
				d[0] += float32(kernel.Sum(s))
			} else {
				kernel.Pair(kernel.Add, d, d, s[:len(d)])
			}
			return
		}
		if len(dst) == 1 {
			var s0, s1, s2, s3 T // four sums: shorter chains, and less rounding
			i := 0
			for ; i+4 <= len(src); i += 4 {
				s0, s1, s2, s3 = s0+src[i], s1+src[i+1], s2+src[i+2], s3+src[i+3]
			}
			for ; i < len(src); i++ {
				s0 += src[i]
			}
			dst[0] += (s0 + s1) + (s2 + s3)
			return
		}
		for i, x := range src[:len(dst)] {
			dst[i] += x
		}
	}}
}

func meanOf[T number]() reduction[T] {
	r := sumOf[T]()
	r.finish = func(dst []T, count int) {
		if c := T(count); c != 0 {
			for i := range dst {
				dst[i] /= c
			}
			return
		}
		nan := math.NaN() // 0/0; integers have no such answer and keep 0
		if T(1)/2 == 0 {
			return
		}
		fill(dst, T(nan))
	}
	return r
}

// maxOf and minOf keep four candidates, which shortens the chain of comparisons. NaN wins: it is taken, and nothing is greater.
func maxOf[T number](start T) func() reduction[T] {
	return func() reduction[T] {
		return reduction[T]{start: start, take: func(dst, src []T) {
			if len(dst) != 1 {
				for i, x := range src[:len(dst)] {
					if y := dst[i]; x > y || x != x {
						dst[i] = x
					}
				}
				return
			}
			a := dst[0]
			b, c, d, i := a, a, a, 0
			for ; i+4 <= len(src); i += 4 {
				if x := src[i]; x > a || x != x {
					a = x
				}
				if x := src[i+1]; x > b || x != x {
					b = x
				}
				if x := src[i+2]; x > c || x != x {
					c = x
				}
				if x := src[i+3]; x > d || x != x {
					d = x
				}
			}
			for ; i < len(src); i++ {
				a = max(a, src[i])
			}
			dst[0] = max(a, b, c, d)
		}}
	}
}

func minOf[T number](start T) func() reduction[T] {
	return func() reduction[T] {
		return reduction[T]{start: start, take: func(dst, src []T) {
			if len(dst) != 1 {
				for i, x := range src[:len(dst)] {
					if y := dst[i]; x < y || x != x {
						dst[i] = x
					}
				}
				return
			}
			a := dst[0]
			b, c, d, i := a, a, a, 0
			for ; i+4 <= len(src); i += 4 {
				if x := src[i]; x < a || x != x {
					a = x
				}
				if x := src[i+1]; x < b || x != x {
					b = x
				}
				if x := src[i+2]; x < c || x != x {
					c = x
				}
				if x := src[i+3]; x < d || x != x {
					d = x
				}
			}
			for ; i < len(src); i++ {
				a = min(a, src[i])
			}
			dst[0] = min(a, b, c, d)
		}}
	}
}

// spreadBack gives v, a reduction of the node's input, the rank of the input.
func spreadBack(b *graph.Builder, n *graph.Node, v graph.Value) graph.Value {
	if n.Int("keepdims", 1) != 0 {
		return v
	}
	axes := n.In(1)
	if a := n.Attr("axes"); a != nil && len(a.Ints) > 0 {
		axes = b.Ints("axes", a.Ints)
	}
	if axes == "" || n.Int("noop_with_empty_axes", 0) != 0 && n.In(1) == "" {
		return v // a scalar, or nothing was reduced: broadcasts as it is
	}
	return b.Node(Private, "Restore", []graph.Value{v, n.Inputs[0], axes}, 1, graph.IntAttr("noop_with_empty_axes", n.Int("noop_with_empty_axes", 0)))[0]
}

// withInputs pads gradients to the number of inputs.
func withInputs(n *graph.Node, dx graph.Value) []graph.Value {
	out := make([]graph.Value, len(n.Inputs))
	out[0] = dx
	return out
}

// dx = dy for each element that was summed.
func gradReduceSum(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return withInputs(n, b.Op("Expand", spreadBack(b, n, dy[0]), b.Op("Shape", n.Inputs[0]))), nil
}

// dx = dy/count, where count = size x / size y.
func gradReduceMean(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	count := b.Op("Div", b.Op("Size", n.Inputs[0]), b.Op("Size", n.Outputs[0]))
	d := b.Op("Div", dy[0], b.Op("CastLike", count, dy[0]))
	return withInputs(n, b.Op("Expand", spreadBack(b, n, d), b.Op("Shape", n.Inputs[0]))), nil
}

// dx = dy where x = y.
func gradReduceExtreme(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	hit := b.Op("Equal", n.Inputs[0], spreadBack(b, n, n.Outputs[0]))
	return withInputs(n, b.Op("Where", hit, spreadBack(b, n, dy[0]), scalarLike(b, 0, dy[0]))), nil
}
