package optim

import "math"

// penalize adds the derivative of the penalties to the gradients: l1·sign(w) + l2·w, for weights, not for biases and scales.
func penalize(o *Optimizer, p *piece, _ *float64) {
	if len(o.params[p.param].Shape) < 2 {
		return
	}
	l1, l2 := float32(o.config.L1), float32(o.config.L2)
	g := p.g
	for i, w := range p.p {
		d := l2 * w
		switch {
		case w > 0:
			d += l1
		case w < 0:
			d -= l1
		}
		g[i] += d
	}
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
	g := p.g
	for i, v := range g {
		if v > most {
			g[i] = most
		} else if v < -most {
			g[i] = -most
		}
	}
}

func square(o *Optimizer, p *piece, sum *float64) {
	var s0, s1, s2, s3 float64
	g := p.g
	for ; len(g) >= 4; g = g[4:] {
		s0 += float64(g[0]) * float64(g[0])
		s1 += float64(g[1]) * float64(g[1])
		s2 += float64(g[2]) * float64(g[2])
		s3 += float64(g[3]) * float64(g[3])
	}
	for _, v := range g {
		s0 += float64(v) * float64(v)
	}
	*sum = s0 + s1 + s2 + s3
}

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
