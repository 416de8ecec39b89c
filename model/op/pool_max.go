//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

func compileMaxPool(n *graph.Node, site *Site) (Kernel, error) {
	w, err := windowOf(n)
	if err != nil {
		return nil, err
	}
	switch d := site.Types[0].DType; d {
	case tensor.Float32:
		return maxPoolKernel(tensor.Data[float32], n, site, w, float32(math.Inf(-1))), nil
	case tensor.Float64:
		return maxPoolKernel(tensor.Data[float64], n, site, w, math.Inf(-1)), nil
	case tensor.Int8:
		return maxPoolKernel(tensor.Data[int8], n, site, w, math.MinInt8), nil
	case tensor.Uint8:
		return maxPoolKernel(tensor.Data[uint8], n, site, w, 0), nil
	default:
		return nil, refuse(n, d)
	}
}

func maxPoolKernel[T poolable](data lane[T], n *graph.Node, site *Site, w window, least T) Kernel {
	p := &pooling[T]{window: w, threads: site.Threads, none: least, join: poolMax[T], fold: poolFoldMax(least)}
	switch p := any(p).(type) {
	case *pooling[float32]:
		p.fast = func(plan *windowPlan, x, y, memory []float32) { plan.window.Peaks(y, x, memory) }
	case *pooling[uint8]:
		p.fast = bytePeaks[uint8](0, 255)
	case *pooling[int8]:
		p.fast = bytePeaks[int8](-128, 127)
	}
	peaks := p.kernel(data)
	if len(n.Outputs) < 2 {
		return peaks
	}
	places := maxPoolPlaces(data, w, n.Int("storage_order", 0) != 0, site.Threads, least)
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if out[1] == nil { // nobody asks for them
			return peaks(ctx, in, out)
		}
		return places(ctx, in, out)
	}
}

func poolMax[T poolable](acc, x []T) {
	x = x[:len(acc)]
	for i, v := range x {
		if v > acc[i] || acc[i] != acc[i] { // NaN does not count, as in onnxruntime
			acc[i] = v
		}
	}
}

func poolFoldMax[T poolable](least T) func([]T, int) T {
	return func(row []T, step int) T {
		best := least
		for i := 0; i < len(row); i += step {
			if row[i] > best {
				best = row[i]
			}
		}
		return best
	}
}

// maxPoolPlaces is MaxPool with both outputs: the place is counted over all of x, within a plane by rows or (columns set) by columns.
func maxPoolPlaces[T poolable](data lane[T], w window, columns bool, threads int, least T) Kernel {
	var runs kept[placesRun[T]]
	var own scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		held, r := own.take(1), runs.take()
		defer own.put(held)
		defer runs.put(r)
		y := out[0]
		if y == nil {
			y = &(*held)[0]
		}
		if err := poolShape(ctx, &r.v, &w, in[0], y); err != nil {
			return err
		}
		if err := Reset(ctx, out[1], tensor.Int64, y.Shape()...); err != nil {
			return err
		}
		r.ctx, r.x, r.y, r.places, r.least = ctx, data(in[0]), data(y), out[1].I64(), least
		r.weight = [spatial]int{r.v.in[1] * r.v.in[2], r.v.in[2], 1}
		if columns {
			r.weight = [spatial]int{1, r.v.in[0], r.v.in[0] * r.v.in[1]}
		}
		if len(r.y) == 0 {
			return nil
		}
		size := volume(r.v.out)
		spread(ctx, threads, len(r.y)/size, max(1, (1<<14)/(size*volume(r.v.kernel))), r)
		return ctx.Err()
	}
}

// placesRun is a run of maxPoolPlaces.
type placesRun[T poolable] struct {
	ctx    context.Context
	v      view
	weight [spatial]int // of a place, along each dimension
	x, y   []T
	places []int64
	least  T
}

// Do pools some planes.
func (r *placesRun[T]) Do(lo, hi int) {
	plane, size := volume(r.v.in), volume(r.v.out)
	for c := lo; c < hi && r.ctx.Err() == nil; c++ {
		maxPlane(&r.v, r.weight, r.x[c*plane:][:plane], r.y[c*size:][:size], r.places[c*size:][:size], c*plane, r.least)
	}
}

// maxPlane finds greatest elements and their places in one plane, whose first element is counted as base.
func maxPlane[T poolable](v *view, weight [spatial]int, x, y []T, places []int64, base int, least T) {
	at := 0
	for a := range v.out[0] {
		a0, a1, from0 := v.taps(0, a)
		for b := range v.out[1] {
			b0, b1, from1 := v.taps(1, b)
			for c := range v.out[2] {
				c0, c1, from2 := v.taps(2, c)
				best, place := least, 0
				for i := a0; i < a1; i++ {
					for j := b0; j < b1; j++ {
						p, q := from0+i*v.dilation[0], from1+j*v.dilation[1]
						row := x[(p*v.in[1]+q)*v.in[2]:][:v.in[2]]
						for k := c0; k < c1; k++ {
							r := from2 + k*v.dilation[2]
							if row[r] > best {
								best, place = row[r], p*weight[0]+q*weight[1]+r*weight[2]
							}
						}
					}
				}
				y[at], places[at] = best, int64(base+place)
				at++
			}
		}
	}
}
