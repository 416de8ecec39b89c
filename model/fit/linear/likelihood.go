package linear

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/kernel"
)

// likelihood is the negative logarithm of the class's probability: of one score for two classes, and of a score for each
// class where there are more.
type likelihood struct{ fit.Data }

func (l likelihood) of(d fit.Data) loss { return likelihood{d} }

func (l likelihood) slope(z [][]float64, from int) (total float64) {
	if len(z) == 1 {
		return l.binary(z[0], from)
	}
	var own [chunk]float64
	for i := range z[0] {
		own[i] = z[l.Class[from+i]][i]
	}
	var normal [chunk]float64
	for i, v := range normalize(normal[:], z) {
		w := l.W(from + i)
		total += w * (v - own[i])
		z[l.Class[from+i]][i]--
		if l.Weight != nil {
			for k := range z {
				z[k][i] *= w
			}
		}
	}
	return total
}

// binary: loss = log(1 + e^-m), derivative by m = -1/(1 + e^m), where m is the score towards the row's class.
// The logarithm of a product takes the place of logarithms of its factors, which lie between 1 and 2.
func (l likelihood) binary(z []float64, from int) (total float64) {
	var power [chunk]float64
	e := l.powers(power[:], z)
	product, class := 1.0, l.Class[from:from+len(z)]
	for i, m := range z {
		sign := float64(2*class[i] - 1)
		m *= sign
		p := 1 / (1 + e[i])
		if m > 0 {
			p *= e[i]
		}
		if l.Weight == nil {
			z[i] = -sign * p
			product *= 1 + e[i]
			total += max(0, -m)
			continue
		}
		w := float64(l.Weight[from+i])
		z[i] = -sign * p * w
		total += w * (max(0, -m) + math.Log1p(e[i]))
	}
	return total + math.Log(product)
}

// powers writes e^-|z|.
func (l likelihood) powers(e, z []float64) []float64 {
	e = e[:len(z)]
	for i, v := range z {
		e[i] = -math.Abs(v)
	}
	kernel.WideExp(e, e)
	return e
}

// normalize turns scores (outs, rows) into probabilities, and writes the logarithms of what it divides their powers by.
func normalize(normal []float64, z [][]float64) []float64 {
	normal = normal[:len(z[0])]
	copy(normal, z[0])
	for _, scores := range z[1:] {
		for i, v := range scores {
			normal[i] = max(normal[i], v)
		}
	}
	var sum [chunk]float64
	for _, scores := range z {
		for i, top := range normal {
			scores[i] -= top
		}
		kernel.WideExp(scores, scores)
		for i, v := range scores {
			sum[i] += v
		}
	}
	for _, scores := range z {
		for i := range scores {
			scores[i] /= sum[i]
		}
	}
	for i := range normal {
		normal[i] += math.Log(sum[i])
	}
	return normal
}

func (l likelihood) curve(z [][]float64, from int) {
	if len(z) == 1 {
		var power [chunk]float64
		for i, e := range l.powers(power[:], z[0]) {
			z[0][i] = l.W(from+i) * e / ((1 + e) * (1 + e))
		}
		return
	}
	var normal [chunk]float64
	normalize(normal[:], z)
}

func (l likelihood) pair(a []float64, z [][]float64, k, other, from int) {
	if len(z) == 1 {
		copy(a, z[0])
		return
	}
	for i := range a {
		p := -z[k][i] * z[other][i]
		if k == other {
			p += z[k][i]
		}
		a[i] = p * l.W(from+i)
	}
}
