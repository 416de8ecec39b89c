//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// MaxPool, AveragePool, LpPool: the greatest, the mean and the p-norm (Σ|x|^p)^(1/p) of the elements under a window that slides over the
// spatial dimensions of x (n, c, d1…). https://onnx.ai/onnx/operators/onnx__MaxPool.html, …AveragePool.html, …LpPool.html
// Padding counts neither as greatest nor, unless count_include_pad is set, for the mean; what lies beyond it, where ceil_mode lets a window
// reach out further, never does.
func init() {
	one, row := f32s([]int{1, 1, 4}, 1, 5, 2, 4), f64s([]int{1, 1, 4}, 1, 5, 2, 4)
	mixed := f64s([]int{1, 2, 3, 3}, 4, 1, -3, 2, 9, 6, -7, 8, 5, -1, 3, 2, 7, -5, 6, 12, 11, -2)
	sq := f64s([]int{1, 1, 3, 3}, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	at := func(name string, v ...int64) graph.Attr { return graph.IntsAttr(name, v...) }
	flag := func(name string) graph.Attr { return graph.IntAttr(name, 1) }
	kernel2 := at("kernel_shape", 2)
	base := []string{"kernel_shape", "strides", "pads", "auto_pad"}
	pool := func(name string, since int64, outputs int, attrs []string, compile compileFunc, cases ...Case) {
		register(&Spec{
			Name: name, Since: since, Attrs: append(attrs, base...), In: Arity{1, 1}, Out: Arity{1, outputs}, Half: true,
			Infer: inferPool, Compile: compile, Grad: gradPool(name+"Grad", name != "AveragePool"), Cases: cases,
		})
	}
	pool("MaxPool", 1, 1, nil, compileMaxPool, Case{Opset: 7, Attrs: []graph.Attr{kernel2}, In: in(row), Out: in(f64s([]int{1, 1, 3}, 5, 5, 4))})
	pool("MaxPool", 8, 2, []string{"storage_order"}, compileMaxPool,
		Case{Opset: 9, Attrs: []graph.Attr{kernel2, at("strides", 2)}, In: in(row), Out: in(f64s([]int{1, 1, 2}, 5, 4), i64s([]int{1, 1, 2}, 1, 3))})
	pool("MaxPool", 10, 2, []string{"storage_order", "dilations", "ceil_mode"}, compileMaxPool,
		Case{Attrs: []graph.Attr{at("kernel_shape", 2, 2)}, In: in(sq), Out: in(f64s([]int{1, 1, 2, 2}, 5, 6, 8, 9))},
		Case{Name: "ceil", Attrs: []graph.Attr{at("kernel_shape", 2, 2), at("strides", 2, 2), flag("ceil_mode")}, In: in(sq), Out: in(f64s([]int{1, 1, 2, 2}, 5, 6, 8, 9))},
		Case{Name: "dilated", Attrs: []graph.Attr{at("kernel_shape", 2, 2), at("dilations", 2, 1)}, In: in(sq), Out: in(f64s([]int{1, 1, 1, 2}, 8, 9))},
		Case{
			Name: "column order", Attrs: []graph.Attr{at("kernel_shape", 2, 2), at("strides", 2, 2), at("pads", 1, 1, 0, 0), flag("storage_order")}, In: in(sq),
			Out: in(f64s([]int{1, 1, 2, 2}, 1, 3, 7, 9), i64s([]int{1, 1, 2, 2}, 0, 6, 2, 8)),
		},
		Case{
			Name: "windows overlap", Attrs: []graph.Attr{at("kernel_shape", 2, 3), at("strides", 1, 2), at("pads", 1, 1, 0, 1)}, In: in(mixed),
			Out: in(f64s([]int{1, 2, 3, 2}, 4, 1, 9, 9, 9, 9, 3, 3, 7, 6, 12, 11)),
		},
		Case{Name: "bytes", Attrs: []graph.Attr{kernel2, at("pads", 1, 0)}, In: in(tensor.FromSlice(tensor.Int8, []int8{-3, -4, 2}, 1, 1, 3)), Out: in(tensor.FromSlice(tensor.Int8, []int8{-3, -3, 2}, 1, 1, 3))},
		Case{Name: "too wide", Attrs: []graph.Attr{at("kernel_shape", 5)}, In: in(one), Err: "reaches"},
		Case{Name: "no kernel", In: in(one), Err: "kernel_shape"},
		Case{Name: "wrong rank", Attrs: []graph.Attr{kernel2}, In: in(sq), Err: "spatial"})
	pool("AveragePool", 1, 1, nil, compileAveragePool, Case{Opset: 1, Attrs: []graph.Attr{kernel2}, In: in(row), Out: in(f64s([]int{1, 1, 3}, 3, 3.5, 3))})
	pool("AveragePool", 7, 1, []string{"count_include_pad"}, compileAveragePool,
		Case{Opset: 7, Attrs: []graph.Attr{kernel2, at("pads", 1, 1)}, In: in(one), Out: in(f32s([]int{1, 1, 5}, 1, 3, 3.5, 3, 4))},
		Case{Name: "float64", Opset: 7, Attrs: []graph.Attr{kernel2, at("pads", 1, 1)}, In: in(row), Out: in(f64s([]int{1, 1, 5}, 1, 3, 3.5, 3, 4))})
	pool("AveragePool", 10, 1, []string{"count_include_pad", "ceil_mode"}, compileAveragePool,
		Case{Attrs: []graph.Attr{kernel2, at("pads", 1, 1), flag("count_include_pad")}, In: in(one), Out: in(f32s([]int{1, 1, 5}, .5, 3, 3.5, 3, 2))},
		Case{Name: "beyond the pads", Attrs: []graph.Attr{at("kernel_shape", 3), at("strides", 2), at("pads", 1, 0), flag("count_include_pad"), flag("ceil_mode")}, In: in(one), Out: in(f32s([]int{1, 1, 2}, 2, 11./3))},
		Case{Name: "beyond", Attrs: []graph.Attr{at("kernel_shape", 3), at("strides", 2), at("pads", 1, 0), flag("count_include_pad"), flag("ceil_mode")}, In: in(row), Out: in(f64s([]int{1, 1, 2}, 2, 11./3))},
		Case{
			Name: "plane", Attrs: []graph.Attr{at("kernel_shape", 2, 2), at("strides", 2, 1), graph.StringAttr("auto_pad", "SAME_UPPER")}, In: in(mixed),
			Out: in(f64s([]int{1, 2, 2, 3}, 4, 3.25, 1.5, .5, 6.5, 5, 1, 1.5, 4, 11.5, 4.5, -2)),
		})
	pool("AveragePool", 19, 1, []string{"count_include_pad", "ceil_mode", "dilations"}, compileAveragePool,
		Case{Attrs: []graph.Attr{kernel2, at("dilations", 2)}, In: in(row), Out: in(f64s([]int{1, 1, 2}, 1.5, 4.5))})
	pool("LpPool", 1, 1, []string{"p"}, compileLpPool, Case{Opset: 1, Attrs: []graph.Attr{kernel2, graph.FloatAttr("p", 1)}, In: in(row), Out: in(f64s([]int{1, 1, 3}, 6, 7, 6))})
	pool("LpPool", 2, 1, []string{"p"}, compileLpPool,
		Case{Attrs: []graph.Attr{kernel2, at("strides", 2)}, In: in(one), Out: in(f32s([]int{1, 1, 2}, float32(math.Sqrt(26)), float32(math.Sqrt(20))))},
		Case{Name: "p", Attrs: []graph.Attr{kernel2, at("strides", 2), graph.IntAttr("p", 1)}, In: in(f64s([]int{1, 1, 2}, -1, 5)), Out: in(f64s([]int{1, 1, 1}, 6))},
		Case{Name: "two", Attrs: []graph.Attr{kernel2, at("pads", 1, 0)}, In: in(row), Out: in(f64s([]int{1, 1, 4}, 1, math.Sqrt(26), math.Sqrt(29), math.Sqrt(20)))})
	pool("LpPool", 18, 1, []string{"p", "ceil_mode", "dilations"}, compileLpPool,
		Case{Attrs: []graph.Attr{kernel2, at("dilations", 2), graph.IntAttr("p", 3)}, In: in(row), Out: in(f64s([]int{1, 1, 2}, math.Cbrt(9), math.Cbrt(189)))})
}

func inferPool(n *graph.Node, site *Site) ([]tensor.Type, error) {
	w, err := windowOf(n)
	if err != nil {
		return nil, err
	}
	if len(w.kernel) == 0 {
		return nil, bad(n, "without kernel_shape")
	}
	if err := kinds(n, graph.AttrInt, "storage_order", "count_include_pad"); err != nil {
		return nil, err
	}
	x := site.Types[0]
	ok := floats
	if n.Op == "MaxPool" {
		ok = maxPoolTypes
	}
	if err := oneOf(n, x, ok...); err != nil {
		return nil, err
	}
	y := unranked(x.DType)
	if !x.Unranked {
		if len(x.Dims) < 3 {
			return nil, bad(n, "an input without spatial dimensions")
		}
		dims, err := w.infer(x.Dims[2:], nil)
		if err != nil {
			return nil, err
		}
		y = tensor.Type{DType: x.DType, Dims: append(append([]tensor.Dim{}, x.Dims[:2]...), dims...)}
	}
	if len(n.Outputs) < 2 {
		return []tensor.Type{y}, nil
	}
	places := y
	places.DType = tensor.Int64
	return []tensor.Type{y, places}, nil
}

var maxPoolTypes = []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int8, tensor.Uint8}

// poolable is what pools work on.
type poolable interface {
	~float32 | ~float64 | ~int8 | ~uint8
}

// pooling is a reduction of windows that is done dimension by dimension: rows are joined first, then neighbours in the joined row.
type pooling[T poolable] struct {
	window    window
	threads   int
	none      T                         // of an empty window
	enter     func(dst, src []T)        // elements before they are joined; nil: as they are
	join      func(acc, x []T)          // acc = acc and x, element by element
	fold      func(row []T, step int) T // joins row[0], row[step], …
	leave     func(y T, elements int) T // finishes a window of that many elements; nil: as it is
	countPads bool                      // elements include the padding
	rows      scratch[T]
	runs      kept[planesRun[T]]
	fast      func(plan *windowPlan, x, y, memory []T) // a plane, where the kernel is made for the window; or nil
	plans     windowPlans
}

func (p *pooling[T]) kernel(data lane[T]) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		v := views.Take()
		defer views.Put(v)
		if err := poolShape(ctx, v, &p.window, in[0], out[0]); err != nil {
			return err
		}
		r := p.runs.take()
		defer p.runs.put(r)
		*r = planesRun[T]{p: p, ctx: ctx, v: v, x: data(in[0]), y: data(out[0]), from: volume(v.in), to: volume(v.out)}
		if len(r.y) == 0 {
			return nil
		}
		grain, work := 1<<14, r.to*volume(v.kernel)
		if p.fast != nil {
			if plan := p.plans.of(v); plan.window != nil {
				r.plan, grain = plan, 1<<16
				work += 64 * v.in[1] // what a row costs, be it ever so short
			}
		}
		spread(ctx, p.threads, len(r.y)/r.to, max(1, grain/work), r)
		return ctx.Err()
	}
}

// planesRun is a run of all planes, of so many elements each.
type planesRun[T poolable] struct {
	p        *pooling[T]
	ctx      context.Context
	v        *view
	plan     *windowPlan // of the kernel that is fast, or nil
	x, y     []T
	from, to int
}

// Do pools some planes.
func (r *planesRun[T]) Do(lo, hi int) {
	width := r.v.in[2]
	size := 2 * width
	if r.plan != nil {
		size = r.plan.window.Len()
	}
	memory := r.p.rows.take(size)
	defer r.p.rows.put(memory)
	for c := lo; c < hi && r.ctx.Err() == nil; c++ {
		x, y := r.x[c*r.from:][:r.from], r.y[c*r.to:][:r.to]
		if r.plan != nil {
			r.p.fast(r.plan, x, y, *memory)
		} else {
			r.p.plane(r.v, x, y, (*memory)[:width], (*memory)[width:])
		}
	}
}

// poolShape lays the window over x, as v, and gives y its shape.
func poolShape(ctx context.Context, v *view, w *window, x, y *tensor.Tensor) (err error) {
	shape := x.Shape()
	if len(shape) < 3 {
		return misfit(w.op, "an input without spatial dimensions")
	}
	if *v, err = w.fit(shape[2:], nil); err != nil {
		return err
	}
	var buf [MaxRank]int
	return Reset(ctx, y, x.DType(), v.shape(append(buf[:0], shape[:2]...))...)
}

// plane pools one plane x (d1, d2, d3); row and spare are memory for one row of it.
func (p *pooling[T]) plane(v *view, x, y []T, row, spare []T) {
	width := v.in[2]
	for a := range v.out[0] {
		a0, a1, from0 := v.taps(0, a)
		for b := range v.out[1] {
			b0, b1, from1 := v.taps(1, b)
			first := true
			for i := a0; i < a1; i++ {
				for j := b0; j < b1; j++ {
					src := x[((from0+i*v.dilation[0])*v.in[1]+from1+j*v.dilation[1])*width:][:width]
					if first {
						if first = false; p.enter != nil {
							p.enter(row, src)
						} else {
							copy(row, src)
						}
						continue
					}
					if p.enter != nil {
						p.enter(spare, src)
						src = spare
					}
					p.join(row, src)
				}
			}
			joined := p.elements(v, 0, a) * p.elements(v, 1, b)
			p.row(v, row, y[(a*v.out[1]+b)*v.out[2]:][:v.out[2]], joined, first)
		}
	}
}

// elements counts what a window holds of dimension d at output o.
func (p *pooling[T]) elements(v *view, d, o int) int {
	from, first, last := o*v.stride[d]-v.before[d], 0, v.in[d]
	if p.countPads {
		first, last = -v.before[d], v.in[d]+v.after[d]
	}
	lo, hi := tapRange(from, v.dilation[d], v.kernel[d], first, last)
	return hi - lo
}

// row pools a row that was joined over the other dimensions.
func (p *pooling[T]) row(v *view, row, y []T, joined int, empty bool) {
	step := v.dilation[2]
	for o := range y {
		lo, hi, from := v.taps(2, o)
		best := p.none
		if !empty && lo < hi {
			best = p.fold(row[from+lo*step:from+(hi-1)*step+1], step)
		}
		if p.leave != nil {
			best = p.leave(best, joined*p.elements(v, 2, o))
		}
		y[o] = best
	}
}

func compileAveragePool(n *graph.Node, site *Site) (Kernel, error) {
	w, err := windowOf(n)
	if err != nil {
		return nil, err
	}
	pads := n.Int("count_include_pad", 0) != 0
	if site.Types[0].DType == tensor.Float64 {
		return averagePooling[float64](w, site, pads).kernel(tensor.Data[float64]), nil
	}
	p := averagePooling[float32](w, site, pads)
	taps := 1
	for _, n := range w.kernel {
		taps *= int(n)
	}
	if taps > 0 && taps <= 1<<12 {
		p.fast, p.plans.count = poolAverages(taps), p.elements
	}
	return p.kernel(tensor.Data[float32]), nil
}

func averagePooling[T float](w window, site *Site, pads bool) *pooling[T] {
	return &pooling[T]{window: w, threads: site.Threads, join: poolSum[T], fold: poolFoldSum[T], countPads: pads, leave: func(y T, n int) T { return y / T(n) }}
}

// poolAverages makes a function that averages a plane by the kernel.
func poolAverages(taps int) func(plan *windowPlan, x, y, memory []float32) {
	ones := make([]float32, taps)
	fill(ones, 1)
	return func(plan *windowPlan, x, y, memory []float32) {
		plan.window.Sums(y, x, ones, 0, memory)
		for b, counts := range plan.counts {
			row := y[b*len(counts):][:len(counts)]
			kernel.Pair(kernel.Div, row, row, counts)
		}
	}
}

func poolSum[T float](acc, x []T) {
	x = x[:len(acc)]
	for i, v := range x {
		acc[i] += v
	}
}

func poolFoldSum[T float](row []T, step int) (sum T) {
	for i := 0; i < len(row); i += step {
		sum += row[i]
	}
	return sum
}

func compileLpPool(n *graph.Node, site *Site) (Kernel, error) {
	w, err := windowOf(n)
	if err != nil {
		return nil, err
	}
	p, err := normOf(n)
	if err != nil {
		return nil, err
	}
	if site.Types[0].DType == tensor.Float64 {
		return normPooling[float64](w, site, p).kernel(tensor.Data[float64]), nil
	}
	return normPooling[float32](w, site, p).kernel(tensor.Data[float32]), nil
}

// normOf reads p, which was a float before opset 2.
func normOf(n *graph.Node) (float64, error) {
	p := 2.0
	if a := n.Attr("p"); a != nil {
		switch a.Kind {
		case graph.AttrInt:
			p = float64(a.Int)
		case graph.AttrFloat:
			p = float64(a.Float)
		default:
			return 0, kind(n, "p", graph.AttrInt)
		}
	}
	if !(p > 0) {
		return 0, bad(n, "p is not positive")
	}
	return p, nil
}

func normPooling[T float](w window, site *Site, p float64) *pooling[T] {
	l := &pooling[T]{window: w, threads: site.Threads, join: poolSum[T], fold: poolFoldSum[T]}
	switch p {
	case 1:
		l.enter = mapped[T](math.Abs)
	case 2:
		l.enter = mapped[T](func(x float64) float64 { return x * x })
		l.leave = func(y T, _ int) T { return T(math.Sqrt(float64(y))) }
	default:
		l.enter = mapped[T](func(x float64) float64 { return math.Pow(math.Abs(x), p) })
		l.leave = func(y T, _ int) T { return T(math.Pow(float64(y), 1/p)) }
	}
	return l
}
