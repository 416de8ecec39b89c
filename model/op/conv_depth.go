//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

// depthwise computes convolutions whose output channels see one input channel each: row by row, without a matrix.
func (c *conv[T]) depthwise(ctx context.Context, v *view, s convSize, a convArgs[T]) error {
	if f32, ok := any(c).(*conv[float32]); ok {
		if w := c.plans.of(v).window; w != nil {
			return depthwiseFast(ctx, f32, v, w, s, any(a).(convArgs[float32]))
		}
	}
	r := c.channels.take()
	*r = depthPlanes[T]{c: c, ctx: ctx, v: v, s: s, a: a}
	spread(ctx, c.threads, s.batch*s.m, max(1, (1<<15)/(volume(v.out)*volume(v.kernel))), r)
	c.channels.put(r)
	return ctx.Err()
}

// depthPlanes is a run of depthwise.
type depthPlanes[T kernel.Number] struct {
	c   *conv[T]
	ctx context.Context
	v   *view
	s   convSize
	a   convArgs[T]
}

// Do computes [lo, hi) of the output channels of all images.
func (r *depthPlanes[T]) Do(lo, hi int) {
	c, v, a, all := r.c, r.v, &r.a, r.s.m
	pixels, plane, taps, mg := volume(v.out), volume(v.in), volume(v.kernel), all/c.group
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		m := i % all
		source := i/all*c.group + m/mg
		x, w, y := a.x[source*plane:][:plane], a.w[m*taps:][:taps], a.y[i*pixels:][:pixels]
		var bias T
		if a.bias != nil {
			bias = a.bias[m]
		}
		fill(y, bias)
		for d := range v.out[0] {
			for h := range v.out[1] {
				depthRow(v, d, h, x, w, y[(d*v.out[1]+h)*v.out[2]:][:v.out[2]])
			}
		}
		if a.residual != nil {
			for j, r := range a.residual[i*pixels:][:pixels] {
				y[j] += r
			}
		}
		activate(c.act, y)
	}
}

// depthwiseFast is depthwise for float32 and the windows that the kernel is made for.
func depthwiseFast(ctx context.Context, c *conv[float32], v *view, window *kernel.Window, s convSize, a convArgs[float32]) error {
	pixels, taps := volume(v.out), volume(v.kernel)
	r := depthRun{c: c, ctx: ctx, window: window, m: s.m, a: a, pixels: pixels, plane: volume(v.in), taps: taps}
	depthRuns.run(ctx, c.threads, s.batch*s.m, max(1, (1<<16)/(pixels*taps)), r, (*depthRun).channels)
	return ctx.Err()
}

// depthRun is a run of depthwiseFast.
type depthRun struct {
	c      *conv[float32]
	ctx    context.Context
	window *kernel.Window
	m      int // output channels
	a      convArgs[float32]

	pixels, plane, taps int // elements of a channel of y, of x and of w
}

var depthRuns crew[depthRun]

// channels computes [lo, hi) of the output channels of all images.
func (r *depthRun) channels(lo, hi int) {
	c, a, mg := r.c, &r.a, r.m/r.c.group
	memory := c.columns.take(r.window.Len())
	defer c.columns.put(memory)
	end, after := &c.slide.end, c.slide.after
	if a.residual != nil {
		end, after = &kernel.End{}, nil
	}
	step := 1 // channels at a time: those that see one input channel each
	if mg == 1 {
		step = max(1, (1<<20)/(r.pixels*r.taps))
	}
	for i := lo; i < hi && r.ctx.Err() == nil; {
		m := i % r.m
		n := min(step, hi-i, r.m-m)
		source := i/r.m*c.group + m/mg
		y := a.y[i*r.pixels:][:n*r.pixels]
		var bias []float32
		if a.bias != nil {
			bias = a.bias[m:][:n]
		}
		r.window.Planes(n, y, a.x[source*r.plane:][:n*r.plane], a.w[m*r.taps:][:n*r.taps], bias, end, *memory)
		if a.residual != nil {
			kernel.Pair(kernel.Add, y, y, a.residual[i*r.pixels:][:n*r.pixels])
			activateF32(c.act, y)
		} else if after != nil {
			after(y)
		}
		i += n
	}
}

// depthRow adds all taps to output row (d, h) of one channel.
func depthRow[T kernel.Number](v *view, d, h int, x, w, y []T) {
	d0, d1, fromD := v.taps(0, d)
	h0, h1, fromH := v.taps(1, h)
	for i := d0; i < d1; i++ {
		for j := h0; j < h1; j++ {
			src := x[((fromD+i*v.dilation[0])*v.in[1]+fromH+j*v.dilation[1])*v.in[2]:][:v.in[2]]
			weights := w[(i*v.kernel[1]+j)*v.kernel[2]:][:v.kernel[2]]
			a, b := 0, 0 // the pixels that three taps see at once
			if len(weights) == 3 && v.dilation[2] == 1 {
				first, _ := v.inner(2, 0)
				_, last := v.inner(2, 2)
				if a, b = first, max(first, last); a < b {
					addThree(y[a:b], [3]T(weights), src[a*v.stride[2]-v.before[2]:], v.stride[2])
				}
			}
			for k, weight := range weights {
				lo, hi := v.inner(2, k)
				if a < b { // what is left: before a, and from b on
					if lo < a {
						addScaled(y[lo:a], weight, src[lo*v.stride[2]+k-v.before[2]:], v.stride[2])
					}
					lo = max(lo, b)
				}
				if lo < hi {
					addScaled(y[lo:hi], weight, src[lo*v.stride[2]+k*v.dilation[2]-v.before[2]:], v.stride[2])
				}
			}
		}
	}
}

// addScaled adds weight·src, every step-th element, to y.
func addScaled[T kernel.Number](y []T, weight T, src []T, step int) {
	if step == 1 {
		src = src[:len(y)]
		for i, s := range src {
			y[i] += weight * s
		}
		return
	}
	for i := range y {
		y[i] += weight * src[i*step]
	}
}

// addThree adds three neighbours of src, each with its weight, to y; src goes on by step.
func addThree[T kernel.Number](y []T, w [3]T, src []T, step int) {
	a, b, c := w[0], w[1], w[2]
	if step == 1 {
		src = src[:len(y)+2]
		for i := range y {
			y[i] += a*src[i] + b*src[i+1] + c*src[i+2]
		}
		return
	}
	for i := range y {
		s := src[i*step : i*step+3 : i*step+3]
		y[i] += a*s[0] + b*s[1] + c*s[2]
	}
}
