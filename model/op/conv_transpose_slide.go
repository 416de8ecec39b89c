//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/reuse"
)

// transposeSlide is run for float32 transposed convolutions over one and two dimensions, and so for the way back of convolutions. Outputs that are a
// stride apart see the same taps: they are a phase, and each phase is a convolution of its own, one step apart, over the same input, which is laid
// out as convSlide does, padded, so that what a tap sees of a band of rows is a slice of it.
type transposeSlide struct {
	*convTranspose[float32]
	runs  reuse.Pool[backSlide]
	lines scratch[float32]
	fewer *convWinograd // instead, with fewer multiplications
}

func newTransposeSlide(c *convTranspose[float32]) *transposeSlide {
	s := &convSlide{conv: &conv[float32]{group: c.group, threads: c.threads}}
	if c.act.kind != actNone {
		s.after = func(part []float32) { activateF32(c.act, part) }
	}
	return &transposeSlide{convTranspose: c, fewer: newVarying(s, true)}
}

// filtered reports whether it has computed the convolution as one by filters that are turned around.
func (c *transposeSlide) filtered(ctx context.Context, v *view, s convSize, a convArgs[float32]) bool {
	if !c.fewer.pays(v, s) || max(v.before[1], v.before[2]) > 2 {
		return false
	}
	turned := views.Take()
	defer views.Put(turned)
	*turned = *v
	turned.before = [spatial]int{0, 2 - v.before[1], 2 - v.before[2]}
	return c.fewer.run(ctx, turned, s, a)
}

// backSlide is a run, with what it has worked out for a shape. Its dimensions are height and width.
type backSlide struct {
	c      *transposeSlide
	v      view
	s      convSize
	known  bool // v and s are laid out
	ok     bool // and worth while
	mg     int
	most   [2]int // rows and columns of a phase, at most
	first  [2]int // where the layout begins in the input
	reach  [2]int // of the taps of all phases, in rows and columns of the layout
	phases []backPhase
	at     []int32 // of all phases: in bytes, where each channel and tap begins
	taps   []int32 // of all phases: which of the kernel
	wide   int     // columns of the layout
	tall   int     // its rows, for a band
	rows   int     // of a phase, in a band
	bands  int
	parts  int // that output channels are cut into
	flat   int
	room   int

	ctx context.Context
	a   convArgs[float32]
	w   []float32
}

// backPhase is the outputs from place on, a stride apart.
type backPhase struct {
	place, count   [2]int
	taps, from, to int // number of taps; its part of at
	last           int
	weights        int // where its weights begin in those of a group
}

func (c *transposeSlide) run(ctx context.Context, v *view, s convSize, a convArgs[float32]) bool {
	if volume(v.in) != v.in[1]*v.in[2] || v.kernel[0] != 1 || v.out[0] != 1 || v.before[0] != 0 || s.cg == 0 || volume(v.in) == 0 {
		return false
	}
	if c.filtered(ctx, v, s, a) {
		return true
	}
	r := c.runs.Take()
	defer c.runs.Put(r)
	r.c = c
	if !r.known || r.v != *v || r.s != s {
		r.v, r.s, r.known = *v, s, true
		r.ok = r.lay()
	}
	if !r.ok {
		return false
	}
	group := s.cg * r.mg * volume(v.kernel)
	each := group + 8*len(r.phases) // of a group
	weights := c.weights.take(c.group * each)
	defer c.weights.put(weights)
	r.ctx, r.a, r.w = ctx, a, *weights
	for g := range c.group {
		for i := range r.phases {
			p := &r.phases[i]
			if p.taps > 0 {
				kernel.PackSlideTurned(r.w[g*each+p.weights:], a.w[g*group:][:group], r.mg, s.cg, volume(v.kernel), r.taps[p.from/s.cg:][:p.taps])
			}
		}
	}
	spread(ctx, c.threads, s.batch*c.group*r.bands*r.parts, max(1, (1<<17)/max(1, r.flat*r.mg*len(r.at)/r.parts)), r)
	r.ctx, r.a, r.w = nil, convArgs[float32]{}, nil // keeps nothing alive
	return true
}

// lay works out phases and layout, and reports whether that way is worth while.
func (r *backSlide) lay() bool {
	v, s := &r.v, r.s
	r.mg = s.m / r.c.group
	var end [2]int // the last shift
	for d := range 2 {
		stride, dilation, before := v.stride[1+d], v.dilation[1+d], v.before[1+d]
		r.most[d] = (v.out[1+d] + stride - 1) / stride
		r.first[d], end[d] = before, -dilation*v.kernel[1+d]
		for p := range min(stride, v.out[1+d]) {
			for k := range v.kernel[1+d] {
				if at := p + before - k*dilation; at%stride == 0 {
					r.first[d], end[d] = min(r.first[d], at/stride), max(end[d], at/stride)
				}
			}
		}
		if r.reach[d] = end[d] - r.first[d]; r.reach[d] < 0 {
			return false // no tap meets an output
		}
	}
	width := r.most[1]
	r.wide = width + r.reach[1]
	if r.mg == 0 || r.wide > 2*width || volume(v.stride) > 64 || float64(s.cg)*float64(r.most[0]+r.reach[0])*float64(r.wide) > float64(4*s.cg*volume(v.in)+1<<16) {
		return false
	}
	r.rows = min(slideImage/(s.cg*r.wide)-r.reach[0], slideSums/(r.mg*r.wide), slideFlat/r.wide)
	r.rows = min(max(r.rows, 1), r.most[0])
	r.bands = (r.most[0] + r.rows - 1) / r.rows
	images, threads := s.batch*r.c.group, max(1, r.c.threads)
	if images < threads {
		r.bands = min(r.most[0], (r.bands+threads-1)/threads*threads)
	}
	r.rows = (r.most[0] + r.bands - 1) / r.bands
	r.bands = (r.most[0] + r.rows - 1) / r.rows
	r.parts = 1
	if images*r.bands < threads {
		r.parts = min(threads, max(1, r.mg/12))
	}
	r.tall = r.rows + r.reach[0]
	r.flat = kernel.SlideColumns((r.rows-1)*r.wide + width)
	return r.phase() && r.cheap()
}

// cheap reports whether it costs less than transposeFold, which multiplies no padding, but then adds up what it has made.
func (r *backSlide) cheap() bool {
	const adds = 32 // multiplications that take as long as adding up one element
	slid := float64(r.bands*r.flat) * float64(len(r.at)) * float64(r.mg)
	folded := float64(volume(r.v.in)) * float64(volume(r.v.kernel)) * float64(r.mg) * float64(r.s.cg+adds)
	return slid <= folded
}

// phase lists the phases and their taps.
func (r *backSlide) phase() bool {
	v, s := &r.v, r.s
	r.phases, r.at, r.taps, r.room = r.phases[:0], r.at[:0], r.taps[:0], s.cg*r.tall*r.wide
	weights := 0
	for i := range min(v.stride[1], v.out[1]) {
		for j := range min(v.stride[2], v.out[2]) {
			p := backPhase{place: [2]int{i, j}, from: len(r.at), weights: weights}
			p.count = [2]int{(v.out[1] - i + v.stride[1] - 1) / v.stride[1], (v.out[2] - j + v.stride[2] - 1) / v.stride[2]}
			begin := len(r.taps)
			for y := range v.kernel[1] {
				for x := range v.kernel[2] {
					if (i+v.before[1]-y*v.dilation[1])%v.stride[1] == 0 && (j+v.before[2]-x*v.dilation[2])%v.stride[2] == 0 {
						r.taps = append(r.taps, int32(y*v.kernel[2]+x))
					}
				}
			}
			p.taps = len(r.taps) - begin
			for c := range s.cg {
				for _, tap := range r.taps[begin:] {
					y := (i+v.before[1]-int(tap)/v.kernel[2]*v.dilation[1])/v.stride[1] - r.first[0]
					x := (j+v.before[2]-int(tap)%v.kernel[2]*v.dilation[2])/v.stride[2] - r.first[1]
					at := 4 * ((c*r.tall+y)*r.wide + x)
					r.at, p.last = append(r.at, int32(at)), max(p.last, at)
				}
			}
			p.to = len(r.at)
			weights += r.mg*s.cg*p.taps + 8
			r.room = max(r.room, p.last/4+r.flat)
			r.phases = append(r.phases, p)
		}
	}
	return r.room < 1<<28
}

// Do does the tasks [lo, hi): a task is a part of the output channels of a band of an image and group, in all phases.
func (r *backSlide) Do(lo, hi int) {
	c, v, mg := r.c, &r.v, r.mg
	image, sums := c.columns.take(r.room), c.lines.take(mg*r.flat)
	defer c.columns.put(image)
	defer c.lines.put(sums)
	each := r.s.cg*mg*volume(v.kernel) + 8*len(r.phases)
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
		for j := range r.phases {
			p := &r.phases[j]
			w := r.w[plane%c.group*each+p.weights:]
			kernel.SlideF32(m1-m0, w[m0*(p.to-p.from):], *image, r.at[p.from:p.to], p.last, *sums, r.flat)
			for m := m0; m < m1; m++ {
				bias := float32(0)
				if r.a.bias != nil {
					bias = r.a.bias[plane%c.group*mg+m]
				}
				r.place(p, r.a.y[(plane*mg+m)*volume(v.out):][:volume(v.out)], (*sums)[(m-m0)*r.flat:], bias, band*r.rows)
			}
		}
	}
}

// unfold lays out the rows of x (c, d1, d2) that a band of outputs from row first of each phase on sees.
func (r *backSlide) unfold(dst, x []float32, first int) {
	v := &r.v
	lo, hi := tapRange(r.first[1], 1, r.wide, 0, v.in[2])
	for c := range r.s.cg {
		for y := range r.tall {
			d := dst[(c*r.tall+y)*r.wide:][:r.wide]
			row := first + y + r.first[0]
			if row < 0 || row >= v.in[1] || lo >= hi {
				clear(d)
				continue
			}
			clear(d[:lo])
			copy(d[lo:hi], x[(c*v.in[1]+row)*v.in[2]+lo+r.first[1]:])
			clear(d[hi:])
		}
	}
}

// place puts the sums of a band of a phase, from its row first on, to where they belong in a plane of y.
func (r *backSlide) place(p *backPhase, y, sums []float32, bias float32, first int) {
	v := &r.v
	rows, width := min(r.rows, p.count[0]-first), p.count[1]
	if rows <= 0 {
		return
	}
	if p.taps == 0 {
		clear(sums[:rows*r.wide])
	}
	if v.stride[1] == 1 && v.stride[2] == 1 {
		var end kernel.End
		y = y[first*width:][:rows*width]
		end.Rows(y, sums, r.wide, rows, width, bias, nil)
		activateF32(r.c.act, y)
		return
	}
	step := v.stride[2]
	for i := range rows {
		row := y[((first+i)*v.stride[1]+p.place[0])*v.out[2]:][:v.out[2]]
		from, at := sums[i*r.wide:][:width], p.place[1]
		if bias != 0 {
			for j := range from {
				from[j] += bias
			}
		}
		if r.c.act.kind != actNone {
			activateF32(r.c.act, from)
		}
		for _, s := range from {
			row[at] = s
			at += step
		}
	}
}
