//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Conv: y (n, m, o1…) = the sum over channels and taps of w (m, c/group, k1…) times x (n, c, d1…) under it, plus bias (m); output channels
// of a group see the input channels of that group only. https://onnx.ai/onnx/operators/onnx__Conv.html
// FusedConv (com.microsoft, as onnxruntime's optimiser writes it, and private for that of package exec): y = activation(Conv + z).
func init() {
	at := func(name string, v ...int64) graph.Attr { return graph.IntsAttr(name, v...) }
	row := f64s([]int{1, 1, 4}, 1, 2, 3, 4)
	nine := f32s([]int{1, 1, 3, 3}, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	attrs := []string{"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}
	register(&Spec{Name: "Conv", Since: 1, Attrs: attrs, In: Arity{2, 3}, Out: Arity{1, 1}, Half: true, Infer: inferConv, Compile: compileConv, Grad: gradConv("ConvGrad"), Cases: []Case{
		{In: in(row, f64s([]int{1, 1, 2}, 1, 10)), Out: in(f64s([]int{1, 1, 3}, 21, 32, 43))},
		{Name: "padded", Attrs: []graph.Attr{at("pads", 1, 0), at("strides", 2)}, In: in(row, f64s([]int{1, 1, 2}, 1, 10), f64v(100)), Out: in(f64s([]int{1, 1, 2}, 110, 132))},
		{Name: "dilated", Attrs: []graph.Attr{at("dilations", 2), graph.StringAttr("auto_pad", "SAME_LOWER")}, In: in(row, f64s([]int{1, 1, 2}, 1, 10)), Out: in(f64s([]int{1, 1, 4}, 20, 31, 42, 3))},
		{Name: "groups", Attrs: []graph.Attr{graph.IntAttr("group", 2)}, In: in(f64s([]int{1, 2, 2}, 1, 2, 3, 4), f64s([]int{4, 1, 1}, 1, 2, 3, 4)), Out: in(f64s([]int{1, 4, 2}, 1, 2, 2, 4, 9, 12, 12, 16))},
		{Name: "channels", In: in(f64s([]int{1, 2, 2}, 1, 2, 3, 4), f64s([]int{2, 2, 1}, 1, 10, 1, 0), f64v(0, 1)), Out: in(f64s([]int{1, 2, 2}, 31, 42, 2, 3))},
		{Name: "same", Attrs: []graph.Attr{graph.StringAttr("auto_pad", "SAME_UPPER"), at("strides", 2, 2)}, In: in(nine, f32s([]int{1, 1, 2, 2}, 1, 0, 0, 1)), Out: in(f32s([]int{1, 1, 2, 2}, 6, 3, 7, 9))},
		{Name: "cube", In: in(f32s([]int{1, 1, 1, 2, 2}, 1, 2, 3, 4), f32s([]int{1, 1, 1, 2, 1}, 1, 1)), Out: in(f32s([]int{1, 1, 1, 1, 2}, 4, 6))},
		{Name: "ragged", Attrs: []graph.Attr{at("pads", 1, 1, 1, 1)}, In: in(convRamp(1, 2, 5, 5), convRamp(2, 2, 3, 3), f32v(1, 2)), Out: in(convRagged)},
		{
			Name: "grouped planes", Attrs: []graph.Attr{at("pads", 0, 1, 1, 0), at("strides", 2, 1), graph.IntAttr("group", 2)}, In: in(convSteps(2, 4, 4, 3), convSteps(4, 2, 3, 2), convSteps(4)),
			Out: in(f64s([]int{2, 4, 2, 3}, -11, 17, 25, 4, -34, 28, -16, 9, 9, -6, -3, -5, -33, 40, -23, 29, -38, 6, 20, -39, 22, -12, 8, -12, 19, -28, -20, 9, -17, 12, 9, 9, 9, 14, -11, 9, 42, -3, 55, -13, 17, 17, -9, 40, -20, 16, -6, -4)),
		},
		{
			Name: "depthwise", Attrs: []graph.Attr{graph.IntAttr("group", 2)}, In: in(convSteps(1, 2, 3, 4), convSteps(4, 1, 2, 2)),
			Out: in(f64s([]int{1, 4, 2, 3}, 47, -13, -7, -6, -11, -5, -2, -25, 40, 38, -29, 36, -37, 32, -31, -25, 44, -19, 39, -20, 31, 23, -36, 15)),
		},
		{
			Name: "dilated cube", Attrs: []graph.Attr{at("pads", 0, 1, 1, 0, 1, 1), at("strides", 1, 1, 2), at("dilations", 2, 1, 1)}, In: in(convSteps(1, 1, 3, 2, 3), convSteps(2, 1, 2, 1, 2), convSteps(2)),
			Out: in(f64s([]int{1, 2, 1, 4, 2}, -5, -5, -5, 21, -9, -38, -5, -5, 0, 0, 10, 8, -10, 5, 0, 0)),
		},
		{
			Name: "same lower", Attrs: []graph.Attr{graph.StringAttr("auto_pad", "SAME_LOWER"), at("strides", 2, 2)}, In: in(convSteps(1, 1, 3, 4), convSteps(1, 1, 2, 3)),
			Out: in(f64s([]int{1, 1, 2, 2}, -20, 22, 6, 13)),
		},
		{
			Name: "points", In: in(convSteps(1, 2, 3, 3), convSteps(3, 2, 1, 1)),
			Out: in(f64s([]int{1, 3, 3, 3}, 25, 0, -25, 5, -20, 10, -15, 15, -10, -21, -1, 30, -5, 15, -9, 11, -13, 7, -12, -2, 30, -4, 6, -6, 4, -8, 2)),
		},
		{Name: "misfit", In: in(row, f64s([]int{1, 2, 2}, 1, 10, 1, 1)), Err: "channels"},
		{Name: "two kernels", Attrs: []graph.Attr{at("kernel_shape", 3)}, In: in(row, f64s([]int{1, 1, 2}, 1, 10)), Err: "kernel_shape"},
	}})
	fusedAttrs := append([]string{"activation", "activation_params"}, attrs...)
	for _, domain := range []string{microsoft, Private} {
		var grad Gradient
		if domain == microsoft {
			grad = gradFusedConv
		}
		register(&Spec{
			Grad:   grad,
			Domain: domain, Name: "FusedConv", Since: 1, Attrs: fusedAttrs, In: Arity{2, 4}, Out: Arity{1, 1}, Half: true, Infer: inferConv, Compile: compileConv,
			Cases: []Case{
				{Opset: 1, NoGrad: true, Attrs: []graph.Attr{graph.StringAttr("activation", "Relu")}, In: in(row, f64s([]int{1, 1, 2}, 1, -1), f64v(1), f64s([]int{1, 1, 3}, 0, -3, 4)), Out: in(f64s([]int{1, 1, 3}, 0, 0, 4))},
				{
					Name: "clipped", Opset: 1, Attrs: []graph.Attr{graph.StringAttr("activation", "Clip"), graph.FloatsAttr("activation_params", []float32{0, 30})},
					In: in(row, f64s([]int{1, 1, 2}, 1, 10)), Out: in(f64s([]int{1, 1, 3}, 21, 30, 30)),
				},
				fusedCase("Silu"), fusedCase("Sigmoid"), fusedCase("Tanh"), fusedCase("LeakyRelu"), fusedCase("HardSigmoid"), fusedCase("HardSwish"),
				{Name: "unknown", Opset: 1, Attrs: []graph.Attr{graph.StringAttr("activation", "Twist")}, In: in(row, f64s([]int{1, 1, 2}, 1, 10)), Err: "Twist"},
			},
		})
	}
}

// microsoft is the domain of onnxruntime's own operators.
const microsoft = "com.microsoft"

func inferConv(n *graph.Node, site *Site) ([]tensor.Type, error) {
	x := site.Types[0]
	if err := oneOf(n, x, floats...); err != nil {
		return nil, err
	}
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	return convInfer(n, x, site.Types[1], x.DType)
}

// convInfer gives the type of a convolution of x by w.
func convInfer(n *graph.Node, x, w tensor.Type, d tensor.DType) ([]tensor.Type, error) {
	win, group, err := convWindow(n)
	if err != nil {
		return nil, err
	}
	var kernel []tensor.Dim
	if !w.Unranked {
		if len(w.Dims) < 3 {
			return nil, bad(n, "weights without spatial dimensions")
		}
		kernel = w.Dims[2:]
	}
	if x.Unranked {
		return []tensor.Type{unranked(d)}, nil
	}
	if len(x.Dims) < 3 || kernel != nil && len(x.Dims) != len(w.Dims) {
		return nil, bad(n, "input and weights of different ranks: "+x.String()+" and "+w.String())
	}
	dims, err := win.infer(x.Dims[2:], kernel)
	if err != nil {
		return nil, err
	}
	channels := free
	if kernel != nil {
		channels = w.Dims[0]
		if c, cg := x.Dims[1].Size, w.Dims[1].Size; c != tensor.Free && cg != tensor.Free && c != cg*group || channels.Size != tensor.Free && channels.Size%group != 0 {
			return nil, bad(n, "channels do not fit: "+x.String()+" and "+w.String()+" in "+itoa(int64(group))+" groups")
		}
	}
	return []tensor.Type{{DType: d, Dims: append([]tensor.Dim{x.Dims[0], channels}, dims...)}}, nil
}

// convWindow reads the attributes of a convolution.
func convWindow(n *graph.Node) (w window, group int, err error) {
	if err := kind(n, "group", graph.AttrInt); err != nil {
		return w, 0, err
	}
	g := n.Int("group", 1)
	if g < 1 || g > windowMax {
		return w, 0, bad(n, "group "+itoa(g))
	}
	w, err = windowOf(n)
	return w, int(g), err
}

func compileConv(n *graph.Node, site *Site) (Kernel, error) {
	act, err := convActivationOf(n)
	if err != nil {
		return nil, err
	}
	win, group, err := convWindow(n)
	if err != nil {
		return nil, err
	}
	return byFloat(n, site, convKernel(tensor.Data[float32], win, group, act, site), convKernel(tensor.Data[float64], win, group, act, site))
}

func convKernel[T float](data lane[T], win window, group int, act activation, site *Site) Kernel {
	c := &conv[T]{window: win, group: group, threads: site.Threads, act: act}
	c.fast(site.constant(1))
	c.few = newFew(c, site.constant(1))
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		v := views.Take()
		defer views.Put(v)
		var s convSize
		var err error
		if *v, s, err = c.shape(in[0].Shape(), in[1].Shape()); err != nil {
			return err
		}
		var buf [MaxRank]int
		if err := Reset(ctx, out[0], in[0].DType(), v.shape(append(buf[:0], s.batch, s.m))...); err != nil {
			return err
		}
		a := convArgs[T]{x: data(in[0]), w: data(in[1]), y: data(out[0])}
		if len(in) > 2 && in[2] != nil {
			if a.bias = data(in[2]); len(a.bias) != s.m {
				return misfit(win.op, "bias "+shapeText(in[2].Shape())+" for "+itoa(int64(s.m))+" channels")
			}
		}
		if len(in) > 3 && in[3] != nil {
			if a.residual = data(in[3]); len(a.residual) != len(a.y) {
				return misfit(win.op, "an addend of another shape")
			}
		}
		return c.run(ctx, v, s, a)
	}
}

// views lie on the heap, as what runs by several goroutines shares them.
var views reuse.Pool[view]

// conv is a convolution over slices; what it needs beside its operands is pooled, so that runs may overlap.
type conv[T kernel.Number] struct {
	window  window
	group   int
	threads int
	act     activation
	quick   func(ctx context.Context, v *view, s convSize, a convArgs[T]) error // instead of matrix products by tile; or nil
	slide   *convSlide                                                          // instead of all that, for float32; or nil
	few     *convFew                                                            // instead of all that, for float32 and few pixels; or nil
	columns scratch[T]
	plans   windowPlans
	lines   scratch[T]
	panels  scratch[[4]T]

	tileds   kept[convTiles[T]]
	channels kept[depthPlanes[T]]
}

// convSize is what the window does not tell: images, input channels of a group, output channels.
type convSize struct{ batch, cg, m int }

// convArgs are the operands of a convolution; bias (m) and residual, of the output's shape, may be nil.
type convArgs[T kernel.Number] struct{ x, w, bias, residual, y []T }

// shape lays the window over x (n, c, d1…) with weights w (m, c/group, k1…).
func (c *conv[T]) shape(x, w []int) (v view, s convSize, err error) {
	if len(x) < 3 || len(x) != len(w) {
		return v, s, misfit(c.window.op, "input and weights of different ranks: "+shapeText(x)+" and "+shapeText(w))
	}
	if x[1] != w[1]*c.group || w[0]%c.group != 0 {
		return v, s, misfit(c.window.op, "channels do not fit: "+shapeText(x)+" and "+shapeText(w)+" in "+itoa(int64(c.group))+" groups")
	}
	v, err = c.window.fit(x[2:], w[2:])
	return v, convSize{x[0], w[1], w[0]}, err
}

// convRamp holds 0, 1, 2, … modulo 7.
func convRamp(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(i % 7)
	}
	return t
}

// fusedCase is a FusedConv of two channels with all inputs.
func fusedCase(act string) Case {
	x, w, bias, more := f64s([]int{1, 1, 3}, .5, -1, 2), f64s([]int{2, 1, 2}, 1, -.5, .25, 2), f64v(.125, -1), f64s([]int{1, 2, 2}, .5, -.25, 1, 0)
	y := f64s([]int{1, 2, 2}, 1.625, -2.125, -1.875, 2.75)
	k, _ := convActivationOf(&graph.Node{Attrs: []graph.Attr{graph.StringAttr("activation", act)}})
	activate(k, tensor.Data[float64](y))
	return Case{Name: act, Opset: 1, Attrs: []graph.Attr{graph.StringAttr("activation", act)}, In: in(x, w, bias, more), Out: in(y)}
}

// convSteps holds multiples of 5 modulo 11, from -5 to 5.
func convSteps(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float64, shape...)
	for i := range tensor.Data[float64](t) {
		tensor.Data[float64](t)[i] = float64(i*5%11 - 5)
	}
	return t
}

// convRagged is the Conv of such x (1, 2, 5, 5) by such w (2, 2, 3, 3) with a border of zeros, computed with numpy.
var convRagged = f32s([]int{1, 2, 5, 5}, 49, 115, 151, 103, 55, 104, 151, 143, 142, 127, 98, 118, 145, 151, 117, 78, 176, 140, 118, 86, 87, 99, 92, 113, 62, 98, 121, 100, 93, 81, 80, 140, 183, 205, 121, 125, 180, 160, 140, 113, 128, 164, 179, 180, 105, 56, 104, 138, 102, 64)
