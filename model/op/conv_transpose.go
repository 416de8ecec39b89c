//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ConvTranspose: each element of x (n, c, d1…) adds its multiple of w (c, m/group, k1…) to y (n, m, o1…) from where it stands, stride apart; plus
// bias (m). https://onnx.ai/onnx/operators/onnx__ConvTranspose.html
// FusedConvTranspose, private: y = activation(ConvTranspose), with the activations of FusedConv.
func init() {
	at := func(name string, v ...int64) graph.Attr { return graph.IntsAttr(name, v...) }
	x, w := f64s([]int{1, 1, 3}, 1, 2, 3), f64s([]int{1, 1, 2}, 1, 10)
	attrs := []string{"auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads", "strides"}
	register(&Spec{
		Domain: Private, Name: "FusedConvTranspose", Since: 1, In: Arity{2, 3}, Out: Arity{1, 1}, Half: true, Infer: inferConvTranspose, Compile: compileConvTranspose,
		Attrs: append([]string{"activation", "activation_params"}, attrs...),
		Cases: []Case{
			{Attrs: []graph.Attr{graph.StringAttr("activation", "Relu")}, In: in(x, w, f64v(-20)), Out: in(f64s([]int{1, 1, 4}, 0, 0, 3, 10))},
			{
				Name: "side by side", Attrs: []graph.Attr{graph.StringAttr("activation", "Clip"), graph.FloatsAttr("activation_params", []float32{0, 15}), at("strides", 1, 2)},
				In: in(f32s([]int{1, 1, 1, 2}, 1, 2), f32s([]int{1, 2, 1, 2}, 1, 2, 3, 10), f32v(1, -4)), Out: in(f32s([]int{1, 2, 1, 4}, 2, 3, 3, 5, 0, 6, 2, 15)),
			},
		},
	})
	register(&Spec{
		Name: "ConvTranspose", Since: 1, In: Arity{2, 3}, Out: Arity{1, 1}, Half: true, Infer: inferConvTranspose, Compile: compileConvTranspose, Grad: gradConv("ConvTransposeGrad"),
		Attrs: attrs,
		Cases: []Case{
			{In: in(x, w), Out: in(f64s([]int{1, 1, 4}, 1, 12, 23, 30))},
			{Name: "strides", Attrs: []graph.Attr{at("strides", 2), at("output_padding", 1)}, In: in(x, w, f64v(100)), Out: in(f64s([]int{1, 1, 7}, 101, 110, 102, 120, 103, 130, 100))},
			{Name: "pads", Attrs: []graph.Attr{at("pads", 1, 0), at("dilations", 2)}, In: in(x, w), Out: in(f64s([]int{1, 1, 4}, 2, 13, 20, 30))},
			{Name: "shape", Attrs: []graph.Attr{at("output_shape", 3)}, In: in(x, w), Out: in(f64s([]int{1, 1, 3}, 12, 23, 30))},
			{Name: "same", Attrs: []graph.Attr{graph.StringAttr("auto_pad", "SAME_UPPER")}, In: in(x, w), Out: in(f64s([]int{1, 1, 3}, 1, 12, 23))},
			{
				Name: "groups", Attrs: []graph.Attr{graph.IntAttr("group", 2)}, In: in(f32s([]int{1, 2, 1}, 1, 2), f32s([]int{2, 2, 1}, 1, 2, 3, 4)),
				Out: in(f32s([]int{1, 4, 1}, 1, 2, 6, 8)),
			},
			{Name: "channels", In: in(f32s([]int{1, 2, 1, 1}, 1, 2), f32s([]int{2, 1, 1, 2}, 1, 2, 3, 4)), Out: in(f32s([]int{1, 1, 1, 2}, 7, 10))},
			{
				Name: "grouped planes", Attrs: []graph.Attr{at("pads", 1, 0, 1, 0), at("strides", 2, 1), at("output_padding", 1, 0), graph.IntAttr("group", 2)},
				In:  in(convSteps(2, 4, 2, 2), convSteps(4, 2, 3, 2), convSteps(4)),
				Out: in(f64s([]int{2, 4, 4, 3}, -34, 18, -13, -58, 41, -26, 17, 0, -16, 9, -4, -12, -26, 32, -2, -19, 32, -3, -2, -7, 1, -10, -11, 5, 13, -25, 28, 17, -62, 48, 11, -28, 27, 11, -27, 28, 1, -40, 19, 5, 3, -2, 5, -31, 24, -6, 25, -30, -11, -5, -4, 10, -38, -8, -15, -12, -7, -7, -6, -9, 12, 6, -11, 24, 13, -21, 14, 11, -8, 22, 17, -10, 19, 6, -2, 29, 0, -12, 17, 3, -3, 11, 3, 3, -11, -12, 4, 14, 4, 1, -7, -3, 9, 9, -3, -7)),
			},
			{
				Name: "cube", Attrs: []graph.Attr{at("strides", 1, 2, 1), at("dilations", 1, 1, 2)}, In: in(convSteps(1, 2, 1, 2, 2), convSteps(2, 1, 2, 1, 2)),
				Out: in(f64s([]int{1, 1, 2, 3, 4}, 41, -8, -8, 4, 0, 0, 0, 0, -13, -7, -6, 6, -13, -6, -7, 6, 0, 0, 0, 0, 34, -14, -14, 10)),
			},
			{
				Name: "side by side", Attrs: []graph.Attr{at("strides", 2, 2)}, In: in(convSteps(1, 2, 2, 2), convSteps(2, 3, 2, 2)),
				Out: in(f64s([]int{1, 3, 4, 4}, 25, 20, 0, -10, -29, 21, 2, -8, -25, 15, 5, -15, 22, 7, -2, -11, -28, 22, 4, -6, -27, 23, 6, -4, 14, -1, 2, -7, 6, -9, 6, -3, -26, 24, 8, -2, -25, 25, 10, 0, -2, -17, 10, 1, -10, -25, 14, 5)),
			},
			{Name: "misfit", In: in(x, f64s([]int{2, 1, 1}, 1, 2)), Err: "channels"},
		},
	})
}

// transposed is the window of a ConvTranspose.
type transposed struct {
	window
	more, shape []int64 // output_padding, output_shape
}

func transposedOf(n *graph.Node) (t transposed, group int, err error) {
	if err := kinds(n, graph.AttrInts, "output_padding", "output_shape"); err != nil {
		return t, 0, err
	}
	w, group, err := convWindow(n)
	if err != nil {
		return t, 0, err
	}
	t = transposed{w, n.Ints("output_padding"), n.Ints("output_shape")}
	for _, list := range [][]int64{t.more, t.shape} {
		for _, v := range list {
			if v < 0 || v >= windowMax {
				return t, 0, bad(n, "output_padding or output_shape holds "+itoa(v))
			}
		}
	}
	return t, group, nil
}

// span gives the output length of dimension i for an input of length in and a kernel of k taps, and the part cut off at its beginning.
func (t *transposed) span(i, in, k int) (out, before int, err error) {
	if k > windowMax || in > windowMax {
		return 0, 0, misfit(t.op, "a dimension of more than 2^24")
	}
	stride := t.at(t.strides, i, 1)
	full := stride*(in-1) + t.at(t.more, i, 0) + (k-1)*t.at(t.dilations, i, 1) + 1
	switch {
	case len(t.shape) > 0:
		out = int(t.shape[i])
	case t.auto == "SAME_UPPER", t.auto == "SAME_LOWER":
		out = in * stride
	default:
		before = t.at(t.pad, i, 0)
		if out = full - before - t.at(t.pad, len(t.pad)/2+i, 0); out < 0 {
			return 0, 0, misfit(t.op, "pads that leave nothing of the output")
		}
		return out, before, nil
	}
	total := max(0, full-out)
	if before = total / 2; t.auto != "SAME_UPPER" {
		before = total - before
	}
	return out, before, nil
}

// check refuses attributes of another rank than the tensor's spatial dimensions; an output_shape may begin with batch and channels.
func (t *transposed) check(rank int) error {
	if len(t.shape) == rank+2 {
		t.shape = t.shape[2:]
	}
	if len(t.more) != 0 && len(t.more) != rank || len(t.shape) != 0 && len(t.shape) != rank {
		return misfit(t.op, "output_padding or output_shape of another rank")
	}
	return t.window.check(rank)
}

// fit lays the window over x (n, c, d1…), as a view whose in are the dimensions of x and out those of y.
func (t transposed) fit(x, w []int) (v view, err error) {
	if len(x) < 3 || len(x) != len(w) {
		return v, misfit(t.op, "input and weights of different ranks: "+shapeText(x)+" and "+shapeText(w))
	}
	if err := t.check(len(x) - 2); err != nil {
		return v, err
	}
	v.rank = len(x) - 2
	for d := range spatial {
		v.in[d], v.out[d], v.kernel[d], v.stride[d], v.dilation[d] = 1, 1, 1, 1, 1
	}
	for i, in := range x[2:] {
		k := w[2+i]
		if k < 1 || t.at(t.kernel, i, k) != k {
			return v, misfit(t.op, "kernel_shape is not that of the weights")
		}
		d := spatial - v.rank + i
		v.in[d], v.kernel[d], v.stride[d], v.dilation[d] = in, k, t.at(t.strides, i, 1), t.at(t.dilations, i, 1)
		if v.out[d], v.before[d], err = t.span(i, in, k); err != nil {
			return v, err
		}
	}
	return v, nil
}

func inferConvTranspose(n *graph.Node, site *Site) ([]tensor.Type, error) {
	x, w := site.Types[0], site.Types[1]
	if err := oneOf(n, x, floats...); err != nil {
		return nil, err
	}
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	t, group, err := transposedOf(n)
	if err != nil {
		return nil, err
	}
	if x.Unranked {
		return []tensor.Type{unranked(x.DType)}, nil
	}
	if len(x.Dims) < 3 || !w.Unranked && len(x.Dims) != len(w.Dims) {
		return nil, bad(n, "input and weights of different ranks: "+x.String()+" and "+w.String())
	}
	if err := t.check(len(x.Dims) - 2); err != nil {
		return nil, err
	}
	dims := []tensor.Dim{x.Dims[0], free}
	if !w.Unranked {
		if mg := w.Dims[1].Size; mg != tensor.Free && mg <= windowMax {
			dims[1].Size = mg * group
		}
		if c, cw := x.Dims[1].Size, w.Dims[0].Size; c != tensor.Free && cw != tensor.Free && c != cw || cw != tensor.Free && cw%group != 0 {
			return nil, bad(n, "channels do not fit: "+x.String()+" and "+w.String()+" in "+itoa(int64(group))+" groups")
		}
	}
	for i, in := range x.Dims[2:] {
		k := t.at(t.kernel, i, 0)
		if k == 0 && !w.Unranked {
			k = w.Dims[2+i].Size
		}
		dims = append(dims, free)
		if in.Size == tensor.Free || k < 1 {
			continue
		}
		if dims[2+i].Size, _, err = t.span(i, in.Size, k); err != nil {
			return nil, err
		}
	}
	return []tensor.Type{{DType: x.DType, Dims: dims}}, nil
}

func compileConvTranspose(n *graph.Node, site *Site) (Kernel, error) {
	t, group, err := transposedOf(n)
	if err != nil {
		return nil, err
	}
	act, err := convActivationOf(n)
	if err != nil {
		return nil, err
	}
	return byFloat(n, site, convTransposeKernel(tensor.Data[float32], t, group, act, site), convTransposeKernel(tensor.Data[float64], t, group, act, site))
}

func convTransposeKernel[T float](data lane[T], t transposed, group int, act activation, site *Site) Kernel {
	c := &convTranspose[T]{group: group, threads: site.Threads, act: act}
	c.fast(site.constant(1))
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, w := in[0].Shape(), in[1].Shape()
		v := views.Take()
		defer views.Put(v)
		var err error
		if *v, err = t.fit(x, w); err != nil {
			return err
		}
		if x[1] != w[0] || w[0]%group != 0 {
			return misfit(t.op, "channels do not fit: "+shapeText(x)+" and "+shapeText(w)+" in "+itoa(int64(group))+" groups")
		}
		s := convSize{batch: x[0], cg: x[1] / group, m: w[1] * group}
		var buf [MaxRank]int
		if err := Reset(ctx, out[0], in[0].DType(), v.shape(append(buf[:0], s.batch, s.m))...); err != nil {
			return err
		}
		a := convArgs[T]{x: data(in[0]), w: data(in[1]), y: data(out[0])}
		if len(in) > 2 && in[2] != nil {
			if a.bias = data(in[2]); len(a.bias) != s.m {
				return misfit(t.op, "bias "+shapeText(in[2].Shape())+" for "+itoa(int64(s.m))+" channels")
			}
		}
		return c.run(ctx, v, s, a)
	}
}

type convTranspose[T float] struct {
	group, threads   int
	act              activation
	tiles            *transposeTiles // instead of sums in y, for float32 and windows side by side; or nil
	slide            *transposeSlide // instead, where a window slides; or nil
	folds            *transposeFold  // instead of sums in y, for float32; or nil
	columns, weights scratch[T]
	panels           scratch[[4]T]
	runs             kept[transposeRun[T]]
}

// fast makes a float32 convolution use its faster ways. w are its weights where they are constant, else nil.
func (c *convTranspose[T]) fast(w *tensor.Tensor) {
	if f32, ok := any(c).(*convTranspose[float32]); ok {
		c.tiles = newTransposeTiles(c, w)
		f32.slide, f32.folds = newTransposeSlide(f32), &transposeFold{convTranspose: f32}
	}
}

// run computes, for each image and group, wᵀ (m/group·taps, c/group)·x (c/group, pixels) and adds its rows to where the taps fall in y, one
// block of output channels after another.
func (c *convTranspose[T]) run(ctx context.Context, v *view, s convSize, a convArgs[T]) error {
	pixels := volume(v.in)
	if len(a.y) == 0 {
		return nil
	}
	if c.tiles != nil && pixels > 0 && s.cg > 0 && v.sideBySide() {
		return c.tiles.run(ctx, v, s, any(a).(convArgs[float32]))
	}
	if c.slide != nil && c.slide.run(ctx, v, s, any(a).(convArgs[float32])) {
		return ctx.Err()
	}
	if c.folds != nil {
		c.folds.run(ctx, v, s, any(a).(convArgs[float32]))
		return ctx.Err()
	}
	if err := c.sums(ctx, v, s, a); err != nil {
		return err
	}
	activate(c.act, a.y)
	return ctx.Err()
}

// sums is run without the activation.
func (c *convTranspose[T]) sums(ctx context.Context, v *view, s convSize, a convArgs[T]) error {
	pixels, plane, taps := volume(v.in), volume(v.out), volume(v.kernel)
	mg := s.m / c.group
	for m := range s.batch * s.m {
		var bias T
		if a.bias != nil {
			bias = a.bias[m%s.m]
		}
		fill(a.y[m*plane:][:plane], bias)
	}
	if pixels == 0 || s.cg == 0 {
		return nil
	}
	panels, weights := c.panels.take(kernel.PackedLen(s.cg, pixels)), c.weights.take(mg*taps*s.cg)
	defer c.panels.put(panels)
	defer c.weights.put(weights)
	r := c.runs.take()
	defer c.runs.put(r)
	*r = transposeRun[T]{c: c, ctx: ctx, v: v, cg: s.cg, taps: taps, w: *weights}
	for i := range s.batch * c.group {
		group := i % c.group
		kernel.Transpose(r.w, a.w[group*s.cg*mg*taps:], s.cg, mg*taps, mg*taps)
		r.x, r.y = kernel.Pack(a.x[i*s.cg*pixels:], s.cg, pixels, pixels, false, *panels), a.y[i*mg*plane:]
		spread(ctx, c.threads, mg, max(1, (1<<16)/max(1, taps*s.cg*pixels)), r)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// transposeRun is a run of convTranspose: an image and group at a time.
type transposeRun[T float] struct {
	c        *convTranspose[T]
	ctx      context.Context
	v        *view
	cg, taps int
	w        []T              // (m/group·taps, c/group)
	x        kernel.Packed[T] // (c/group, pixels)
	y        []T
}

// Do computes some output channels.
func (r *transposeRun[T]) Do(lo, hi int) {
	pixels, plane, size := volume(r.v.in), volume(r.v.out), r.taps*r.cg
	columns := r.c.columns.take(r.taps * pixels)
	defer r.c.columns.put(columns)
	for m := lo; m < hi && r.ctx.Err() == nil; m++ {
		clear(*columns)
		kernel.Gemm(r.taps, r.w[m*size:], r.cg, &r.x, *columns, pixels)
		fold(r.v, r.y[m*plane:][:plane], *columns)
	}
}

// fold adds columns (taps, pixels of x) to a plane of y: tap k of pixel i falls on i·stride + k·dilation - before.
func fold[T float](v *view, y, columns []T) {
	pixels := volume(v.in)
	tap := 0
	for i := range v.kernel[0] {
		for j := range v.kernel[1] {
			for k := range v.kernel[2] {
				from := columns[tap*pixels:][:pixels]
				tap++
				lo, hi := tapRange(k*v.dilation[2]-v.before[2], v.stride[2], v.in[2], 0, v.out[2])
				if lo >= hi {
					continue
				}
				for a := range v.in[0] {
					d := a*v.stride[0] + i*v.dilation[0] - v.before[0]
					if d < 0 || d >= v.out[0] {
						continue
					}
					for b := range v.in[1] {
						h := b*v.stride[1] + j*v.dilation[1] - v.before[1]
						if h < 0 || h >= v.out[1] {
							continue
						}
						row := y[(d*v.out[1]+h)*v.out[2]:][:v.out[2]]
						at := lo*v.stride[2] + k*v.dilation[2] - v.before[2]
						if v.stride[2] == 1 {
							to := row[at:][:hi-lo]
							for i, x := range from[(a*v.in[1]+b)*v.in[2]:][lo:hi][:len(to)] {
								to[i] += x
							}
							continue
						}
						for _, x := range from[(a*v.in[1]+b)*v.in[2]:][lo:hi] {
							row[at] += x
							at += v.stride[2]
						}
					}
				}
			}
		}
	}
}
