//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

// foldColumns is how many elements of columns a task of transposeFold holds, where one output channel does not need more.
const foldColumns = 48 << 10

// transposeFold is run for the float32 transposed convolutions that nothing faster is made for: some output channels of an image and group are the
// product wᵀ (channels·taps, c/group)·x (c/group, pixels), whose rows are added to where the taps fall in y.
type transposeFold struct {
	*convTranspose[float32]
	crew crew[foldRun]
}

// foldRun is a run of transposeFold.
type foldRun struct {
	f                *transposeFold
	ctx              context.Context
	v                *view
	a                convArgs[float32]
	cg, mg, taps     int
	channels, blocks int // output channels of a task, and tasks of an image and group
}

func (f *transposeFold) run(ctx context.Context, v *view, s convSize, a convArgs[float32]) {
	r := foldRun{f: f, ctx: ctx, v: v, a: a, cg: s.cg, mg: s.m / f.group, taps: volume(v.kernel)}
	each := r.taps * max(1, volume(v.in))
	r.channels = min(r.mg, max(1, foldColumns/each))
	if planes := s.batch * f.group; planes < f.threads {
		r.channels = min(r.channels, (r.mg+f.threads-1)/f.threads)
	}
	r.blocks = (r.mg + r.channels - 1) / r.channels
	f.crew.run(ctx, f.threads, s.batch*f.group*r.blocks, max(1, (1<<17)/max(1, each*r.channels*s.cg)), r, (*foldRun).tasks)
}

// tasks does the tasks [lo, hi).
func (r *foldRun) tasks(lo, hi int) {
	v, pixels, plane := r.v, volume(r.v.in), volume(r.v.out)
	columns := r.f.columns.take(r.channels * r.taps * pixels)
	defer r.f.columns.put(columns)
	for ; lo < hi && r.ctx.Err() == nil; lo++ {
		first, image := lo%r.blocks*r.channels, lo/r.blocks // image and group
		group, n := image%r.f.group, min(r.channels, r.mg-first)
		w := r.a.w[(group*r.cg*r.mg+first)*r.taps:]
		if pixels > 0 && r.cg > 0 {
			kernel.ProductF32(1, n*r.taps, r.cg, pixels, w, r.mg*r.taps, true, r.a.x[image*r.cg*pixels:], pixels, false, *columns, pixels, nil)
		}
		for i := range n {
			y := r.a.y[(image*r.mg+first+i)*plane:][:plane]
			bias := float32(0)
			if r.a.bias != nil {
				bias = r.a.bias[group*r.mg+first+i]
			}
			fill(y, bias)
			if pixels > 0 && r.cg > 0 {
				fold(v, y, (*columns)[i*r.taps*pixels:][:r.taps*pixels])
			}
			activateF32(r.f.act, y)
		}
	}
}
