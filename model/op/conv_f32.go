//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

const (
	convColumns = 128 << 10 // elements of the unfolded input that one tile holds where k is small
	convNarrow  = 192       // pixels that a tile has at least, so that the weights are not read too often
	convLaid    = 384       // pixels below which it pays to have constant weights laid out: each is used so often only
)

// convFast is run for float32: the unfolded input is written straight into the panels that the kernel reads, and the bias and the activation
// are the kernel's epilogue.
type convFast struct {
	*conv[float32]
	e    kernel.Epilogue          // without biases
	w    *tensor.Tensor           // the weights, where they are constant, or nil
	left later[[]*kernel.LeftF32] // laid out, of each group
}

// layLeft lays out constant weights, mg rows and k columns for each group.
func (f *convFast) layLeft(mg, k int) *[]*kernel.LeftF32 {
	left := make([]*kernel.LeftF32, f.group)
	for i := range left {
		left[i] = kernel.PackLeftF32(f.w.F32()[i*mg*k:][:mg*k], mg, k, k)
	}
	return &left
}

// fast makes a float32 convolution use convSlide and convFast. w are its weights where they are constant, else nil.
func (c *conv[T]) fast(w *tensor.Tensor) {
	f32, ok := any(c).(*conv[float32])
	if !ok {
		return
	}
	f := &convFast{conv: f32, w: w}
	f.e.Act, f.e.Lo, f.e.Hi, f.e.Func = epilogueOf(f32.act)
	var end kernel.End
	switch f.e.Act {
	case kernel.Clip:
		end = kernel.End{Act: kernel.EndClip, A: f.e.Lo, B: f.e.Hi}
	case kernel.Leaky:
		end = kernel.End{Act: kernel.EndLeaky, A: f.e.Lo}
	}
	after := f.e.Func
	switch act := f32.act; act.kind {
	case actHardSigmoid:
		end, after = kernel.End{Act: kernel.EndHardSigmoid, A: float32(act.a), B: float32(act.b)}, nil
	case actHardSwish:
		end, after = kernel.End{Act: kernel.EndHardSwish, A: 1. / 6, B: .5}, nil
	case actScaledSwish:
		end = kernel.End{Act: kernel.EndHardSwish, A: 1. / 6, B: .5}
		after = func(part []float32) { kernel.Line(part, part, float32(act.a), float32(act.b)) }
	}
	if f.e.Act == kernel.NoActivation {
		f.e.End, f.e.Func = end, after
	}
	f32.slide = newSlide(f32, end, after, w)
	f32.quick = f.run
}

func (f *convFast) run(ctx context.Context, v *view, s convSize, a convArgs[float32]) error {
	pixels, k, mg := volume(v.out), s.cg*volume(v.kernel), s.m/f.group
	images := s.batch * f.group
	if a.residual != nil {
		copy(a.y, a.residual)
	}
	r := fastRun{f: f, ctx: ctx, v: v, a: a, pixels: pixels, k: k, mg: mg, plane: s.cg * volume(v.in), inner: 1}
	if v.plain() {
		if f.w != nil && pixels < convLaid && mg*k > 1<<10 {
			if left := f.left.get(func() *[]*kernel.LeftF32 { return f.layLeft(mg, k) }); left != nil {
				r.left = *left
			}
		}
		threads := f.threads
		if images < threads || mg*k*pixels > 1<<20 {
			threads, r.inner = 1, threads
		}
		fastRuns.run(ctx, threads, images, max(1, (1<<17)/max(1, mg*k*pixels)), r, (*fastRun).images)
		return ctx.Err()
	}
	r.width = min(pixels, max(convNarrow, convColumns/max(k, 1)&^15))
	if images*((pixels+r.width-1)/r.width) < f.threads && pixels >= convNarrow {
		r.width = ((pixels+f.threads-1)/f.threads + 15) &^ 15
	}
	r.tiles = (pixels + r.width - 1) / r.width
	if images*r.tiles == 1 {
		r.inner = f.threads
	}
	fastRuns.run(ctx, f.threads, images*r.tiles, max(1, (1<<17)/max(1, r.width*k*mg)), r, (*fastRun).unfolded)
	return ctx.Err()
}

// fastRun is a run of convFast: products w (mg, k)·columns (k, pixels), one for each image and group.
type fastRun struct {
	f     *convFast
	ctx   context.Context
	v     *view
	a     convArgs[float32]
	plane int // elements of an image and group of x

	pixels, k, mg int
	width, tiles  int // pixels that are unfolded at a time, and how often
	inner         int // goroutines for one product
	left          []*kernel.LeftF32
}

var fastRuns crew[fastRun]

// images computes the images and groups [lo, hi), whose columns are x itself.
func (r *fastRun) images(lo, hi int) {
	k, mg, pixels := r.k, r.mg, r.pixels
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		e := r.epilogue(i)
		if r.left != nil {
			kernel.ProductLeftF32(r.inner, r.left[i%r.f.group], pixels, r.a.x[i*k*pixels:], pixels, r.a.y[i*mg*pixels:], pixels, &e)
			continue
		}
		kernel.ProductF32(r.inner, mg, k, pixels, r.a.w[i%r.f.group*mg*k:], k, false, r.a.x[i*k*pixels:], pixels, false, r.a.y[i*mg*pixels:], pixels, &e)
	}
}

// unfolded computes the tiles [lo, hi) of all images and groups.
func (r *fastRun) unfolded(lo, hi int) {
	f, k, mg := r.f, r.k, r.mg
	memory, line := f.columns.take(kernel.PackedLenF32(k, r.width)), f.lines.take(r.width+16)
	defer f.columns.put(memory)
	defer f.lines.put(line)
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		image, first := i/r.tiles, i%r.tiles*r.width // image and group
		n := min(r.width, r.pixels-first)
		b := kernel.NewPackedF32(k, n, *memory)
		r.v.unfoldPanels(&b, r.a.x[image*r.plane:], first, n, *line)
		e := r.epilogue(image)
		kernel.GemmF32(r.inner, mg, r.a.w[image%f.group*mg*k:], k, false, &b, r.a.y[image*mg*r.pixels+first:], r.pixels, &e)
	}
}

// epilogue is that of one image and group.
func (r *fastRun) epilogue(image int) kernel.Epilogue {
	e := r.f.e
	e.Add, e.Done = r.a.residual != nil, r.ctx.Done()
	if r.a.bias != nil {
		e.RowBias = r.a.bias[image%r.f.group*r.mg:][:r.mg]
	}
	return e
}

// unfoldPanels writes what the pixels [first, first+n) see of x to the panels of b (k, n); line is memory for n and 16 more elements.
func (v *view) unfoldPanels(b *kernel.PackedF32, x []float32, first, n int, line []float32) {
	clear(line[n : n+16])
	rows := b.K
	var block []float32 // the panels of the rows from p on, one after another
	var p, height int
	v.unfold(first, n, rows, func(row, at, from, count, step int) {
		dst := line[at:][:count]
		switch {
		case from < 0:
			clear(dst)
		case step == 1:
			copy(dst, x[from:])
		default:
			src := x[from:][:(count-1)*step+1]
			for i := range dst {
				dst[i] = src[i*step]
			}
		}
		if at+count < n {
			return
		}
		if row%b.KBlock == 0 { // a block's panels lie side by side, so the first reaches over all of them
			p, height = row, min(b.KBlock, rows-row)
			block, _ = b.Panel(p, 0)
			block = block[:height*((n+7)&^7)]
		}
		j, to := 0, (row-p)*16
		for ; j+8 < n; j += 16 {
			*(*[16]float32)(block[to:]) = *(*[16]float32)(line[j:])
			to += height * 16
		}
		if j < n { // a last panel of eight columns
			*(*[8]float32)(block[height*j+(row-p)*8:]) = *(*[8]float32)(line[j:])
		}
	})
}
