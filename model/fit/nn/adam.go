package nn

import "math"

// adam is the optimiser of Kingma and Ba (2015), algorithm 1, with their constants. It runs in Go on the memory of the
// parameters: a step is a few thousand multiplications, and weights need no copy between steps.
type adam struct {
	rate   float64
	step   int
	m, v   [][]float32 // first and second moments, of each parameter
	params [][]float32
}

func newAdam(rate float64, params [][]float32) *adam {
	a := &adam{rate: rate, params: params}
	for _, p := range params {
		a.m = append(a.m, make([]float32, len(p)))
		a.v = append(a.v, make([]float32, len(p)))
	}
	return a
}

// begin starts a step.
func (a *adam) begin() { a.step++ }

// update moves parameter i against its gradient, to which decay times the parameter is added (an L2 penalty).
func (a *adam) update(i int, gradient []float32, decay float32) {
	const beta1, beta2, epsilon = .9, .999, 1e-8
	fix1, fix2 := 1-math.Pow(beta1, float64(a.step)), 1-math.Pow(beta2, float64(a.step))
	rate := float32(a.rate / fix1)
	root2 := float32(1 / fix2)
	p, m, v := a.params[i], a.m[i], a.v[i]
	for k, g := range gradient[:len(p)] {
		g += decay * p[k]
		m[k] = beta1*m[k] + (1-beta1)*g
		v[k] = beta2*v[k] + (1-beta2)*g*g
		p[k] -= rate * m[k] / (float32(math.Sqrt(float64(v[k]*root2))) + epsilon)
	}
}
