//go:build !lean

package op

import (
	"context"
	"math"
	"sync"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// QuantizeLinear: y = saturate(round(x / scale) + zero point), halves to even. https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
// DequantizeLinear: y = (x - zero point)·scale. https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html
// Scale and zero point are one for all of x, one for each place along axis (from opset 13 on), or one for each block of block_size places
// along it (21).
func init() {
	u8 := func(v ...uint8) *tensor.Tensor { return tensor.FromSlice(tensor.Uint8, v) }
	i8 := func(v ...int8) *tensor.Tensor { return tensor.FromSlice(tensor.Int8, v) }
	scalar := func(v float32) *tensor.Tensor { return f32s(nil, v) }
	axis := func(v int64) graph.Attr { return graph.IntAttr("axis", v) }
	f8 := func(v ...uint8) *tensor.Tensor { return tensor.FromSlice(tensor.Float8E4M3FN, v) }
	quantize := func(since int64, attrs []string, cases ...Case) {
		register(&Spec{Name: "QuantizeLinear", Since: since, Attrs: attrs, In: Arity{2, 3}, Out: Arity{1, 1}, Infer: inferQuantize, Compile: compileQuantize, Cases: cases})
	}
	dequantize := func(since int64, attrs []string, cases ...Case) {
		register(&Spec{Name: "DequantizeLinear", Since: since, Attrs: attrs, In: Arity{2, 3}, Out: Arity{1, 1}, Infer: inferDequantize, Compile: compileDequantize, Grad: gradDequantize, Cases: cases})
	}
	quantize(10, nil,
		Case{Opset: 10, In: in(f32v(-1, 0, 1, 3, 1000), scalar(2), u8(2)), Out: in(u8(2, 2, 2, 4, 255))},
		Case{Name: "default", Opset: 12, In: in(f32v(-1, 3), scalar(1)), Out: in(u8(0, 3))})
	quantize(13, []string{"axis"},
		Case{In: in(f32s([]int{2, 2}, 1, 1, -300, 5), f32v(1, 2), i8(1, -1)), Attrs: []graph.Attr{axis(-1)}, Out: in(tensor.FromSlice(tensor.Int8, []int8{2, -1, -128, 1}, 2, 2))},
		Case{Name: "misfit", In: in(f32s([]int{2, 2}, 1, 1, 1, 1), f32v(1, 2, 3), i8(1, 1, 1)), Err: "scale"})
	quantize(19, []string{"axis", "saturate"}, Case{In: in(f32v(1, 1000, 0), scalar(2), f8(0)), Out: in(f8(0x30, 0x7e, 0))})
	quantize(21, []string{"axis", "saturate", "block_size", "output_dtype"},
		Case{Attrs: []graph.Attr{axis(0), graph.IntAttr("block_size", 2), graph.IntAttr("output_dtype", int64(tensor.Int4))}, In: in(f32v(4, 6, 90), f32v(2, 3)), Out: in(tensor.FromSlice(tensor.Int4, []int8{2, 3, 7}))})
	quantize(23, []string{"axis", "saturate", "block_size", "output_dtype", "precision"}, Case{In: in(tensor.FromSlice(tensor.Int32, []int32{7}), scalar(2), i8(0)), Out: in(i8(4))})
	dequantize(10, nil, Case{Opset: 10, In: in(u8(0, 3, 255), scalar(2), u8(128)), Out: in(f32v(-256, -250, 254))}, Case{Name: "int32", Opset: 10, In: in(i32v(-7), scalar(.5)), Out: in(f32v(-3.5))})
	dequantize(13, []string{"axis"}, Case{Attrs: []graph.Attr{axis(0)}, In: in(tensor.FromSlice(tensor.Int8, []int8{1, 2, 3, 4}, 2, 2), f32v(1, 2), i8(0, 1)), Out: in(f32s([]int{2, 2}, 1, 2, 4, 6))})
	dequantize(19, []string{"axis"}, Case{In: in(f8(0x38), scalar(3)), Out: in(f32v(3))})
	dequantize(21, []string{"axis", "block_size"},
		Case{Attrs: []graph.Attr{axis(1), graph.IntAttr("block_size", 2)}, In: in(tensor.FromSlice(tensor.Int16, []int16{1, 2, 3, 4, 5, 6}, 2, 3), f32s([]int{2, 2}, 1, 10, 100, 1000)), Out: in(f32s([]int{2, 3}, 1, 2, 30, 400, 500, 6000))})
	dequantize(23, []string{"axis", "block_size", "output_dtype"}, Case{In: in(i8(1, -2), scalar(3), i8(1)), Out: in(f32v(0, -9))})
}

// quantTypes are the integers of quantised values, with their ends.
func quantRange(d tensor.DType) (lo, hi int32, ok bool) {
	switch d {
	case tensor.Uint8:
		return 0, 255, true
	case tensor.Int8:
		return -128, 127, true
	case tensor.Uint16:
		return 0, 65535, true
	case tensor.Int16:
		return -32768, 32767, true
	case tensor.Uint4:
		return 0, 15, true
	case tensor.Int4:
		return -8, 7, true
	case tensor.Uint2:
		return 0, 3, true
	case tensor.Int2:
		return -2, 1, true
	}
	return 0, 0, false
}

// quantAttrs checks the attributes that both operators share and returns an element type that an attribute gives, Undefined where absent.
func quantAttrs(n *graph.Node, name string) (tensor.DType, error) {
	if err := kinds(n, graph.AttrInt, "axis", "block_size", "saturate", "output_dtype", "precision"); err != nil {
		return 0, err
	}
	if b := n.Int("block_size", 0); b < 0 {
		return 0, bad(n, "block_size "+itoa(b))
	}
	v := n.Int(name, 0)
	if v < 0 || v > int64(tensor.Int2) {
		return 0, bad(n, name+" "+itoa(v))
	}
	return tensor.DType(v), nil
}

func inferQuantize(n *graph.Node, site *Site) ([]tensor.Type, error) {
	d, err := quantAttrs(n, "output_dtype")
	if err != nil {
		return nil, err
	}
	x := site.Types[0]
	if err := oneOf(n, x, tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Int32, tensor.Float64); err != nil {
		return nil, err
	}
	if err := oneOf(n, site.Types[1], tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Int32, tensor.Float8E8M0, tensor.Float64); err != nil {
		return nil, err
	}
	if p, err := quantAttrs(n, "precision"); err != nil {
		return nil, err
	} else if p != tensor.Undefined && p != tensor.Float32 && p != tensor.Float16 && p != tensor.BFloat16 {
		return nil, refuseAttr(n, "precision", p.String())
	}
	if z := site.typ(2).DType; z != tensor.Undefined {
		if d != tensor.Undefined && d != z {
			return nil, bad(n, "output_dtype is not the type of the zero point")
		}
		d = z
	}
	if d == tensor.Undefined {
		d = tensor.Uint8
	}
	if _, _, ok := quantRange(d); !ok && minifloatOf(d) == nil {
		return nil, refuse(n, d)
	}
	x.DType = d
	return []tensor.Type{x}, nil
}

func inferDequantize(n *graph.Node, site *Site) ([]tensor.Type, error) {
	d, err := quantAttrs(n, "output_dtype")
	if err != nil {
		return nil, err
	}
	x, scale := site.Types[0], site.Types[1].DType
	if _, _, ok := quantRange(x.DType); !ok && minifloatOf(x.DType) == nil && x.DType != tensor.Int32 {
		return nil, refuse(n, x.DType)
	}
	if z := site.typ(2).DType; z != tensor.Undefined && z != x.DType {
		return nil, bad(n, "a zero point of another type than x")
	}
	if err := oneOf(n, site.Types[1], tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Float8E8M0); err != nil {
		return nil, err
	}
	if d == tensor.Undefined {
		if d = scale; d == tensor.Float8E8M0 {
			d = tensor.Float32
		}
	}
	x.DType = d
	return []tensor.Type{x}, oneOf(n, x, tensor.Float32, tensor.Float16, tensor.BFloat16)
}

// quantLayout says which scale holds for which elements of x, seen as (outer, axis, inner).
type quantLayout struct {
	outer, axis, inner int
	block              int  // places along axis that share a scale; 0: one scale for all
	wide               bool // blocks: a scale for each of inner, too
	blocks             int  // along axis
}

func quantLayoutOf(op string, x, scale []int, axis, block int64) (l quantLayout, err error) {
	size, err := tensor.Elements(x)
	if err != nil {
		return l, err
	}
	if n, err := tensor.Elements(scale); err != nil {
		return l, err
	} else if n == 1 && (block == 0 || len(scale) < len(x)) {
		return quantLayout{outer: 1, axis: 1, inner: size}, nil
	}
	a := 0
	if len(x) != 1 || block > 0 { // a list has one axis, whatever the attribute says
		if a, err = axisOf(op, axis, len(x)); err != nil {
			return l, err
		}
	}
	l.outer, l.inner = around(x, a)
	l.axis, l.block = x[a], 1
	if block == 0 {
		if len(scale) != 1 || scale[0] != l.axis {
			return l, misfit(op, "scale "+shapeText(scale)+" for "+shapeText(x))
		}
		l.blocks = l.axis
		return l, nil
	}
	l.block, l.wide = int(min(block, windowMax)), true
	l.blocks = (l.axis + l.block - 1) / l.block
	fits := len(scale) == len(x)
	for i := range x {
		fits = fits && (scale[i] == x[i] || i == a) && (i != a || scale[i] == l.blocks)
	}
	if !fits {
		return l, misfit(op, "scale "+shapeText(scale)+" for blocks of "+itoa(block)+" in "+shapeText(x))
	}
	return l, nil
}

// each calls f for runs of elements [at, at+n); they share scale s, or have scales from s on where step is 1.
func (l *quantLayout) each(f func(at, n, s, step int)) {
	switch {
	case l.block == 0:
		f(0, l.inner, 0, 0)
	case !l.wide:
		for i := range l.outer * l.axis {
			f(i*l.inner, l.inner, i%l.axis, 0)
		}
	case l.inner == 1:
		for o := range l.outer {
			for b := range l.blocks {
				f(o*l.axis+b*l.block, min(l.block, l.axis-b*l.block), o*l.blocks+b, 0)
			}
		}
	default:
		for i := range l.outer * l.axis {
			f(i*l.inner, l.inner, (i/l.axis*l.blocks+i%l.axis/l.block)*l.inner, 1)
		}
	}
}

// realsOf are the values of a tensor of any number type as float32: its own, or what is written to wide.
func realsOf(ctx context.Context, wide, t *tensor.Tensor) ([]float32, error) {
	if t.DType() == tensor.Float32 {
		return t.F32(), nil
	}
	if err := Reset(ctx, wide, tensor.Float32, t.Len()); err != nil {
		return nil, err
	}
	return wide.F32(), castInto(wide, t)
}

// quantCall is what one node does.
type quantCall struct {
	op          string
	to          tensor.DType
	axis, block int64
	threads     int
	narrow      func(float32) float32 // rounds quotients to a smaller type, or nil
	float       *minifloat            // what is written, where that is no integer
	saturate    bool
	memory      scratch[tensor.Tensor] // quantWide a run
}

// quantWide is how many tensors a run may need in another type: x, the scales, the zero points and y.
const quantWide = 4

// quantOperands are what both operators read beside x: how scales lie, the scales and the zero points, nil where there are none.
type quantOperands struct {
	l           quantLayout
	scale, zero []float32
}

func (q *quantOperands) read(ctx context.Context, c *quantCall, in, out []*tensor.Tensor, wide []tensor.Tensor) (err error) {
	if q.l, err = quantLayoutOf(c.op, in[0].Shape(), in[1].Shape(), c.axis, c.block); err != nil {
		return err
	}
	if q.scale, err = realsOf(ctx, &wide[1], in[1]); err != nil {
		return err
	}
	if z := inputOf(in, 2); z != nil {
		if q.zero, err = realsOf(ctx, &wide[2], z); err != nil {
			return err
		}
		if len(q.zero) != len(q.scale) {
			return misfit(c.op, itoa(int64(len(q.zero)))+" zero points for "+itoa(int64(len(q.scale)))+" scales")
		}
	}
	return Reset(ctx, out[0], c.to, in[0].Shape()...)
}

func (q *quantOperands) zeroAt(s int) float32 {
	if q.zero == nil {
		return 0
	}
	return q.zero[s]
}

func compileQuantize(n *graph.Node, site *Site) (Kernel, error) {
	types, err := inferQuantize(n, site)
	if err != nil {
		return nil, err
	}
	c := &quantCall{op: n.Op, to: types[0].DType, axis: n.Int("axis", 1), block: n.Int("block_size", 0), threads: site.Threads, saturate: castingOf(n).saturate}
	switch tensor.DType(n.Int("precision", int64(site.Types[1].DType))) {
	case tensor.Float16:
		c.narrow = func(x float32) float32 { return halfToFloat(floatToHalf(x)) }
	case tensor.BFloat16:
		c.narrow = func(x float32) float32 { return brainToFloat(floatToBrain(x)) }
	}
	switch c.to {
	case tensor.Uint8, tensor.Uint4, tensor.Uint2:
		return quantizeKernel(c, tensor.Data[uint8]), nil
	case tensor.Int8, tensor.Int4, tensor.Int2:
		return quantizeKernel(c, tensor.Data[int8]), nil
	case tensor.Uint16:
		return quantizeKernel(c, tensor.Data[uint16]), nil
	case tensor.Int16:
		return quantizeKernel(c, tensor.Data[int16]), nil
	}
	c.float = minifloatOf(c.to)
	return quantizeKernel(c, tensor.Data[uint8]), nil
}

func quantizeKernel[T int8 | uint8 | int16 | uint16](c *quantCall, data lane[T]) Kernel {
	var runs kept[quantizing[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) (err error) {
		wide, r := c.memory.take(quantWide), runs.take()
		defer c.memory.put(wide)
		defer runs.put(r)
		if err := r.read(ctx, c, in, out, *wide); err != nil {
			return err
		}
		if r.x, err = realsOf(ctx, &(*wide)[0], in[0]); err != nil {
			return err
		}
		r.c, r.y = c, data(out[0])
		r.lo, r.hi, _ = quantRange(c.to)
		r.l.each(func(at, n, s, step int) {
			if r.at, r.s = at, s; step == 0 && c.narrow == nil && c.float == nil {
				spread(ctx, c.threads, n, 1<<15, r)
			} else {
				r.singly(n, step)
			}
		})
		return ctx.Err()
	}
}

// quantizing is a run of QuantizeLinear; the elements at work begin at a place, with the scale of some place.
type quantizing[T int8 | uint8 | int16 | uint16] struct {
	quantOperands
	c      *quantCall
	x      []float32
	y      []T
	lo, hi int32
	at, s  int
}

// Do quantises elements of one scale.
func (r *quantizing[T]) Do(lo, hi int) {
	quantizeRun(r.y[r.at+lo:r.at+hi], r.x[r.at+lo:r.at+hi], r.scale[r.s], r.zeroAt(r.s), r.lo, r.hi)
}

// singly quantises n elements one by one, whose scales are step apart.
func (r *quantizing[T]) singly(n, step int) {
	var one [1]float32
	f := r.c.float
	for i := r.at; i < r.at+n; i++ {
		v := r.x[i] / r.scale[r.s]
		if r.c.narrow != nil {
			v = r.c.narrow(v)
		}
		switch {
		case f == &float4E2M1:
			r.y[i] = T(f.encode(float64(v+r.zeroAt(r.s)), true))
		case f != nil:
			r.y[i] = T(f.encode(float64(v), r.c.saturate))
		default:
			one[0] = v
			quantizeRun(r.y[i:i+1], one[:], 1, r.zeroAt(r.s), r.lo, r.hi)
		}
		r.s += step
	}
}

// roundBias, added to a number below 2^22 and taken off again, rounds it to an integer, halves to even.
const roundBias = 3 << 22

// quantizeRun quantises with one scale. The quotient is cut to the range, whose ends are integers, before it is rounded: that is the same.
func quantizeRun[T int8 | uint8 | int16 | uint16](y []T, x []float32, scale, zero float32, lo, hi int32) {
	least, most, z := float32(lo)-zero, float32(hi)-zero, int32(zero)
	y = y[:len(x)]
	switch b := any(y).(type) {
	case []uint8:
		kernel.QuantizeBytes(b, x, scale, least, most, z)
		return
	case []int8:
		kernel.QuantizeBytes(b, x, scale, least, most, z)
		return
	}
	for i, v := range x {
		v /= scale
		if !(v > least) { // NaN, too
			v = least
		}
		if v > most {
			v = most
		}
		y[i] = T(int32(float32(v+roundBias)-roundBias) + z)
	}
}

func compileDequantize(n *graph.Node, site *Site) (Kernel, error) {
	types, err := inferDequantize(n, site)
	if err != nil {
		return nil, err
	}
	c := &quantCall{op: n.Op, to: types[0].DType, axis: n.Int("axis", 1), block: n.Int("block_size", 0), threads: site.Threads}
	switch site.Types[0].DType {
	case tensor.Uint8, tensor.Uint4, tensor.Uint2:
		return dequantizeKernel(c, tensor.Data[uint8]), nil
	case tensor.Int8, tensor.Int4, tensor.Int2:
		return dequantizeKernel(c, tensor.Data[int8]), nil
	case tensor.Uint16:
		return dequantizeKernel(c, tensor.Data[uint16]), nil
	case tensor.Int16:
		return dequantizeKernel(c, tensor.Data[int16]), nil
	case tensor.Int32:
		return dequantizeKernel(c, tensor.Data[int32]), nil
	}
	return dequantizeKernel(c, tensor.Data[float32]), nil
}

// dequantizeKernel reads x by data, minifloats by way of float32.
func dequantizeKernel[T int8 | uint8 | int16 | uint16 | int32 | float32](c *quantCall, data lane[T]) Kernel {
	var runs kept[dequantizing[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		wide, r := c.memory.take(quantWide), runs.take()
		defer c.memory.put(wide)
		defer runs.put(r)
		if err := r.read(ctx, c, in, out, *wide); err != nil {
			return err
		}
		x, y := in[0], out[0]
		if minifloatOf(x.DType()) != nil {
			x = &(*wide)[0]
			if _, err := realsOf(ctx, x, in[0]); err != nil {
				return err
			}
		}
		if c.to != tensor.Float32 {
			y = &(*wide)[3]
			if err := Reset(ctx, y, tensor.Float32, in[0].Len()); err != nil {
				return err
			}
		}
		r.x, r.y = data(x), y.F32()
		r.l.each(func(at, n, s, step int) {
			if r.at, r.s = at, s; step == 0 {
				spread(ctx, c.threads, n, 1<<15, r)
				return
			}
			for i := range n {
				r.y[at+i] = (float32(r.x[at+i]) - r.zeroAt(s+i)) * r.scale[s+i]
			}
		})
		if y == out[0] {
			return ctx.Err()
		}
		return castInto(out[0], y)
	}
}

// dequantizing is a run of DequantizeLinear; the elements at work begin at a place, with the scale of some place.
type dequantizing[T int8 | uint8 | int16 | uint16 | int32 | float32] struct {
	quantOperands
	x     []T
	y     []float32
	at, s int
}

// Do makes real values of elements of one scale.
func (r *dequantizing[T]) Do(lo, hi int) {
	dst, x, f, z := r.y[r.at+lo:r.at+hi], r.x[r.at+lo:r.at+hi], r.scale[r.s], r.zeroAt(r.s)
	switch b := any(x).(type) {
	case []uint8:
		kernel.RealBytes(dst, b, int32(z), f)
	case []int8:
		kernel.RealBytes(dst, b, int32(z), f)
	default:
		for i, v := range x {
			dst[i] = (float32(v) - z) * f
		}
	}
}

// DynamicQuantizeLinear: x as uint8, with the scale and zero point that its range, widened to hold 0, asks for.
// https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html
func init() {
	register(&Spec{
		Name: "DynamicQuantizeLinear", Since: 11, In: Arity{1, 1}, Out: Arity{3, 3},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			y := site.Types[0]
			y.DType = tensor.Uint8
			return []tensor.Type{y, tensor.TypeOf(tensor.Float32), tensor.TypeOf(tensor.Uint8)}, oneOf(n, site.Types[0], tensor.Float32)
		},
		Compile: func(_ *graph.Node, site *Site) (Kernel, error) {
			threads := site.Threads
			return func(ctx context.Context, in, out []*tensor.Tensor) error {
				r := dynamicRuns.take()
				defer dynamicRuns.put(r)
				return r.run(ctx, threads, in[0], out)
			}, nil
		},
		Cases: []Case{
			{In: in(f32v(0, 2, -3, -2.5)), Out: in(tensor.FromSlice(tensor.Uint8, []uint8{153, 255, 0, 26}), f32s(nil, 5./255), shaped(tensor.Uint8, nil, []uint8{153}))},
			{Name: "zeros", In: in(f32v(0, 0)), Out: in(tensor.FromSlice(tensor.Uint8, []uint8{0, 0}), nil, nil)},
		},
	})
}

// dynamicRun is a run of DynamicQuantizeLinear.
type dynamicRun struct {
	x []float32
	y []byte

	merge  sync.Mutex
	lo, hi float32 // limits of x

	scale float32
	zero  uint8
}

var (
	dynamicRuns kept[dynamicRun]
	dynamicOwn  scratch[tensor.Tensor] // for outputs that nobody uses
)

func (r *dynamicRun) run(ctx context.Context, threads int, x *tensor.Tensor, out []*tensor.Tensor) error {
	own := dynamicOwn.take(3)
	defer dynamicOwn.put(own)
	to := [3]*tensor.Tensor{&(*own)[0], &(*own)[1], &(*own)[2]}
	for i, t := range out {
		if t != nil {
			to[i] = t
		}
	}
	if err := Reset(ctx, to[0], tensor.Uint8, x.Shape()...); err != nil {
		return err
	}
	if err := Reset(ctx, to[1], tensor.Float32); err != nil {
		return err
	}
	if err := Reset(ctx, to[2], tensor.Uint8); err != nil {
		return err
	}
	r.x, r.y = x.F32(), to[0].Bytes()
	spread(ctx, threads, len(r.x), 1<<14, (*dynamicLimits)(r))
	r.scale, r.zero = dynamicScale(r.lo, r.hi)
	to[1].F32()[0], to[2].Bytes()[0] = r.scale, r.zero
	spread(ctx, threads, len(r.x), 1<<14, r)
	return ctx.Err()
}

// Do makes the bytes of some elements.
func (r *dynamicRun) Do(lo, hi int) {
	kernel.QuantizeBytes(r.y[lo:hi], r.x[lo:hi], r.scale, -float32(r.zero), 255-float32(r.zero), int32(r.zero))
}

// dynamicLimits is the part of a run that looks for the limits.
type dynamicLimits dynamicRun

// Do takes some elements into the limits.
func (r *dynamicLimits) Do(from, to int) {
	lo, hi := kernel.Limits(r.x[from:to])
	r.merge.Lock()
	r.lo, r.hi = min(r.lo, lo), max(r.hi, hi)
	r.merge.Unlock()
}

func dynamicScale(lo, hi float32) (scale float32, zero uint8) {
	if scale = (hi - lo) / 255; hi == lo {
		scale = 1
	}
	z := math.RoundToEven(float64(max(0, min(255, -lo/scale))))
	return scale, uint8(z)
}
