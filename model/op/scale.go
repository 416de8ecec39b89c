//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

func init() { mulPlanes = scalePlanes }

// scalePlanes is Mul for an x (n, c, d1…) and one factor for each of its planes (n, c, 1…), as of squeeze and excitation (Hu et al.,
// "Squeeze-and-Excitation Networks", 2018); rest does all else.
func scalePlanes(site *Site, rest Kernel) Kernel {
	threads := site.Threads
	var runs crew[planeRun]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, factors := in[0], in[1]
		if x.Len() < factors.Len() {
			x, factors = factors, x
		}
		s, planes := x.Shape(), factors.Len()
		if len(s) < 3 || factors.Rank() != len(s) || !slices.Equal(s[:2], factors.Shape()[:2]) || planes != s[0]*s[1] || planes == 0 {
			return rest(ctx, in, out)
		}
		if err := Reset(ctx, out[0], tensor.Float32, s...); err != nil {
			return err
		}
		r := planeRun{x: x.F32(), y: out[0].F32(), factors: factors.F32(), size: x.Len() / planes}
		runs.run(ctx, threads, planes, max(1, planeGrain/max(1, r.size)), r, (*planeRun).scale)
		return ctx.Err()
	}
}

const planeGrain = 1 << 14 // elements of planes that are worth a goroutine

// planeRun is a run over planes of x, size elements each.
type planeRun struct {
	x, y, factors []float32
	size          int
}

func (r *planeRun) scale(lo, hi int) {
	kernel.ScalePlanes(r.y[lo*r.size:hi*r.size], r.x[lo*r.size:hi*r.size], r.factors[lo:hi], r.size)
}

func (r *planeRun) mean(lo, hi int) {
	kernel.PlaneMeans(r.y[lo:hi], r.x[lo*r.size:hi*r.size], r.size)
}

// globalMean is globalPool for the means of float32.
func globalMean(site *Site) Kernel {
	threads := site.Threads
	var runs crew[planeRun]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if err := globalShape(ctx, in[0], out[0]); err != nil {
			return err
		}
		r := planeRun{x: in[0].F32(), y: out[0].F32()}
		if len(r.y) == 0 {
			return nil
		}
		r.size = len(r.x) / len(r.y)
		runs.run(ctx, threads, len(r.y), max(1, planeGrain/max(1, r.size)), r, (*planeRun).mean)
		return ctx.Err()
	}
}
