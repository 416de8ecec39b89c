//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
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
	// A private twin, that package exec makes, with an activation that cuts.
	register(&Spec{
		Domain: Private, Name: "QuantConv", Since: 1, Attrs: append([]string{"activation", "activation_params"}, attrs...), In: Arity{8, 9}, Out: Arity{1, 1},
		Infer: inferQLinearConv, Compile: compileQLinearConv, Cases: []Case{
			{
				Attrs: append([]graph.Attr{graph.StringAttr("activation", "Clip"), graph.FloatsAttr("activation_params", []float32{0, 51.5})}, pads...),
				In:    in(x, one, u8(nil, 1), w, f32v(1, .5), i8([]int{2}, 0, 1), one, u8(nil, 7), i32v(0, 100)), Out: in(u8([]int{1, 2, 3}, 7, 7, 7, 57, 58, 59)),
			},
			{Name: "unknown", Attrs: append([]graph.Attr{graph.StringAttr("activation", "Tanh")}, pads...), In: in(x, one, u8(nil, 1), w, one, i8(nil, 0), one, u8(nil, 7)), Err: "Tanh"},
		},
	})
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

// quantConv convolves bytes less their zero points. Sums are those of int32.
type quantConv struct {
	conv    conv[int32] // where neither of the others serves
	bytes   byteConv
	real    conv[float32] // depthwise, of few terms: float32 holds the sums
	x, w, y scratch[int32]
	fx, fw  scratch[float32]
	fy      scratch[float32]
	ends    scratch[convEnd]
}

// convEnd is where sums go: either y, or bytes, rounded by q, whose scales, and what is added, are those of output channels.
type convEnd struct {
	y     []int32
	bytes []byte
	q     kernel.Requantizer
}

func quantConvOf(n *graph.Node, site *Site, w, zero int) (*quantConv, error) {
	win, group, err := convWindow(n)
	q := &quantConv{
		conv: conv[int32]{window: win, group: group, threads: site.Threads},
		real: conv[float32]{window: win, group: group, threads: site.Threads},
	}
	q.real.fast(nil)
	q.bytes.group, q.bytes.threads = group, site.Threads
	if err == nil && kernel.BytesFit() && (n.In(zero) == "" || site.constant(zero) != nil) {
		q.bytes.prepare(site.constant(w), site.constant(zero))
	}
	return q, err
}

// run convolves x by w to y, of type d; end says where in y sums go. bias may be nil.
func (q *quantConv) run(ctx context.Context, x, xzero, w, wzero *tensor.Tensor, bias []int32, y *tensor.Tensor, d tensor.DType, end func(e *convEnd)) error {
	op, v := q.conv.window.op, views.Take()
	defer views.Put(v)
	var s convSize
	var err error
	if *v, s, err = q.conv.shape(x.Shape(), w.Shape()); err != nil {
		return err
	}
	if xzero != nil && xzero.Len() != 1 || wzero != nil && wzero.Len() != 1 && wzero.Len() != s.m {
		return misfit(op, "a zero point that fits neither all nor the output channels")
	}
	if bias != nil && len(bias) != s.m {
		return misfit(op, "bias for "+itoa(int64(len(bias)))+" of "+itoa(int64(s.m))+" channels")
	}
	var buf [MaxRank]int
	if err := Reset(ctx, y, d, v.shape(append(buf[:0], s.batch, s.m))...); err != nil {
		return err
	}
	held := q.ends.take(1)
	e := &(*held)[0]
	defer func() { e.y, e.bytes = nil, nil; q.ends.put(held) }()
	roundColumns(&e.q, s.m)
	end(e)
	pixels, k := volume(v.out), s.cg*volume(v.kernel)
	if s.batch*s.m*pixels == 0 {
		return nil
	}
	switch {
	case s.cg == 1 && s.m <= 2*q.conv.group && k <= exactProduct && q.small(bias):
		return q.runReal(ctx, v, s, x, xzero, w, wzero, bias, e)
	case kernel.BytesFit() && q.bytes.fits(v):
		return q.bytes.run(ctx, v, s, x, xzero, w, wzero, bias, e)
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
	sums := e.y
	if sums == nil {
		held := q.y.take(s.batch * s.m * pixels)
		defer q.y.put(held)
		sums = *held
	}
	if err := q.conv.run(ctx, v, s, convArgs[int32]{x: *wideX, w: *wideW, bias: bias, y: sums}); err != nil {
		return err
	}
	for i := range s.batch * s.m {
		e.plane(i, i%s.m, sums[i*pixels:][:pixels])
	}
	return ctx.Err()
}

// small tells whether biases leave room for sums in float32.
func (q *quantConv) small(bias []int32) bool {
	for _, b := range bias {
		if b > 1<<22 || b < -1<<22 {
			return false
		}
	}
	return true
}

// runReal convolves depthwise in float32, which is exact for up to exactProduct terms, even with a small bias.
func (q *quantConv) runReal(ctx context.Context, v *view, s convSize, x, xzero, w, wzero *tensor.Tensor, bias []int32, e *convEnd) error {
	pixels := volume(v.out)
	realX, realW, y := q.fx.take(x.Len()), q.fw.take(w.Len()+s.m), q.fy.take(s.batch*s.m*pixels)
	defer q.fx.put(realX)
	defer q.fw.put(realW)
	defer q.fy.put(y)
	r := realRun{q: q, from: x, zero: int32(byteAt(xzero, 0)), x: *realX, y: *y, e: e, m: s.m, pixels: pixels}
	realRuns.run(ctx, q.conv.threads, x.Len(), 1<<14, r, (*realRun).widen)
	weights, biases := (*realW)[:w.Len()], (*realW)[w.Len():]
	per := w.Len() / s.m
	for m := range s.m {
		widenBytes(weights[m*per:][:per], w, m*per, byteAt(wzero, m))
		biases[m] = 0
		if bias != nil {
			biases[m] = float32(bias[m])
		}
	}
	if err := q.real.run(ctx, v, s, convArgs[float32]{x: *realX, w: weights, bias: biases, y: *y}); err != nil {
		return err
	}
	realRuns.run(ctx, q.conv.threads, s.batch*s.m, 1+(1<<14)/pixels, r, (*realRun).planes)
	return ctx.Err()
}

// realRun is what runReal does before and after it convolves.
type realRun struct {
	q         *quantConv
	from      *tensor.Tensor
	zero      int32
	x, y      []float32
	e         *convEnd
	m, pixels int
}

var realRuns crew[realRun]

// widen writes elements [lo, hi) of the input as x.
func (r *realRun) widen(lo, hi int) {
	if r.from.DType() == tensor.Int8 {
		kernel.RealBytes(r.x[lo:hi], tensor.Data[int8](r.from)[lo:hi], r.zero, 1)
	} else {
		kernel.RealBytes(r.x[lo:hi], r.from.Bytes()[lo:hi], r.zero, 1)
	}
}

// planes gives the sums y of the output channels [lo, hi) of all images to e.
func (r *realRun) planes(lo, hi int) {
	held := r.q.y.take(r.pixels)
	defer r.q.y.put(held)
	sums := *held
	for i := lo; i < hi; i++ {
		if r.e.y != nil {
			sums = r.e.y[i*r.pixels:][:r.pixels]
		}
		for j, t := range r.y[i*r.pixels:][:r.pixels] {
			sums[j] = int32(t)
		}
		r.e.plane(i, i%r.m, sums)
	}
}

// plane rounds the sums of one output channel of an image, i of all, to bytes, if bytes are wanted. Biases are in the sums already.
func (e *convEnd) plane(i, m int, sums []int32) {
	if e.bytes == nil {
		return
	}
	var none [16]int32
	var scale [16]float32
	for j := range scale {
		scale[j] = e.q.Scale[m]
	}
	q, to := e.q, e.bytes[i*len(sums):][:len(sums)]
	q.Add, q.Scale, q.ByRow = none[:], scale[:], false // a plane is rows of sixteen columns
	rows := len(sums) / 16
	q.Rows(to, 16, 0, rows, 0, 16, sums)
	if rest := len(sums) % 16; rest > 0 {
		var last [16]int32
		copy(last[:], sums[rows*16:])
		q.Rows(to[rows*16:], 16, 0, 1, 0, rest, last[:])
	}
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
	q, err := quantConvOf(n, site, 1, 3)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		return q.run(ctx, in[0], inputOf(in, 2), in[1], inputOf(in, 3), nil, out[0], tensor.Int32, func(e *convEnd) { e.y = tensor.Data[int32](out[0]) })
	}, nil
}

func compileQLinearConv(n *graph.Node, site *Site) (Kernel, error) {
	q, err := quantConvOf(n, site, 3, 5)
	if err != nil {
		return nil, err
	}
	act, err := cuttingOf(n)
	if err != nil {
		return nil, err
	}
	d := site.Types[7].DType
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		scale := in[4].F32()
		if in[1].Len() != 1 || in[6].Len() != 1 || in[7].Len() != 1 || len(scale) != 1 && len(scale) != in[3].Shape()[0] {
			return misfit(n.Op, "scales or zero points that do not fit")
		}
		var bias []int32
		if b := inputOf(in, 8); b != nil {
			bias = tensor.Data[int32](b)
		}
		return q.run(ctx, in[0], in[2], in[3], in[5], bias, out[0], d, func(e *convEnd) {
			x, y := in[1].F32()[0], in[6].F32()[0]
			roundTo(&e.q, in[7])
			for j := range in[3].Shape()[0] {
				e.q.Scale[j] = x * scale[min(j, len(scale)-1)] / y
			}
			e.q.ByRow = true
			cutTo(&e.q, act, y)
			e.bytes = out[0].Bytes()
		})
	}, nil
}

// cuttingOf reads an activation that only cuts.
func cuttingOf(n *graph.Node) (activation, error) {
	act, err := convActivationOf(n)
	if err == nil && act.kind != actNone && act.kind != actRelu && act.kind != actClip {
		err = refuseAttr(n, "activation", n.Str("activation", ""))
	}
	return act, err
}

// cutTo makes an activation that only cuts, Relu or Clip, part of the rounding to steps of a scale.
func cutTo(q *kernel.Requantizer, act activation, scale float32) {
	switch act.kind {
	case actRelu:
		q.Least = max(q.Least, 0)
	case actClip:
		q.Least, q.Most = max(q.Least, float32(act.a)/scale), min(q.Most, float32(act.b)/scale)
	}
}
