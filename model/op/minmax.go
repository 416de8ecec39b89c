package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Min, Max, Sum, Mean of any number of tensors with broadcasting; NaN wins.
// https://onnx.ai/onnx/operators/onnx__Max.html
func init() {
	fold := func(name string, types []tensor.DType, compile compileFunc, grad gradFunc, cases ...Case) {
		register(&Spec{Name: name, Since: 8, Half: true, In: Arity{1, Many}, Out: Arity{1, 1}, Infer: broadcastInfer(tensor.Undefined, types...), Compile: compile, Grad: differentiable(grad), Cases: cases})
	}
	nan := math.NaN()
	fold("Max", numbers, folding("Max", pairOf(kernel.Greater), greatest[float64], greatest[int32], greatest[int64]), gradExtreme,
		tested(func() []Case {
			return []Case{
				{In: in(f64v(3, 2, 1), f64v(1, 4, 4.5), f64v(2, 5, 3)), Out: in(f64v(3, 5, 4.5))},
				{Name: "one", In: in(f64v(3, 2)), Out: in(f64v(3, 2))},
				{Name: "broadcast", In: in(f64v(3), f64s([]int{2, 2}, 1, 4, 5, 2)), Out: in(f64s([]int{2, 2}, 3, 4, 5, 3))},
				{Name: "NaN", NoGrad: true, In: in(f64v(nan, 1, 2), f64v(1, nan, 3)), Out: in(f64v(nan, nan, 3))},
				{Name: "gap", In: in(f64v(3), nil), Err: "must be present"},
			}
		})...)
	fold("Min", numbers, folding("Min", pairOf(kernel.Less), least[float64], least[int32], least[int64]), gradExtreme,
		tested(func() []Case {
			return []Case{
				{In: in(f64v(3, 2, 1), f64v(1, 4, 4.5), f64v(2, 5, 3)), Out: in(f64v(1, 2, 1))},
				{Name: "NaN", NoGrad: true, In: in(f64v(nan, 1, 2), f64v(1, nan, 3)), Out: in(f64v(nan, nan, 2))},
			}
		})...)
	fold("Sum", floats, folding("Sum", pairOf(kernel.Add), add[float64], nil, nil), gradSum, // dxᵢ = dy
		tested(func() []Case {
			return []Case{
				{In: in(f64v(3, 2), f64v(1), f64s([]int{2, 1}, 2, 5)), Out: in(f64s([]int{2, 2}, 6, 5, 9, 8))},
				{Name: "third is widest", In: in(f64v(3), f64v(1, 2), f64s([]int{2, 1}, 2, 5)), Out: in(f64s([]int{2, 2}, 6, 7, 9, 10))},
			}
		})...)
	fold("Mean", floats, compileMean, gradMean, // dxᵢ = dy/inputs
		tested(func() []Case {
			return []Case{{In: in(f64v(3, 2), f64v(1), f64s([]int{2, 1}, 2, 6)), Out: in(f64s([]int{2, 2}, 2, 5./3, 10./3, 3))}}
		})...)
}

// compileMean adds up and divides by the number of inputs.
func compileMean(n *graph.Node, site *Site) (Kernel, error) {
	if d := site.Types[0].DType; d == tensor.Float64 {
		return foldKernel("Mean", site.Threads, tensor.Data[float64], d, add[float64], share[float64]), nil
	}
	return foldKernel("Mean", site.Threads, tensor.Data[float32], tensor.Float32, pairOf(kernel.Add), share[float32]), nil
}

func share[T float](dst []T, inputs int) {
	for i := range dst {
		dst[i] /= T(inputs)
	}
}

// folding compiles a reduction of the inputs, from the first to the last.
func folding(op string, f32 pair[float32, float32], f64 pair[float64, float64], i32 pair[int32, int32], i64 pair[int64, int64]) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d {
		case tensor.Float32:
			return foldKernel(op, site.Threads, tensor.Data[float32], d, f32, nil), nil
		case tensor.Float64:
			return foldKernel(op, site.Threads, tensor.Data[float64], d, f64, nil), nil
		case tensor.Int32:
			return foldKernel(op, site.Threads, tensor.Data[int32], d, i32, nil), nil
		case tensor.Int64:
			return foldKernel(op, site.Threads, tensor.Data[int64], d, i64, nil), nil
		default:
			return rare(n, site)
		}
	}
}

func foldKernel[T any](op string, threads int, data lane[T], d tensor.DType, f pair[T, T], finish func(dst []T, inputs int)) Kernel {
	var runs kept[pairRun[T, T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		var bufs [2][MaxRank]int
		shape := append(bufs[0][:0], in[0].Shape()...)
		for i, x := range in[1:] {
			var err error
			if shape, err = broadcastShape(op, bufs[(i+1)%2][:0], shape, x.Shape()); err != nil {
				return err
			}
		}
		if err := Reset(ctx, out[0], d, shape...); err != nil {
			return err
		}
		dst, shape, x := data(out[0]), out[0].Shape(), in[0]
		done := 1 // inputs taken in
		if len(in) > 1 && (x.Len() == len(dst) || in[1].Len() == len(dst)) {
			done = 2
			if err := broadcastSweep(ctx, threads, &runs, dst, shape, data(x), x.Shape(), data(in[1]), in[1].Shape(), f); err != nil {
				return err
			}
		} else {
			broadcastPair(dst, shape, data(x), x.Shape(), data(x), x.Shape(), first)
		}
		for _, x := range in[done:] { // the result so far has the full shape, so each place is read before it is written
			if err := broadcastSweep(ctx, threads, &runs, dst, shape, dst, shape, data(x), x.Shape(), f); err != nil {
				return err
			}
		}
		if finish != nil {
			finish(dst, len(in))
		}
		return nil
	}
}

// first copies a.
func first[T any](dst, a, _ []T) {
	if len(a) == 1 {
		fill(dst, a[0])
		return
	}
	copy(dst, a)
}

func greatest[T number](dst, a, b []T) { zip(func(x, y T) T { return max(x, y) })(dst, a, b) }
func least[T number](dst, a, b []T)    { zip(func(x, y T) T { return min(x, y) })(dst, a, b) }

// dxᵢ = dy where xᵢ = y. At a tie every input gets all of dy.
func gradExtreme(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := make([]graph.Value, len(n.Inputs))
	zero := scalarLike(b, 0, dy[0])
	for i, x := range n.Inputs {
		dx[i] = b.Op("Where", b.Op("Equal", x, n.Outputs[0]), dy[0], zero)
	}
	return dx, nil
}

func gradSum(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := make([]graph.Value, len(n.Inputs))
	for i := range dx {
		dx[i] = dy[0]
	}
	return dx, nil
}

func gradMean(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	part := b.Op("Div", dy[0], scalarLike(b, float32(len(n.Inputs)), dy[0]))
	return gradSum(b, n, []graph.Value{part})
}
