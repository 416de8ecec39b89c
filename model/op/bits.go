//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot, BitShift: integers bit by bit, with broadcasting.
// https://onnx.ai/onnx/operators/onnx__BitwiseAnd.html and so on.
// BitCast: the same bits as another type of the same width. https://onnx.ai/onnx/operators/onnx__BitCast.html
func init() {
	unsigned := []tensor.DType{tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64}
	integers := append([]tensor.DType{tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64}, unsigned...)
	u8v := func(v ...uint8) *tensor.Tensor { return tensor.FromSlice(tensor.Uint8, v) }
	bitwise := func(name string, compile compileFunc, cases ...Case) {
		register(&Spec{Name: name, Since: 18, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: broadcastInfer(tensor.Undefined, integers...), Compile: compile, Cases: cases})
	}
	bitwise("BitwiseAnd", bySize(bitAnd[uint8], bitAnd[uint16], bitAnd[uint32], bitAnd[uint64]), Case{In: in(i32v(-2, 12), i32v(7)), Out: in(i32v(6, 4))})
	bitwise("BitwiseOr", bySize(bitOr[uint8], bitOr[uint16], bitOr[uint32], bitOr[uint64]), Case{In: in(i64v(1<<40, 12), i64v(3)), Out: in(i64v(1<<40+3, 15))})
	bitwise("BitwiseXor", bySize(bitXor[uint8], bitXor[uint16], bitXor[uint32], bitXor[uint64]), Case{In: in(u8v(255, 12), u8v(6)), Out: in(u8v(249, 10))})

	register(&Spec{
		Name: "BitwiseNot", Since: 18, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: like(integers...), Compile: compileBitwiseNot,
		Cases: []Case{{In: in(i32v(-2, 12)), Out: in(i32v(1, -13))}, {Name: "bytes", In: in(u8v(1)), Out: in(u8v(254))}},
	})

	toward := func(v string) []graph.Attr { return []graph.Attr{graph.StringAttr("direction", v)} }
	register(&Spec{
		Name: "BitShift", Since: 11, Attrs: []string{"direction"}, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: broadcastInfer(tensor.Undefined, unsigned...), Compile: compileBitShift,
		Cases: []Case{
			{Attrs: toward("LEFT"), In: in(u8v(16, 4, 129), u8v(1, 2, 1)), Out: in(u8v(32, 16, 2))},
			{Name: "right", Attrs: toward("RIGHT"), In: in(u8v(16, 4, 255), u8v(1, 2, 8)), Out: in(u8v(8, 1, 0))},
			{Name: "nowhere", Attrs: toward("UP"), In: in(u8v(16), u8v(1)), Err: "direction"},
		},
	})

	to := func(d tensor.DType) []graph.Attr { return castTo(d) }
	register(&Spec{
		Name: "BitCast", Since: 26, Attrs: []string{"to"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferBitCast, Compile: compileBitCast,
		Cases: []Case{
			{Attrs: to(tensor.Int32), In: in(f32v(1, -2)), Out: in(i32v(0x3f800000, -0x40000000))},
			{Name: "nibbles", Attrs: to(tensor.Uint4), In: in(tensor.FromSlice(tensor.Int4, []int8{-1, 7})), Out: in(tensor.FromSlice(tensor.Uint4, []uint8{15, 7}))},
			{Name: "nibbles back", Attrs: to(tensor.Int4), In: in(tensor.FromSlice(tensor.Uint4, []uint8{15, 7})), Out: in(tensor.FromSlice(tensor.Int4, []int8{-1, 7}))},
			{Name: "other width", Attrs: to(tensor.Int64), In: in(f32v(1)), Err: "width"},
		},
	})
}

// bySize compiles a function that does not depend on the sign of its integers.
func bySize(u8 pair[uint8, uint8], u16 pair[uint16, uint16], u32 pair[uint32, uint32], u64 pair[uint64, uint64]) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d.Size() {
		case 1:
			return pairKernel(n.Op, site.Threads, tensor.Data[uint8], tensor.Data[uint8], d, u8), nil
		case 2:
			return pairKernel(n.Op, site.Threads, tensor.Data[uint16], tensor.Data[uint16], d, u16), nil
		case 4:
			return pairKernel(n.Op, site.Threads, tensor.Data[uint32], tensor.Data[uint32], d, u32), nil
		default:
			return pairKernel(n.Op, site.Threads, tensor.Data[uint64], tensor.Data[uint64], d, u64), nil
		}
	}
}

func bitAnd[T integer](dst, a, b []T) { zip(func(x, y T) T { return x & y })(dst, a, b) }
func bitOr[T integer](dst, a, b []T)  { zip(func(x, y T) T { return x | y })(dst, a, b) }
func bitXor[T integer](dst, a, b []T) { zip(func(x, y T) T { return x ^ y })(dst, a, b) }

// A shift by the width or more gives 0.
func shiftLeft[T integer](dst, a, b []T) { zip(func(x, y T) T { return x << uint64(y) })(dst, a, b) }

func shiftRight[T integer](dst, a, b []T) { zip(func(x, y T) T { return x >> uint64(y) })(dst, a, b) }

func compileBitShift(n *graph.Node, site *Site) (Kernel, error) {
	if err := kind(n, "direction", graph.AttrString); err != nil {
		return nil, err
	}
	switch v := n.Str("direction", ""); v {
	case "LEFT":
		return bySize(shiftLeft[uint8], shiftLeft[uint16], shiftLeft[uint32], shiftLeft[uint64])(n, site)
	case "RIGHT":
		return bySize(shiftRight[uint8], shiftRight[uint16], shiftRight[uint32], shiftRight[uint64])(n, site)
	default:
		return nil, bad(n, "a direction that is neither LEFT nor RIGHT")
	}
}

func compileBitwiseNot(*graph.Node, *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if err := Reset(ctx, out[0], in[0].DType(), in[0].Shape()...); err != nil {
			return err
		}
		dst := out[0].Bytes()
		for i, x := range in[0].Bytes() {
			dst[i] = ^x
		}
		return nil
	}, nil
}

// bitWidth is the number of bits of an element of which a file holds that many.
func bitWidth(d tensor.DType) int {
	switch d {
	case tensor.Uint4, tensor.Int4, tensor.Float4E2M1:
		return 4
	case tensor.Uint2, tensor.Int2:
		return 2
	}
	return 8 * d.Size()
}

func inferBitCast(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "to", graph.AttrInt); err != nil {
		return nil, err
	}
	t, to := site.Types[0], castTarget(n)
	for _, d := range []tensor.DType{t.DType, to} {
		if !d.Known() || d == tensor.String || d.Size() == 0 {
			return nil, refuse(n, d)
		}
	}
	if bitWidth(t.DType) != bitWidth(to) {
		return nil, bad(n, t.DType.String()+" and "+to.String()+" have not the same width")
	}
	t.DType = to
	return []tensor.Type{t}, nil
}

func compileBitCast(n *graph.Node, site *Site) (Kernel, error) {
	to := castTarget(n)
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if err := Reset(ctx, out[0], to, in[0].Shape()...); err != nil {
			return err
		}
		dst := out[0].Bytes()
		copy(dst, in[0].Bytes())
		switch unused := 8 - bitWidth(to); to {
		case tensor.Int4, tensor.Int2: // a byte in memory, its sign in all upper bits
			for i, x := range dst {
				dst[i] = byte(int8(x<<unused) >> unused)
			}
		case tensor.Uint4, tensor.Uint2, tensor.Float4E2M1:
			for i, x := range dst {
				dst[i] = x << unused >> unused
			}
		case tensor.Bool:
			for i, x := range dst {
				dst[i] = min(x, 1)
			}
		}
		return nil
	}, nil
}
