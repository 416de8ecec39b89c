//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ConvInteger: Conv of (x - x's zero point) by (w - w's zero point) in int32. https://onnx.ai/onnx/operators/onnx__ConvInteger.html
// QLinearConv: the same plus an int32 bias, rounded to y's scale and zero point. https://onnx.ai/onnx/operators/onnx__QLinearConv.html
// The zero point and scale of w are one for all or one for each output channel. Padding is x's zero point.
func init() {
	u8 := func(shape []int, v ...uint8) *tensor.Tensor { return shaped(tensor.Uint8, shape, v) }
	i8 := func(shape []int, v ...int8) *tensor.Tensor { return shaped(tensor.Int8, shape, v) }
	attrs := []string{"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}
	pads := []graph.Attr{graph.IntsAttr("pads", 1, 0)}
	x, w := u8([]int{1, 1, 3}, 1, 2, 3), i8([]int{2, 1, 2}, 1, -1, 2, 3)
	one := f32s(nil, 1)
	register(&Spec{Name: "ConvInteger", Since: 10, Attrs: attrs, In: Arity{2, 4}, Out: Arity{1, 1}, Infer: inferConvInteger, Compile: compileConvInteger, Cases: []Case{
		{Attrs: pads, In: in(x, w, u8(nil, 1), i8([]int{2}, 0, 1)), Out: in(shaped(tensor.Int32, []int{1, 2, 3}, []int32{0, -1, -1, 0, 2, 5}))},
		{Name: "misfit", In: in(x, w, u8([]int{2}, 1, 1)), Err: "zero point"},
	}})
	register(&Spec{Name: "QLinearConv", Since: 10, Attrs: attrs, In: Arity{8, 9}, Out: Arity{1, 1}, Infer: inferQLinearConv, Compile: compileQLinearConv, Cases: []Case{
		{
			Attrs: pads, In: in(x, one, u8(nil, 1), w, f32v(1, .5), i8([]int{2}, 0, 1), one, u8(nil, 7), i32v(0, 100)),
			Out: in(u8([]int{1, 2, 3}, 7, 6, 6, 57, 58, 59)),
		},
	}})
}

func inferConvInteger(n *graph.Node, site *Site) ([]tensor.Type, error) {
	for i := range site.Types {
		if t := site.Types[i]; t.DType != tensor.Undefined {
			if err := oneOf(n, t, byteTypes...); err != nil {
				return nil, err
			}
		}
	}
	return convInfer(n, site.Types[0], site.Types[1], tensor.Int32)
}

func inferQLinearConv(n *graph.Node, site *Site) ([]tensor.Type, error) {
	for _, i := range []int{0, 2, 3, 5, 7} {
		if err := oneOf(n, site.Types[i], byteTypes...); err != nil {
			return nil, err
		}
	}
	for _, i := range []int{1, 4, 6} {
		if err := oneOf(n, site.Types[i], tensor.Float32); err != nil {
			return nil, err
		}
	}
	if b := site.typ(8); b.DType != tensor.Undefined && b.DType != tensor.Int32 {
		return nil, bad(n, "a bias that is not int32")
	}
	return convInfer(n, site.Types[0], site.Types[3], site.Types[7].DType)
}

// quantConv convolves bytes less their zero points in int32.
type quantConv struct {
	conv conv[int32]
	x, w scratch[int32]
}

func quantConvOf(n *graph.Node, site *Site) (*quantConv, error) {
	w, group, err := convWindow(n)
	return &quantConv{conv: conv[int32]{window: w, group: group, threads: site.Threads}}, err
}

// run convolves x by w; reset makes room for the sums of a shape, bias may be nil.
func (q *quantConv) run(ctx context.Context, x, xzero, w, wzero *tensor.Tensor, bias []int32, reset func(shape []int) ([]int32, error)) (m int, err error) {
	op := q.conv.window.op
	v, s, err := q.conv.shape(x.Shape(), w.Shape())
	if err != nil {
		return 0, err
	}
	if xzero != nil && xzero.Len() != 1 || wzero != nil && wzero.Len() != 1 && wzero.Len() != s.m {
		return 0, misfit(op, "a zero point that fits neither all nor the output channels")
	}
	if bias != nil && len(bias) != s.m {
		return 0, misfit(op, "bias for "+itoa(int64(len(bias)))+" of "+itoa(int64(s.m))+" channels")
	}
	var buf [MaxRank]int
	y, err := reset(v.shape(append(buf[:0], s.batch, s.m)))
	if err != nil {
		return 0, err
	}
	wideX, wideW := q.x.take(x.Len()), q.w.take(w.Len())
	defer q.x.put(wideX)
	defer q.w.put(wideW)
	subtractZero(*wideX, x, int32(byteAt(xzero, 0)))
	subtractZero(*wideW, w, 0)
	if per := w.Len() / max(s.m, 1); wzero != nil {
		for i := range *wideW {
			(*wideW)[i] -= int32(byteAt(wzero, i/per))
		}
	}
	return s.m, q.conv.run(ctx, &v, s, convArgs[int32]{x: *wideX, w: *wideW, bias: bias, y: y})
}

func subtractZero(dst []int32, t *tensor.Tensor, zero int32) {
	if t.DType() == tensor.Int8 {
		for i, v := range tensor.Data[int8](t) {
			dst[i] = int32(v) - zero
		}
		return
	}
	for i, v := range t.Bytes() {
		dst[i] = int32(v) - zero
	}
}

func compileConvInteger(n *graph.Node, site *Site) (Kernel, error) {
	q, err := quantConvOf(n, site)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		_, err := q.run(ctx, in[0], inputOf(in, 2), in[1], inputOf(in, 3), nil, func(shape []int) ([]int32, error) {
			err := Reset(ctx, out[0], tensor.Int32, shape...)
			return tensor.Data[int32](out[0]), err
		})
		return err
	}, nil
}

func compileQLinearConv(n *graph.Node, site *Site) (Kernel, error) {
	q, err := quantConvOf(n, site)
	if err != nil {
		return nil, err
	}
	d := site.Types[7].DType
	var memory scratch[int32]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		scale := in[4].F32()
		if in[1].Len() != 1 || in[6].Len() != 1 || in[7].Len() != 1 || len(scale) != 1 && len(scale) != in[3].Shape()[0] {
			return misfit(n.Op, "scales or zero points that do not fit")
		}
		var bias []int32
		if b := inputOf(in, 8); b != nil {
			bias = tensor.Data[int32](b)
		}
		var held *[]int32
		defer func() {
			if held != nil {
				memory.put(held)
			}
		}()
		m, err := q.run(ctx, in[0], in[2], in[3], in[5], bias, func(shape []int) ([]int32, error) {
			if err := Reset(ctx, out[0], d, shape...); err != nil {
				return nil, err
			}
			held = memory.take(out[0].Len())
			return *held, nil
		})
		if err != nil || len(*held) == 0 {
			return err
		}
		plane := volumeOf(out[0].Shape()[2:])
		zero := byteAt(in[7], 0)
		for i := 0; i < len(*held); i += plane {
			f := scale[0]
			if len(scale) > 1 {
				f = scale[i/plane%m]
			}
			f = in[1].F32()[0] * f / in[6].F32()[0]
			for j, v := range (*held)[i : i+plane] {
				requantize(out[0], i+j, float32(v)*f, zero)
			}
		}
		return nil
	}, nil
}

func volumeOf(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// requantize writes round(v) + zero, saturated, as element i of t, int8 or uint8.
func requantize(t *tensor.Tensor, i int, v, zero float32) {
	v = float32(math.RoundToEven(float64(v))) + zero
	if t.DType() == tensor.Int8 {
		tensor.Data[int8](t)[i] = int8(max(-128, min(127, v)))
		return
	}
	t.Bytes()[i] = uint8(max(0, min(255, v)))
}
