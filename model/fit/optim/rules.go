package optim

import "math"

// rules are the optimisers by name. All follow the algorithms in the documentation of torch.optim; package kernel has their loops.
var rules = map[string]*rule{
	"sgd":     {slots: 1, defaults: func(c *Config) { or(&c.LR, .01) }, prepare: prepareSGD, apply: sgd},
	"adam":    {slots: 2, defaults: func(c *Config) { or(&c.LR, .001); betas(c, .9, .999) }, prepare: prepareAdam, apply: adam},
	"adamw":   {slots: 2, defaults: func(c *Config) { or(&c.LR, .001); betas(c, .9, .999); or(&c.WeightDecay, .01) }, prepare: prepareAdamW, apply: adam},
	"rmsprop": {slots: 3, defaults: func(c *Config) { or(&c.LR, .01); or(&c.Alpha, .99) }, prepare: prepareRMSProp, apply: rmsProp},
	"adagrad": {slots: 1, defaults: func(c *Config) { or(&c.LR, .01); or(&c.Eps, 1e-10) }, prepare: prepareAdagrad, apply: adagrad},
	"lion":    {slots: 1, defaults: func(c *Config) { or(&c.LR, .0001); betas(c, .9, .99) }, prepare: prepareLion, apply: lion},
}

func betas(c *Config, b1, b2 float64) {
	if c.Betas == [2]float64{} {
		c.Betas = [2]float64{b1, b2}
	}
}

func prepareSGD(c *Config, k *constants) {
	k.Mean, k.MeanNew = float32(c.Momentum), float32(1-c.Dampening)
	if k.steps == 1 {
		k.MeanNew = 1
	}
}

func sgd(k *constants, p, g []float32, s [][]float32) {
	switch {
	case len(s) == 0:
		k.Plain(p, g)
	case k.nesterov:
		k.Nesterov(p, g, s[0])
	default:
		k.Momentum(p, g, s[0])
	}
}

// prepareAdam frees the rate and the second moment of the bias of the first steps.
func prepareAdam(c *Config, k *constants) {
	prepareBetas(c, k)
	k.Rate = float32(k.rate / (1 - math.Pow(c.Betas[0], k.steps)))
	k.Root = float32(1 / math.Sqrt(1-math.Pow(c.Betas[1], k.steps)))
}

// prepareAdamW takes the decay from the weights themselves.
func prepareAdamW(c *Config, k *constants) {
	prepareAdam(c, k)
	decouple(c, k)
}

func prepareBetas(c *Config, k *constants) {
	k.Mean, k.MeanNew = float32(c.Betas[0]), float32(1-c.Betas[0])
	k.Square, k.SquareNew = float32(c.Betas[1]), float32(1-c.Betas[1])
}

func decouple(c *Config, k *constants) { k.Decay, k.Keep = 0, float32(1-k.rate*c.WeightDecay) }

func adam(k *constants, p, g []float32, s [][]float32) { k.Adam(p, g, s[0], s[1]) }

func prepareRMSProp(c *Config, k *constants) {
	k.Mean, k.Square, k.SquareNew = float32(c.Momentum), float32(c.Alpha), float32(1-c.Alpha)
}

func rmsProp(k *constants, p, g []float32, s [][]float32) {
	if k.centered {
		k.Centered(p, g, s[0], s[1], s[2])
		return
	}
	k.RMSProp(p, g, s[0], s[1])
}

func prepareAdagrad(c *Config, k *constants) { k.Rate = float32(k.rate / (1 + (k.steps-1)*c.LRDecay)) }

func adagrad(k *constants, p, g []float32, s [][]float32) { k.Adagrad(p, g, s[0]) }

func prepareLion(c *Config, k *constants) {
	prepareBetas(c, k)
	decouple(c, k)
}

func lion(k *constants, p, g []float32, s [][]float32) { k.Lion(p, g, s[0]) }
