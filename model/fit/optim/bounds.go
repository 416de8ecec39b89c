package optim

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

// penalize adds the derivative of the penalties to the gradients: l1·sign(w) + l2·w, for weights, not for biases and scales.
func penalize(o *Optimizer, p *piece, _ *float64) {
	if len(o.params[p.param].Shape) < 2 {
		return
	}
	kernel.Penalize(p.g, p.p, float32(o.config.L1), float32(o.config.L2))
}

// norm bounds the elements of the gradients where that is asked for, and is the norm of all together, added up in the order of the pieces.
func (o *Optimizer) norm() float64 {
	if o.config.ClipGradValue > 0 {
		o.each(clip)
	}
	o.each(square)
	var sum float64
	for _, s := range o.sums {
		sum += s
	}
	return math.Sqrt(sum)
}

// clip keeps NaN, which the norm then shows.
func clip(o *Optimizer, p *piece, _ *float64) {
	most := float32(o.config.ClipGradValue)
	kernel.ClipTo(p.g, p.g, -most, most)
}

func square(_ *Optimizer, p *piece, sum *float64) { *sum = kernel.Energy(p.g) }

// bound scales the weights into each unit whose norm is above most (Srebro and Shraibman 2005; Srivastava et al. 2014, section 5.1).
func bound(p *Param, most float64) {
	if len(p.Shape) < 2 {
		return
	}
	units, inner := p.Shape[p.Out], 1
	for _, n := range p.Shape[p.Out+1:] {
		inner *= n
	}
	outer := len(p.Value) / max(1, units*inner)
	for u := range units {
		var sum float64
		for o := range outer {
			for _, w := range p.Value[(o*units+u)*inner:][:inner] {
				sum += float64(w) * float64(w)
			}
		}
		if sum <= most*most {
			continue
		}
		scale := float32(most / math.Sqrt(sum))
		for o := range outer {
			w := p.Value[(o*units+u)*inner:][:inner]
			for i := range w {
				w[i] *= scale
			}
		}
	}
}
