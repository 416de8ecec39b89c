package optim

import "math"

// rules are the optimisers by name. All follow the algorithms in the documentation of torch.optim.
var rules = map[string]*rule{
	"sgd":     {slots: 1, defaults: func(c *Config) { or(&c.LR, .01) }, prepare: prepareSGD, apply: sgd},
	"adam":    {slots: 2, defaults: func(c *Config) { or(&c.LR, .001); betas(c, .9, .999) }, prepare: prepareAdam, apply: adam},
	"adamw":   {slots: 2, defaults: func(c *Config) { or(&c.LR, .001); betas(c, .9, .999); or(&c.WeightDecay, .01) }, prepare: prepareAdam, apply: adamW},
	"rmsprop": {slots: 3, defaults: func(c *Config) { or(&c.LR, .01); or(&c.Alpha, .99) }, prepare: prepareRMSProp, apply: rmsProp},
	"adagrad": {slots: 1, defaults: func(c *Config) { or(&c.LR, .01); or(&c.Eps, 1e-10) }, prepare: prepareAdagrad, apply: adagrad},
	"lion":    {slots: 1, defaults: func(c *Config) { or(&c.LR, .0001); betas(c, .9, .99) }, prepare: prepareLion, apply: lion},
}

func betas(c *Config, b1, b2 float64) {
	if c.Betas == [2]float64{} {
		c.Betas = [2]float64{b1, b2}
	}
}

// a is the momentum, b what a new gradient counts.
func prepareSGD(c *Config, k *constants) {
	k.a, k.b = float32(c.Momentum), float32(1-c.Dampening)
	if k.first {
		k.b = 1
	}
}

// sgd is stochastic gradient descent with momentum as in Sutskever et al. (2013).
func sgd(k *constants, p, g []float32, s [][]float32) {
	g = g[:len(p)]
	if len(s) == 0 {
		for i, w := range p {
			p[i] = w - k.lr*(k.scale*g[i]+k.decay*w)
		}
		return
	}
	m := s[0][:len(p)]
	for i, w := range p {
		d := k.scale*g[i] + k.decay*w
		m[i] = k.a*m[i] + k.b*d
		if k.nesterov {
			d += k.a * m[i]
		} else {
			d = m[i]
		}
		p[i] = w - k.lr*d
	}
}

// a and b are the betas; c is the rate and d the scale of the second moment, both free of the bias of the first steps.
func prepareAdam(c *Config, k *constants) {
	k.a, k.b = float32(c.Betas[0]), float32(c.Betas[1])
	k.c = float32(k.rate / (1 - math.Pow(c.Betas[0], k.step)))
	k.d = float32(1 / math.Sqrt(1-math.Pow(c.Betas[1], k.step)))
}

// adam is algorithm 1 of Kingma and Ba (2015), weight decay being part of the gradient.
func adam(k *constants, p, g []float32, s [][]float32) {
	m, v, g := s[0][:len(p)], s[1][:len(p)], g[:len(p)]
	a1, b1 := 1-k.a, 1-k.b
	for i, w := range p {
		d := k.scale*g[i] + k.decay*w
		m[i] += a1 * (d - m[i])
		v[i] = k.b*v[i] + b1*d*d
		p[i] = w - k.c*m[i]/(float32(math.Sqrt(float64(v[i])))*k.d+k.eps)
	}
}

// adamW takes the decay from the weights themselves (Loshchilov and Hutter 2019, algorithm 2).
func adamW(k *constants, p, g []float32, s [][]float32) {
	m, v, g := s[0][:len(p)], s[1][:len(p)], g[:len(p)]
	a1, b1, keep := 1-k.a, 1-k.b, 1-k.lr*k.decay
	for i, w := range p {
		d := k.scale * g[i]
		m[i] += a1 * (d - m[i])
		v[i] = k.b*v[i] + b1*d*d
		p[i] = w*keep - k.c*m[i]/(float32(math.Sqrt(float64(v[i])))*k.d+k.eps)
	}
}

func prepareRMSProp(c *Config, k *constants) { k.a, k.b = float32(c.Alpha), float32(c.Momentum) }

// rmsProp is Hinton's (lecture 6 of "Neural Networks for Machine Learning", 2012), centered as in Graves (2013).
func rmsProp(k *constants, p, g []float32, s [][]float32) {
	v, m, mean, g := s[0][:len(p)], s[1][:len(p)], s[2][:len(p)], g[:len(p)]
	for i, w := range p {
		d := k.scale*g[i] + k.decay*w
		v[i] = k.a*v[i] + (1-k.a)*d*d
		spread := v[i]
		if k.centered {
			mean[i] += (1 - k.a) * (d - mean[i])
			spread -= mean[i] * mean[i]
		}
		m[i] = k.b*m[i] + d/(float32(math.Sqrt(float64(spread)))+k.eps)
		p[i] = w - k.lr*m[i]
	}
}

func prepareAdagrad(c *Config, k *constants) { k.c = float32(k.rate / (1 + (k.step-1)*c.LRDecay)) }

// adagrad is Duchi et al. (2011), with diagonal matrices.
func adagrad(k *constants, p, g []float32, s [][]float32) {
	v, g := s[0][:len(p)], g[:len(p)]
	for i, w := range p {
		d := k.scale*g[i] + k.decay*w
		v[i] += d * d
		p[i] = w - k.c*d/(float32(math.Sqrt(float64(v[i])))+k.eps)
	}
}

func prepareLion(c *Config, k *constants) { k.a, k.b = float32(c.Betas[0]), float32(c.Betas[1]) }

// lion is algorithm 2 of Chen et al., "Symbolic Discovery of Optimization Algorithms" (2023).
func lion(k *constants, p, g []float32, s [][]float32) {
	m, g := s[0][:len(p)], g[:len(p)]
	keep := 1 - k.lr*k.decay
	for i, w := range p {
		d := k.scale * g[i]
		step := k.lr
		switch u := k.a*m[i] + (1-k.a)*d; {
		case u < 0:
			step = -k.lr
		case u == 0:
			step = 0
		}
		p[i] = w*keep - step
		m[i] = k.b*m[i] + (1-k.b)*d
	}
}
