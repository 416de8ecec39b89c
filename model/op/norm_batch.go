//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// BatchNormalization: y = scale·(x - mean)/√(var + epsilon) + B by channel, the dimension 1 of x (n, c, …).
// https://onnx.ai/onnx/operators/onnx__BatchNormalization.html
// In training mode mean and variance are those of the batch, and the running ones move towards them:
// running = momentum·running + (1 - momentum)·batch. That mode is on with training_mode=1 (from opset 14), with any output
// after the first (opsets 7 to 13), without is_test=1 (before). spatial=0 (before opset 9) gives each element of (c, …) its own statistics.
func init() {
	x := f64s([]int{2, 2, 2}, 1, 2, 3, 4, 5, 6, 7, 8)
	scale, bias, mean, variance := f64v(1, 2), f64v(0, 1), f64v(1, 2), f64v(4, 1)
	eps := graph.FloatAttr("epsilon", 0)
	tested := f64s([]int{2, 2, 2}, 0, .5, 3, 5, 2, 2.5, 11, 13)
	spec := func(since int64, outputs int, attrs []string, cases ...Case) {
		register(&Spec{
			Name: "BatchNormalization", Since: since, Half: true, HalfLike: []int{0, 3, 3, 3, 3}, Attrs: append([]string{"epsilon", "momentum"}, attrs...), In: Arity{5, 5}, Out: Arity{1, outputs},
			Infer: inferBatchNorm, Compile: compileBatchNorm, Grad: gradBatchNorm(since), Cases: cases,
		})
	}
	s := math.Sqrt(4.25)
	trained := f64s([]int{2, 2, 2}, -2.5/s, -1.5/s, 1-5/s, 1-3/s, 1.5/s, 2.5/s, 1+3/s, 1+5/s)
	train := []graph.Attr{eps, graph.IntAttr("training_mode", 1), graph.FloatAttr("momentum", .5)}
	spec(14, 3, []string{"training_mode"},
		Case{Attrs: []graph.Attr{eps}, In: in(x, scale, bias, mean, variance), Out: in(tested)},
		Case{Name: "training", Attrs: train, In: in(x, scale, bias, mean, variance), Out: in(trained, f64v(2.25, 3.75), f64v(4.125, 2.625))},
		Case{Name: "rows", Attrs: []graph.Attr{eps}, In: in(f64s([]int{1, 2}, 3, 4), scale, bias, mean, variance), Out: in(f64s([]int{1, 2}, 1, 5))},
		Case{Name: "channels", In: in(x, f64v(1), bias, mean, variance), Err: "elements"})
	spec(9, 5, nil,
		Case{Attrs: []graph.Attr{eps}, Opset: 9, In: in(x, scale, bias, mean, variance), Out: in(tested)},
		Case{Name: "training", Opset: 9, Attrs: []graph.Attr{eps, graph.FloatAttr("momentum", .5)}, In: in(x, scale, bias, mean, variance), Out: in(trained, f64v(2.25, 3.75), f64v(4.125, 2.625), f64v(3.5, 5.5), f64v(4.25, 4.25))})
	spec(7, 5, []string{"spatial"},
		Case{
			Opset: 7, Attrs: []graph.Attr{eps, graph.IntAttr("spatial", 0)}, In: in(x, f64s([]int{2, 2}, 1, 1, 1, 2), f64s([]int{2, 2}, 0, 0, 0, 1), f64s([]int{2, 2}, 1, 2, 3, 4), f64s([]int{2, 2}, 1, 4, 1, 1)),
			Out: in(f64s([]int{2, 2, 2}, 0, 0, 0, 1, 4, 2, 4, 9)),
		})
	spec(6, 5, []string{"spatial", "is_test"},
		Case{Opset: 6, Attrs: []graph.Attr{eps, graph.IntAttr("is_test", 1)}, In: in(x, scale, bias, mean, variance), Out: in(tested)},
		Case{Name: "training", Opset: 6, Attrs: []graph.Attr{eps}, In: in(x, scale, bias, mean, variance), Out: in(trained)})
	spec(1, 5, []string{"spatial", "is_test", "consumed_inputs"},
		Case{Opset: 5, Attrs: []graph.Attr{eps, graph.IntAttr("is_test", 1), graph.IntsAttr("consumed_inputs", 0, 0, 0, 1, 1)}, In: in(x, scale, bias, mean, variance), Out: in(tested)})
}

// batchNormTrains tells the training mode.
func batchNormTrains(n *graph.Node, opset int64) bool {
	switch {
	case opset >= 14:
		return n.Int("training_mode", 0) != 0
	case opset < 7:
		return n.Int("is_test", 0) == 0
	}
	for _, o := range n.Outputs[1:] {
		if o != "" {
			return true
		}
	}
	return false
}

func inferBatchNorm(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrFloat, "epsilon", "momentum"); err != nil {
		return nil, err
	}
	if err := kinds(n, graph.AttrInt, "training_mode", "spatial", "is_test"); err != nil {
		return nil, err
	}
	for _, t := range site.Types {
		if err := oneOf(n, t, floats...); err != nil {
			return nil, err
		}
	}
	types := []tensor.Type{site.Types[0]}
	for i := 1; i < len(n.Outputs); i++ {
		if n.Outputs[i] != "" && !batchNormTrains(n, site.Opset) {
			return nil, bad(n, "the output "+itoa(int64(i))+" is for training mode only")
		}
		types = append(types, site.Types[3])
	}
	return types, nil
}

func compileBatchNorm(n *graph.Node, site *Site) (Kernel, error) {
	if batchNormTrains(n, site.Opset) {
		return byFloat(n, site, batchTrainKernel(tensor.Data[float32], n, site), batchTrainKernel(tensor.Data[float64], n, site))
	}
	if site.Types[0].DType == tensor.Float32 {
		return batchNormKernel(tensor.Data[float32], n, site), nil
	}
	return batchNormKernel(tensor.Data[float64], n, site), nil
}

// batchNormFits checks that what is said by channel is said of c channels.
func batchNormFits(op string, in []*tensor.Tensor, c int) error {
	for i, name := range []string{"", "scale", "B", "mean", "var"} {
		if i > 0 {
			if err := normVector(op, name, in[i], c); err != nil {
				return err
			}
		}
	}
	return nil
}

// batchNormSizes splits the shape of x (n, c, inner); without spatial statistics every element of a row is a channel.
func batchNormSizes(shape []int, spatial bool) (n, c, inner int) {
	switch {
	case len(shape) == 0:
		return 1, 1, 1
	case len(shape) == 1:
		return shape[0], 1, 1
	case spatial:
		return shape[0], shape[1], normSize(shape[2:])
	}
	return shape[0], normSize(shape[1:]), 1
}

func batchNormKernel[T float](data lane[T], node *graph.Node, site *Site) Kernel {
	var lines scratch[T]
	var runs kept[batchRun[T]]
	var reals scratch[float64]
	epsilon, spatial, threads := normEpsilon(node), node.Int("spatial", 1) != 0, site.Threads
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		_, c, inner := batchNormSizes(in[0].Shape(), spatial)
		if err := batchNormFits(node.Op, in, c); err != nil {
			return err
		}
		x := data(in[0])
		stats := reals.take(2 * c)
		defer reals.put(stats)
		mean, variance := (*stats)[:c], (*stats)[c:]
		for i := range mean {
			mean[i], variance[i] = normReal(in[3], i), normReal(in[4], i)
		}
		line := lines.take(2 * c)
		defer lines.put(line)
		a, b := (*line)[:c], (*line)[c:]
		for i := range a {
			slope := normReal(in[1], i) / math.Sqrt(variance[i]+epsilon)
			a[i], b[i] = T(slope), T(normReal(in[2], i)-mean[i]*slope)
		}
		if out[0] == nil {
			return nil
		}
		if err := Reset(ctx, out[0], in[0].DType(), in[0].Shape()...); err != nil {
			return err
		}
		if len(x) > 0 {
			r := runs.take()
			defer runs.put(r)
			*r = batchRun[T]{ctx, data(out[0]), x, a, b, inner}
			r.lines(threads)
		}
		return ctx.Err()
	}
}

// normReal reads one element of a float32 or float64 tensor.
func normReal(t *tensor.Tensor, i int) float64 {
	if t.DType() == tensor.Float64 {
		return tensor.Data[float64](t)[i]
	}
	return float64(t.F32()[i])
}

// batchRun writes a·x + b by channel: x (n, len(a), inner).
type batchRun[T float] struct {
	ctx            context.Context
	dst, src, a, b []T
	inner          int
}

func (r *batchRun[T]) lines(threads int) {
	rows := len(r.src) / r.inner
	if threads < 2 || len(r.src) < 2*normGrain {
		r.Do(0, rows)
		return
	}
	spread(r.ctx, threads, rows, 1+normGrain/r.inner, r)
}

// Do does the rows lo to hi of x (n·len(a), inner).
func (r *batchRun[T]) Do(lo, hi int) {
	c, inner := len(r.a), r.inner
	for at := lo; at < hi && r.ctx.Err() == nil; {
		k := at % c
		if inner == 1 {
			m := min(c-k, hi-at)
			normLineEach(r.dst[at:], r.src[at:at+m], r.a[k:], r.b[k:])
			at += m
			continue
		}
		for ; k < c && at < hi; k++ {
			normLine(r.dst[at*inner:], r.src[at*inner:(at+1)*inner], r.a[k], r.b[k])
			at++
		}
	}
}

// batchNormOutputs fills the outputs that follow the first: running mean and variance, and those of the batch.
func batchNormOutputs(ctx context.Context, in, out []*tensor.Tensor, mean, variance []float64, momentum float64) error {
	for i := 1; i < len(out); i++ {
		if out[i] == nil {
			continue
		}
		if err := Reset(ctx, out[i], in[3].DType(), in[3].Shape()...); err != nil {
			return err
		}
		now, before := mean, in[3]
		if i == 2 || i == 4 {
			now, before = variance, in[4]
		}
		for k, v := range now {
			if i < 3 {
				v = normReal(before, k)*momentum + v*(1-momentum)
			}
			if out[i].DType() == tensor.Float64 {
				tensor.Data[float64](out[i])[k] = v
			} else {
				out[i].F32()[k] = float32(v)
			}
		}
	}
	return nil
}
