//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// CausalConvGrad(x, w, dy, d_present, bias, past): the gradients of x, w, bias and past_state for CausalConvWithState. What is 0 may be absent.
func init() {
	register(&Spec{
		Domain: Private, Name: "CausalConvGrad", Since: 1, Attrs: []string{"activation"}, In: Arity{2, 6}, Out: Arity{1, 4}, Half: true,
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			return []tensor.Type{site.Types[0], site.Types[1], site.typ(4), site.typ(5)}[:len(n.Outputs)], oneOf(n, site.Types[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			act, err := causalActivation(n)
			if err != nil {
				return nil, err
			}
			if site.Types[0].DType == tensor.Float32 {
				return causalGradKernel(tensor.Data[float32], n, act, site), nil
			}
			return causalGradKernel(tensor.Data[float64], n, act, site), nil
		},
		Cases: tested(func() []Case {
			x, w := f32s([]int{1, 1, 3}, 1, 2, 3), f32s([]int{1, 1, 2}, 1, 10)
			return []Case{{In: in(x, w, f32s([]int{1, 1, 3}, 1, 0, 2)), Out: in(f32s([]int{1, 1, 3}, 10, 2, 20), f32s([]int{1, 1, 2}, 4, 7))}}
		}),
	})
}

func gradCausalConv(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	inputs := make([]graph.Value, 6)
	copy(inputs[2:4], dy)
	copy(inputs[:2], n.Inputs)
	copy(inputs[4:], n.Inputs[2:])
	return b.Node(Private, "CausalConvGrad", inputs, len(n.Inputs), n.Attrs...), nil
}

func causalGradKernel[T float](data lane[T], n *graph.Node, act activation, site *Site) Kernel {
	var runs kept[causalBack[T]]
	lines := new(scratch[T])
	threads := site.Threads
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, w := in[0].Shape(), in[1].Shape()
		if len(x) != 3 || len(w) != 3 || w[0] != x[1] || w[1] != 1 || w[2] < 1 {
			return misfit(n.Op, "weights "+shapeText(w)+" for an input "+shapeText(x))
		}
		r := runs.take()
		defer runs.put(r)
		*r = causalBack[T]{lines: lines, ctx: ctx, act: act, batch: x[0], channels: x[1], length: x[2], k: w[2], x: data(in[0]), w: data(in[1])}
		state := x[0] * x[1] * (r.k - 1)
		for _, part := range [4]struct {
			into *[]T
			at   int
			size int
		}{{&r.dy, 2, len(r.x)}, {&r.present, 3, state}, {&r.bias, 4, x[1]}, {&r.past, 5, state}} {
			if part.at >= len(in) || in[part.at] == nil {
				continue
			}
			if *part.into = data(in[part.at]); len(*part.into) != part.size {
				return misfit(n.Op, "input "+itoa(int64(part.at))+" does not fit")
			}
		}
		for i, into := range [4]*[]T{&r.dx, &r.dw, &r.dBias, &r.dPast} {
			if i >= len(out) || out[i] == nil {
				continue
			}
			if err := Reset(ctx, out[i], in[0].DType(), in[[4]int{0, 1, 4, 5}[i]].Shape()...); err != nil {
				return err
			}
			*into = data(out[i])
		}
		spread(ctx, threads, r.channels, max(1, (1<<13)/max(1, r.batch*r.length*r.k)), r)
		return ctx.Err()
	}
}

// causalBack is a run of CausalConvGrad; slices may be nil.
type causalBack[T float] struct {
	ctx                        context.Context
	act                        activation
	batch, channels, length, k int
	x, w, bias, past, dy       []T
	present                    []T // its gradient
	dx, dw, dBias, dPast       []T
	lines                      *scratch[T]
}

// Do does some channels, in all images.
func (r *causalBack[T]) Do(lo, hi int) {
	before, length := r.k-1, r.length
	lines := r.lines.take(2*(before+length) + length)
	defer r.lines.put(lines)
	line, back, grad := (*lines)[:before+length], (*lines)[before+length:][:before+length], (*lines)[2*(before+length):]
	for c := lo; c < hi && r.ctx.Err() == nil; c++ {
		w, bias := r.w[c*r.k:][:r.k], T(0)
		if r.bias != nil {
			bias = r.bias[c]
		}
		if r.dw != nil {
			clear(r.dw[c*r.k:][:r.k])
		}
		var sum T
		for image := range r.batch {
			i := image*r.channels + c
			clear(line[:before])
			if r.past != nil {
				copy(line[:before], r.past[i*before:])
			}
			copy(line[before:], r.x[i*length:][:length])
			clear(back)
			if r.present != nil {
				copy(back[length:], r.present[i*before:][:before])
			}
			if r.dy != nil {
				r.slope(grad, line, w, bias)
				for t, g := range r.dy[i*length:][:length] {
					grad[t] *= g
					sum += grad[t]
				}
				for j, weight := range w {
					addScaled(back[j:][:length], weight, grad, 1)
					if r.dw != nil {
						var dot T
						for t, g := range grad {
							dot += g * line[j+t]
						}
						r.dw[c*r.k+j] += dot
					}
				}
			}
			if r.dx != nil {
				copy(r.dx[i*length:][:length], back[before:])
			}
			if r.dPast != nil {
				copy(r.dPast[i*before:][:before], back)
			}
		}
		if r.dBias != nil {
			r.dBias[c] = sum
		}
	}
}

// slope writes the derivative of the activation for each element of the output.
func (r *causalBack[T]) slope(to, line, w []T, bias T) {
	if r.act.kind == actNone {
		fill(to, 1)
		return
	}
	fill(to, bias)
	for j, weight := range w {
		addScaled(to, weight, line[j:], 1)
	}
	for t, z := range to { // of z·σ(z)
		s := 1 / (1 + math.Exp(-float64(z)))
		to[t] = T(s * (1 + float64(z)*(1-s)))
	}
}
