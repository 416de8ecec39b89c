//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ActivationGrad(dy, z): dy·f'(z) for the activation f of a fused operator.
func init() {
	attrs := []string{"activation", "activation_params"}
	register(&Spec{
		Domain: Private, Name: "ActivationGrad", Since: 1, Attrs: attrs, In: Arity{2, 2}, Out: Arity{1, 1}, Half: true,
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			return site.Types[1:2], oneOf(n, site.Types[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			act, err := convActivationOf(n)
			if err != nil {
				return nil, err
			}
			return byFloat(n, site, activationGrad(tensor.Data[float32], n, act, site.Threads), activationGrad(tensor.Data[float64], n, act, site.Threads))
		},
		Cases: tested(func() []Case {
			dy, z := f32v(1, 2, 3), f32v(-4, .5, 4)
			of := func(name string, y ...float32) Case {
				return Case{Name: name, Attrs: []graph.Attr{graph.StringAttr("activation", name)}, In: in(dy, z), Out: in(f32v(y...))}
			}
			return []Case{of("Relu", 0, 2, 3), of("LeakyRelu", .01, 2, 3), of("HardSigmoid", 0, .4, 0), of("HardSwish", 0, 4./3, 3)}
		}),
	})
}

// gradFusedConv computes the convolution again without its activation, whose derivative it needs: y = f(Conv(x, w, bias) + addend).
func gradFusedConv(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := make([]graph.Value, len(n.Inputs))
	if dy[0] == "" {
		return dx, nil
	}
	var window, function []graph.Attr
	for _, a := range n.Attrs {
		if a.Name == "activation" || a.Name == "activation_params" {
			function = append(function, a)
		} else {
			window = append(window, a)
		}
	}
	dz := dy[0]
	if n.Str("activation", "") != "" {
		z := b.Node(microsoft, "FusedConv", n.Inputs, 1, window...)
		b.Graph().Nodes[len(b.Graph().Nodes)-1].Opsets = map[string]int64{microsoft: 1}
		dz = b.Node(Private, "ActivationGrad", []graph.Value{dz, z[0]}, 1, function...)[0]
	}
	plain := &graph.Node{Op: "Conv", Inputs: n.Inputs[:min(3, len(n.Inputs))], Attrs: window}
	of, err := gradConv("ConvGrad")(b, plain, []graph.Value{dz})
	if err != nil {
		return nil, err
	}
	copy(dx, of)
	if len(dx) > 3 {
		dx[3] = dz
	}
	return dx, nil
}

func activationGrad[T float](data lane[T], n *graph.Node, act activation, threads int) Kernel {
	var runs kept[activationRun[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if in[0].Len() != in[1].Len() {
			return misfit(n.Op, "a gradient of another shape than the input")
		}
		if err := Reset(ctx, out[0], in[1].DType(), in[1].Shape()...); err != nil {
			return err
		}
		r := runs.take()
		defer runs.put(r)
		*r = activationRun[T]{act, data(in[0]), data(in[1]), data(out[0])}
		spread(ctx, threads, len(r.z), 1<<12, r)
		return ctx.Err()
	}
}

// activationRun is a run of ActivationGrad.
type activationRun[T float] struct {
	act       activation
	dy, z, dz []T
}

// Do does some elements.
func (r *activationRun[T]) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		r.dz[i] = r.dy[i] * T(r.act.slope(float64(r.z[i])))
	}
}

// slope is the derivative at z, the left or the right one at a kink.
func (act activation) slope(z float64) float64 {
	inside := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	sigmoid := func() float64 { return 1 / (1 + math.Exp(-z)) }
	switch act.kind {
	case actRelu:
		return inside(z > 0)
	case actClip:
		return inside(z > act.a && z < act.b)
	case actLeaky:
		if z < 0 {
			return act.a
		}
		return 1
	case actSigmoid:
		s := sigmoid()
		return s * (1 - s)
	case actTanh:
		t := math.Tanh(z)
		return 1 - t*t
	case actHardSigmoid:
		h := act.a*z + act.b
		return act.a * inside(h > 0 && h < 1)
	case actHardSwish, actScaledSwish:
		slope := inside(z >= 3)
		if z > -3 && z < 3 {
			slope = z/3 + .5
		}
		if act.kind == actScaledSwish {
			slope *= act.a
		}
		return slope
	case actSilu:
		s := sigmoid()
		return s * (1 + z*(1-s))
	}
	return 1
}
