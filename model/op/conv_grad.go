//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// The way back of convolutions. One that takes x (n, c, d1…) to y (n, m, o1…) by w (m, c/group, k1…) has a wide side, x, and a narrow one, y; the
// window lies over the wide side. A transposed convolution has them the other way round, with w (c, m/group, k1…) for narrow channels c. So both have
// three ways: to the narrow side (Conv), to the wide side (ConvTranspose), and from both sides to the weights.
//
//	ConvGrad(dy, x, w): the gradients of x, w and bias for y = Conv(x, w, bias).
//	ConvTransposeGrad(dy, x, w): the same for y = ConvTranspose(x, w, bias).
func init() {
	attrs := []string{"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}
	register(&Spec{
		Domain: Private, Name: "ConvGrad", Since: 1, Attrs: attrs, In: Arity{3, 3}, Out: Arity{1, 3}, Half: true, Infer: inferConvGrad, Compile: compileConvGrad,
		Cases: tested(func() []Case {
			x, w := f32s([]int{1, 1, 4}, 1, 2, 3, 4), f32s([]int{1, 1, 2}, 1, 10)
			return []Case{
				{In: in(f32s([]int{1, 1, 3}, 1, 0, 2), x, w), Out: in(f32s([]int{1, 1, 4}, 1, 10, 2, 20), f32s([]int{1, 1, 2}, 7, 10), f32v(3))},
				{Name: "misfit", In: in(f32s([]int{1, 1, 4}, 1, 0, 2, 1), x, w), Err: "gradient"},
			}
		}),
	})
	register(&Spec{
		Domain: Private, Name: "ConvTransposeGrad", Since: 1, Attrs: append([]string{"output_padding", "output_shape"}, attrs...), In: Arity{3, 3}, Out: Arity{1, 3}, Half: true,
		Infer: inferConvGrad, Compile: compileConvTransposeGrad,
		Cases: tested(func() []Case {
			return []Case{{
				In:  in(f32s([]int{1, 1, 3}, 1, 0, 2), f32s([]int{1, 1, 2}, 3, 4), f32s([]int{1, 1, 2}, 1, 10)),
				Out: in(f32s([]int{1, 1, 2}, 1, 20), f32s([]int{1, 1, 2}, 3, 8), f32v(3)),
			}}
		}),
	})
}

// gradConv leads to the private operator of the way back.
func gradConv(name string) Gradient {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		if dy[0] == "" {
			return make([]graph.Value, len(n.Inputs)), nil
		}
		outputs := 2
		if len(n.Inputs) > 2 && n.Inputs[2] != "" {
			outputs = 3
		}
		return b.Node(Private, name, []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, outputs, n.Attrs...), nil
	}
}

func inferConvGrad(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := oneOf(n, site.Types[0], floats...); err != nil {
		return nil, err
	}
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	if len(n.Outputs) < 3 {
		return site.Types[1:3][:len(n.Outputs)], nil
	}
	bias := tensor.Type{DType: site.Types[0].DType, Dims: []tensor.Dim{free}}
	if dy := site.Types[0]; !dy.Unranked && len(dy.Dims) > 1 {
		bias.Dims[0] = dy.Dims[1]
	}
	return []tensor.Type{site.Types[1], site.Types[2], bias}, nil
}

func compileConvGrad(n *graph.Node, site *Site) (Kernel, error) {
	win, group, err := convWindow(n)
	if err != nil {
		return nil, err
	}
	return byFloat(n, site, convGradKernel(tensor.Data[float32], win, group, site), convGradKernel(tensor.Data[float64], win, group, site))
}

func compileConvTransposeGrad(n *graph.Node, site *Site) (Kernel, error) {
	t, group, err := transposedOf(n)
	if err != nil {
		return nil, err
	}
	return byFloat(n, site, convTransposeGradKernel(tensor.Data[float32], t, group, site), convTransposeGradKernel(tensor.Data[float64], t, group, site))
}

func convGradKernel[T float](data lane[T], win window, group int, site *Site) Kernel {
	c := newConvBack[T](win, group, site)
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		v := views.Take()
		defer views.Put(v)
		var s convSize
		var err error
		if *v, s, err = c.over.shape(in[1].Shape(), in[2].Shape()); err != nil {
			return err
		}
		if in[0].Len() != s.batch*s.m*volume(v.out) {
			return misfit(win.op, "a gradient "+shapeText(in[0].Shape())+" of another shape than the output")
		}
		return c.grads(ctx, v, s, data, in, out, true)
	}
}

func convTransposeGradKernel[T float](data lane[T], t transposed, group int, site *Site) Kernel {
	c := newConvBack[T](t.window, group, site)
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, w := in[1].Shape(), in[2].Shape()
		v := views.Take()
		defer views.Put(v)
		var err error
		if *v, err = t.fit(x, w); err != nil {
			return err
		}
		if x[1] != w[0] || w[0]%group != 0 {
			return misfit(t.op, "channels do not fit: "+shapeText(x)+" and "+shapeText(w)+" in "+itoa(int64(group))+" groups")
		}
		v.in, v.out = v.out, v.in // the window lies over the gradient
		s := convSize{batch: x[0], cg: w[1], m: w[0]}
		if in[0].Len() != s.batch*s.cg*group*volume(v.in) {
			return misfit(t.op, "a gradient "+shapeText(in[0].Shape())+" of another shape than the output")
		}
		return c.grads(ctx, v, s, data, in, out, false)
	}
}

// convBack is a convolution with its ways back. Its view and size are those of the convolution from the wide side to the narrow one.
type convBack[T float] struct {
	group, threads int
	over           *conv[T]          // from the wide side
	under          *convTranspose[T] // to it
	quick          *convFilters      // to the weights, for float32; or nil
	columns        scratch[T]
	panels         scratch[[4]T]
	filtersRuns    kept[filtersRun[T]]
	biasRuns       kept[biasRun[T]]
}

func newConvBack[T float](win window, group int, site *Site) *convBack[T] {
	c := &convBack[T]{group: group, threads: site.Threads}
	c.over = &conv[T]{window: win, group: group, threads: site.Threads}
	c.over.fast(nil)
	c.under = &convTranspose[T]{group: group, threads: site.Threads}
	c.under.fast(nil)
	if _, ok := any(c).(*convBack[float32]); ok {
		c.quick = &convFilters{group: group, threads: site.Threads}
	}
	return c
}

// grads makes the gradients that are wanted. forward tells that the convolution goes from the wide side to the narrow one.
func (c *convBack[T]) grads(ctx context.Context, v *view, s convSize, data lane[T], in, out []*tensor.Tensor, forward bool) error {
	dy, x, w := data(in[0]), data(in[1]), data(in[2])
	if out[0] != nil {
		if err := Reset(ctx, out[0], in[1].DType(), in[1].Shape()...); err != nil {
			return err
		}
		dx := data(out[0])
		switch {
		case len(dy) == 0:
			clear(dx)
		case forward:
			if err := c.toWide(ctx, v, s, dy, w, dx); err != nil {
				return err
			}
		default:
			if err := c.over.run(ctx, v, s, convArgs[T]{x: dy, w: w, y: dx}); err != nil {
				return err
			}
		}
	}
	if len(out) > 1 && out[1] != nil {
		if err := Reset(ctx, out[1], in[2].DType(), in[2].Shape()...); err != nil {
			return err
		}
		wide, narrow := x, dy
		if !forward {
			wide, narrow = dy, x
		}
		if err := c.filters(ctx, v, s, wide, narrow, data(out[1])); err != nil {
			return err
		}
	}
	if len(out) > 2 && out[2] != nil {
		channels, pixels := s.m, volume(v.out)
		if !forward {
			channels, pixels = s.cg*c.group, volume(v.in)
		}
		if err := Reset(ctx, out[2], in[0].DType(), channels); err != nil {
			return err
		}
		c.bias(ctx, dy, data(out[2]), pixels)
	}
	return ctx.Err()
}

// toWide computes the wide side from the narrow one: a transposed convolution.
func (c *convBack[T]) toWide(ctx context.Context, v *view, s convSize, narrow, w, wide []T) error {
	back := views.Take()
	defer views.Put(back)
	*back = *v
	back.in, back.out = v.out, v.in
	return c.under.run(ctx, back, convSize{s.batch, s.m / c.group, s.cg * c.group}, convArgs[T]{x: narrow, w: w, y: wide})
}

// bias adds up dy (n, m, pixels) by channels.
func (c *convBack[T]) bias(ctx context.Context, dy, db []T, pixels int) {
	if len(db) == 0 {
		return
	}
	r := c.biasRuns.take()
	*r = biasRun[T]{dy, db, pixels}
	spread(ctx, c.threads, len(db), max(1, (1<<14)/max(1, len(dy)/len(db))), r)
	c.biasRuns.put(r)
}

// biasRun is a run of bias.
type biasRun[T float] struct {
	dy, db []T
	pixels int
}

// Do adds up some channels.
func (r *biasRun[T]) Do(lo, hi int) {
	if f32, ok := any(r.dy).([]float32); ok {
		db := any(r.db).([]float32)
		for m := lo; m < hi; m++ {
			var sum float64
			for at := m * r.pixels; at < len(f32); at += len(db) * r.pixels {
				sum += kernel.Sum(f32[at:][:r.pixels])
			}
			db[m] = float32(sum)
		}
		return
	}
	for m := lo; m < hi; m++ {
		var sum T
		for at := m * r.pixels; at < len(r.dy); at += len(r.db) * r.pixels {
			for _, v := range r.dy[at:][:r.pixels] {
				sum += v
			}
		}
		r.db[m] = sum
	}
}
