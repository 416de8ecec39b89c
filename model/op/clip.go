package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Clip: y = min(max(x, low), high); the bounds are scalars and optional. high wins where low > high; NaN stays. Before opset 11 the
// bounds are attributes. https://onnx.ai/onnx/operators/onnx__Clip.html
func init() {
	bounds := []graph.Attr{graph.FloatAttr("min", -1), graph.FloatAttr("max", 1.5)}
	infer := func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		if err := kinds(n, graph.AttrFloat, "min", "max"); err != nil {
			return nil, err
		}
		if err := sameDType(n, site, 0); err != nil {
			return nil, err
		}
		return like(numbers...)(n, site)
	}
	register(&Spec{
		Name: "Clip", Since: 11, Half: true, In: Arity{1, 3}, Out: Arity{1, 1}, Infer: infer, Compile: compileClip, Grad: differentiable(gradClip), Cases: tested(func() []Case {
			return []Case{
				{In: in(f64v(-2, 0, 2), f64s(nil, -1), f64s(nil, 1)), Out: in(f64v(-1, 0, 1))},
				{Name: "only high", In: in(f64v(-2, 0, 2), nil, f64s(nil, 1)), Out: in(f64v(-2, 0, 1))},
				{Name: "infinite", NoGrad: true, In: in(f64v(math.Inf(1), 3), f64s(nil, 1)), Out: in(f64v(math.MaxFloat64, 3))},
				{Name: "crossed", In: in(f64v(-2, 3, 2), f64s(nil, 2.5), f64s(nil, 1)), Out: in(f64v(1, 1, 1))},
				{Name: "a vector as bound", In: in(f64v(-2, 0, 2), f64v(-1, 0)), Err: "scalar"},
			}
		}),
	})
	register(&Spec{
		Name: "Clip", Since: 6, Half: true, Attrs: []string{"min", "max"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: infer, Compile: compileClip, Grad: differentiable(gradClip), Cases: tested(func() []Case {
			return []Case{
				{Opset: 7, Attrs: bounds, In: in(f64v(-2, 0, 2)), Out: in(f64v(-1, 0, 1.5))},
				{Name: "only high", NoGrad: true, Opset: 10, Attrs: bounds[1:], In: in(f64v(-1e300, 2)), Out: in(f64v(-math.MaxFloat32, 1.5))},
			}
		}),
	})
}

func compileClip(n *graph.Node, site *Site) (Kernel, error) {
	switch d := site.Types[0].DType; d {
	case tensor.Float32:
		return clipKernel(site, tensor.Data[float32], clipBound[float32](n, "min", -math.MaxFloat32), clipBound[float32](n, "max", math.MaxFloat32)), nil
	case tensor.Float64:
		low, high := -math.MaxFloat64, math.MaxFloat64
		if site.Opset < 11 {
			low, high = -math.MaxFloat32, math.MaxFloat32
		}
		return clipKernel(site, tensor.Data[float64], clipBound(n, "min", low), clipBound(n, "max", high)), nil
	case tensor.Int32:
		return clipKernel[int32](site, tensor.Data[int32], math.MinInt32, math.MaxInt32), nil
	case tensor.Int64:
		return clipKernel[int64](site, tensor.Data[int64], math.MinInt64, math.MaxInt64), nil
	default:
		return rare(n, site)
	}
}

// clipBound is a bound that is an attribute, or its default: the greatest finite number, so that infinity is clipped too.
func clipBound[T float](n *graph.Node, name string, def T) T {
	if n.Attr(name) == nil {
		return def
	}
	return T(n.Float(name, 0))
}

func clipKernel[T number](site *Site, data lane[T], lowest, highest T) Kernel {
	threads := site.Threads
	var runs kept[clipRun[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		r := runs.take()
		defer runs.put(r)
		r.low, r.high = lowest, highest
		for i, bound := range []*T{&r.low, &r.high} {
			if i+1 >= len(in) || in[i+1] == nil {
				continue
			}
			if in[i+1].Len() != 1 {
				return misfit("Clip", "a bound that is not a scalar")
			}
			*bound = data(in[i+1])[0]
		}
		if err := Reset(ctx, out[0], in[0].DType(), in[0].Shape()...); err != nil {
			return err
		}
		r.dst, r.src = data(out[0]), data(in[0])
		if len(r.src) <= cheapGrain {
			r.Do(0, len(r.src))
			return nil
		}
		return sweep(ctx, threads, len(r.src), cheapGrain, r)
	}
}

// clipRun is one call.
type clipRun[T number] struct {
	dst, src  []T
	low, high T
}

func (r *clipRun[T]) Do(lo, hi int) { clip(r.dst[lo:hi], r.src[lo:hi], r.low, r.high) }

func clip[T number](dst, src []T, low, high T) {
	if s, ok := any(src).([]float32); ok {
		kernel.ClipTo(any(dst).([]float32), s, float32(low), float32(high))
		return
	}
	dst = dst[:len(src)]
	for i, x := range src {
		if x < low {
			x = low
		}
		if x > high {
			x = high
		}
		dst[i] = x
	}
}
