//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// batchFew is the least number of places of a channel for which loops go along them. Below, they go along the channels, too: what is known of a
// channel is then repeated for each of its places.
const batchFew = 32

// batchFlush is how many images are added up in the element type before their sums go to float64.
const batchFlush = 64

// batchTrain is one call of a batch normalisation that trains: x (n, c, inner), and by channel (c) what is known of it. A goroutine takes whole
// channels, which rest in its cache from the sums to the result.
type batchTrain[T float] struct {
	ctx            context.Context
	y, x           []T // y is nil where nobody asks
	n, c, inner    int
	scale, bias    *tensor.Tensor
	mean, variance []float64
	epsilon        float64
	sums           []float64 // (c·inner) for few places, else nil; so are
	lines          []T       // (3, c·inner)
}

func batchTrainKernel[T float](data lane[T], node *graph.Node, site *Site) Kernel {
	var runs kept[batchTrain[T]]
	var reals scratch[float64]
	var lines scratch[T]
	epsilon, momentum, spatial, threads := normEpsilon(node), float64(node.Float("momentum", .9)), node.Int("spatial", 1) != 0, site.Threads
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		n, c, inner := batchNormSizes(in[0].Shape(), spatial)
		if err := batchNormFits(node.Op, in, c); err != nil {
			return err
		}
		stats := reals.take(2 * c)
		defer reals.put(stats)
		clear(*stats)
		r := runs.take()
		defer runs.put(r)
		*r = batchTrain[T]{ctx: ctx, x: data(in[0]), n: n, c: c, inner: inner, scale: in[1], bias: in[2], mean: (*stats)[:c], variance: (*stats)[c:], epsilon: epsilon}
		if out[0] != nil {
			if err := Reset(ctx, out[0], in[0].DType(), in[0].Shape()...); err != nil {
				return err
			}
			r.y = data(out[0])
		}
		if len(r.x) > 0 {
			if inner < batchFew {
				sums, held := reals.take(c*inner), lines.take(3*c*inner)
				defer reals.put(sums)
				defer lines.put(held)
				r.sums, r.lines = *sums, *held
			}
			r.run(threads)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return batchNormOutputs(ctx, in, out, r.mean, r.variance, momentum)
	}
}

// run does all channels.
func (r *batchTrain[T]) run(threads int) {
	if threads < 2 || len(r.x) < 2*normGrain {
		r.Do(0, r.c)
		return
	}
	spread(r.ctx, threads, r.c, max(1, normGrain/max(1, r.n*r.inner)), r)
}

// Do does the channels lo to hi.
func (r *batchTrain[T]) Do(lo, hi int) {
	if r.sums != nil {
		step := max(1, 1024/r.inner)
		for ; lo < hi && r.ctx.Err() == nil; lo += step {
			r.columns(lo, min(hi, lo+step))
		}
		return
	}
	count := float64(r.n * r.inner)
	for k := lo; k < hi && r.ctx.Err() == nil; k++ {
		var sum, squares float64
		for i := range r.n {
			sum += normSum(r.row(i, k))
		}
		mean := sum / count
		for i := range r.n {
			squares += normSquares(r.row(i, k), T(mean))
		}
		r.mean[k], r.variance[k] = mean, squares/count
		if r.y == nil {
			continue
		}
		a, b := r.line(k)
		for i := range r.n {
			normLine(r.y[(i*r.c+k)*r.inner:], r.row(i, k), a, b)
		}
	}
}

func (r *batchTrain[T]) row(i, k int) []T { return r.x[(i*r.c+k)*r.inner:][:r.inner] }

// line gives y = a·x + b of channel k.
func (r *batchTrain[T]) line(k int) (a, b T) {
	slope := normReal(r.scale, k) / math.Sqrt(r.variance[k]+r.epsilon)
	return T(slope), T(normReal(r.bias, k) - r.mean[k]*slope)
}

// columns does the channels lo to hi, each place of them by itself until the sums are there.
func (r *batchTrain[T]) columns(lo, hi int) {
	from, width, all := lo*r.inner, (hi-lo)*r.inner, r.c*r.inner
	sums, part, mean, tmp := r.sums[from:][:width], r.lines[from:][:width], r.lines[all+from:][:width], r.lines[2*all+from:][:width]
	count := float64(r.n * r.inner)
	for pass := range 2 {
		clear(sums)
		for i := 0; i < r.n; {
			clear(part)
			for end := min(r.n, i+batchFlush); i < end; i++ {
				x := r.x[i*all+from:][:width]
				if pass == 0 {
					addOnto(part, x)
				} else {
					addSquares(part, x, mean, tmp)
				}
			}
			for k, v := range part {
				sums[k] += float64(v)
			}
		}
		for k := lo; k < hi; k++ {
			var sum float64
			for _, v := range sums[(k-lo)*r.inner:][:r.inner] {
				sum += v
			}
			if pass == 0 {
				r.mean[k] = sum / count
				fill(mean[(k-lo)*r.inner:][:r.inner], T(r.mean[k]))
			} else {
				r.variance[k] = sum / count
			}
		}
	}
	if r.y == nil {
		return
	}
	for k := lo; k < hi; k++ {
		a, b := r.line(k)
		fill(mean[(k-lo)*r.inner:][:r.inner], a)
		fill(tmp[(k-lo)*r.inner:][:r.inner], b)
	}
	for i := range r.n {
		normLineEach(r.y[i*all+from:], r.x[i*all+from:][:width], mean, tmp)
	}
}

// addOnto adds x to sum.
func addOnto[T float](sum, x []T) {
	if s, ok := any(sum).([]float32); ok {
		kernel.Pair(kernel.Add, s, s, any(x).([]float32))
		return
	}
	for i, v := range x {
		sum[i] += v
	}
}

// addSquares adds (x - mean)² to sum; tmp is for what lies between.
func addSquares[T float](sum, x, mean, tmp []T) {
	if s, ok := any(sum).([]float32); ok {
		d := any(tmp).([]float32)
		kernel.Pair(kernel.Sub, d, any(x).([]float32), any(mean).([]float32))
		kernel.LineEach(s, d, d, s)
		return
	}
	for i, v := range x {
		sum[i] += (v - mean[i]) * (v - mean[i])
	}
}
