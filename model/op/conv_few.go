//go:build !lean

package op

import (
	"context"
	"math"
	"sync"

	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

const (
	fewPixels = 15 // of output, up to which convFew is the faster way
	fewRows   = 48 // rows of columns that a task holds, where images do not have more
)

// convFew is run for float32 convolutions by constant weights whose output has few pixels: there is little to do with each weight, so they are laid
// out once, output channels side by side, and y' (pixels, m) = columns' (pixels, k)·w' (k, m) reads them as they lie. Each sum takes up its terms in
// the order in which convFast does.
type convFew struct {
	*conv[float32]
	e      kernel.Epilogue // without biases
	w      *tensor.Tensor  // (m, k…)
	once   sync.Once       // lays out packed, when a run needs it first
	packed kernel.PackedF32
	crew   crew[fewRun]
	places scratch[int32]
}

// newFew gives the convolution that way, where it has one. w are its weights where they are constant, else nil.
func newFew[T kernel.Number](c *conv[T], w *tensor.Tensor) *convFew {
	f32, ok := any(c).(*conv[float32])
	if !ok || c.group != 1 || w == nil || w.Rank() < 3 || w.Len() == 0 || w.DType() != tensor.Float32 {
		return nil
	}
	if m := w.Shape()[0]; m < 16 || w.Len()/m < 16 {
		return nil
	}
	f := &convFew{conv: f32, w: w}
	f.e.Act, f.e.Lo, f.e.Hi, f.e.Func = epilogueOf(f32.act)
	return f
}

// fewRun is a run of convFew.
type fewRun struct {
	f         *convFew
	ctx       context.Context
	v         *view
	a         convArgs[float32]
	places    []int32 // (pixels, taps): where in a plane of x, or -1 in padding; nil where rows of columns' lie in x
	pixels, k int
	m, cg     int
	step      int // elements from row to row of columns' in x
	together  int // images in a task
	batch     int
	inner     int // goroutines for one product
}

// run reports whether the convolution is one of few pixels, and then has done it.
func (f *convFew) run(ctx context.Context, v *view, s convSize, a convArgs[float32]) bool {
	pixels, taps := volume(v.out), volume(v.kernel)
	if pixels > fewPixels || volume(v.in) > math.MaxInt32 {
		return false
	}
	k := s.cg * taps
	f.once.Do(func() { f.packed = kernel.PackF32(f.w.F32(), k, s.m, k, true, nil) })
	r := fewRun{f: f, ctx: ctx, v: v, a: a, pixels: pixels, k: k, m: s.m, cg: s.cg, batch: s.batch, inner: 1}
	r.step = v.rows(s.cg)
	r.together = max(1, fewRows/pixels)
	if r.step > 0 && pixels == 1 {
		r.together = s.batch // rows are images
	}
	tasks := (s.batch + r.together - 1) / r.together
	if tasks == 1 {
		r.inner = f.threads
	}
	if r.step == 0 {
		places := f.places.take(pixels * taps)
		defer f.places.put(places)
		r.places = *places
		v.places(r.places)
	}
	f.crew.run(ctx, f.threads, tasks, max(1, (1<<18)/max(1, r.together*pixels*s.m*k)), r, (*fewRun).tasks)
	return true
}

// rows is the distance of the rows of columns' where they lie in an image of x, else 0: they do where a window sees all of each channel, or slides
// over the line of one channel.
func (v *view) rows(channels int) int {
	if v.before != [spatial]int{} || volume(v.dilation) != 1 {
		return 0
	}
	if v.in == v.kernel && volume(v.out) == 1 {
		return channels * volume(v.in)
	}
	const last = spatial - 1
	if channels == 1 && volume(v.in) == v.in[last] && (v.out[last]-1)*v.stride[last]+v.kernel[last] <= v.in[last] && volume(v.out) == v.out[last] {
		return v.stride[last]
	}
	return 0
}

// places writes where in a plane of x each pixel finds what it sees through each tap, -1 in padding.
func (v *view) places(to []int32) {
	i := 0
	for p := range volume(v.out) {
		at := [spatial]int{p / (v.out[1] * v.out[2]), p / v.out[2] % v.out[1], p % v.out[2]}
		for t := range volume(v.kernel) {
			tap := [spatial]int{t / (v.kernel[1] * v.kernel[2]), t / v.kernel[2] % v.kernel[1], t % v.kernel[2]}
			place := 0
			for d := range spatial {
				x := at[d]*v.stride[d] + tap[d]*v.dilation[d] - v.before[d]
				if x < 0 || x >= v.in[d] {
					place = -1
					break
				}
				place = place*v.in[d] + x
			}
			to[i] = int32(place)
			i++
		}
	}
}

// tasks computes the tasks [lo, hi).
func (r *fewRun) tasks(lo, hi int) {
	f, in := r.f, r.cg*volume(r.v.in)
	var columns, turned *[]float32
	if r.step == 0 {
		columns = f.columns.take(r.together * r.pixels * r.k)
		defer f.columns.put(columns)
	}
	if r.pixels > 1 {
		turned = f.lines.take(r.together * r.pixels * r.m)
		defer f.lines.put(turned)
	}
	e := f.e
	e.Add, e.ColBias, e.Done = r.a.residual != nil, r.a.bias, r.ctx.Done()
	for ; lo < hi && r.ctx.Err() == nil; lo++ {
		first := lo * r.together
		images := min(r.together, r.batch-first)
		x, y := r.a.x[first*in:][:images*in], r.a.y[first*r.pixels*r.m:][:images*r.pixels*r.m]
		to := y
		if r.pixels > 1 {
			to = *turned
		}
		if r.a.residual != nil {
			from := r.a.residual[first*r.pixels*r.m:]
			for i := range images {
				kernel.Transpose(to[i*r.pixels*r.m:], from[i*r.pixels*r.m:], r.m, r.pixels, r.pixels)
			}
		}
		switch {
		case r.step == 0:
			for i := range images {
				r.unfold((*columns)[i*r.pixels*r.k:][:r.pixels*r.k], x[i*in:])
			}
			kernel.GemmF32(r.inner, images*r.pixels, *columns, r.k, false, &f.packed, to, r.m, &e)
		case r.pixels == 1:
			kernel.GemmF32(r.inner, images, x, in, false, &f.packed, to, r.m, &e)
		default:
			for i := range images {
				kernel.GemmF32(r.inner, r.pixels, x[i*in:], r.step, false, &f.packed, to[i*r.pixels*r.m:], r.m, &e)
			}
		}
		if r.pixels > 1 {
			for i := range images {
				kernel.Transpose(y[i*r.pixels*r.m:], to[i*r.pixels*r.m:], r.pixels, r.m, r.m)
			}
		}
	}
}

// unfold writes columns' (pixels, channels·taps) of an image.
func (r *fewRun) unfold(to, x []float32) {
	plane, taps := volume(r.v.in), volume(r.v.kernel)
	for p := range r.pixels {
		row := to[p*r.k:][:r.k]
		for t, place := range r.places[p*taps:][:taps] {
			if place < 0 {
				for i := t; i < len(row); i += taps {
					row[i] = 0
				}
				continue
			}
			from := int(place)
			for i := t; i < len(row); i += taps {
				row[i] = x[from]
				from += plane
			}
		}
	}
}
