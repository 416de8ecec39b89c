//go:build !lean

package op

import (
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Pow: z = x^y with broadcasting; z has the type of x. https://onnx.ai/onnx/operators/onnx__Pow.html
// Mod: z = x - y·floor(x/y) for integers (the sign of y), fmod=1: x - y·trunc(x/y) (the sign of x).
// https://onnx.ai/onnx/operators/onnx__Mod.html
func init() {
	register(&Spec{Name: "Pow", Since: 7, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferPow, Compile: compilePow, Grad: differentiable(gradPow), Cases: tested(func() []Case {
		return []Case{
			{In: in(f64v(1, 2, 3), f64v(4, -1, .5)), Out: in(f64v(1, .5, math.Sqrt(3)))},
			{Name: "square", In: in(f64v(1, 2, 3), f64s(nil, 2)), Out: in(f64v(1, 4, 9))},
			{Name: "integers", In: in(i64v(2, -3, 3037000500), i64v(62, 3, 1)), Out: in(i64v(1<<62, -27, 3037000500))},
			{Name: "mixed", In: in(f32v(2, 3), i64v(3, 2)), Out: in(f32v(8, 9))},
			{Name: "mixed integers", In: in(i64v(3037000500, -1, 0), i32v(1, -3, 0)), Out: in(i64v(3037000500, -1, 1))},
			{Name: "integer to a fraction", In: in(i32v(9, 2), f32v(.5, .5)), Out: in(i32v(3, 1))},
		}
	})})
	register(&Spec{Name: "Mod", Since: 10, Half: true, Attrs: []string{"fmod"}, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: broadcastInfer(tensor.Undefined, numbers...), Compile: compileMod, Grad: differentiable(gradMod), Cases: tested(func() []Case {
		return []Case{
			{In: in(i64v(-4, 7, 5, 4, -7, 8), i64v(2, -3, 8, -2, 3, 5)), Out: in(i64v(0, -2, 5, 0, 2, 3))},
			{Name: "fmod", Attrs: []graph.Attr{graph.IntAttr("fmod", 1)}, In: in(f64v(-4.5, 7.5), f64v(2, -3)), Out: in(f64v(-.5, 1.5))},
			{Name: "floats without fmod", In: in(f64v(1), f64v(2)), Err: "fmod"},
			{Name: "by zero", In: in(i64v(1), i64v(0)), Out: in(i64v(0))},
		}
	})})
}

func inferPow(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := oneOf(n, site.Types[0], append(halfTypes[:2:2], signed...)...); err != nil {
		return nil, err
	}
	if err := oneOf(n, site.Types[1], append(halfTypes[:2:2], numbers...)...); err != nil {
		return nil, err
	}
	t, err := broadcastTypes(n, site.Types[0].DType, site.Types...)
	return []tensor.Type{t}, err
}

// compilePow computes in the type of x.
func compilePow(n *graph.Node, site *Site) (Kernel, error) {
	x, y := site.Types[0].DType, site.Types[1].DType
	pow := arithmetic("Pow", powRun[float32], powRun[float64], powInt[int32], powInt[int64])
	if x == y && !isHalf(x) {
		return pow(n, site)
	}
	if t := site.constant(1); t != nil && slices.Contains(floats, x) { // most often the constant 2
		same := tensor.New(x, t.Shape()...)
		if err := castInto(same, t); err != nil {
			return nil, err
		}
		kernel, err := pow(n, &Site{Opset: site.Opset, Types: []tensor.Type{site.Types[0], same.Type()}, Threads: site.Threads})
		var operands lists
		return func(ctx context.Context, in, out []*tensor.Tensor) error {
			both := operands.take(in[0], same)
			defer operands.put(both)
			return kernel(ctx, *both, out)
		}, err
	}
	if isHalf(x) {
		return mixedPow(x, tensor.Float32, binaryKernel("Pow", tensor.Data[float32], tensor.Data[float32], tensor.Float32, powRun[float32])), nil
	}
	// Other mixed types go through float64, which holds every int32 and float32 exactly, or int64 where both are integers.
	if slices.Contains(floats, x) || slices.Contains(floats, y) || isHalf(y) {
		return mixedPow(x, tensor.Float64, binaryKernel("Pow", tensor.Data[float64], tensor.Data[float64], tensor.Float64, powRun[float64])), nil
	}
	return mixedPow(x, tensor.Int64, binaryKernel("Pow", tensor.Data[int64], tensor.Data[int64], tensor.Int64, powInt[int64])), nil
}

func powRun[T float](dst, a, b []T) {
	if len(b) == 1 && b[0] == 2 {
		mul(dst, a, a)
		return
	}
	zip(func(x, y T) T { return T(math.Pow(float64(x), float64(y))) })(dst, a, b)
}

func powInt[T integer](dst, a, b []T) { zip(intPower[T])(dst, a, b) }

// intPower squares and multiplies; a negative exponent gives the truncated fraction.
func intPower[T integer](x, y T) T {
	if y < 0 {
		switch {
		case x == 1:
			return 1
		case x+1 == 0:
			return 1 - 2*(y&1)
		}
		return 0
	}
	r := T(1)
	for ; y > 0; y >>= 1 {
		if y&1 == 1 {
			r *= x
		}
		x *= x
	}
	return r
}

// dx = dz·y·x^(y-1), dy = dz·z·ln x, the latter 0 where x <= 0 (there x^y is no smooth function of y).
func gradPow(b *graph.Builder, n *graph.Node, dz []graph.Value) ([]graph.Value, error) {
	x, y, z := n.Inputs[0], b.Op("CastLike", n.Inputs[1], n.Inputs[0]), n.Outputs[0]
	zero := scalarLike(b, 0, x)
	dx := b.Op("Mul", dz[0], b.Op("Mul", y, b.Op("Pow", x, b.Op("Sub", y, scalarLike(b, 1, x)))))
	positive := b.Op("Greater", x, zero)
	log := b.Op("Where", positive, b.Op("Log", b.Op("Where", positive, x, scalarLike(b, 1, x))), zero)
	return []graph.Value{dx, b.Op("Mul", dz[0], b.Op("Mul", z, log))}, nil
}

// dx = dz, dy = -dz·trunc(x/y).
func gradMod(b *graph.Builder, n *graph.Node, dz []graph.Value) ([]graph.Value, error) {
	x, y := n.Inputs[0], n.Inputs[1]
	whole := b.Op("Div", b.Op("Sub", x, n.Outputs[0]), y) // x = y·whole + z
	return []graph.Value{dz[0], b.Op("Neg", b.Op("Mul", dz[0], b.Op("Round", whole)))}, nil
}

func compileMod(n *graph.Node, site *Site) (Kernel, error) {
	if err := kind(n, "fmod", graph.AttrInt); err != nil {
		return nil, err
	}
	d := site.Types[0].DType
	if n.Int("fmod", 0) == 1 {
		return arithmetic("Mod", fmod[float32], fmod[float64], remInt[int32], remInt[int64])(n, site)
	}
	if d == tensor.Float32 || d == tensor.Float64 {
		return nil, bad(n, "floats need fmod=1")
	}
	return arithmetic("Mod", nil, nil, modInt[int32], modInt[int64])(n, site)
}

func fmod[T float](dst, a, b []T) {
	zip(func(x, y T) T { return T(math.Mod(float64(x), float64(y))) })(dst, a, b)
}

func remInt[T integer](dst, a, b []T) {
	zip(func(x, y T) T {
		if y == 0 {
			return 0
		}
		return x % y
	})(dst, a, b)
}

func modInt[T integer](dst, a, b []T) {
	zip(func(x, y T) T {
		if y == 0 {
			return 0
		}
		r := x % y
		if r != 0 && r < 0 != (y < 0) {
			r += y
		}
		return r
	})(dst, a, b)
}

// mixedPow computes x^y in the type d and gives the result the type of x.
func mixedPow(x, d tensor.DType, pow Kernel) Kernel {
	var slots scratch[tensor.Tensor]
	var tensors lists
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		held := slots.take(3)
		defer slots.put(held)
		wide := *held
		for i, t := range in {
			if err := Reset(ctx, &wide[i], d, t.Shape()...); err != nil {
				return err
			}
			if err := castInto(&wide[i], t); err != nil {
				return err
			}
		}
		three := tensors.take(&wide[0], &wide[1], &wide[2])
		defer tensors.put(three)
		if err := pow(ctx, (*three)[:2], (*three)[2:]); err != nil {
			return err
		}
		if err := Reset(ctx, out[0], x, wide[2].Shape()...); err != nil {
			return err
		}
		return castInto(out[0], &wide[2])
	}
}
