//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// CausalConvWithState: with s (n, c, k-1+l) = past_state (n, c, k-1), zeros where absent, followed by x (n, c, l):
// y[t] = activation(Σ_j w[j]·s[t+j] + bias) for each channel with weights w (c, 1, k); present_state is the last k-1 elements of s.
// https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html
func init() {
	x, w := f32s([]int{1, 1, 3}, 1, 2, 3), f32s([]int{1, 1, 3}, 1, 10, 100)
	register(&Spec{
		Name: "CausalConvWithState", Since: 27, Attrs: []string{"activation"}, In: Arity{2, 4}, Out: Arity{1, 2}, Half: true,
		Infer: inferCausalConv, Compile: compileCausalConv, Grad: gradCausalConv, Cases: []Case{
			{In: in(x, w), Out: in(f32s([]int{1, 1, 3}, 100, 210, 321), f32s([]int{1, 1, 2}, 2, 3))},
			{Name: "state", In: in(f32s([]int{1, 1, 1}, 3), w, f32v(.5), f32s([]int{1, 1, 2}, 1, 2)), Out: in(f32s([]int{1, 1, 1}, 321.5), f32s([]int{1, 1, 2}, 2, 3))},
			{Name: "silu", Attrs: []graph.Attr{graph.StringAttr("activation", "silu")}, In: in(f32s([]int{1, 1, 1}, 1), f32s([]int{1, 1, 1}, 2)), Out: in(f32s([]int{1, 1, 1}, 1.7615942), f32s([]int{1, 1, 0}))},
			{
				Name: "lines", Attrs: []graph.Attr{graph.StringAttr("activation", "silu")}, Tol: 1e-12,
				In:  in(f64s([]int{2, 2, 2}, .1, .2, -.3, .4, .5, -.6, .7, .8), f64s([]int{2, 1, 2}, 1, -.5, .25, 2), f64v(.1, -.2), f64s([]int{2, 2, 1}, .3, -.1, .6, .9)),
				Out: in(causalLinesCase, f64s([]int{2, 2, 1}, .2, .4, -.6, .8)),
			},
			{Name: "no state", In: in(f64s([]int{1, 1, 3}, 1, 2, 3), f64s([]int{1, 1, 3}, 1, 10, 100)), Out: in(f64s([]int{1, 1, 3}, 100, 210, 321), f64s([]int{1, 1, 2}, 2, 3))},
			{Name: "unknown", Attrs: []graph.Attr{graph.StringAttr("activation", "relu")}, In: in(x, w), Err: "relu"},
			{Name: "misfit", In: in(x, f32s([]int{2, 1, 1}, 1, 2)), Err: "weights"},
		},
	})
}

func inferCausalConv(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "activation", graph.AttrString); err != nil {
		return nil, err
	}
	x, w := site.Types[0], site.Types[1]
	if err := oneOf(n, x, floats...); err != nil {
		return nil, err
	}
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	if !x.Unranked && len(x.Dims) != 3 || !w.Unranked && len(w.Dims) != 3 {
		return nil, bad(n, "input or weights that are not of rank 3")
	}
	state := unranked(x.DType)
	if !x.Unranked {
		state = tensor.Type{DType: x.DType, Dims: []tensor.Dim{x.Dims[0], x.Dims[1], free}}
		if !w.Unranked && w.Dims[2].Size > 0 {
			state.Dims[2].Size = w.Dims[2].Size - 1
		}
	}
	return []tensor.Type{x, state}[:len(n.Outputs)], nil
}

func compileCausalConv(n *graph.Node, site *Site) (Kernel, error) {
	act, err := causalActivation(n)
	if err != nil {
		return nil, err
	}
	return byFloat(n, site, causalKernel(tensor.Data[float32], n, act, site.Threads), causalKernel(tensor.Data[float64], n, act, site.Threads))
}

func causalActivation(n *graph.Node) (activation, error) {
	switch name := n.Str("activation", "none"); name {
	case "none":
		return activation{}, nil
	case "silu", "swish":
		return activation{kind: actSilu}, nil
	default:
		return activation{}, refuseAttr(n, "activation", name)
	}
}

func causalKernel[T float](data lane[T], n *graph.Node, act activation, threads int) Kernel {
	var runs kept[causalRun[T]]
	lines := new(scratch[T])
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, w := in[0].Shape(), in[1].Shape()
		if len(x) != 3 || len(w) != 3 || w[0] != x[1] || w[1] != 1 || w[2] < 1 {
			return misfit(n.Op, "weights "+shapeText(w)+" for an input "+shapeText(x))
		}
		channels, length, k := x[1], x[2], w[2]
		var bias, past []T
		if len(in) > 2 && in[2] != nil {
			if bias = data(in[2]); len(bias) != channels {
				return misfit(n.Op, "bias "+shapeText(in[2].Shape()))
			}
		}
		if len(in) > 3 && in[3] != nil {
			if past = data(in[3]); len(past) != x[0]*channels*(k-1) {
				return misfit(n.Op, "past_state "+shapeText(in[3].Shape()))
			}
		}
		if err := Reset(ctx, out[0], in[0].DType(), x...); err != nil {
			return err
		}
		var present []T
		if len(out) > 1 && out[1] != nil {
			if err := Reset(ctx, out[1], in[0].DType(), x[0], channels, k-1); err != nil {
				return err
			}
			present = data(out[1])
		}
		r := runs.take()
		defer runs.put(r)
		*r = causalRun[T]{lines: lines, ctx: ctx, x: data(in[0]), w: data(in[1]), bias: bias, past: past, y: data(out[0]), present: present, channels: channels, length: length, k: k, act: act}
		spread(ctx, threads, x[0]*channels, max(1, (1<<15)/max(1, length*k)), r)
		return ctx.Err()
	}
}

// causalRun is a run of CausalConvWithState.
type causalRun[T float] struct {
	lines                        *scratch[T]
	ctx                          context.Context
	x, w, bias, past, y, present []T // bias, past and present may be nil
	channels, length, k          int
	act                          activation
}

// Do computes [lo, hi) of the channels of all images.
func (r *causalRun[T]) Do(lo, hi int) {
	before, length := r.k-1, r.length
	buf := r.lines.take(before + length)
	defer r.lines.put(buf)
	line := *buf
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		clear(line[:before])
		if r.past != nil {
			copy(line[:before], r.past[i*before:])
		}
		copy(line[before:], r.x[i*length:][:length])
		y, b := r.y[i*length:][:length], T(0)
		if r.bias != nil {
			b = r.bias[i%r.channels]
		}
		fill(y, b)
		for j, weight := range r.w[i%r.channels*r.k:][:r.k] {
			addScaled(y, weight, line[j:], 1)
		}
		activate(r.act, y)
		if r.present != nil {
			copy(r.present[i*before:][:before], line[length:])
		}
	}
}

// causalLinesCase is x·sigmoid(x) of the sums -0.15, 0.0 … of a case.
var causalLinesCase = func() *tensor.Tensor {
	t := f64s([]int{2, 2, 2}, .3-.05+.1, .1, -.025-.6-.2, -.075+.8-.2, .6-.25+.1, .5+.3+.1, .225+1.4-.2, .175+1.6-.2)
	activate(activation{kind: actSilu}, tensor.Data[float64](t))
	return t
}()
