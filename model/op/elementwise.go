package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// number is what arithmetic works on.
type number interface {
	~float32 | ~float64 | ~int32 | ~int64
}

// float is what analysis works on.
type float interface{ ~float32 | ~float64 }

// lane reads the elements of a tensor as []T: tensor.Data[T], or (*tensor.Tensor).Str for strings.
type lane[T any] func(*tensor.Tensor) []T

// texts is the lane of strings.
func texts(t *tensor.Tensor) []string { return t.Str() }

// unaryKernel maps an input of any shape element by element.
func unaryKernel[T, R any](from lane[T], to lane[R], d tensor.DType, f func(dst []R, src []T)) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if err := Reset(ctx, out[0], d, in[0].Shape()...); err != nil {
			return err
		}
		f(to(out[0]), from(in[0]))
		return nil
	}
}

// floatUnary compiles a function of real numbers for float32 and float64.
func floatUnary(f32 func(dst, src []float32), f64 func(dst, src []float64)) func(*graph.Node, *Site) (Kernel, error) {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch site.Types[0].DType {
		case tensor.Float32:
			return unaryKernel(tensor.Data[float32], tensor.Data[float32], tensor.Float32, f32), nil
		case tensor.Float64:
			return unaryKernel(tensor.Data[float64], tensor.Data[float64], tensor.Float64, f64), nil
		}
		return nil, refuse(n, site.Types[0].DType)
	}
}

// mapped makes a loop of a function of one element, computed in float64.
func mapped[T float](f func(float64) float64) func(dst, src []T) {
	return func(dst, src []T) {
		dst = dst[:len(src)]
		for i, x := range src {
			dst[i] = T(f(float64(x)))
		}
	}
}

// realUnary declares y = f(x) for real x, computed in float64.
func realUnary(f func(float64) float64) func(*graph.Node, *Site) (Kernel, error) {
	return floatUnary(mapped[float32](f), mapped[float64](f))
}

// pair computes one run of a binary operator: dst (n) from a and b, each (n), or (1) where the step is 0.
type pair[T, R any] func(dst []R, a, b []T)

// binaryKernel applies f with broadcasting. f gets slices of equal length, or of length 1 for a repeated element.
func binaryKernel[T, R any](op string, from lane[T], to lane[R], d tensor.DType, f pair[T, R]) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		a, b := in[0], in[1]
		var buf [MaxRank]int
		shape, err := broadcastShape(op, buf[:0], a.Shape(), b.Shape())
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], d, shape...); err != nil {
			return err
		}
		broadcastPair(to(out[0]), shape, from(a), a.Shape(), from(b), b.Shape(), f)
		return nil
	}
}

// broadcastPair fills dst (shape) with f of a and b.
func broadcastPair[T, R any](dst []R, shape []int, a []T, as []int, b []T, bs []int, f pair[T, R]) {
	if len(dst) == 0 {
		return
	}
	if len(a) == len(dst) && len(b) == len(dst) || len(a) == 1 || len(b) == 1 {
		f(dst, a, b)
		return
	}
	var g grid
	g.set(shape, as, bs)
	if g.inner == 1 { // both repeat in the last dimension only when it was merged away
		g.each(func(at int, o [3]int) { f(dst[at:at+1], a[o[0]:o[0]+1], b[o[1]:o[1]+1]) })
		return
	}
	na, nb := runLength(g.unit[0], g.inner), runLength(g.unit[1], g.inner)
	g.each(func(at int, o [3]int) { f(dst[at:at+g.inner], a[o[0]:o[0]+na], b[o[1]:o[1]+nb]) })
}

func runLength(unit, n int) int {
	if unit == 0 {
		return 1
	}
	return n
}

// zip makes a run of a function of two elements.
func zip[T, R any](f func(x, y T) R) pair[T, R] {
	return func(dst []R, a, b []T) {
		switch {
		case len(b) == 1:
			y := b[0]
			if len(a) == 1 {
				fill(dst, f(a[0], y))
				return
			}
			for i, x := range a[:len(dst)] {
				dst[i] = f(x, y)
			}
		case len(a) == 1:
			x := a[0]
			for i, y := range b[:len(dst)] {
				dst[i] = f(x, y)
			}
		default:
			b = b[:len(dst)]
			for i, x := range a[:len(dst)] {
				dst[i] = f(x, b[i])
			}
		}
	}
}

func fill[T any](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

// broadcastInfer is the Infer of binary operators: d is the result's element type, Undefined for the inputs'.
func broadcastInfer(d tensor.DType, ok ...tensor.DType) func(*graph.Node, *Site) ([]tensor.Type, error) {
	return func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		if err := oneOf(n, site.Types[0], ok...); err != nil {
			return nil, err
		}
		if err := sameDType(n, site, 0); err != nil {
			return nil, err
		}
		out := d
		if d == tensor.Undefined {
			out = site.Types[0].DType
		}
		t, err := broadcastTypes(n, out, site.Types...)
		return []tensor.Type{t}, err
	}
}
