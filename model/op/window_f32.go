//go:build !lean

package op

import (
	"sync/atomic"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

// windowPlans makes the kernel's windows from views, and keeps the last one.
type windowPlans struct{ last atomic.Pointer[windowPlan] }

type windowPlan struct {
	view   view
	window *kernel.Window // nil: not of a kind that the kernel is made for
}

// of is the kernel's window for a view, or nil.
func (p *windowPlans) of(v *view) *kernel.Window {
	if last := p.last.Load(); last != nil && last.view == *v {
		return last.window
	}
	plan := &windowPlan{view: *v}
	spread := func(d int) kernel.Spread {
		return kernel.Spread{In: v.in[d], Out: v.out[d], Taps: v.kernel[d], Stride: v.stride[d], Dilation: v.dilation[d], Before: v.before[d]}
	}
	if v.in[0] == 1 && v.out[0] == 1 && v.kernel[0] == 1 && v.before[0] == 0 {
		if w, ok := kernel.NewWindow(spread(1), spread(2)); ok {
			plan.window = &w
		}
	}
	p.last.Store(plan)
	return plan.window
}
