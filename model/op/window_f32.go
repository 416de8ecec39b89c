//go:build !lean

package op

import (
	"sync/atomic"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

// windowPlans makes the kernel's windows from views, and keeps the last one.
type windowPlans struct {
	last  atomic.Pointer[windowPlan]
	count func(v *view, d, o int) int // what a window holds of dimension d at output o; nil where nobody asks
}

type windowPlan struct {
	view   view
	window *kernel.Window // nil: not of a kind that the kernel is made for
	counts [][]float32    // (d2, d3): what each window holds, where asked for; equal rows share their memory
}

// of is the plan for a view.
func (p *windowPlans) of(v *view) *windowPlan {
	if last := p.last.Load(); last != nil && last.view == *v {
		return last
	}
	plan := &windowPlan{view: *v}
	spread := func(d int) kernel.Spread {
		return kernel.Spread{In: v.in[d], Out: v.out[d], Taps: v.kernel[d], Stride: v.stride[d], Dilation: v.dilation[d], Before: v.before[d]}
	}
	if v.in[0] == 1 && v.out[0] == 1 && v.kernel[0] == 1 && v.before[0] == 0 {
		if w, ok := kernel.NewWindow(spread(1), spread(2)); ok {
			plan.window = &w
			plan.counts = p.rows(v)
		}
	}
	p.last.Store(plan)
	return plan
}

// rows counts what the windows hold, row by row.
func (p *windowPlans) rows(v *view) [][]float32 {
	if p.count == nil {
		return nil
	}
	known := map[int][]float32{}
	rows := make([][]float32, v.out[1])
	for b := range rows {
		high := p.count(v, 0, 0) * p.count(v, 1, b)
		if known[high] == nil {
			row := make([]float32, v.out[2])
			for c := range row {
				row[c] = float32(high * p.count(v, 2, c))
			}
			known[high] = row
		}
		rows[b] = known[high]
	}
	return rows
}
