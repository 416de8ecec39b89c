//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

const (
	filterPixels   = 256     // of the narrow side that are summed at a time: with 16 columns they fill half of a first-level cache
	filterChannels = 6       // of the wide side, from which on they are laid out side by side
	filterColumns  = 16      // of the product that are made at a time
	filterTasks    = 16      // that there should be: as many goroutines can share the work
	filterWork     = 1 << 20 // multiplications that are worth sums of their own
)

// convFilters is filters for float32. The narrow side is laid out once, in blocks of pixels, as the product reads it. Of the wide side sixteen channels are
// laid out side by side, so that what a tap sees of them is copied by pixels; fewer channels are unfolded, sixteen rows of (channel, tap) at a time.
// A task makes the sums of its channels. Where there are few, the blocks are dealt out too, and a task makes the sums over its share of them; shares do not
// follow from the number of goroutines, so neither do the sums.
type convFilters struct {
	group, threads    int
	memory            scratch[float32]
	packs, sums, ends crew[filterRun]
}

// filterBlocks hold narrow sides that are laid out. They are as large as activations, so all convolutions of a program take turns with them.
var filterBlocks scratch[float32]

// filterRun is a run of convFilters.
type filterRun struct {
	f                *convFilters
	ctx              context.Context
	v                *view
	s                convSize
	wide, narrow, dw []float32
	packed           []float32 // the narrow side: (group, blocks)
	sums             []float32 // of all tasks (group, tasks, shares), where there is more than one share

	pixels, taps, mg int
	images           int // that a block holds
	pieces, length   int // or into how many blocks of how many pixels an image is cut
	blocks           int // of all images
	room             int // elements of a block
	byTap            bool
	tasks            int // of a group: sixteen channels, or sixteen rows of (channel, tap)
	columns          int // that the sums of a task have
	shares           int // of the blocks
}

func (f *convFilters) run(ctx context.Context, v *view, s convSize, wide, narrow, dw []float32) error {
	r := filterRun{f: f, ctx: ctx, v: v, s: s, wide: wide, narrow: narrow, dw: dw, pixels: volume(v.out), taps: volume(v.kernel), mg: s.m / f.group}
	r.images, r.pieces = 1, (r.pixels+filterPixels-1)/filterPixels
	r.length = (r.pixels + r.pieces - 1) / r.pieces
	r.blocks = s.batch * r.pieces
	if r.pieces == 1 {
		r.images = min(s.batch, filterPixels/r.pixels)
		r.blocks = (s.batch + r.images - 1) / r.images
	}
	r.byTap = s.cg >= filterChannels
	r.tasks, r.columns = (s.cg*r.taps+filterColumns-1)/filterColumns, filterColumns
	if r.byTap {
		r.tasks, r.columns = (s.cg+filterColumns-1)/filterColumns, filterColumns*r.taps
	}
	work := s.batch * r.pixels * r.mg * r.columns
	r.shares = max(1, min(filterTasks/(f.group*r.tasks), work/filterWork, r.blocks))
	r.room = kernel.TilesLen(r.mg, r.images*r.length)
	packed := filterBlocks.take(f.group * r.blocks * r.room)
	defer filterBlocks.put(packed)
	r.packed = *packed
	if r.shares > 1 {
		sums := f.memory.take(f.group * r.tasks * r.shares * r.mg * r.columns)
		defer f.memory.put(sums)
		r.sums = *sums
	}
	f.packs.run(ctx, f.threads, f.group*r.blocks, max(1, (1<<15)/r.room), r, (*filterRun).pack)
	f.sums.run(ctx, f.threads, f.group*r.tasks*r.shares, max(1, (1<<17)/max(1, work/r.shares)), r, (*filterRun).channels)
	if r.shares > 1 && ctx.Err() == nil {
		f.ends.run(ctx, f.threads, f.group*r.tasks, max(1, (1<<15)/(r.shares*r.mg*r.columns)), r, (*filterRun).join)
	}
	return ctx.Err()
}

// block is where a block begins: in which image, at which pixel; how many images it holds and how many pixels of each.
func (r *filterRun) block(b int) (image, first, images, n int) {
	if r.pieces > 1 {
		first = b % r.pieces * r.length
		return b / r.pieces, first, 1, min(r.length, r.pixels-first)
	}
	image = b * r.images
	return image, 0, min(r.images, r.s.batch-image), r.pixels
}

// pack lays out blocks of the narrow side.
func (r *filterRun) pack(lo, hi int) {
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		image, first, images, n := r.block(i % r.blocks)
		from := r.narrow[(image*r.f.group+i/r.blocks)*r.mg*r.pixels+first:]
		kernel.PackTiles(r.packed[i*r.room:][:r.room], r.mg, images, n, from, r.pixels, r.s.m*r.pixels)
	}
}

// channels does the tasks [lo, hi).
func (r *filterRun) channels(lo, hi int) {
	kb, size := r.images*r.length, r.mg*r.columns
	panel, laid := r.f.memory.take(kb*filterColumns), r.f.memory.take(max(kb, r.images*volume(r.v.in))*filterColumns)
	defer r.f.memory.put(panel)
	defer r.f.memory.put(laid)
	own := r.sums
	if r.shares == 1 {
		memory := r.f.memory.take(size)
		defer r.f.memory.put(memory)
		own = *memory
	}
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		at, share := i/r.shares, i%r.shares
		task, g, sums := at%r.tasks, at/r.tasks, own
		if r.shares > 1 {
			sums = own[i*size:]
		}
		clear(sums[:size])
		first, end := share*r.blocks/r.shares, (share+1)*r.blocks/r.shares
		packed := r.packed[g*r.blocks*r.room:]
		if r.byTap {
			r.tapped(g, task, first, end, packed, *panel, *laid, sums)
		} else {
			r.unfolded(g, task, first, end, packed, *panel, *laid, sums)
		}
		if r.shares == 1 {
			r.place(g, task, sums)
		}
	}
}

// join adds up the shares of the tasks [lo, hi).
func (r *filterRun) join(lo, hi int) {
	size := r.mg * r.columns
	for i := lo; i < hi; i++ {
		sums := r.sums[i*r.shares*size:][:r.shares*size]
		for at := size; at < len(sums); at += size {
			kernel.Accumulate(sums[:size], sums[at:][:size], 1)
		}
		r.place(i/r.tasks, i%r.tasks, sums)
	}
}

// width is how wide a panel of n columns is.
func filterWidth(n int) int {
	if n <= filterColumns/2 {
		return filterColumns / 2
	}
	return filterColumns
}

// tapped sums up sums (taps, mg, width) for sixteen channels of the wide side, over the blocks [from, to).
func (r *filterRun) tapped(g, task, from, to int, packed, panel, laid, sums []float32) {
	plane, first := volume(r.v.in), task*filterColumns
	channels := min(filterColumns, r.s.cg-first)
	width := filterWidth(channels)
	for b := from; b < to; b++ {
		if r.ctx.Err() != nil {
			return
		}
		image, pixel, images, n := r.block(b)
		if pixel == 0 || b == from {
			for j := range images {
				kernel.Weave(laid[j*plane*width:], width, channels, r.wide[(((image+j)*r.f.group+g)*r.s.cg+first)*plane:], plane, plane)
			}
		}
		for tap := range r.taps {
			for j := range images {
				r.v.see(panel[j*n*width:][:n*width], laid[j*plane*width:][:plane*width], tap, pixel, n, width)
			}
			kernel.AddTiles(packed[b*r.room:], r.mg, images*n, panel, width, sums[tap*r.mg*width:])
		}
	}
}

// see copies what the pixels [first, first+n) see of x (pixels, width) through a tap.
func (v *view) see(dst, x []float32, tap, first, n, width int) {
	t := [spatial]int{tap / (v.kernel[1] * v.kernel[2]), tap / v.kernel[2] % v.kernel[1], tap % v.kernel[2]}
	lo, hi := v.inner(2, t[2])
	shift, step := t[2]*v.dilation[2]-v.before[2], v.stride[2]
	for at := 0; at < n; {
		p := first + at
		w, line := p%v.out[2], p/v.out[2]
		count := min(v.out[2]-w, n-at)
		d := line/v.out[1]*v.stride[0] + t[0]*v.dilation[0] - v.before[0]
		h := line%v.out[1]*v.stride[1] + t[1]*v.dilation[1] - v.before[1]
		to := dst[at*width:][:count*width]
		at += count
		a, b := max(w, lo), min(w+count, hi)
		if d < 0 || d >= v.in[0] || h < 0 || h >= v.in[1] || a >= b {
			clear(to)
			continue
		}
		clear(to[:(a-w)*width])
		clear(to[(b-w)*width:])
		to = to[(a-w)*width:][:(b-a)*width]
		src := x[((d*v.in[1]+h)*v.in[2]+shift+a*step)*width:]
		switch {
		case step == 1:
			copy(to, src)
		case width == filterColumns:
			for i := range b - a {
				*(*[filterColumns]float32)(to[i*filterColumns:]) = *(*[filterColumns]float32)(src[i*step*filterColumns:])
			}
		default:
			for i := range b - a {
				copy(to[i*width:][:width], src[i*step*width:])
			}
		}
	}
}

// place puts the sums of a task to where they belong.
func (r *filterRun) place(g, task int, sums []float32) {
	if r.byTap {
		r.placeChannels(g, task, sums)
	} else {
		r.placeRows(g, task, sums)
	}
}

// placeChannels is place for sums (taps, mg, width) of sixteen channels.
func (r *filterRun) placeChannels(g, task int, sums []float32) {
	first := task * filterColumns
	channels := min(filterColumns, r.s.cg-first)
	width := filterWidth(channels)
	for m := range r.mg {
		dw := r.dw[((g*r.mg+m)*r.s.cg+first)*r.taps:][:channels*r.taps]
		for tap := range r.taps {
			at := tap
			for _, s := range sums[(tap*r.mg+m)*width:][:channels] {
				dw[at] = s
				at += r.taps
			}
		}
	}
}

// unfolded sums up sums (mg, width) for sixteen rows of (channel, tap), over the blocks [from, to).
func (r *filterRun) unfolded(g, task, from, to int, packed, panel, lines, sums []float32) {
	plane, first := volume(r.v.in), task*filterColumns
	columns := min(filterColumns, r.s.cg*r.taps-first)
	width := filterWidth(columns)
	for b := from; b < to; b++ {
		if r.ctx.Err() != nil {
			return
		}
		image, pixel, images, n := r.block(b)
		k := images * n
		for j := range images {
			x := r.wide[((image+j)*r.f.group+g)*r.s.cg*plane:]
			for c := range columns {
				row := first + c
				r.v.look(lines[c*k+j*n:][:n], x[row/r.taps*plane:][:plane], row%r.taps, pixel)
			}
		}
		kernel.Weave(panel, width, columns, lines, k, k)
		kernel.AddTiles(packed[b*r.room:], r.mg, k, panel, width, sums)
	}
}

// look copies what the pixels from first on see of a plane x through a tap.
func (v *view) look(dst, x []float32, tap, first int) {
	t := [spatial]int{tap / (v.kernel[1] * v.kernel[2]), tap / v.kernel[2] % v.kernel[1], tap % v.kernel[2]}
	lo, hi := v.inner(2, t[2])
	shift, step := t[2]*v.dilation[2]-v.before[2], v.stride[2]
	for at := 0; at < len(dst); {
		p := first + at
		w, line := p%v.out[2], p/v.out[2]
		count := min(v.out[2]-w, len(dst)-at)
		d := line/v.out[1]*v.stride[0] + t[0]*v.dilation[0] - v.before[0]
		h := line%v.out[1]*v.stride[1] + t[1]*v.dilation[1] - v.before[1]
		to := dst[at:][:count]
		at += count
		a, b := max(w, lo), min(w+count, hi)
		if d < 0 || d >= v.in[0] || h < 0 || h >= v.in[1] || a >= b {
			clear(to)
			continue
		}
		clear(to[:a-w])
		clear(to[b-w:])
		src := x[(d*v.in[1]+h)*v.in[2]+shift+a*step:]
		switch to = to[a-w : b-w]; step {
		case 1:
			copy(to, src)
		case 2:
			kernel.Even(to, src)
		default:
			for i := range to {
				to[i] = src[i*step]
			}
		}
	}
}

// placeRows is place for sums (mg, width) of sixteen rows of (channel, tap).
func (r *filterRun) placeRows(g, task int, sums []float32) {
	first, k := task*filterColumns, r.s.cg*r.taps
	columns := min(filterColumns, k-first)
	width := filterWidth(columns)
	for m := range r.mg {
		copy(r.dw[(g*r.mg+m)*k+first:][:columns], sums[m*width:])
	}
}
