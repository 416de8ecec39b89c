//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

// filters computes the gradient dw (m, c/group, taps) of the weights: for each group the product narrow (m/group, pixels) · columns' (pixels, k),
// summed over images, where a column holds what a window sees of the wide side.
func (c *convBack[T]) filters(ctx context.Context, v *view, s convSize, wide, narrow, dw []T) error {
	clear(dw)
	if len(dw) == 0 || len(narrow) == 0 || len(wide) == 0 {
		return nil
	}
	if c.quick != nil && (s.cg > 1 || s.m > 2*c.group) {
		return c.quick.run(ctx, v, s, any(wide).([]float32), any(narrow).([]float32), any(dw).([]float32))
	}
	taps, pixels := volume(v.kernel), volume(v.out)
	r := c.filtersRuns.take()
	defer c.filtersRuns.put(r)
	*r = filtersRun[T]{c: c, ctx: ctx, v: v, s: s, wide: wide, narrow: narrow, dw: dw, taps: taps, pixels: pixels}
	r.width = min(pixels, max(16, convTile/taps&^15))
	r.channels = min(s.cg, max(1, convTile/(taps*r.width)))
	r.blocks = (s.cg + r.channels - 1) / r.channels
	spread(ctx, c.threads, c.group*r.blocks, max(1, (1<<16)/max(1, s.batch*pixels*taps*r.channels)), r)
	return ctx.Err()
}

// filtersRun is a run of filters: a task is some input channels of a group, in all images.
type filtersRun[T float] struct {
	c                *convBack[T]
	ctx              context.Context
	v                *view
	s                convSize
	wide, narrow, dw []T
	taps, pixels     int
	width            int // pixels that are unfolded at a time
	channels, blocks int // of the wide side, in a task; and tasks of a group
}

// Do computes some tasks.
func (r *filtersRun[T]) Do(lo, hi int) {
	v, group, plane, mg := r.v, r.c.group, volume(r.v.in), r.s.m/r.c.group
	columns := r.c.columns.take(r.channels * r.taps * r.width)
	panels := r.c.panels.take(kernel.PackedLen(r.width, r.channels*r.taps))
	defer r.c.columns.put(columns)
	defer r.c.panels.put(panels)
	for ; lo < hi; lo++ {
		g, first := lo/r.blocks, lo%r.blocks*r.channels
		rows := min(r.channels, r.s.cg-first) * r.taps
		dw := r.dw[(g*mg*r.s.cg+first)*r.taps:]
		for image := range r.s.batch {
			if r.ctx.Err() != nil {
				return
			}
			from := r.wide[((image*group+g)*r.s.cg+first)*plane:]
			narrow := r.narrow[(image*group+g)*mg*r.pixels:]
			for p := 0; p < r.pixels; p += r.width {
				n := min(r.width, r.pixels-p)
				v.unfold(p, n, rows, func(row, at, x, count, step int) {
					dst := (*columns)[row*n+at:][:count]
					switch {
					case x < 0:
						clear(dst)
					case step == 1:
						copy(dst, from[x:])
					default:
						for i := range dst {
							dst[i] = from[x+i*step]
						}
					}
				})
				b := kernel.Pack(*columns, n, rows, n, true, *panels)
				kernel.Gemm(mg, narrow[p:], r.pixels, &b, dw, r.s.cg*r.taps)
			}
		}
	}
}
