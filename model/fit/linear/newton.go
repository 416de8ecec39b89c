package linear

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// few is the number of parameters up to which their second derivatives are taken together.
const few = 1024

// samples are the numbers of rows that a fit of many more rows begins with, one after another.
var samples = []int{8192, 65536}

// solver minimises an objective to a tolerance: no partial derivative is larger.
type solver struct {
	tol    float64
	steps  int // at most, in all
	step   int // done
	report func(fit.Progress)
}

// smooth minimises o from 0. Few parameters go by Newton's method; where rows are many, this is done on samples of
// them, and all rows then take the few steps that are left by L-BFGS with the curvature of the last sample. Many
// parameters go by L-BFGS alone. Steps that find nothing lower in float64 end it.
func (s *solver) smooth(o *objective) ([]float64, error) {
	theta := make([]float64, o.outs*(o.Cols+1))
	if len(theta) > few {
		return s.descend(o, theta, s.tol, &lbfgs{})
	}
	var last *newton
	for _, part := range o.samples() {
		var err error
		last = &newton{o: part}
		if theta, err = s.descend(part, theta, max(s.tol, roughly), last); err != nil {
			return nil, err
		}
	}
	if last == nil || !last.factored {
		return s.descend(o, theta, s.tol, &newton{o: o})
	}
	return s.descend(o, theta, s.tol, &lbfgs{start: last})
}

// roughly is a tolerance for samples, which know no more of all rows.
const roughly = 1e-3

// samples are objectives of some of the rows, the smallest first, that have weight.
func (o *objective) samples() (parts []*objective) {
	for _, rows := range samples {
		if o.Rows < 2*rows {
			break
		}
		d := every(o.Data, o.Rows/rows)
		part := *o
		part.design, part.loss, part.total = newDesign(d, o.mean, o.scale), o.of(d), weights(d)
		if part.total > 0 {
			parts = append(parts, &part)
		}
	}
	return parts
}

// director gives directions to go in, and learns from steps.
type director interface {
	direction(theta, gradient []float64) []float64
	learn(step, change []float64) // of theta and of the gradient
}

// descend goes down from theta by steps of a director, to a tolerance.
func (s *solver) descend(o *objective, theta []float64, tol float64, by director) ([]float64, error) {
	value, g := o.evaluate(theta)
	for largest(g) > tol && s.step < s.steps {
		if err := fit.Stopped(o.ctx); err != nil {
			return nil, err
		}
		d := by.direction(theta, g)
		slope := dot(d, g)
		if !(slope < 0) {
			d, slope = scaled(g, -1), -dot(g, g)
		}
		next, v, gradient, ok := o.search(theta, d, value, slope, largest(g))
		if !ok {
			break
		}
		by.learn(minus(next, theta), minus(gradient, g))
		theta, value, g = next, v, gradient
		s.tell(value)
	}
	return theta, fit.Stopped(o.ctx)
}

func (s *solver) tell(value float64) {
	s.step++
	if s.report != nil {
		s.report(fit.Progress{Step: s.step, Steps: s.steps, Loss: value, Valid: math.NaN()})
	}
}

// search halves a step until the value falls by a share of what the slope promises (Armijo 1966), or, where the value no
// longer tells in float64, until the gradient does.
func (o *objective) search(theta, d []float64, value, slope, steepness float64) (next []float64, v float64, g []float64, ok bool) {
	for step := 1.0; step > 1e-12 && o.ctx.Err() == nil; step /= 2 {
		next = append([]float64(nil), theta...)
		for i, v := range d {
			next[i] += step * v
		}
		v, g = o.evaluate(next)
		if v <= value+1e-4*step*slope || (math.Abs(v-value) <= 1e-13*math.Abs(value) && largest(g) < steepness) {
			return next, v, g, true
		}
	}
	return nil, 0, nil, false
}

// newton goes to the minimum of the second-order model.
type newton struct {
	o        *objective
	chol     mat.Cholesky // of the second derivatives where they were taken last
	factored bool
}

func (n *newton) direction(theta, g []float64) []float64 {
	n.factor(theta)
	return n.apply(g)
}

func (n *newton) learn(_, _ []float64) {}

// factor takes the second derivatives at theta. What they say nothing about, as of a class that never occurs or of what
// all classes' intercepts have in common, gets next to nothing.
func (n *newton) factor(theta []float64) {
	n.factored = true
	size := len(theta)
	h := n.o.hessian(theta)
	var most float64
	for i := range size {
		most = max(most, h[i*(size+1)])
	}
	for jitter := 1e-10 * max(most, 1e-10); ; jitter *= 100 {
		for i := range size {
			h[i*(size+1)] += jitter
		}
		if n.chol.Factorize(mat.NewSymDense(size, h)) || jitter > max(1, most) {
			return
		}
	}
}

// apply is -H⁻¹ g.
func (n *newton) apply(g []float64) []float64 {
	v := mat.NewVecDense(len(g), nil)
	if err := n.chol.SolveVecTo(v, mat.NewVecDense(len(g), g)); err != nil && v.Len() == 0 {
		return scaled(g, -1)
	}
	return scaled(v.RawVector().Data, -1)
}

func dot(a, b []float64) (s float64) {
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

func scaled(a []float64, by float64) []float64 {
	out := make([]float64, len(a))
	for i, v := range a {
		out[i] = v * by
	}
	return out
}

func minus(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i, v := range a {
		out[i] = v - b[i]
	}
	return out
}

// largest is the largest absolute value.
func largest(a []float64) (most float64) {
	for _, v := range a {
		most = max(most, math.Abs(v))
	}
	return most
}
