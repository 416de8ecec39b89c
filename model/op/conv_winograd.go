//go:build !lean

package op

import (
	"context"
	"sync/atomic"

	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

const (
	winogradImage    = 160 << 10 // elements of the transformed input that a task holds, where a row of tiles needs no more
	winogradChannels = 16        // a convolution of fewer gains nothing
)

// convWinograd is run for float32 convolutions of 3×3 taps, one step apart, with constant weights: kernel.Winograd, for tiles of 2×2 outputs, some
// rows of tiles (a band) at a time. Numbers that are not finite or very large would spread to the whole tile: an input that holds one goes another way.
//
// Weights that vary are transformed in each run: that pays where there are pixels enough.
type convWinograd struct {
	c      *convSlide
	u      []*kernel.Winograd // one for each group; nil: the weights vary
	turned bool               // the weights are those of a convolution whose way back this is
	runs   reuse.Pool[winogradRun]
}

const (
	winogradPixels = 1 << 8 // of all images, below which varying weights are not transformed
	winogradTiles  = 64     // of all images of a task, where images are small
)

// newWinograd gives a convolution with weights w (m, c/group, 3, 3) that way, or nil where it is not worth while.
func newWinograd(c *convSlide, w *tensor.Tensor) *convWinograd {
	if w.Rank() != 4 || w.Shape()[2] != 3 || w.Shape()[3] != 3 {
		return nil
	}
	for _, n := range append(c.window.strides, c.window.dilations...) {
		if n != 1 {
			return nil
		}
	}
	m, k := w.Shape()[0]/c.group, w.Shape()[1]
	if min(m, k) < winogradChannels {
		return nil
	}
	g := &convWinograd{c: c}
	for i := range c.group {
		u, ok := kernel.NewWinograd(w.F32()[i*m*k*9:][:m*k*9], m, k)
		if !ok {
			return nil
		}
		g.u = append(g.u, u)
	}
	return g
}

// newVarying gives a convolution whose weights vary that way, or nil where its window is another.
func newVarying(c *convSlide, turned bool) *convWinograd {
	for _, n := range append(append([]int64(nil), c.window.strides...), c.window.dilations...) {
		if n != 1 {
			return nil
		}
	}
	if k := c.window.kernel; len(k) != 0 && (len(k) != 2 || k[0] != 3 || k[1] != 3) {
		return nil
	}
	return &convWinograd{c: c, turned: turned}
}

// pays reports whether weights that vary are worth transforming.
func (g *convWinograd) pays(v *view, s convSize) bool {
	return v.rank == 2 && v.kernel == [spatial]int{1, 3, 3} && volume(v.stride) == 1 && volume(v.dilation) == 1 &&
		min(s.m/g.c.group, s.cg) >= winogradChannels && s.batch*volume(v.out) >= winogradPixels
}

// winogradLayers are transformed weights of a run, shared by all convolutions.
var winogradLayers reuse.Pool[winogradLayer]

// winogradLayer is transformed weights, and the work to make them.
type winogradLayer struct {
	u      []*kernel.Winograd
	w      []float32
	m, k   int // of a group
	turned bool
	wild   atomic.Bool
}

// lay transforms w, and reports whether that can be.
func (l *winogradLayer) lay(ctx context.Context, threads, group, m, k int, w []float32, turned bool) bool {
	for len(l.u) < group {
		l.u = append(l.u, new(kernel.Winograd))
	}
	for _, u := range l.u[:group] {
		u.Resize(m, k)
	}
	l.w, l.m, l.k, l.turned = w, m, k, turned
	l.wild.Store(false)
	spread(ctx, threads, group*l.u[0].Blocks(), max(1, (1<<12)/(48*k)), l)
	l.w = nil
	return !l.wild.Load() && ctx.Err() == nil
}

// Do transforms some blocks.
func (l *winogradLayer) Do(lo, hi int) {
	blocks := l.u[0].Blocks()
	for i := lo; i < hi; i++ {
		g := i / blocks
		if !l.u[g].Lay(i%blocks, l.w[g*l.m*l.k*9:][:l.m*l.k*9], l.turned) {
			l.wild.Store(true)
		}
	}
}

// winogradRun is a run, with what it has worked out for a shape.
type winogradRun struct {
	g     *convWinograd
	v     view
	s     convSize
	tall  int // rows of tiles of an image
	wide  int // and columns
	rows  int // of tiles, in a band at most
	bands int
	parts int // that a band is cut into, where its rows are long
	most  int // columns of tiles, in a part
	step  int // elements of a row that is split into even and odd columns
	ld    int // elements that one channel of a part takes
	vf    int // elements of the input for one element of tiles
	mf    int // and of sums

	images int // in a task, where they are small

	u    []*kernel.Winograd
	ctx  context.Context
	a    convArgs[float32]
	wild atomic.Bool // the input is not within kernel.WinogradLimit
	v0   []float32   // the transformed input of task, where several goroutines do one
	task int
	do   func(lo, hi int)
	in   func(lo, hi int)
	out  func(lo, hi int)
}

// winogradMemory is shared by all convolutions, so that it stays in the cache.
var winogradMemory scratch[float32]

// run reports whether it has computed the convolution.
func (g *convWinograd) run(ctx context.Context, v *view, s convSize, a convArgs[float32]) bool {
	if v.out[1] < 2 || v.out[2] < 2 {
		return false
	}
	r := g.runs.Take()
	defer g.runs.Put(r)
	if r.g == nil {
		r.g, r.do, r.in, r.out = g, r.work, r.channels, r.blocks
	}
	r.u = g.u
	if g.u == nil {
		layer := winogradLayers.Take()
		defer winogradLayers.Put(layer)
		if !layer.lay(ctx, g.c.threads, g.c.group, s.m/g.c.group, s.cg, a.w, g.turned) {
			return ctx.Err() != nil
		}
		r.u = layer.u
	}
	if r.v != *v || r.s != s {
		r.v, r.s = *v, s
		r.lay()
	}
	r.ctx, r.a = ctx, a
	r.wild.Store(false)
	threads, tasks := g.c.threads, (s.batch+r.images-1)/r.images*g.c.group*r.bands*r.parts
	cost := 16 * r.ld * s.cg * (s.m / g.c.group)
	if threads < 2 || tasks >= threads {
		parallel(ctx, threads, tasks, max(1, (1<<17)/cost), r.do)
	} else {
		memory := winogradMemory.take(16 * r.vf)
		r.v0 = *memory
		for r.task = 0; r.task < tasks && ctx.Err() == nil && !r.wild.Load(); r.task++ {
			parallel(ctx, threads, s.cg, max(1, (1<<12)/(4*r.ld)), r.in)
			parallel(ctx, threads, r.u[0].Blocks(), max(1, (1<<17)/(cost/r.u[0].Blocks())), r.out)
		}
		r.v0 = nil
		winogradMemory.put(memory)
	}
	r.ctx, r.a, r.u = nil, convArgs[float32]{}, nil // keeps nothing alive
	return !r.wild.Load()
}

// lay cuts the output into tiles and bands.
func (r *winogradRun) lay() {
	v, s, g := &r.v, r.s, r.g
	r.tall, r.wide = (v.out[1]+1)/2, (v.out[2]+1)/2
	r.parts = max(1, min(16*s.cg*r.wide/winogradImage, r.wide/8))
	r.most = (r.wide + r.parts - 1) / r.parts
	images, threads := s.batch*g.c.group*r.parts, max(1, g.c.threads)
	least := 0
	for rows := 1; rows <= r.tall; rows++ {
		if rows > 1 && 16*s.cg*rows*r.most > winogradImage {
			break
		}
		bands := (r.tall + rows - 1) / rows
		each := (r.tall + bands - 1) / bands * r.most
		cost := 12*(each/16) + 16 // in steps of the product: half a tile, and what the weights take to come
		switch rest := each % 16; {
		case rest > 8:
			cost += 12
		case rest > 0:
			cost += 7
		}
		if cost *= (images*bands + threads - 1) / threads; rows == 1 || cost <= least {
			least, r.rows = cost, (r.tall+bands-1)/bands
		}
	}
	r.bands = (r.tall + r.rows - 1) / r.rows // of r.rows rows or one less
	r.images = 1
	if tiles := r.tall * r.wide; g.c.group == 1 && r.bands == 1 && r.parts == 1 {
		r.images = max(1, min(winogradTiles/tiles, s.batch/threads))
	}
	vector, tiles := (r.most+7)/8*8, r.images*r.rows*r.most
	r.step = 2 * (vector + 16 + v.before[2]/2)
	r.ld = max((tiles+7)/8*8, tiles-r.most+vector)
	r.ld = ((r.ld+15)/16 | 1) * 16 // an odd number of lines: rows do not share sets of the cache
	r.vf = ((s.cg*r.ld)/16 | 1) * 16
	r.mf = ((r.u[0].WinogradRows()*r.ld)/16 | 1) * 16
}

// work does the tasks [lo, hi): bands of images and groups.
func (r *winogradRun) work(lo, hi int) {
	memory := winogradMemory.take(16 * r.vf)
	defer winogradMemory.put(memory)
	for i := lo; i < hi && r.ctx.Err() == nil && !r.wild.Load(); i++ {
		r.transform(*memory, i, 0, r.s.cg)
		r.products(*memory, i, 0, r.u[0].Blocks())
	}
}

func (r *winogradRun) channels(lo, hi int) { r.transform(r.v0, r.task, lo, hi) }
func (r *winogradRun) blocks(lo, hi int)   { r.products(r.v0, r.task, lo, hi) }

// winogradPart is what a task computes: some rows and columns of tiles of an image and group, or those of some images.
type winogradPart struct{ plane, y, rows, x, columns int }

func (r *winogradRun) part(task int) (p winogradPart) {
	part, band := task%r.parts, task/r.parts%r.bands
	p.plane = task / r.parts / r.bands * r.images
	p.y, p.x = r.tall*band/r.bands, r.wide*part/r.parts
	p.rows, p.columns = r.tall*(band+1)/r.bands-p.y, r.wide*(part+1)/r.parts-p.x
	return p
}

// transform fills the channels [lo, hi) of the transformed input t (16, c, tiles) of a task.
func (r *winogradRun) transform(t []float32, task, lo, hi int) {
	v, p := &r.v, r.part(task)
	y, x := 2*p.y-v.before[1], 2*p.x-v.before[2] // what the part sees first of the input
	y0, y1 := max(y, 0), min(y+2*p.rows+2, v.in[1])
	x0, x1 := max(x, 0), min(x+2*p.columns+2, v.in[2])
	memory := winogradMemory.take((2*r.rows + 2) * r.step)
	defer winogradMemory.put(memory)
	clear(*memory)
	for j := range r.together(&p) {
		for c := lo; c < hi; c++ {
			if y0 < y1 && x0 < x1 {
				from := r.a.x[(((p.plane+j)*r.s.cg+c)*v.in[1]+y0)*v.in[2]+x0:]
				if !kernel.WinogradSplit((*memory)[(y0-y)*r.step:], r.step, from, v.in[2], y1-y0, x1-x0, x0-x) {
					r.wild.Store(true)
					return
				}
			}
			kernel.WinogradInto(t[c*r.ld+j*p.rows*p.columns:], r.vf, *memory, r.step, p.rows, p.columns)
		}
	}
}

// together is how many images a task has.
func (r *winogradRun) together(p *winogradPart) int {
	return min(r.images, r.s.batch*r.g.c.group-p.plane)
}

// products makes the output of the blocks [lo, hi) of output channels from the transformed input t of a task.
func (r *winogradRun) products(t []float32, task, lo, hi int) {
	p := r.part(task)
	u, images, tiles := r.u[p.plane%r.g.c.group], r.together(&p), p.rows*p.columns
	step := (r.most + 7) / 8 * 16
	sums, lines := winogradMemory.take(16*r.mf), winogradMemory.take(2*r.rows*step)
	defer winogradMemory.put(sums)
	defer winogradMemory.put(lines)
	for b := lo; b < hi && r.ctx.Err() == nil && !r.wild.Load(); b++ {
		u.Product(b, t, r.vf, *sums, r.mf, r.ld, images*tiles)
		first, n := u.Rows(b)
		for j := range images {
			one := p
			one.plane += j
			for i := range n {
				kernel.WinogradOut(*lines, step, (*sums)[i*r.ld+j*tiles:], r.mf, p.rows, p.columns)
				r.end(&one, first+i, *lines, step)
			}
		}
	}
}

// end makes an output channel of a part from sums, rows of them step apart.
func (r *winogradRun) end(p *winogradPart, channel int, sums []float32, step int) {
	v, c, bias := &r.v, r.g.c, float32(0)
	m := r.s.m / c.group
	if r.a.bias != nil {
		bias = r.a.bias[p.plane%c.group*m+channel]
	}
	rows, width := min(2*p.rows, v.out[1]-2*p.y), min(2*p.columns, v.out[2]-2*p.x)
	turns := 1
	if r.parts > 1 { // rows of the part do not follow one another
		turns, rows = rows, 1
	}
	for i := range turns {
		at := ((p.plane*m+channel)*v.out[1]+2*p.y+i)*v.out[2] + 2*p.x
		y, more := r.a.y[at:][:rows*width], []float32(nil)
		if r.a.residual != nil {
			more = r.a.residual[at:][:len(y)]
		}
		c.end.Rows(y, sums[i*step:], step, rows, width, bias, more)
		if c.after != nil {
			c.after(y)
		}
	}
}
