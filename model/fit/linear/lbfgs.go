package linear

import (
	"math"
	"slices"
)

// lbfgs gives the directions of limited-memory BFGS (Nocedal 1980; Nocedal and Wright, Numerical Optimization, alg. 7.4).
// start is a first idea of the curvature, or nil.
type lbfgs struct {
	start          *newton
	steps, changes [][]float64 // the last ones
}

// remembered is how many steps lbfgs keeps.
const remembered = 20

func (l *lbfgs) learn(step, change []float64) {
	if !(dot(step, change) > 0) {
		return // rounding; a convex function has positive curvature
	}
	if len(l.steps) == remembered {
		l.steps, l.changes = slices.Delete(l.steps, 0, 1), slices.Delete(l.changes, 0, 1)
	}
	l.steps, l.changes = append(l.steps, step), append(l.changes, change)
}

func (l *lbfgs) direction(_, g []float64) []float64 {
	q, n := append([]float64(nil), g...), len(l.steps)
	a := make([]float64, n)
	for i := n - 1; i >= 0; i-- {
		a[i] = dot(l.steps[i], q) / dot(l.steps[i], l.changes[i])
		add(q, -a[i], l.changes[i])
	}
	d := l.first(q)
	for i := range n {
		b := dot(l.changes[i], d) / dot(l.steps[i], l.changes[i])
		add(d, -a[i]-b, l.steps[i])
	}
	return d
}

// first is -H⁻¹ q by what is known before any step, or by the last one.
func (l *lbfgs) first(q []float64) []float64 {
	if l.start != nil {
		return l.start.apply(q)
	}
	if n := len(l.steps); n > 0 {
		s, y := l.steps[n-1], l.changes[n-1]
		return scaled(q, -dot(s, y)/dot(y, y))
	}
	return scaled(q, -1/max(1, math.Sqrt(dot(q, q))))
}

// add adds a·v to q.
func add(q []float64, a float64, v []float64) {
	for i, x := range v {
		q[i] += a * x
	}
}
