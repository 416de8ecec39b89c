package op

import (
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Cast, CastLike: y = x as another element type. https://onnx.ai/onnx/operators/onnx__Cast.html
// Floats become integers by truncation, integers wrap, anything but 0 is true. Strings are read and written as
// onnxruntime does: see parseFloat and formatFloat. saturate concerns float8 only, round_mode float8e8m0.
func init() {
	cast := Spec{
		Name: "Cast", In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) { return inferCast(n, site, castTarget(n)) },
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return castKernel(castTarget(n), castingOf(n)), nil
		},
		Grad: differentiable(gradCast),
	}
	castLike := Spec{
		Name: "CastLike", In: Arity{2, 2}, Out: Arity{1, 1},
		Simplify: func(n *graph.Node, site *Site) *graph.Node { // the type is known: a Cast, which folds where x is constant
			return &graph.Node{Name: n.Name, Op: "Cast", Attrs: append(castTo(site.Types[1].DType), n.Attrs...), Inputs: n.Inputs[:1], Outputs: n.Outputs}
		},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) { return inferCast(n, site, site.Types[1].DType) },
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return castKernel(site.Types[1].DType, castingOf(n)), nil
		},
		Grad: differentiable(gradCast),
	}
	for _, v := range []struct {
		since, like int64
		attrs       []string
	}{{6, 15, nil}, {19, 19, []string{"saturate"}}, {24, 24, []string{"saturate", "round_mode"}}} {
		c, l := cast, castLike
		c.Since, c.Attrs, l.Since, l.Attrs = v.since, append([]string{"to"}, v.attrs...), v.like, v.attrs
		c.Cases = tested(func() []Case {
			return []Case{{Opset: v.since, Attrs: castTo(tensor.Float64), In: in(f64v(.5)), Out: in(f64v(.5))}}
		})
		l.Cases = tested(func() []Case { return []Case{{Opset: v.like, In: in(f64v(.5), f64v(0)), Out: in(f64v(.5))}} })
		if v.attrs == nil {
			c.Cases, l.Cases = tested(castCases), tested(func() []Case {
				return []Case{{In: in(f64v(1.5), f64v(0)), Out: in(f64v(1.5))}, {Name: "ints", In: in(f32v(1.5), i64v(0)), Out: in(i64v(1)), NoGrad: true}}
			})
		}
		register(&c)
		register(&l)
	}
}

// dx = dy as the type of x; where y holds no floats, it changes in steps.
func gradCast(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := make([]graph.Value, len(n.Inputs))
	if n.Op == "CastLike" {
		dx[0] = b.Node(Private, "CastGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 1)[0]
	} else if to := castTarget(n); slices.Contains(floats, to) || slices.Contains(halfTypes, to) {
		dx[0] = b.Op("CastLike", dy[0], n.Inputs[0])
	}
	return dx, nil
}

// casting says how numbers become float8.
type casting struct {
	saturate bool   // too great becomes the greatest number, not infinity or NaN
	mode     string // "up", "down" or "nearest", of float8e8m0
}

func castingOf(n *graph.Node) casting {
	return casting{saturate: n.Int("saturate", 1) != 0, mode: n.Str("round_mode", "up")}
}

// castSmall converts from the types that castInto does not know, and reports whether it could; nil where those are left out.
var castSmall func(dst, src *tensor.Tensor, c casting) bool

// castNarrow converts to them.
var castNarrow func(dst *tensor.Tensor, wide []float64, c casting)

func castCases() []Case {
	return []Case{
		{Name: "to float64", Attrs: castTo(tensor.Float64), In: in(f64v(1.5, -2)), Out: in(f64v(1.5, -2))},
		{Name: "to int64", Attrs: castTo(tensor.Int64), In: in(f32v(1.9, -1.9)), Out: in(i64v(1, -1)), NoGrad: true},
		{Name: "wraps", Attrs: castTo(tensor.Int8), In: in(i64v(200, -129)), Out: in(tensor.FromSlice(tensor.Int8, []int8{-56, 127}))},
		{Name: "to bool", Attrs: castTo(tensor.Bool), In: in(f32v(0, .5, float32(math.NaN()))), Out: in(boolv(false, true, true)), NoGrad: true},
		{Name: "from bool", Attrs: castTo(tensor.Float32), In: in(boolv(true, false)), Out: in(f32v(1, 0))},
		{Name: "half", Attrs: castTo(tensor.Float16), In: in(f32v(1, 65504, 1e9, 6e-8)), Out: in(tensor.FromSlice(tensor.Float16, []uint16{0x3c00, 0x7bff, 0x7c00, 1})), NoGrad: true},
		{
			Name: "read", Attrs: castTo(tensor.Float32), In: in(strv("1.5", " -2e3", "NaN", "inf", "-INFINITY", "7abc", "0x10", ".5", "+1.")),
			Out: in(f32v(1.5, -2000, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 7, 16, .5, 1)),
		},
		{Name: "read integers", Attrs: castTo(tensor.Int64), In: in(strv("12", " -7.9", "9223372036854775807")), Out: in(i64v(12, -7, math.MaxInt64))},
		{Name: "unreadable", Attrs: castTo(tensor.Float32), In: in(strv("1", "abc")), Err: `"abc"`},
		{Name: "empty", Attrs: castTo(tensor.Float32), In: in(strv("")), Err: `""`},
		{Name: "write", Attrs: castTo(tensor.String), In: in(f32v(1, .1, 1e10, float32(math.NaN()), float32(math.Inf(-1)))), Out: in(strv("1", "0.1", "1e+10", "NaN", "-INF")), NoGrad: true},
		{Name: "write integers", Attrs: castTo(tensor.String), In: in(i64v(-12)), Out: in(strv("-12"))},
	}
}

func castTo(d tensor.DType) []graph.Attr { return []graph.Attr{graph.IntAttr("to", int64(d))} }

func castTarget(n *graph.Node) tensor.DType {
	if v := n.Int("to", 0); v > 0 && v < 256 {
		return tensor.DType(v)
	}
	return tensor.Undefined
}

func inferCast(n *graph.Node, site *Site, to tensor.DType) ([]tensor.Type, error) {
	for _, d := range []tensor.DType{site.Types[0].DType, to} {
		if !d.Known() || d == tensor.Complex64 || d == tensor.Complex128 || d > tensor.BFloat16 && castSmall == nil {
			return nil, refuse(n, d)
		}
	}
	t := site.Types[0]
	t.DType = to
	return []tensor.Type{t}, nil
}

func castKernel(to tensor.DType, c casting) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if err := Reset(ctx, out[0], to, in[0].Shape()...); err != nil {
			return err
		}
		return castWith(out[0], in[0], c)
	}
}

// Memory for numbers between two types that are converted by way of these.
var (
	castReals    scratch[float32]
	castDoubles  scratch[float64]
	castWhole    scratch[int64]
	castUnsigned scratch[uint64]
	castTexts    scratch[tensor.Tensor]
)

// castInto converts the elements of src to the type that dst, of the same length, has.
func castInto(dst, src *tensor.Tensor) error {
	return castWith(dst, src, casting{saturate: true, mode: "up"})
}

func castWith(dst, src *tensor.Tensor, c casting) error {
	switch {
	case dst.DType() == src.DType():
		copy(dst.Bytes(), src.Bytes())
		copy(dst.Str(), src.Str())
		return nil
	case src.DType() == tensor.String:
		return read(dst, src.Str(), c)
	case dst.DType() == tensor.String:
		write(dst.Str(), src)
		return nil
	}
	switch src.DType() {
	case tensor.Bool, tensor.Uint8, tensor.Uint4, tensor.Uint2:
		convertTo(dst, tensor.Data[uint8](src), c)
	case tensor.Int8, tensor.Int4, tensor.Int2:
		convertTo(dst, tensor.Data[int8](src), c)
	case tensor.Int16:
		convertTo(dst, tensor.Data[int16](src), c)
	case tensor.Uint16:
		convertTo(dst, tensor.Data[uint16](src), c)
	case tensor.Int32:
		convertTo(dst, tensor.Data[int32](src), c)
	case tensor.Uint32:
		convertTo(dst, tensor.Data[uint32](src), c)
	case tensor.Int64:
		convertTo(dst, tensor.Data[int64](src), c)
	case tensor.Uint64:
		convertTo(dst, tensor.Data[uint64](src), c)
	case tensor.Float32:
		convertTo(dst, tensor.Data[float32](src), c)
	case tensor.Float64:
		convertTo(dst, tensor.Data[float64](src), c)
	case tensor.Float16, tensor.BFloat16:
		wide := castReals.take(src.Len())
		widenInto(*wide, src)
		convertTo(dst, *wide, c)
		castReals.put(wide)
	default:
		if castSmall != nil && castSmall(dst, src, c) {
			return nil
		}
		return fault.New(fault.Unsupported, "Cast from "+src.DType().String()+" is not built")
	}
	return nil
}

type numeric interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

func convertTo[S numeric](dst *tensor.Tensor, src []S, c casting) {
	switch dst.DType() {
	case tensor.Bool:
		for i, d := range src {
			tensor.Data[bool](dst)[i] = d != 0
		}
	case tensor.Int8:
		convert(tensor.Data[int8](dst), src)
	case tensor.Uint8:
		convert(tensor.Data[uint8](dst), src)
	case tensor.Int16:
		convert(tensor.Data[int16](dst), src)
	case tensor.Uint16:
		convert(tensor.Data[uint16](dst), src)
	case tensor.Int32:
		convert(tensor.Data[int32](dst), src)
	case tensor.Uint32:
		convert(tensor.Data[uint32](dst), src)
	case tensor.Int64:
		convert(tensor.Data[int64](dst), src)
	case tensor.Uint64:
		convert(tensor.Data[uint64](dst), src)
	case tensor.Float32:
		convert(tensor.Data[float32](dst), src)
	case tensor.Float64:
		convert(tensor.Data[float64](dst), src)
	case tensor.Float16:
		narrow(tensor.Data[uint16](dst), src, floatToHalf)
	case tensor.BFloat16:
		narrow(tensor.Data[uint16](dst), src, floatToBrain)
	case tensor.Uint4:
		keepBits(dst, src, 4, 0)
	case tensor.Int4:
		keepBits(dst, src, 4, 4)
	case tensor.Uint2:
		keepBits(dst, src, 2, 0)
	case tensor.Int2:
		keepBits(dst, src, 2, 6)
	default:
		wide := castDoubles.take(len(src))
		convert(*wide, src)
		castNarrow(dst, *wide, c)
		castDoubles.put(wide)
	}
}

// keepBits converts to integers of a few bits, a byte each in memory; the sign is spread from shift bits below the byte's.
func keepBits[S numeric](dst *tensor.Tensor, src []S, bits, shift int) {
	to := dst.Bytes()
	for i, x := range src {
		v := uint8(int64(x)) & (1<<bits - 1)
		to[i] = uint8(int8(v<<shift) >> shift)
	}
}

func convert[D, S numeric](dst []D, src []S) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = D(x)
	}
}

func narrow[S numeric](dst []uint16, src []S, f func(float32) uint16) {
	for i, x := range src {
		dst[i] = f(float32(x))
	}
}

// write gives numbers as text: floats as C's %.8g, "NaN", "INF", "-INF"; truth values as 1 and 0.
func write(dst []string, src *tensor.Tensor) {
	switch d := src.DType(); d {
	case tensor.Float64:
		for i, x := range tensor.Data[float64](src) {
			dst[i] = formatFloat(x)
		}
	case tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ, tensor.Float8E8M0, tensor.Float4E2M1:
		held := castTexts.take(1)
		defer castTexts.put(held)
		wide := &(*held)[0]
		wide.Reset(tensor.Float32, len(dst))
		_ = castInto(wide, src) // floats convert without error
		for i, x := range wide.F32() {
			dst[i] = formatFloat(float64(x))
		}
	case tensor.Uint64:
		for i, x := range tensor.Data[uint64](src) {
			dst[i] = strconv.FormatUint(x, 10)
		}
	default:
		held := castTexts.take(1)
		defer castTexts.put(held)
		wide := &(*held)[0]
		wide.Reset(tensor.Int64, len(dst))
		_ = castInto(wide, src) // integers convert without error
		for i, x := range wide.I64() {
			dst[i] = strconv.FormatInt(x, 10)
		}
	}
}

func formatFloat(x float64) string {
	switch {
	case x != x:
		return "NaN"
	case math.IsInf(x, 1):
		return "INF"
	case math.IsInf(x, -1):
		return "-INF"
	}
	return strconv.FormatFloat(x, 'g', 8, 64)
}

// read parses texts into numbers.
func read(dst *tensor.Tensor, src []string, c casting) error {
	switch d := dst.DType(); d {
	case tensor.Float32:
		to := dst.F32()
		for i, s := range src {
			x, err := parseFloat(s)
			if err != nil {
				return err
			}
			to[i] = float32(x)
		}
		return nil
	case tensor.Float16, tensor.BFloat16, tensor.Float64, tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ, tensor.Float8E8M0, tensor.Float4E2M1:
		held := castDoubles.take(len(src))
		defer castDoubles.put(held)
		wide := *held
		for i, s := range src {
			var err error
			if wide[i], err = parseFloat(s); err != nil {
				return err
			}
		}
		convertTo(dst, wide, c)
		return nil
	case tensor.Bool, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Uint4, tensor.Uint2:
		held := castUnsigned.take(len(src))
		defer castUnsigned.put(held)
		wide := *held
		for i, s := range src {
			x, negative, err := parseInt(s, math.MaxUint64)
			if err != nil {
				return err
			}
			if wide[i] = x; negative {
				wide[i] = -x
			}
		}
		convertTo(dst, wide, c)
		return nil
	default:
		held := castWhole.take(len(src))
		defer castWhole.put(held)
		wide := *held
		for i, s := range src {
			x, negative, err := parseInt(s, math.MaxInt64)
			if err != nil {
				return err
			}
			if wide[i] = int64(x); negative {
				wide[i] = -wide[i]
			}
		}
		convertTo(dst, wide, c)
		return nil
	}
}
