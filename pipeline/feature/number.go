package feature

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/pipeline/check"
)

// clip bounds scaled numbers, so that infinities and the overflow of float32 cannot reach the model. Ten thousand
// standard deviations: n training rows cannot reach beyond √n.
const clip = 1e4

// numbers is every numeric column at once, float32 (rows, 1) each: impute the median, standardise, clip, and for each
// column that had missing values in training an indicator 0 or 1.
//
//	x = Concat(in…)                       (rows, n)
//	z = Clip((Where(IsNaN(x), median, x) - mean) · scale)
//	out = Concat(z, IsNaN(x)[flags])      (rows, n + flags)
type numbers struct {
	at     []int
	name   []string
	median []float32 // (n)
	mean   []float32 // (n)
	scale  []float32 // (n)
	flags  []int64   // columns with an indicator
	scaled bool
}

func fitNumbers(columns []column, o Options) block {
	k := &numbers{scaled: o.Scale == Standard}
	n := len(columns)
	k.median, k.mean, k.scale = make([]float32, n), make([]float32, n), make([]float32, n)
	each(n, func(i int) { k.fit(i, columns[i]) })
	for i, c := range columns {
		k.at, k.name = append(k.at, c.at), append(k.name, c.input.Name)
		if c.input.Missing > 0 {
			k.flags = append(k.flags, int64(i))
		}
	}
	return k
}

// fit measures column i. Infinite values count for nothing.
func (k *numbers) fit(i int, c column) {
	c.input.Type = "float32"
	rows := c.data.Numbers
	median := check.Quantile(check.Sorted(rows), 0.5)
	if math.IsNaN(median) { // nothing finite in the sample
		median = 0
	}
	k.median[i] = float32(median)
	lo, hi, sum, n := math.Inf(1), math.Inf(-1), 0.0, 0
	for _, x := range rows {
		if math.IsInf(x, 0) {
			continue
		}
		if math.IsNaN(x) {
			x = median // mean and deviation are of the imputed column
		} else {
			lo, hi = min(lo, x), max(hi, x)
		}
		sum += x
		n++
	}
	mean := sum / float64(max(n, 1))
	squares := 0.0
	for _, x := range rows {
		if math.IsNaN(x) {
			x = median
		}
		if !math.IsInf(x, 0) {
			squares += (x - mean) * (x - mean)
		}
	}
	k.mean[i], k.scale[i] = standard(mean, squares/float64(max(n, 1)))
	if lo <= hi {
		c.input.Min, c.input.Max = &lo, &hi
		c.input.Example = median
	}
}

// standard returns mean and 1/deviation as float32; a deviation that float32 cannot resolve beside the mean scales by 0:
// what is left of such a column is rounding.
func standard(mean, variance float64) (m, scale float32) {
	deviation := math.Sqrt(variance)
	if !(deviation > 1e-7*math.Abs(mean)) || 1/deviation > math.MaxFloat32 || 1/deviation < 1e-37 {
		return finite(mean), 0
	}
	return finite(mean), float32(1 / deviation)
}

// finite rounds to float32 within its range.
func finite(x float64) float32 {
	return float32(max(-math.MaxFloat32, min(math.MaxFloat32, x)))
}

func (k *numbers) inputs() []int { return k.at }

func (k *numbers) names() []string { return flagged(k.name, k.flags) }

// split: numbers are made for all columns at once, which is faster than one by one.
func (k *numbers) split() []block { return []block{k} }

func (k *numbers) append(b *graph.Builder, in []graph.Value) graph.Value {
	x, flags := impute(b, join(b, in), k.median, k.flags)
	limit := float32(math.MaxFloat32)
	if k.scaled {
		limit = clip
		x = standardise(b, x, k.mean, k.scale)
	}
	x = b.Op("Clip", x, b.Scalar("low", -limit), b.Scalar("high", limit))
	return join(b, append([]graph.Value{x}, flags...))
}

// standardise appends (x - mean) · scale, x (rows, n). An infinity times the scale 0 would be NaN, so the difference is
// clipped first where a scale is 0.
func standardise(b *graph.Builder, x graph.Value, mean, scale []float32) graph.Value {
	x = b.Op("Sub", x, b.Floats("mean", mean))
	for _, s := range scale {
		if s == 0 {
			x = b.Op("Clip", x, b.Scalar("low", -math.MaxFloat32), b.Scalar("high", math.MaxFloat32))
			break
		}
	}
	return b.Op("Mul", x, b.Floats("scale", scale))
}

// impute puts fill (n) where x (rows, n) is NaN, and returns the indicators (rows, len(flags)) of the flagged columns,
// none when there are none.
func impute(b *graph.Builder, x graph.Value, fill []float32, flags []int64) (filled graph.Value, indicators []graph.Value) {
	missing := b.Op("IsNaN", x) // bool (rows, n)
	filled = b.Op("Where", missing, b.Floats("fill", fill), x)
	if len(flags) > 0 {
		indicators = []graph.Value{pick(b, toFloat(b, missing), flags...)}
	}
	return filled, indicators
}

// flagged lists the names of columns, then of the indicators of some.
func flagged(names []string, flags []int64) []string {
	out := append([]string(nil), names...)
	for _, i := range flags {
		out = append(out, names[i]+" missing")
	}
	return out
}
