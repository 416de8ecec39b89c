package boost

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/trees"
)

// leastHessian is the least second derivative: XGBoost's.
const leastHessian = 1e-16

// logistic is the negative log likelihood of two classes, by the score of the second one.
type logistic struct{}

func (logistic) link() trees.Link { return trees.Logistic }

func (logistic) base(d fit.Data, rows []int32) []float64 {
	share := logShares(d, rows)
	return []float64{share[1] - share[0]}
}

func (logistic) derive(b *block) {
	s, g, h := b.s[0], b.g[0][:len(b.class)], b.h[0][:len(b.class)]
	kernel.Line(g, s, 1, float32(b.base[0]))
	for i := range b.loss {
		z := float64(g[i])
		b.loss[i] = max(z, 0) - z*float64(b.class[i]) + math.Log1p(math.Exp(-math.Abs(z)))
	}
	kernel.Sigmoid(g, g)
	for i, k := range b.class {
		p := g[i]
		g[i], h[i] = p-float32(k), max(p*(1-p), leastHessian)
	}
}

// softmax is the negative log likelihood of K classes. Second derivatives are K/(K-1)·p(1-p), by which a leaf is what Friedman 2001 (algorithm 6) makes it, and
// LightGBM; XGBoost's 2p(1-p) makes steps of half the size.
type softmax struct{}

func (softmax) link() trees.Link { return trees.Softmax }

func (softmax) base(d fit.Data, rows []int32) []float64 { return logShares(d, rows) }

func (softmax) derive(b *block) {
	n := len(b.class)
	top, sum := make([]float32, n), make([]float32, n)
	for k, s := range b.s {
		g := b.g[k][:n]
		kernel.Line(g, s, 1, float32(b.base[k]))
		if k == 0 {
			copy(top, g)
			continue
		}
		for i, z := range g {
			top[i] = max(top[i], z)
		}
	}
	for i := range b.loss {
		b.loss[i] = float64(top[i] - b.g[b.class[i]][i])
	}
	for _, g := range b.g {
		g = g[:n]
		for i := range g {
			g[i] -= top[i]
		}
		kernel.Exp(g, g)
		for i, e := range g {
			sum[i] += e
		}
	}
	for i := range b.loss {
		b.loss[i] += math.Log(float64(sum[i]))
	}
	classes := float32(len(b.g))
	for k, g := range b.g {
		g, h := g[:n], b.h[k][:n]
		for i := range g {
			p := g[i] / sum[i]
			g[i], h[i] = p, max(classes/(classes-1)*p*(1-p), leastHessian)
		}
	}
	for i, k := range b.class {
		b.g[k][i]--
	}
}

// logShares are the logarithms of the classes' shares of the weight. A class that does not occur keeps a small one, so that its score is finite.
func logShares(d fit.Data, rows []int32) []float64 {
	share := make([]float64, d.Classes)
	var total float64
	for _, r := range rows {
		share[d.Class[r]] += d.W(int(r))
		total += d.W(int(r))
	}
	for k := range share {
		share[k] = math.Log(max(share[k]/max(total, math.SmallestNonzeroFloat64), 1e-6))
	}
	return share
}
