package svm

import (
	"context"
	"math"
	"sync"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// problem is the dual of one machine: minimise ½·Σ beta_v·beta_w·K(v, w) + Σ beta_v·linear_v with Σ beta = 0 and each
// beta in low … high. Variables v and v + points share the point v, for numbers have two variables a row.
type problem struct {
	*cache
	linear    []float64
	low, high []float64
}

// solution is beta and the threshold: the decision of x is Σ beta·K(x, point) - rho.
type solution struct {
	beta []float64 // (points)
	rho  float64
}

// solve is sequential minimal optimisation with the choice of two variables by second-order information (Fan, Chen and
// Lin 2005, "Working Set Selection Using Second Order Information for Training Support Vector Machines", WSS 2). In
// libsvm's terms beta is y·alpha and slope y·gradient, which spares it the cases of signs. There is no shrinking.
func (q *problem) solve(tol float64, steps int, w *watch) solution {
	n := q.points.Rows
	beta, slope := make([]float64, len(q.linear)), append([]float64(nil), q.linear...)
	diagonal := make([]float64, n)
	for i := range diagonal {
		diagonal[i] = q.self(i)
	}
	for step := range steps {
		if step%64 == 0 && w.ended() {
			break
		}
		if step%4096 == 4095 {
			w.tell(q.objective(beta, slope))
		}
		i := q.steepest(beta, slope)
		if i < 0 {
			break
		}
		ki := q.get(i % n)
		j, most := q.partner(i, ki, diagonal, beta, slope)
		if j < 0 || most < tol {
			break
		}
		kj := q.get(j % n)
		curve := diagonal[i%n] + diagonal[j%n] - 2*float64(ki[j%n])
		delta := (slope[j] - slope[i]) / max(curve, flat)
		up, down := q.high[i]-beta[i], beta[j]-q.low[j]
		delta = min(delta, up, down)
		beta[i] += delta
		beta[j] -= delta
		if delta == up { // exactly, so that it counts as bound
			beta[i] = q.high[i]
		}
		if delta == down {
			beta[j] = q.low[j]
		}
		for at := 0; at < len(slope); at += n {
			some := slope[at : at+n]
			for v := range some {
				some[v] += delta * (float64(ki[v]) - float64(kj[v]))
			}
		}
	}
	w.tell(q.objective(beta, slope))
	out := solution{beta: make([]float64, n), rho: q.threshold(beta, slope)}
	for v, b := range beta {
		out.beta[v%n] += b
	}
	return out
}

// flat is the curvature that directions without any get.
const flat = 1e-12

// steepest is the variable that may grow and lowers the objective most by that, -1 if none may.
func (q *problem) steepest(beta, slope []float64) int {
	best, least := -1, math.Inf(1)
	for v, s := range slope {
		if s < least && beta[v] < q.high[v] {
			best, least = v, s
		}
	}
	return best
}

// partner is the variable that may shrink and with i lowers the objective most, and by how much optimality is missed.
func (q *problem) partner(i int, ki []float32, diagonal, beta, slope []float64) (int, float64) {
	n := len(ki)
	best, gain, most := -1, 0.0, math.Inf(-1)
	for at := 0; at < len(slope); at += n {
		for v := range ki {
			if beta[at+v] <= q.low[at+v] {
				continue
			}
			apart := slope[at+v] - slope[i]
			most = max(most, apart)
			if apart <= 0 {
				continue
			}
			curve := max(diagonal[i%n]+diagonal[v]-2*float64(ki[v]), flat)
			if g := apart * apart / curve; g > gain {
				best, gain = at+v, g
			}
		}
	}
	return best, most
}

// threshold is the slope of variables between their bounds, or the middle of what bounds allow.
func (q *problem) threshold(beta, slope []float64) float64 {
	var sum, count float64
	upper, lower := math.Inf(1), math.Inf(-1)
	for v, s := range slope {
		grows, shrinks := beta[v] < q.high[v], beta[v] > q.low[v]
		switch {
		case grows && shrinks:
			sum += s
			count++
		case grows:
			upper = min(upper, s)
		case shrinks:
			lower = max(lower, s)
		}
	}
	switch {
	case count > 0:
		return sum / count
	case math.IsInf(upper, 1):
		return lower
	case math.IsInf(lower, -1):
		return upper
	}
	return (upper + lower) / 2
}

// objective of the dual, for each point.
func (q *problem) objective(beta, slope []float64) float64 {
	var sum float64
	for v, b := range beta {
		sum += b * (slope[v] + q.linear[v]) / 2
	}
	return sum / float64(q.points.Rows)
}

// watch is what problems that run side by side share: when to stop, and whom to tell.
type watch struct {
	ctx    context.Context
	report func(fit.Progress)
	lock   sync.Mutex
	step   int
}

func (w *watch) ended() bool { return w.ctx.Err() != nil }

// tell reports one more step.
func (w *watch) tell(loss float64) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if w.report == nil || w.ended() {
		return
	}
	w.step++
	w.report(fit.Progress{Step: w.step, Loss: loss, Valid: math.NaN()})
}
