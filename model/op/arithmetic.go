package op

import (
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Add, Sub, Mul, Div: z = x ∘ y with broadcasting.
// https://onnx.ai/onnx/operators/onnx__Add.html (and Sub, Mul, Div)
// Division of integers truncates; by zero it gives 0, where onnxruntime's answer depends on the processor.
func init() {
	binary := func(name string, compile func(*graph.Node, *Site) (Kernel, error), grad func(*graph.Builder, *graph.Node, []graph.Value) ([]graph.Value, error), cases []Case) {
		register(&Spec{
			Name: name, Since: 7, Half: true, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: broadcastInfer(tensor.Undefined, numbers...),
			Compile: compile, Grad: differentiable(grad), Cases: cases,
		})
	}
	binary("Add", arithmetic("Add", pairOf(kernel.Add), add[float64], add[int32], add[int64]), gradAdd, tested(func() []Case {
		return []Case{
			{In: in(f64v(1, 2, 3), f64v(10, 20, 30)), Out: in(f64v(11, 22, 33))},
			{Name: "row and column", In: in(f64s([]int{2, 1}, 1, 2), f64s([]int{1, 3}, 10, 20, 30)), Out: in(f64s([]int{2, 3}, 11, 21, 31, 12, 22, 32))},
			{Name: "scalar", In: in(f64s(nil, 1), f64v(1, 2)), Out: in(f64v(2, 3))},
			{Name: "middle", In: in(f64s([]int{2, 1, 2}, 1, 2, 3, 4), f64s([]int{2, 1}, 10, 20)), Out: in(f64s([]int{2, 2, 2}, 11, 12, 21, 22, 13, 14, 23, 24))},
			{Name: "empty", In: in(f64s([]int{0, 2}), f64v(1, 2)), Out: in(f64s([]int{0, 2}))},
			{Name: "ints", In: in(tensor.Ints([]int64{1 << 40, 2}), tensor.Ints([]int64{1})), Out: in(tensor.Ints([]int64{1<<40 + 1, 3}))},
			{Name: "misfit", In: in(f64v(1, 2), f64v(1, 2, 3)), Err: "broadcast"},
		}
	}))
	binary("Sub", arithmetic("Sub", pairOf(kernel.Sub), sub[float64], sub[int32], sub[int64]), gradSub, tested(func() []Case {
		return []Case{
			{In: in(f64v(1, 2, 3), f64v(10, 20, 30)), Out: in(f64v(-9, -18, -27))},
			{Name: "scalar left", In: in(f64v(1), f64v(1, 2)), Out: in(f64v(0, -1))},
			{Name: "scalar right", In: in(f64v(1, 2), f64s(nil, 1)), Out: in(f64v(0, 1))},
		}
	}))
	binary("Mul", arithmetic("Mul", pairOf(kernel.Mul), mul[float64], mul[int32], mul[int64]), gradMul, tested(func() []Case {
		return []Case{
			{In: in(f64v(1, 2, 3), f64v(10, 20, 30)), Out: in(f64v(10, 40, 90))},
			{Name: "column", In: in(f64s([]int{2, 2}, 1, 2, 3, 4), f64s([]int{2, 1}, 10, 20)), Out: in(f64s([]int{2, 2}, 10, 20, 60, 80))},
		}
	}))
	binary("Div", arithmetic("Div", pairOf(kernel.Div), div[float64], divInt[int32], divInt[int64]), gradDiv, tested(func() []Case {
		return []Case{
			{In: in(f64v(1, 2, 3), f64v(10, 20, 30)), Out: in(f64v(.1, .1, .1))},
			{Name: "scalar left", In: in(f64v(1), f64v(1, 2)), Out: in(f64v(1, .5))},
			{Name: "integers truncate", In: in(tensor.Ints([]int64{-7, 7, 7}), tensor.Ints([]int64{2, -2, 0})), Out: in(tensor.Ints([]int64{-3, -3, 0}))},
		}
	}))
}

// arithmetic compiles a binary operator of numbers.
func arithmetic(op string, f32 pair[float32, float32], f64 pair[float64, float64], i32 pair[int32, int32], i64 pair[int64, int64]) func(*graph.Node, *Site) (Kernel, error) {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d {
		case tensor.Float32:
			k := pairKernel(op, site.Threads, tensor.Data[float32], tensor.Data[float32], d, f32)
			if op == "Mul" && mulPlanes != nil {
				k = mulPlanes(site, k)
			}
			return k, nil
		case tensor.Float64:
			return pairKernel(op, site.Threads, tensor.Data[float64], tensor.Data[float64], d, f64), nil
		case tensor.Int32:
			return pairKernel(op, site.Threads, tensor.Data[int32], tensor.Data[int32], d, i32), nil
		case tensor.Int64:
			return pairKernel(op, site.Threads, tensor.Data[int64], tensor.Data[int64], d, i64), nil
		default:
			return rare(n, site)
		}
	}
}

// mulPlanes makes a kernel that multiplies planes by a number each, and leaves all else to rest; scale.go sets it, which lean builds leave out.
var mulPlanes func(site *Site, rest Kernel) Kernel

// pairOf is a function of two float32.
func pairOf(p kernel.Pairing) pair[float32, float32] {
	return func(dst, a, b []float32) { kernel.Pair(p, dst, a, b) }
}

func add[T number](dst, a, b []T) {
	if len(a) == 1 {
		a, b = b, a
	}
	a = a[:len(dst)]
	if len(b) == 1 {
		y := b[0]
		for i, x := range a {
			dst[i] = x + y
		}
		return
	}
	b = b[:len(dst)]
	for i, x := range a {
		dst[i] = x + b[i]
	}
}

func sub[T number](dst, a, b []T) {
	switch {
	case len(b) == 1:
		y := b[0]
		if len(a) == 1 {
			fill(dst, a[0]-y)
			return
		}
		for i, x := range a[:len(dst)] {
			dst[i] = x - y
		}
	case len(a) == 1:
		x := a[0]
		for i, y := range b[:len(dst)] {
			dst[i] = x - y
		}
	default:
		b = b[:len(dst)]
		for i, x := range a[:len(dst)] {
			dst[i] = x - b[i]
		}
	}
}

func mul[T number](dst, a, b []T) {
	if len(a) == 1 {
		a, b = b, a
	}
	a = a[:len(dst)]
	if len(b) == 1 {
		y := b[0]
		for i, x := range a {
			dst[i] = x * y
		}
		return
	}
	b = b[:len(dst)]
	for i, x := range a {
		dst[i] = x * b[i]
	}
}

func div[T float](dst, a, b []T) {
	switch {
	case len(b) == 1:
		y := b[0]
		if len(a) == 1 {
			fill(dst, a[0]/y)
			return
		}
		for i, x := range a[:len(dst)] {
			dst[i] = x / y
		}
	case len(a) == 1:
		x := a[0]
		for i, y := range b[:len(dst)] {
			dst[i] = x / y
		}
	default:
		b = b[:len(dst)]
		for i, x := range a[:len(dst)] {
			dst[i] = x / b[i]
		}
	}
}

func divInt[T integer](dst, a, b []T) {
	zip(func(x, y T) T {
		if y == 0 {
			return 0
		}
		return x / y
	})(dst, a, b)
}

// dx = dz, dy = dz.
func gradAdd(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return []graph.Value{dy[0], dy[0]}, nil
}

// dx = dz, dy = -dz.
func gradSub(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return []graph.Value{dy[0], b.Op("Neg", dy[0])}, nil
}

// dx = dz·y, dy = dz·x.
func gradMul(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return []graph.Value{b.Op("Mul", dy[0], n.Inputs[1]), b.Op("Mul", dy[0], n.Inputs[0])}, nil
}

// dx = dz/y, dy = -dz·z/y.
func gradDiv(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := b.Op("Div", dy[0], n.Inputs[1])
	return []graph.Value{dx, b.Op("Neg", b.Op("Mul", dx, n.Outputs[0]))}, nil
}
