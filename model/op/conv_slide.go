//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/memory"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

const (
	slideImage = 96 << 10 // elements of the laid out input that a task holds, where a row of output needs no more
	slideSums  = 32 << 10 // elements of sums
	slideFlat  = 8 << 10  // of them for one output channel
)

// convSlide is run for float32 convolutions over one and two dimensions: the input of some rows of output (a band) is laid out, padded, such that
// what a tap sees of them is a slice of it. With strides that needs a copy of every stride-th row and column: one for each remainder, a phase.
// Sums are made in rows as wide as the layout; what lies between the rows of output is garbage.
type convSlide struct {
	*conv[float32]
	end     kernel.End
	after   func(part []float32) // what end does not know, or nil
	weights []float32            // laid out, where they are constant
	fewer   *convWinograd        // instead, with fewer multiplications; or nil
	varying *convWinograd        // the same for weights that vary
	runs    reuse.Pool[slideRun]
}

// slideRun is a run, with what it has worked out for a shape.
type slideRun struct {
	c      *convSlide
	v      view
	s      convSize
	ok     bool // the window is one to slide
	phases [2]int
	wide   int // columns and rows of a phase
	tall   int
	rows   int // of output, in a band
	bands  int
	parts  int     // that output channels are cut into
	flat   int     // sums for each output channel of a band
	room   int     // elements of a laid out band
	at     []int32 // in bytes, where each tap begins
	last   int

	ctx context.Context
	a   convArgs[float32]
	w   []float32 // laid out, of all groups
}

// newSlide gives the convolution a way to slide. w are its weights where they are constant, else nil.
func newSlide(c *conv[float32], end kernel.End, after func([]float32), w *tensor.Tensor) *convSlide {
	s := &convSlide{conv: c, end: end, after: after}
	if w == nil {
		s.varying = newVarying(s, false)
		return s
	}
	if w.DType() != tensor.Float32 || w.Rank() < 3 || w.Len() == 0 || w.Shape()[0]%c.group != 0 {
		return s
	}
	if s.fewer = newWinograd(s, w); s.fewer != nil {
		return s
	}
	m := w.Shape()[0]
	taps, steps := 1, 1
	for _, n := range w.Shape()[2:] {
		taps *= n
	}
	for _, n := range c.window.strides {
		steps *= int(n)
	}
	if k := w.Len() / m; taps > 1 || steps > 1 { // else it is not slid
		s.weights = memory.Make[float32](kernel.SlideLen(m, k))
		s.pack(s.weights, w.F32(), m/c.group, k)
	}
	return s
}

// pack lays out the weights of all groups, m rows and k columns each.
func (c *convSlide) pack(dst, w []float32, m, k int) {
	for g := range c.group {
		kernel.PackSlide(dst[g*m*k:], w[g*m*k:][:m*k], m, k)
	}
}

// run reports whether the window is one to slide, and then has done it.
func (c *convSlide) run(ctx context.Context, v *view, s convSize, a convArgs[float32]) bool {
	if c.fewer != nil {
		return c.fewer.run(ctx, v, s, a)
	}
	if c.varying != nil && c.varying.pays(v, s) && c.varying.run(ctx, v, s, a) {
		return true
	}
	r := c.runs.Take()
	defer c.runs.Put(r)
	if r.v != *v || r.s != s {
		r.c, r.v, r.s = c, *v, s
		r.ok = r.lay(v, s)
	}
	if !r.ok {
		return false
	}
	mg, k := s.m/c.group, len(r.at)
	r.ctx, r.a, r.w = ctx, a, c.weights
	var memory *[]float32
	if r.w == nil {
		memory = c.columns.take(kernel.SlideLen(s.m, k))
		c.pack(*memory, a.w, mg, k)
		r.w = *memory
	}
	spread(ctx, c.threads, s.batch*c.group*r.bands*r.parts, max(1, (1<<17)/max(1, r.flat*mg*k/r.parts)), r)
	if memory != nil {
		c.columns.put(memory)
	}
	r.ctx, r.a, r.w = nil, convArgs[float32]{}, nil // keeps nothing alive
	return true
}

// lay works out the layout, and reports whether it is worth while.
func (r *slideRun) lay(v *view, s convSize) bool {
	r.phases = [2]int{1, 1}
	var reach [2]int
	for d := range 2 {
		if v.kernel[1+d] > 1 {
			r.phases[d] = v.stride[1+d]
		}
		reach[d] = (v.kernel[1+d] - 1) * v.dilation[1+d] / v.stride[1+d]
	}
	high, width, mg := v.out[1], v.out[2], s.m/r.c.group
	r.wide = width + reach[1]
	phases := r.phases[0] * r.phases[1] * s.cg
	if volume(v.in) != v.in[1]*v.in[2] || v.kernel[0] != 1 || v.out[0] != 1 || s.cg == 0 || r.wide > 2*width ||
		phases > 1<<20 || float64(phases)*float64(high+reach[0])*float64(r.wide) > float64(4*s.cg*volume(v.in)+1<<16) {
		return false
	}
	r.rows = min(slideImage/(phases*r.wide)-reach[0], slideSums/(mg*r.wide), slideFlat/r.wide)
	r.rows = min(max(r.rows, 1), high)
	r.bands = (high + r.rows - 1) / r.rows
	images, threads := s.batch*r.c.group, max(1, r.c.threads)
	if images < threads {
		r.bands = min(high, (r.bands+threads-1)/threads*threads)
	}
	r.rows = (high + r.bands - 1) / r.bands
	r.bands = (high + r.rows - 1) / r.rows
	r.parts = 1
	if images*r.bands < threads {
		r.parts = min(threads, max(1, mg/12))
	}
	r.tall = r.rows + reach[0]
	r.flat = kernel.SlideColumns((r.rows-1)*r.wide + width)
	r.at, r.last = r.at[:0], 0
	for c := range s.cg {
		for i := range v.kernel[1] {
			for j := range v.kernel[2] {
				y, x := i*v.dilation[1], j*v.dilation[2]
				phase := (c*r.phases[0]+y%v.stride[1])*r.phases[1] + x%v.stride[2]
				at := 4 * ((phase*r.tall+y/v.stride[1])*r.wide + x/v.stride[2])
				r.at, r.last = append(r.at, int32(at)), max(r.last, at)
			}
		}
	}
	r.room = max(phases*r.tall*r.wide, r.last/4+r.flat)
	return r.room < 1<<28
}

// Do does the tasks [lo, hi): a task is a part of the output channels of a band of an image and group.
func (r *slideRun) Do(lo, hi int) {
	c, v := r.c, &r.v
	mg, k, pixels := r.s.m/c.group, len(r.at), volume(v.out)
	image, sums := c.columns.take(r.room), c.lines.take(mg*r.flat)
	defer c.columns.put(image)
	defer c.lines.put(sums)
	laid := -1
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		part, band, plane := i%r.parts, i/r.parts%r.bands, i/r.parts/r.bands
		if laid != i/r.parts {
			laid = i / r.parts
			r.unfold(*image, r.a.x[plane*r.s.cg*volume(v.in):], band*r.rows)
		}
		m0, m1 := mg/6*part/r.parts*6, mg/6*(part+1)/r.parts*6
		if part+1 == r.parts {
			m1 = mg
		}
		first := plane % c.group * mg // of the group's output channels
		kernel.SlideF32(m1-m0, r.w[(first+m0)*k:], *image, r.at, r.last, *sums, r.flat)
		rows := min(r.rows, v.out[1]-band*r.rows)
		for m := m0; m < m1; m++ {
			from := (plane*mg+m)*pixels + band*r.rows*v.out[2]
			y, bias, more := r.a.y[from:][:rows*v.out[2]], float32(0), []float32(nil)
			if r.a.bias != nil {
				bias = r.a.bias[first+m]
			}
			if r.a.residual != nil {
				more = r.a.residual[from:][:len(y)]
			}
			c.end.Rows(y, (*sums)[(m-m0)*r.flat:], r.wide, rows, v.out[2], bias, more)
			if c.after != nil {
				c.after(y)
			}
		}
	}
}

// unfold lays out what the rows of output from first on see of x (c, d1, d2).
func (r *slideRun) unfold(dst, x []float32, first int) {
	v := &r.v
	step := v.stride[2]
	for p := range r.s.cg * r.phases[0] * r.phases[1] {
		c, i, j := p/(r.phases[0]*r.phases[1]), p/r.phases[1]%r.phases[0], p%r.phases[1]
		shift := j - v.before[2] // column q is column q·step + shift of x
		lo, hi := tapRange(shift, step, r.wide, 0, v.in[2])
		for y := range r.tall {
			d := dst[(p*r.tall+y)*r.wide:][:r.wide]
			row := (first+y)*v.stride[1] + i - v.before[1]
			if row < 0 || row >= v.in[1] || lo >= hi {
				clear(d)
				continue
			}
			src := x[(c*v.in[1]+row)*v.in[2]:][:v.in[2]][lo*step+shift:]
			for q := range d[:lo] {
				d[q] = 0
			}
			switch to := d[lo:hi]; step {
			case 1:
				copy(to, src)
			case 2:
				kernel.Even(to, src)
			default:
				for q := range to {
					to[q] = src[q*step]
				}
			}
			for q := range d[hi:] {
				d[hi+q] = 0
			}
		}
	}
}
