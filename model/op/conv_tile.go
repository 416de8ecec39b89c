//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

// convTile is how many elements of the unfolded input one tile holds: it stays in the second-level cache while all output channels use it.
const convTile = 48 << 10

// run computes the convolution: depthwise directly, everything else as a matrix product w (m/group, k)·columns (k, pixels) for each image and
// group, where a column holds what a window sees. Columns are unfolded by tiles of pixels, never as a whole
// (Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document Processing", 2006; implicit as in cuDNN).
func (c *conv[T]) run(ctx context.Context, v *view, s convSize, a convArgs[T]) error {
	pixels, k := volume(v.out), s.cg*volume(v.kernel)
	if len(a.y) == 0 {
		return nil
	}
	if c.few != nil && c.few.run(ctx, v, s, any(a).(convArgs[float32])) {
		return ctx.Err()
	}
	if c.slide != nil && !v.plain() && (s.cg > 1 || s.m > 2*c.group) && c.slide.run(ctx, v, s, any(a).(convArgs[float32])) {
		return ctx.Err()
	}
	if s.cg == 1 && s.m <= 2*c.group {
		return c.depthwise(ctx, v, s, a)
	}
	if c.quick != nil {
		return c.quick(ctx, v, s, a)
	}
	r := c.tileds.take()
	*r = convTiles[T]{c: c, ctx: ctx, v: v, s: s, a: a, k: k, mg: s.m / c.group, pixels: pixels}
	r.width = min(pixels, max(16, convTile/max(k, 1)&^15))
	r.tiles = (pixels + r.width - 1) / r.width
	spread(ctx, c.threads, s.batch*c.group*r.tiles, max(1, (1<<17)/max(1, r.width*k*r.mg)), r)
	c.tileds.put(r)
	return ctx.Err()
}

// convTiles is a run by tiles.
type convTiles[T kernel.Number] struct {
	c   *conv[T]
	ctx context.Context
	v   *view
	s   convSize
	a   convArgs[T]

	k, mg, pixels int
	width, tiles  int // pixels that are unfolded at a time, and how often
}

// Do computes the tiles [lo, hi) of all images and groups.
func (r *convTiles[T]) Do(lo, hi int) {
	c, a, k, mg, pixels := r.c, &r.a, r.k, r.mg, r.pixels
	columns, panels := c.columns.take(k*r.width), c.panels.take(kernel.PackedLen(k, r.width))
	defer c.columns.put(columns)
	defer c.panels.put(panels)
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		plane, first := i/r.tiles, i%r.tiles*r.width // plane: image and group
		group := plane % c.group
		t := convArgs[T]{x: a.x[plane*r.s.cg*volume(r.v.in):], w: a.w[group*mg*k:], y: a.y[plane*mg*pixels:]}
		if a.bias != nil {
			t.bias = a.bias[group*mg:]
		}
		if a.residual != nil {
			t.residual = a.residual[plane*mg*pixels:]
		}
		c.tile(r.v, mg, k, first, min(r.width, pixels-first), t, *columns, *panels)
	}
}

// tile computes the pixels [first, first+n) of all output channels of one image and group.
func (c *conv[T]) tile(v *view, m, k, first, n int, a convArgs[T], columns []T, panels [][4]T) {
	pixels := volume(v.out)
	source, ld := columns, n
	if v.plain() {
		source, ld = a.x[first:], pixels
	} else {
		v.unfold(first, n, k, func(row, at, from, count, step int) {
			dst := columns[row*n+at:][:count]
			switch {
			case from < 0:
				clear(dst)
			case step == 1:
				copy(dst, a.x[from:])
			default:
				src := a.x[from:]
				for i := range dst {
					dst[i] = src[i*step]
				}
			}
		})
	}
	b := kernel.Pack(source, k, n, ld, false, panels)
	for i := range m {
		row, bias := a.y[i*pixels+first:][:n], T(0)
		if a.bias != nil {
			bias = a.bias[i]
		}
		fill(row, bias)
		if a.residual != nil {
			for j, r := range a.residual[i*pixels+first:][:n] {
				row[j] += r
			}
		}
	}
	kernel.Gemm(m, a.w, k, &b, a.y[first:], pixels)
	if c.act.kind != actNone {
		for i := range m {
			activate(c.act, a.y[i*pixels+first:][:n])
		}
	}
}

// plain reports whether the input itself is the matrix of columns: a kernel of one tap, without strides and pads.
func (v *view) plain() bool {
	return volume(v.kernel) == 1 && volume(v.stride) == 1 && v.in == v.out && v.before == [spatial]int{}
}

// unfold tells what the pixels [first, first+n) see through each of the k = channels·taps rows of the matrix of columns: put gets runs of
// count elements, at their place in the row, from an index of x in steps; a negative index stands for padding.
func (v *view) unfold(first, n, k int, put func(row, at, from, count, step int)) {
	taps, step := volume(v.kernel), v.stride[2]
	plane := volume(v.in)
	for row := range k {
		channel, tap := row/taps, row%taps
		t := [spatial]int{tap / (v.kernel[1] * v.kernel[2]), tap / v.kernel[2] % v.kernel[1], tap % v.kernel[2]}
		lo, hi := v.inner(2, t[2])
		shift := t[2]*v.dilation[2] - v.before[2]
		for at := 0; at < n; {
			p := first + at
			x, line := p%v.out[2], p/v.out[2]
			count := min(v.out[2]-x, n-at)
			d := line/v.out[1]*v.stride[0] + t[0]*v.dilation[0] - v.before[0]
			h := line%v.out[1]*v.stride[1] + t[1]*v.dilation[1] - v.before[1]
			if d < 0 || d >= v.in[0] || h < 0 || h >= v.in[1] || lo >= hi || x >= hi || x+count <= lo {
				put(row, at, -1, count, 1)
				at += count
				continue
			}
			from := channel*plane + (d*v.in[1]+h)*v.in[2] + shift
			a, b := max(x, lo), min(x+count, hi)
			if a > x {
				put(row, at, -1, a-x, 1)
			}
			put(row, at+a-x, from+a*step, b-a, step)
			if b < x+count {
				put(row, at+b-x, -1, x+count-b, 1)
			}
			at += count
		}
	}
}
