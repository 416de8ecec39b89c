package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// number is what arithmetic works on.
type number interface {
	~float32 | ~float64 | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// numbers are the element types of number. float32, float64, int32 and int64 have their kernels beside the operator; those of the
// others stand in wider, which lean builds leave empty.
var numbers = []tensor.DType{
	tensor.Float32, tensor.Float64, tensor.Int32, tensor.Int64,
	tensor.Int8, tensor.Int16, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64,
}

// wider compiles operators for the types that few models compute with, by operator; wide*.go fill it.
var wider = map[string]compileFunc{}

// rare compiles n for a type without a kernel beside its operator.
func rare(n *graph.Node, site *Site) (Kernel, error) {
	if c := wider[n.Op]; c != nil {
		return c(n, site)
	}
	return nil, refuse(n, site.Types[0].DType)
}

// integer is a number that is whole.
type integer interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// float is what analysis works on.
type float interface{ ~float32 | ~float64 }

// lane reads the elements of a tensor as []T: tensor.Data[T], or (*tensor.Tensor).Str for strings.
type lane[T any] func(*tensor.Tensor) []T

// texts is the lane of strings.
func texts(t *tensor.Tensor) []string { return t.Str() }

// Elements that one piece of work holds: enough to be worth a goroutine, few enough that a run can be cancelled soon.
const (
	cheapGrain = 1 << 16 // a few instructions an element
	dearGrain  = 1 << 12 // a function such as exp
)

// sweep does work over [0, n) in pieces of at most grain, on up to threads goroutines; between pieces it stops when ctx ends.
func sweep(ctx context.Context, threads, n, grain int, w kernel.Work) error {
	s := sweeps.take()
	*s = steps{ctx, grain, w}
	spread(ctx, threads, n, grain, s)
	sweeps.put(s)
	return ctx.Err()
}

// steps does work in pieces of at most grain, so that it can be given up soon.
type steps struct {
	ctx   context.Context
	grain int
	work  kernel.Work
}

var sweeps kept[steps]

func (s *steps) Do(lo, hi int) {
	for ; lo < hi && s.ctx.Err() == nil; lo += s.grain {
		s.work.Do(lo, min(lo+s.grain, hi))
	}
}

// unaryKernel maps an input of any shape element by element.
func unaryKernel[T, R any](from lane[T], to lane[R], d tensor.DType, f func(dst []R, src []T)) Kernel {
	return mapKernel(1, cheapGrain, from, to, d, f)
}

// mapKernel is unaryKernel in pieces of grain elements on several goroutines.
func mapKernel[T, R any](threads, grain int, from lane[T], to lane[R], d tensor.DType, f func(dst []R, src []T)) Kernel {
	var runs kept[mapRun[T, R]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if err := Reset(ctx, out[0], d, in[0].Shape()...); err != nil {
			return err
		}
		dst, src := to(out[0]), from(in[0])
		if len(src) <= grain {
			f(dst, src)
			return nil
		}
		r := runs.take()
		*r = mapRun[T, R]{dst, src, f}
		err := sweep(ctx, threads, len(src), grain, r)
		runs.put(r)
		return err
	}
}

type mapRun[T, R any] struct {
	dst []R
	src []T
	f   func(dst []R, src []T)
}

func (r *mapRun[T, R]) Do(lo, hi int) { r.f(r.dst[lo:hi], r.src[lo:hi]) }

// floatUnary compiles a function of real numbers for float32 and float64.
func floatUnary(f32 func(dst, src []float32), f64 func(dst, src []float64)) func(*graph.Node, *Site) (Kernel, error) {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch site.Types[0].DType {
		case tensor.Float32:
			return mapKernel(site.Threads, dearGrain, tensor.Data[float32], tensor.Data[float32], tensor.Float32, f32), nil
		case tensor.Float64:
			return mapKernel(site.Threads, dearGrain, tensor.Data[float64], tensor.Data[float64], tensor.Float64, f64), nil
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
	return pairKernel(op, 1, from, to, d, f)
}

// pairKernel is binaryKernel on several goroutines.
func pairKernel[T, R any](op string, threads int, from lane[T], to lane[R], d tensor.DType, f pair[T, R]) Kernel {
	var runs kept[pairRun[T, R]]
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
		return broadcastSweep(ctx, threads, &runs, to(out[0]), shape, from(a), a.Shape(), from(b), b.Shape(), f)
	}
}

// broadcastPair fills dst (shape) with f of a and b.
func broadcastPair[T, R any](dst []R, shape []int, a []T, as []int, b []T, bs []int, f pair[T, R]) {
	if len(dst) == 0 {
		return
	}
	if alike(len(dst), len(a), len(b)) {
		f(dst, a, b)
		return
	}
	var g grid
	g.set(shape, as, bs)
	gridPairs(&g, dst, a, b, f)
}

// alike tells whether an operand is one element, or both have all n: no grid is needed then.
func alike(n, a, b int) bool { return a == n && b == n || a == 1 || b == 1 }

// broadcastSweep is broadcastPair that goes over much data in pieces, on several goroutines.
func broadcastSweep[T, R any](ctx context.Context, threads int, runs *kept[pairRun[T, R]], dst []R, shape []int, a []T, as []int, b []T, bs []int, f pair[T, R]) error {
	if len(dst) <= cheapGrain {
		broadcastPair(dst, shape, a, as, b, bs, f)
		return nil
	}
	r := runs.take()
	defer runs.put(r)
	*r = pairRun[T, R]{dst: dst, a: a, b: b, f: f}
	if alike(len(dst), len(a), len(b)) {
		return sweep(ctx, threads, len(dst), cheapGrain, r)
	}
	r.grid.set(shape, as, bs)
	rows := r.grid.dims[r.grid.rank-1]
	r.width = len(dst) / rows
	return sweep(ctx, threads, rows, max(cheapGrain/r.width, 1), r)
}

// pairRun is one call of broadcastSweep: over elements, or with a width over parts of the outermost dimension of the grid.
type pairRun[T, R any] struct {
	dst   []R
	a, b  []T
	f     pair[T, R]
	grid  grid
	width int
}

func (r *pairRun[T, R]) Do(lo, hi int) {
	if r.width == 0 {
		r.f(r.dst[lo:hi], part(r.a, lo, hi), part(r.b, lo, hi))
		return
	}
	g, o := r.grid.part(lo, hi)
	gridPairs(&g, r.dst[lo*r.width:hi*r.width], r.a[o[0]:], r.b[o[1]:], r.f)
}

// gridPairs fills dst with f of a and b along g.
func gridPairs[T, R any](g *grid, dst []R, a, b []T, f pair[T, R]) {
	na, nb := runLength(g.unit[0], g.inner), runLength(g.unit[1], g.inner)
	g.each(func(at int, o [3]int) { f(dst[at:at+g.inner], a[o[0]:o[0]+na], b[o[1]:o[1]+nb]) })
}

// part is s from i to j, or the one element that repeats.
func part[T any](s []T, i, j int) []T {
	if len(s) == 1 {
		return s
	}
	return s[i:j]
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
