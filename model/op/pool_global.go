//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// GlobalMaxPool, GlobalAveragePool, GlobalLpPool: the greatest, the mean and the p-norm of each plane of x (n, c, d1…), as y (n, c, 1…).
// https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html
// MaxUnpool: zeros, but for the elements of x at the places that MaxPool gave. https://onnx.ai/onnx/operators/onnx__MaxUnpool.html
func init() {
	six := f64s([]int{1, 2, 3}, 1, 2, 6, -3, -9, 0)
	global := func(name string, since int64, attrs []string, compile compileFunc, cases ...Case) {
		grad := gradPool(name+"Grad", name != "GlobalAveragePool")
		register(&Spec{Name: name, Since: since, Attrs: attrs, In: Arity{1, 1}, Out: Arity{1, 1}, Half: true, Infer: inferGlobalPool, Compile: compile, Grad: grad, Cases: cases})
	}
	global("GlobalMaxPool", 1, nil, func(n *graph.Node, site *Site) (Kernel, error) {
		return byFloat(n, site, globalPool(site, tensor.Data[float32], planeMax[float32]), globalPool(site, tensor.Data[float64], planeMax[float64]))
	}, Case{In: in(six), Out: in(f64s([]int{1, 2, 1}, 6, 0))})
	global("GlobalAveragePool", 1, nil, func(n *graph.Node, site *Site) (Kernel, error) {
		return byFloat(n, site, globalMean(site), globalPool(site, tensor.Data[float64], planeMean[float64]))
	},
		Case{In: in(six), Out: in(f64s([]int{1, 2, 1}, 3, -4))},
		Case{Name: "plane", In: in(f32s([]int{1, 1, 2, 3}, 1, 2, 3, 4, 5, 9)), Out: in(f32s([]int{1, 1, 1, 1}, 4))},
		Case{Name: "vector", In: in(f32v(1)), Err: "dimensions"})
	for _, since := range []int64{1, 2} {
		global("GlobalLpPool", since, []string{"p"}, func(n *graph.Node, site *Site) (Kernel, error) {
			p, err := normOf(n)
			if err != nil {
				return nil, err
			}
			return byFloat(n, site, globalPool(site, tensor.Data[float32], normOver[float32](p)), globalPool(site, tensor.Data[float64], normOver[float64](p)))
		}, []Case{
			{Opset: 1, Attrs: []graph.Attr{graph.FloatAttr("p", 1)}, In: in(f64s([]int{1, 2, 3}, 1, 2, 6, -3, -9, .5)), Out: in(f64s([]int{1, 2, 1}, 9, 12.5))},
			{In: in(six), Out: in(f64s([]int{1, 2, 1}, math.Sqrt(41), math.Sqrt(90)))},
			{Name: "cubes", Attrs: []graph.Attr{graph.IntAttr("p", 3)}, In: in(six), Out: in(f64s([]int{1, 2, 1}, math.Cbrt(225), math.Cbrt(756)))},
		}[since-1:][:since]...)
	}
	register(&Spec{
		Name: "MaxUnpool", Since: 9, Attrs: []string{"kernel_shape", "strides", "pads"}, In: Arity{2, 3}, Out: Arity{1, 1}, Half: true, Infer: inferMaxUnpool, Compile: compileMaxUnpool, Grad: gradMaxUnpool,
		Cases: []Case{
			{Attrs: []graph.Attr{graph.IntsAttr("kernel_shape", 2), graph.IntsAttr("strides", 2)}, In: in(f64s([]int{1, 1, 2}, 7, 8), i64s([]int{1, 1, 2}, 1, 2)), Out: in(f64s([]int{1, 1, 4}, 0, 7, 8, 0))},
			{
				Name: "larger", Attrs: []graph.Attr{graph.IntsAttr("kernel_shape", 2), graph.IntsAttr("strides", 2)},
				In: in(f64s([]int{1, 1, 2}, 7, 8), i64s([]int{1, 1, 2}, 1, 2), i64v(1, 1, 5)), Out: in(f64s([]int{1, 1, 5}, 0, 7, 8, 0, 0)),
			},
			{
				Name: "planes", Attrs: []graph.Attr{graph.IntsAttr("kernel_shape", 2), graph.IntsAttr("strides", 2)},
				In: in(f64s([]int{1, 2, 1}, 7, 8), i64s([]int{1, 2, 1}, 1, 2), i64v(1, 2, 3)), Out: in(f64s([]int{1, 2, 3}, 0, 7, 0, 8, 0, 0)),
			},
			{Name: "outside", Attrs: []graph.Attr{graph.IntsAttr("kernel_shape", 2)}, In: in(f64s([]int{1, 1, 1}, 7), i64s([]int{1, 1, 1}, 2)), Err: "place 2"},
		},
	})
}

func inferGlobalPool(n *graph.Node, site *Site) ([]tensor.Type, error) {
	x := site.Types[0]
	if err := oneOf(n, x, floats...); err != nil {
		return nil, err
	}
	if x.Unranked {
		return []tensor.Type{x}, nil
	}
	if len(x.Dims) < 3 {
		return nil, bad(n, "an input without spatial dimensions")
	}
	dims := append([]tensor.Dim{}, x.Dims...)
	for i := range dims[2:] {
		dims[2+i] = tensor.Dim{Size: 1}
	}
	return []tensor.Type{{DType: x.DType, Dims: dims}}, nil
}

// globalPool reduces planes with f.
func globalPool[T float](site *Site, data lane[T], f func(plane []T) T) Kernel {
	threads := site.Threads
	var runs kept[globalRun[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if err := globalShape(ctx, in[0], out[0]); err != nil {
			return err
		}
		r := runs.take()
		defer runs.put(r)
		*r = globalRun[T]{ctx, data(in[0]), data(out[0]), f}
		if len(r.y) == 0 {
			return nil
		}
		spread(ctx, threads, len(r.y), max(1, (1<<14)/max(len(r.x)/len(r.y), 1)), r)
		return ctx.Err()
	}
}

// globalRun is a run of a global pool.
type globalRun[T float] struct {
	ctx  context.Context
	x, y []T
	f    func(plane []T) T
}

// Do reduces some planes.
func (r *globalRun[T]) Do(lo, hi int) {
	size := len(r.x) / len(r.y)
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		r.y[i] = r.f(r.x[i*size:][:size])
	}
}

// globalShape gives y the shape of a global pool of x.
func globalShape(ctx context.Context, x, y *tensor.Tensor) error {
	shape := x.Shape()
	if len(shape) < 3 {
		return misfit("a global pool", "an input without spatial dimensions")
	}
	var buf [MaxRank]int
	to := append(buf[:0], shape[:2]...)
	for range shape[2:] {
		to = append(to, 1)
	}
	return Reset(ctx, y, x.DType(), to...)
}

func planeMax[T float](plane []T) T { return greatestOf(plane) }

func planeMean[T float](plane []T) T { return T(normSum(plane) / float64(len(plane))) }

func normOver[T float](p float64) func([]T) T {
	return func(plane []T) T {
		var sum float64
		for _, v := range plane {
			switch x := math.Abs(float64(v)); p {
			case 1:
				sum += x
			case 2:
				sum += x * x
			default:
				sum += math.Pow(x, p)
			}
		}
		switch p {
		case 1:
			return T(sum)
		case 2:
			return T(math.Sqrt(sum))
		}
		return T(math.Pow(sum, 1/p))
	}
}

func inferMaxUnpool(n *graph.Node, site *Site) ([]tensor.Type, error) {
	w, err := windowOf(n)
	if err != nil {
		return nil, err
	}
	x := site.Types[0]
	if err := oneOf(n, x, floats...); err != nil {
		return nil, err
	}
	if site.Types[1].DType != tensor.Int64 {
		return nil, bad(n, "places that are not int64")
	}
	if len(site.Types) > 2 && site.typ(2).DType != tensor.Undefined {
		if site.Types[2].DType != tensor.Int64 {
			return nil, bad(n, "output_shape that is not int64")
		}
		return []tensor.Type{unranked(x.DType)}, nil
	}
	if x.Unranked {
		return []tensor.Type{x}, nil
	}
	if len(w.kernel) == 0 || len(x.Dims) != len(w.kernel)+2 {
		return nil, bad(n, "kernel_shape has not the rank of the input")
	}
	dims := append([]tensor.Dim{}, x.Dims...)
	for i, d := range x.Dims[2:] {
		if dims[2+i] = free; d.Size != tensor.Free {
			dims[2+i].Size = w.unpooled(i, d.Size)
		}
	}
	return []tensor.Type{{DType: x.DType, Dims: dims}}, nil
}

// unpooled is the length of dimension i from which a pool made n; at least 0.
func (w *window) unpooled(i, n int) int {
	return max(0, (n-1)*w.at(w.strides, i, 1)-w.at(w.pad, i, 0)-w.at(w.pad, len(w.kernel)+i, 0)+w.at(w.kernel, i, 1))
}

func compileMaxUnpool(n *graph.Node, site *Site) (Kernel, error) {
	w, err := windowOf(n)
	if err != nil {
		return nil, err
	}
	return byFloat(n, site, maxUnpool(tensor.Data[float32], w), maxUnpool(tensor.Data[float64], w))
}

// maxUnpool counts places in the shape that the window gives; an output_shape that is larger holds that shape at its beginning.
func maxUnpool[T float](data lane[T], w window) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x := in[0].Shape()
		if len(x) != len(w.kernel)+2 || in[1].Len() != in[0].Len() {
			return misfit(w.op, "kernel_shape or places do not fit the input")
		}
		var ib, ob [MaxRank]int
		inner := append(ib[:0], x...)
		for i, n := range x[2:] {
			inner[2+i] = w.unpooled(i, n)
		}
		shape := inner
		if len(in) > 2 && in[2] != nil {
			if in[2].Len() != len(x) {
				return misfit(w.op, "output_shape of another rank")
			}
			shape = ob[:0]
			for i, n := range in[2].I64() {
				if n < int64(inner[i]) || n >= windowMax {
					return misfit(w.op, "output_shape "+itoa(n)+" where at least "+itoa(int64(inner[i]))+" are needed")
				}
				shape = append(shape, int(n))
			}
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		y, from := data(out[0]), data(in[0])
		clear(y)
		size, err := tensor.Elements(inner)
		if err != nil {
			return err
		}
		for i, place := range in[1].I64() {
			if place < 0 || place >= int64(size) {
				return misfit(w.op, "place "+itoa(place)+" of "+itoa(int64(size)))
			}
			y[moved(int(place), inner, shape)] = from[i]
		}
		return nil
	}
}

// moved is where a place in a tensor of the shape inner lies in one of a shape that is larger and holds it at its beginning.
func moved(place int, inner, shape []int) int {
	at, width := 0, 1
	for d := len(inner) - 1; d >= 0; d-- {
		at += place % inner[d] * width
		place /= inner[d]
		width *= shape[d]
	}
	return at
}
