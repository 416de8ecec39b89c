package kernel

import "math"

// Step is what optimisers know of one step, the same for all parameters. Its methods move parameters p against their gradients g and keep state in
// slices of their own, all as long as p, which may not overlap. Each element comes out the same wherever its slice begins or ends, and in every path
// and on every machine to the bit: square roots and quotients are exact, and products are rounded before they are added, never fused. NaN and
// infinities go the way of IEEE 754.
type Step struct {
	Scale     float32 // what gradients count
	Decay     float32 // what parameters count as gradients
	Keep      float32 // what remains of parameters by themselves (Adam, Lion): 1 where nothing is taken
	Rate      float32 // of learning
	Mean      float32 // what is kept of the mean of gradients: momentum, or the first beta
	MeanNew   float32 // and what a new gradient counts there
	Square    float32 // what is kept of the mean of squares: alpha, or the second beta
	SquareNew float32 // and what a new one counts there
	Root      float32 // Adam: what roots of squares are multiplied with
	Eps       float32 // added to roots
}

// rule is what a method of Step does.
type rule int

const (
	rulePlain rule = iota
	ruleMomentum
	ruleNesterov
	ruleAdam
	ruleRMSProp
	ruleCentered
	ruleAdagrad
	ruleLion
	rulePenalty
)

// run is a rule in assembly; it reports whether there is nothing left to do.
func (s *Step) run(r rule, p, g, s0, s1, s2 []float32) bool {
	return len(p) == 0 || descentMachine(r, s, p, g, s0, s1, s2)
}

// gradient of a parameter w.
func (s *Step) gradient(g, w float32) float32 { return float32(s.Scale*g) + float32(s.Decay*w) }

func root(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// directed is amount with the sign of x; 0 where x is 0 or NaN.
func directed(amount, x float32) float32 {
	switch {
	case x > 0:
		return amount
	case x < 0:
		return 0 - amount
	}
	return 0
}

// Plain is stochastic gradient descent.
func (s *Step) Plain(p, g []float32) {
	if g = g[:len(p)]; s.run(rulePlain, p, g, nil, nil, nil) {
		return
	}
	for i, w := range p {
		p[i] = w - float32(s.Rate*s.gradient(g[i], w))
	}
}

// Momentum is the same with momentum m (Polyak 1964), as in Sutskever et al. (2013).
func (s *Step) Momentum(p, g, m []float32) {
	if g, m = g[:len(p)], m[:len(p)]; s.run(ruleMomentum, p, g, m, nil, nil) {
		return
	}
	for i, w := range p {
		m[i] = float32(s.Mean*m[i]) + float32(s.MeanNew*s.gradient(g[i], w))
		p[i] = w - float32(s.Rate*m[i])
	}
}

// Nesterov looks ahead (Sutskever et al. 2013, section 2).
func (s *Step) Nesterov(p, g, m []float32) {
	if g, m = g[:len(p)], m[:len(p)]; s.run(ruleNesterov, p, g, m, nil, nil) {
		return
	}
	for i, w := range p {
		d := s.gradient(g[i], w)
		m[i] = float32(s.Mean*m[i]) + float32(s.MeanNew*d)
		p[i] = w - float32(s.Rate*(d+float32(s.Mean*m[i])))
	}
}

// squares is the mean of squares v with another d.
func (s *Step) squares(v, d float32) float32 {
	return float32(s.Square*v) + float32(float32(s.SquareNew*d)*d)
}

// Adam is algorithm 1 of Kingma and Ba (2015), with m and v its moments; with Keep below 1 and no Decay, algorithm 2 of Loshchilov and Hutter (2019).
// What the bias of the first steps asks for is in Rate and Root.
func (s *Step) Adam(p, g, m, v []float32) {
	if g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]; s.run(ruleAdam, p, g, m, v, nil) {
		return
	}
	for i, w := range p {
		d := s.gradient(g[i], w)
		m[i] += float32(s.MeanNew * (d - m[i]))
		v[i] = s.squares(v[i], d)
		p[i] = float32(s.Keep*w) - float32(s.Rate*m[i])/(float32(s.Root*root(v[i]))+s.Eps)
	}
}

// RMSProp is Hinton's (lecture 6 of "Neural Networks for Machine Learning", 2012) with the mean v of squares, and momentum m.
func (s *Step) RMSProp(p, g, v, m []float32) {
	if g, v, m = g[:len(p)], v[:len(p)], m[:len(p)]; s.run(ruleRMSProp, p, g, v, m, nil) {
		return
	}
	for i, w := range p {
		d := s.gradient(g[i], w)
		v[i] = s.squares(v[i], d)
		m[i] = float32(s.Mean*m[i]) + d/(root(v[i])+s.Eps)
		p[i] = w - float32(s.Rate*m[i])
	}
}

// Centered is RMSProp that divides by the spread around the mean of gradients (Graves 2013, equations 38 to 45). A variance that rounding makes
// negative counts as 0.
func (s *Step) Centered(p, g, v, m, mean []float32) {
	if g, v, m, mean = g[:len(p)], v[:len(p)], m[:len(p)], mean[:len(p)]; s.run(ruleCentered, p, g, v, m, mean) {
		return
	}
	for i, w := range p {
		d := s.gradient(g[i], w)
		v[i] = s.squares(v[i], d)
		mean[i] += float32(s.SquareNew * (d - mean[i]))
		variance := v[i] - float32(mean[i]*mean[i])
		if variance < 0 {
			variance = 0
		}
		m[i] = float32(s.Mean*m[i]) + d/(root(variance)+s.Eps)
		p[i] = w - float32(s.Rate*m[i])
	}
}

// Adagrad is Duchi et al. (2011) with diagonal matrices; v is the sum of squares.
func (s *Step) Adagrad(p, g, v []float32) {
	if g, v = g[:len(p)], v[:len(p)]; s.run(ruleAdagrad, p, g, v, nil, nil) {
		return
	}
	for i, w := range p {
		d := s.gradient(g[i], w)
		v[i] += float32(d * d)
		p[i] = w - float32(s.Rate*d)/(root(v[i])+s.Eps)
	}
}

// Lion is algorithm 2 of Chen et al., "Symbolic Discovery of Optimization Algorithms" (2023). Mean is its first beta, by which it steps, and Square
// its second, by which momentum m is kept; Decay does not count.
func (s *Step) Lion(p, g, m []float32) {
	if g, m = g[:len(p)], m[:len(p)]; s.run(ruleLion, p, g, m, nil, nil) {
		return
	}
	for i, w := range p {
		d := float32(s.Scale * g[i])
		u := float32(s.Mean*m[i]) + float32(s.MeanNew*d)
		p[i] = float32(s.Keep*w) - directed(s.Rate, u)
		m[i] = float32(s.Square*m[i]) + float32(s.SquareNew*d)
	}
}

// Penalize adds to gradients g the derivative of l1·Σ|p| + l2·Σp²/2.
func Penalize(g, p []float32, l1, l2 float32) {
	s := Step{Scale: l1, Decay: l2}
	if g = g[:len(p)]; s.run(rulePenalty, p, g, nil, nil, nil) {
		return
	}
	for i, w := range p {
		g[i] += float32(l2*w) + directed(l1, w)
	}
}
