package linear

import "github.com/jarvis-ml/jarvis/model/fit"

// hinge is the squared hinge loss max(0, 1-m)², where m is the score towards a class or away from it.
type hinge struct {
	fit.Data
	class int32
}

func (h hinge) of(d fit.Data) loss { return hinge{d, h.class} }

func (h hinge) sign(row int) float64 {
	if h.Class[row] == h.class {
		return 1
	}
	return -1
}

func (h hinge) slope(z [][]float64, from int) (total float64) {
	for i, score := range z[0] {
		sign, w := h.sign(from+i), h.W(from+i)
		short := max(0, 1-sign*score)
		total += w * short * short
		z[0][i] = -2 * sign * w * short
	}
	return total
}

func (h hinge) curve(z [][]float64, from int) {
	for i, score := range z[0] {
		z[0][i] = 0
		if h.sign(from+i)*score < 1 {
			z[0][i] = 2 * h.W(from+i)
		}
	}
}

func (h hinge) pair(a []float64, z [][]float64, _, _, _ int) { copy(a, z[0]) }

// tube is the squared epsilon-insensitive loss max(0, |y-z|-epsilon)² of targets that are shifted and scaled.
type tube struct {
	fit.Data
	center, scale, epsilon float64 // y is (Y-center)·scale
}

func (t tube) of(d fit.Data) loss { t.Data = d; return t }

// outside is how far a score lies above the tube, or, negative, below it.
func (t tube) outside(row int, score float64) float64 {
	e := score - (float64(t.Y[row])-t.center)*t.scale
	switch {
	case e > t.epsilon:
		return e - t.epsilon
	case e < -t.epsilon:
		return e + t.epsilon
	}
	return 0
}

func (t tube) slope(z [][]float64, from int) (total float64) {
	for i, score := range z[0] {
		e, w := t.outside(from+i, score), t.W(from+i)
		total += w * e * e
		z[0][i] = 2 * w * e
	}
	return total
}

func (t tube) curve(z [][]float64, from int) {
	for i, score := range z[0] {
		e := t.outside(from+i, score)
		z[0][i] = 0
		if e != 0 || t.epsilon == 0 {
			z[0][i] = 2 * t.W(from+i)
		}
	}
}

func (t tube) pair(a []float64, z [][]float64, _, _, _ int) { copy(a, z[0]) }
