//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// SoftmaxGrad(dy, y; axis, flatten): y·(dy - Σ dy·y) along axis, or with flatten=1 along all dimensions from it on, as before opset 13.
// LogSoftmaxGrad(dy, y; axis, flatten): dy - e^y·Σ dy.
func init() {
	for name, c := range map[string]Case{
		"SoftmaxGrad":    {In: in(f64s([]int{2, 2}, 1, 3, 0, 4), f64s([]int{2, 2}, .5, .5, .25, .75)), Out: in(f64s([]int{2, 2}, -.5, .5, -.75, .75))},
		"LogSoftmaxGrad": {In: in(f64s([]int{1, 2}, 1, 3), f64s([]int{1, 2}, math.Log(.25), math.Log(.75))), Out: in(f64s([]int{1, 2}, 0, 0))},
	} {
		register(&Spec{
			Domain: Private, Name: name, Since: 1, Half: true, Attrs: []string{"axis", "flatten"}, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferAs(1),
			Compile: func(n *graph.Node, site *Site) (Kernel, error) {
				return byFloat(n, site, softmaxGrad(n, site, tensor.Data[float32]), softmaxGrad(n, site, tensor.Data[float64]))
			},
			Cases: []Case{c},
		})
	}
}

// softmaxBack is one call: dx, dy and y (outer, length, inner).
type softmaxBack[T float] struct {
	dx, dy, y     []T
	length, inner int
	log           bool
}

func softmaxGrad[T float](n *graph.Node, site *Site, data lane[T]) Kernel {
	wanted, flatten, log, threads := n.Int("axis", -1), n.Int("flatten", 0) != 0, n.Op == "LogSoftmaxGrad", site.Threads
	var runs kept[softmaxBack[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[1].Shape()
		if in[0].Len() != in[1].Len() {
			return misfit(n.Op, "shapes do not fit")
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		outer, length, inner, err := softmaxSizes(n.Op, shape, wanted, flatten)
		if err != nil || in[0].Len() == 0 {
			return err
		}
		r := runs.take()
		defer runs.put(r)
		*r = softmaxBack[T]{data(out[0]), data(in[0]), data(in[1]), length, inner, log}
		return sweep(ctx, threads, outer, max(1, dearGrain/(length*inner)), r)
	}
}

// Do does some of the outer places.
func (r *softmaxBack[T]) Do(lo, hi int) {
	size := r.length * r.inner
	for at := lo * size; at < hi*size; at += size {
		if r.inner == 1 {
			r.row(r.dx[at:at+size], r.dy[at:at+size], r.y[at:at+size])
			continue
		}
		for from := 0; from < r.inner; from += softmaxBlock {
			r.block(at+from, min(softmaxBlock, r.inner-from))
		}
	}
}

func (r *softmaxBack[T]) row(dx, dy, y []T) {
	if r.log {
		sum := normSum(dy)
		exps(dx, y)
		backBlend(dx, dx, dy, T(-sum), 1, 0)
		return
	}
	if v, ok := any(y).([]float32); ok {
		d := any(dy).([]float32)
		kernel.Normalize(any(dx).([]float32), d, v, nil, float32(kernel.Dot(d, v)), 1, 0)
		return
	}
	var sum T
	for i, v := range y {
		sum += dy[i] * v
	}
	for i, v := range y {
		dx[i] = v * (dy[i] - sum)
	}
}

// block does width places from at on.
func (r *softmaxBack[T]) block(at, width int) {
	var buf, zero [softmaxBlock]T
	sum, none := buf[:width], zero[:width]
	for k := range r.length {
		i := at + k*r.inner
		dy := r.dy[i:][:width]
		if r.log {
			addOnto(sum, dy)
		} else {
			normLineEach(sum, dy, r.y[i:][:width], sum)
		}
	}
	for k := range width {
		sum[k] = -sum[k]
	}
	for k := range r.length {
		i := at + k*r.inner
		dx, dy, y := r.dx[i:][:width], r.dy[i:][:width], r.y[i:][:width]
		if r.log {
			exps(dx, y)
			normLineEach(dx, dx, sum, dy)
			continue
		}
		normLineEach(dx, y, sum, none)
		normLineEach(dx, dy, y, dx)
	}
}

// exps writes e^x.
func exps[T float](dst, x []T) {
	if v, ok := any(x).([]float32); ok {
		kernel.Exp(any(dst).([]float32), v)
		return
	}
	for i, v := range x {
		dst[i] = T(math.Exp(float64(v)))
	}
}
