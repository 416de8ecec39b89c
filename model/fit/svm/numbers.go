package svm

import "math"

// numbers learns one machine for the target: two variables for each row, one that pulls up and one that pulls down.
func (p SVM) numbers(s *space, w *watch) *machine {
	m := &machine{space: s, unit: 1}
	if !p.Unscaled {
		m.center, m.unit = s.target()
	}
	n := len(s.from)
	q := &problem{linear: make([]float64, 2*n), low: make([]float64, 2*n), high: make([]float64, 2*n)}
	rows := make([]int32, n)
	for r, i := range s.from {
		y := (float64(s.Y[i]) - m.center) / m.unit
		rows[r] = int32(r)
		q.linear[r], q.high[r] = p.Epsilon-y, s.limit[r]
		q.linear[n+r], q.low[n+r] = -p.Epsilon-y, -s.limit[r]
	}
	q.cache = newCache(s.kernels(rows, s.Workers()), p.CacheSize<<20)
	out := q.solve(p.Tol, p.MaxIter, w)
	m.bias = []float64{-out.rho}
	m.keep([][]float64{out.beta})
	return m
}

// target is the mean of the target and its deviation, 1 where it does not vary.
func (s *space) target() (mean, deviation float64) {
	var total float64
	for _, i := range s.from {
		total += s.W(i)
	}
	for _, i := range s.from {
		mean += s.W(i) / total * float64(s.Y[i])
	}
	for _, i := range s.from {
		c := float64(s.Y[i]) - mean
		deviation += s.W(i) / total * c * c
	}
	if deviation = math.Sqrt(deviation); deviation <= 1e-9*math.Abs(mean) || deviation == 0 {
		return mean, 1
	}
	return mean, deviation
}
