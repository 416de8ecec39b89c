package metric

import "math"

// counts are the weights of rows by class: in truth, in prediction, and in both (classes each).
type counts struct{ truth, pred, both []float64 }

// ofCounts are the metrics that follow from predicted classes alone.
var ofCounts = map[string]func(counts) (float64, bool){
	Accuracy:         counts.accuracy,
	BalancedAccuracy: counts.recall,
	F1Macro:          counts.f1,
	F1Micro:          counts.accuracy,
	F1Weighted:       counts.f1Weighted,
	MCC:              counts.correlation,
	Kappa:            counts.kappa,
}

func (a answers) count() counts {
	c := counts{make([]float64, a.classes), make([]float64, a.classes), make([]float64, a.classes)}
	for i, t := range a.truth {
		p, w := argmax(a.of(i)), rowWeight(a.weight, i)
		c.truth[t] += w
		c.pred[p] += w
		if int(t) == p {
			c.both[t] += w
		}
	}
	return c
}

func argmax(p []float32) int {
	best := 0
	for k, v := range p {
		if v > p[best] {
			best = k
		}
	}
	return best
}

func (c counts) accuracy() (float64, bool) { return share(sum(c.both), sum(c.truth)) }

func (c counts) recall() (float64, bool) {
	var total, n float64
	for k, t := range c.truth {
		if t > 0 {
			total += c.both[k] / t
			n++
		}
	}
	return share(total, n)
}

func (c counts) f1() (float64, bool) {
	var total, n float64
	for k := range c.truth {
		if d := c.truth[k] + c.pred[k]; d > 0 {
			total += 2 * c.both[k] / d
			n++
		}
	}
	return share(total, n)
}

func (c counts) f1Weighted() (float64, bool) {
	var total, rows float64
	for k, t := range c.truth {
		if t > 0 {
			total += t * 2 * c.both[k] / (t + c.pred[k])
			rows += t
		}
	}
	return share(total, rows)
}

// correlation is Matthews' coefficient for any number of classes (Gorodkin 2004).
func (c counts) correlation() (float64, bool) {
	rows := sum(c.truth)
	square := float64(rows * rows) // rounded here, so that one class leaves exactly 0 below
	spread := math.Sqrt((square - dot(c.pred, c.pred)) * (square - dot(c.truth, c.truth)))
	if !(spread > 0) {
		return 0, rows > 0
	}
	return (sum(c.both)*rows - dot(c.truth, c.pred)) / spread, true
}

// kappa is 1 - disagreement / disagreement by chance (Cohen 1960).
func (c counts) kappa() (float64, bool) {
	rows := sum(c.truth)
	chance := float64(rows*rows) - dot(c.truth, c.pred)
	missed, ok := share((rows-sum(c.both))*rows, chance)
	return 1 - missed, ok
}

func sum(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v
	}
	return s
}

func dot(x, y []float64) float64 {
	var s float64
	for i, v := range x {
		s += v * y[i]
	}
	return s
}
