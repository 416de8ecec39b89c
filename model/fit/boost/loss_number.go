package boost

import (
	"cmp"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/trees"
)

// squared is half the squared error; what it reports is the squared error.
type squared struct{ identity }

func (squared) base(d fit.Data, rows []int32) []float64 { return []float64{targets(d, rows)} }

func (squared) derive(b *block) {
	s, g, h := b.s[0], b.g[0][:len(b.y)], b.h[0][:len(b.y)]
	for i, y := range b.y {
		g[i], h[i] = narrow(float64(s[i])-(float64(y)-b.base[0])), 1
	}
	for i := range b.loss {
		b.loss[i] = float64(g[i]) * float64(g[i])
	}
}

// huber is the pseudo-Huber loss (Charbonnier et al. 1997) of slope δ: δ²(√(1 + (e/δ)²) - 1).
type huber struct{ slope float64 }

func (huber) base(d fit.Data, rows []int32) []float64 { return quantile{.5}.base(d, rows) }

func (o huber) derive(b *block) {
	for i, y := range b.y {
		e := float64(b.s[0][i]) - (float64(y) - b.base[0])
		z := 1 + (e/o.slope)*(e/o.slope)
		root := math.Sqrt(z)
		b.g[0][i], b.h[0][i] = float32(e/root), float32(1/(z*root))
		if b.loss != nil {
			b.loss[i] = o.slope * o.slope * (root - 1)
		}
	}
}

func (huber) link() trees.Link { return trees.None }

// quantile is the pinball loss of a quantile α: α·e where the target is e above the score, (1-α)·e where it is below. That of the median is half the absolute error.
type quantile struct{ alpha float64 }

func (o quantile) base(d fit.Data, rows []int32) []float64 {
	y, w := make([]float32, len(rows)), []float32(nil)
	for i, r := range rows {
		y[i] = d.Y[r]
		if d.Weight != nil {
			w = append(w, d.Weight[r])
		}
	}
	return []float64{float64(o.renew(y, w))}
}

func (o quantile) derive(b *block) {
	for i, y := range b.y {
		e := float64(b.s[0][i]) - (float64(y) - b.base[0])
		g := -o.alpha
		if e >= 0 {
			g = 1 - o.alpha
		}
		b.g[0][i], b.h[0][i] = float32(g), 1
		if b.loss != nil {
			b.loss[i] = g * e
		}
	}
}

func (quantile) link() trees.Link { return trees.None }

// renew is the weighted quantile: the first of the sorted residuals up to which α of the weight lies; the middle of two where it is between them.
func (o quantile) renew(residuals, weights []float32) float32 {
	if len(residuals) == 0 {
		return 0
	}
	if weights == nil {
		slices.Sort(residuals)
		at := o.alpha * float64(len(residuals)-1) // as numpy's quantile
		low := int(at)
		high := min(low+1, len(residuals)-1)
		return float32(float64(residuals[low]) + (at-float64(low))*(float64(residuals[high])-float64(residuals[low])))
	}
	order, total := make([]int, len(residuals)), 0.0
	for i := range order {
		order[i] = i
		total += float64(weights[i])
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(residuals[a], residuals[b]) })
	var sum float64
	for _, i := range order {
		if sum += float64(weights[i]); sum >= o.alpha*total && weights[i] > 0 {
			return residuals[i]
		}
	}
	return residuals[order[len(order)-1]]
}
