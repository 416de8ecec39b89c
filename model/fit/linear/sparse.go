package linear

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// sparse minimises o plus l1·Σ |coef|, from 0. Few parameters go by the proximal Newton method (Lee, Sun and Saunders
// 2014), on samples of the rows first where they are many; many parameters by FISTA (Beck and Teboulle 2009).
func (s *solver) sparse(o *objective, l1 float64) ([]float64, error) {
	theta := make([]float64, o.outs*(o.Cols+1))
	if len(theta) > few {
		return s.fista(&sparse{o, o.thresholds(l1)}, theta)
	}
	for _, part := range o.samples() {
		var err error
		if theta, err = s.proximal(&sparse{part, o.thresholds(l1)}, theta, max(s.tol, roughly)); err != nil {
			return nil, err
		}
	}
	return s.proximal(&sparse{o, o.thresholds(l1)}, theta, s.tol)
}

// sparse is an objective with a penalty on absolute values: Σ at·|theta|.
type sparse struct {
	*objective
	at []float64 // as long as theta; 0 for intercepts
}

func (o *objective) thresholds(l1 float64) []float64 {
	var at []float64
	for range o.outs {
		at = append(append(at, scaled(o.scale, l1)...), 0)
	}
	return at
}

func (p *sparse) penalized(theta []float64) (sum float64) {
	for i, v := range theta {
		sum += p.at[i] * math.Abs(v)
	}
	return sum
}

// violation is the largest of the derivatives of least size that theta leaves.
func (p *sparse) violation(theta, g []float64) (most float64) {
	for i, v := range theta {
		left := math.Abs(g[i]) - p.at[i]
		if v != 0 {
			left = math.Abs(g[i] + math.Copysign(p.at[i], v))
		}
		most = max(most, left)
	}
	return most
}

// shrink moves x towards 0 by at, as far as 0.
func shrink(x, at float64) float64 {
	return math.Copysign(max(0, math.Abs(x)-at), x)
}

func (s *solver) proximal(p *sparse, theta []float64, tol float64) ([]float64, error) {
	value, g := p.evaluate(theta)
	for s.step < s.steps {
		if err := fit.Stopped(p.ctx); err != nil {
			return nil, err
		}
		left := p.violation(theta, g)
		if left <= tol {
			break
		}
		d := p.model(theta, g, .01*left*min(1, left))
		next, v, gradient, ok := p.line(theta, d, g, value)
		if !ok {
			break
		}
		theta, value, g = next, v, gradient
		s.tell(value + p.penalized(theta))
	}
	return theta, fit.Stopped(p.ctx)
}

// model returns the step to the minimum of the second-order model with the penalty, by coordinate descent to tol.
func (p *sparse) model(theta, g []float64, tol float64) []float64 {
	n, h := len(theta), p.hessian(theta)
	d, slope := make([]float64, n), append([]float64(nil), g...) // slope of the smooth part of the model at d
	var most float64
	for i := range n {
		most = max(most, h[i*(n+1)])
	}
	for i := range n {
		h[i*(n+1)] += 1e-10 * max(most, 1e-10)
	}
	for range 1000 {
		var moved float64
		for i := range n {
			a, at := h[i*(n+1)], theta[i]+d[i]
			change := shrink(at-slope[i]/a, p.at[i]/a) - at
			if change == 0 {
				continue
			}
			d[i] += change
			add(slope, change, h[i*n:(i+1)*n])
			moved = max(moved, a*math.Abs(change))
		}
		if moved <= tol || p.ctx.Err() != nil {
			break
		}
	}
	return d
}

// line halves a step until value and penalty fall by a share of what the model promises, or, where these no longer tell
// in float64, until the violation does.
func (p *sparse) line(theta, d, g []float64, value float64) (next []float64, v float64, gradient []float64, ok bool) {
	before, left := p.penalized(theta), p.violation(theta, g)
	for step := 1.0; step > 1e-12 && p.ctx.Err() == nil; step /= 2 {
		next = append([]float64(nil), theta...)
		for i, x := range d {
			if next[i] += step * x; step == 1 && math.Abs(next[i]) <= 1e-15*math.Abs(x) {
				next[i] = 0 // what coordinate descent set to 0
			}
		}
		v, gradient = p.evaluate(next)
		after := p.penalized(next)
		promise := step*dot(g, d) + after - before
		change := v - value + after - before
		if change <= 1e-4*promise && promise < 0 || (math.Abs(change) <= 1e-13*math.Abs(value) && p.violation(next, gradient) < left) {
			return next, v, gradient, true
		}
	}
	return nil, 0, nil, false
}

// fista goes by gradients with momentum, which is dropped where it leads up (O'Donoghue and Candès 2015).
func (s *solver) fista(p *sparse, theta []float64) ([]float64, error) {
	at, pace, lipschitz := theta, 1.0, 1.0
	for s.step < s.steps {
		if err := fit.Stopped(p.ctx); err != nil {
			return nil, err
		}
		value, g := p.evaluate(at)
		if p.violation(at, g) <= s.tol {
			theta = at
			break
		}
		next, v := p.forward(at, g, value, &lipschitz)
		if dot(minus(at, next), minus(next, theta)) > 0 {
			pace = 1
		}
		faster := (1 + math.Sqrt(1+4*pace*pace)) / 2
		at = append([]float64(nil), next...)
		add(at, (pace-1)/faster, minus(next, theta))
		theta, pace = next, faster
		s.tell(v + p.penalized(theta))
	}
	return theta, fit.Stopped(p.ctx)
}

// forward is a step down the gradient and a shrinking, of the length at which the function lies below its model.
func (p *sparse) forward(at, g []float64, value float64, lipschitz *float64) (next []float64, v float64) {
	for ; ; *lipschitz *= 2 {
		next = make([]float64, len(at))
		for i, x := range at {
			next[i] = shrink(x - g[i] / *lipschitz, p.at[i] / *lipschitz)
		}
		v, _ = p.evaluate(next)
		d := minus(next, at)
		if v <= value+dot(g, d)+*lipschitz/2*dot(d, d)+1e-13*math.Abs(value) || *lipschitz > 1e30 || p.ctx.Err() != nil {
			return next, v
		}
	}
}
