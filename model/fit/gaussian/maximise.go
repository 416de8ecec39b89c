package gaussian

import (
	"context"
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/optimize"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// least is the smallest value of length, constant and noise; the largest is its inverse.
const least = 1e-5

// watch is what processes that run side by side share: when to stop, and whom to tell.
type watch struct {
	ctx    context.Context
	report func(fit.Progress)
	lock   sync.Mutex
	step   int
}

// tell reports one more step.
func (w *watch) tell(loss float64) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if w.report == nil || w.ctx.Err() != nil || loss-loss != 0 {
		return
	}
	w.step++
	w.report(fit.Progress{Step: w.step, Loss: loss, Valid: math.NaN()})
}

// maximise climbs from theta to the largest marginal likelihood of so many rows, each theta within its bounds:
// theta = bound·tanh(u/bound), and u is free. likelihood returns the value and its gradient.
func (w *watch) maximise(theta []float64, steps, rows int, likelihood func(theta []float64) (float64, []float64)) []float64 {
	bound := -math.Log(least)
	start := make([]float64, len(theta))
	for i, v := range theta {
		start[i] = bound * math.Atanh(min(max(v/bound, -.999), .999))
	}
	inside := func(u []float64) []float64 {
		out := make([]float64, len(u))
		for i, v := range u {
			out[i] = bound * math.Tanh(v/bound)
		}
		return out
	}
	var at, slope []float64
	var value float64
	evaluate := func(u []float64) {
		if slices.Equal(u, at) {
			return
		}
		at = append(at[:0], u...)
		slope = make([]float64, len(u))
		if w.ctx.Err() != nil {
			value = 0
			return
		}
		v, gradient := likelihood(inside(u))
		value = -v / float64(rows)
		for i, g := range gradient {
			t := math.Tanh(u[i] / bound)
			slope[i] = -g * (1 - t*t) / float64(rows)
		}
	}
	problem := optimize.Problem{
		Func: func(u []float64) float64 { evaluate(u); return value },
		Grad: func(g, u []float64) { evaluate(u); copy(g, slope) },
		Status: func() (optimize.Status, error) {
			if err := fit.Stopped(w.ctx); err != nil {
				return optimize.Failure, err
			}
			return optimize.NotTerminated, nil
		},
	}
	settings := &optimize.Settings{
		GradientThreshold: 1e-6, MajorIterations: steps, Recorder: recorder{w},
		Converger: &optimize.FunctionConverge{Relative: 1e-9, Iterations: 3},
	}
	// An error comes from a line search that finds nothing higher in float64, or from the context: the best point stands.
	result, _ := optimize.Minimize(problem, start, settings, &optimize.LBFGS{})
	if result == nil || result.X == nil {
		return theta
	}
	return inside(result.X)
}

// recorder reports the iterations of an optimisation.
type recorder struct{ *watch }

func (recorder) Init() error { return nil }

func (r recorder) Record(at *optimize.Location, op optimize.Operation, _ *optimize.Stats) error {
	if op == optimize.MajorIteration {
		r.tell(at.F)
	}
	return nil
}
