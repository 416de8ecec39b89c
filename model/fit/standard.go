package fit

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
)

// Standard is a linear map of features to mean 0 and deviation 1: z = (x - Mean) * Scale. A constant feature has the
// Scale 0: nothing can be learned from it, and nothing shall follow from it later.
type Standard struct {
	Mean, Scale []float64 // (cols)
}

// NewStandard is the map for features of these means and variances (cols).
func NewStandard(mean, variance []float64) Standard {
	s := Standard{Mean: mean, Scale: make([]float64, len(mean))}
	for j, v := range variance {
		deviation := math.Sqrt(v)
		if deviation <= 1e-7*math.Abs(mean[j]) || 1/deviation > math.MaxFloat32 { // below what float32 resolves
			continue
		}
		s.Scale[j] = 1 / deviation
	}
	return s
}

// Standardize measures the features of d under its weights. It sums what is left of them after a first guess of the mean,
// so that a large offset costs no precision; where the guess is far off, it goes over the data again with the mean.
func Standardize(d Data) Standard {
	center := Center(d)
	mean, variance, good := moments(d, center)
	if !good {
		mean, variance, _ = moments(d, mean)
	}
	return NewStandard(mean, variance)
}

// Center is a guess of the features' means (cols), from some thousand rows all over the data.
func Center(d Data) []float64 {
	mean, one := make([]float64, d.Cols), []float64{0}
	zero := make([]float64, d.Cols)
	var total float64
	for i := 0; i < d.Rows; i += max(1, d.Rows/4096) {
		one[0] = d.W(i)
		total += one[0]
		kernel.WideSums(mean, d.Row(i), zero, one)
	}
	for j := range mean {
		mean[j] /= total
		if mean[j]-mean[j] != 0 {
			mean[j] = 0 // no weight here, or nothing finite
		}
	}
	return mean
}

// FarOff reports whether a center lies so many deviations from the mean that sums about it lose digits. A distance that
// is small beside the center itself matters to no feature that varies.
func FarOff(center, distance, variance float64) bool {
	return distance*distance > 1e6*variance && math.Abs(distance) > 1e-9*math.Abs(center)
}

// moments are means and variances (cols), by sums about center; good tells whether it is near enough for the variances.
func moments(d Data, center []float64) (mean, variance []float64, good bool) {
	const chunk = 256 // rows that stay in cache
	blocks := min(64, (d.Rows+4095)/4096)
	sums := make([][]float64, blocks) // of weights, features and squares
	Parallel(d.Workers(), blocks, func(b int) {
		s, a := make([]float64, 1+2*d.Cols), make([]float64, chunk)
		last := (b + 1) * d.Rows / blocks
		for from := b * d.Rows / blocks; from < last; from += chunk {
			to := min(last, from+chunk)
			for i := from; i < to; i++ {
				a[i-from] = d.W(i)
				s[0] += a[i-from]
			}
			kernel.WideMoments(s[1:1+d.Cols], s[1+d.Cols:], d.X[from*d.Cols:to*d.Cols], center, a[:to-from])
		}
		sums[b] = s
	})
	total := sums[0]
	for _, s := range sums[1:] {
		for i, v := range s {
			total[i] += v
		}
	}
	mean, variance, good = total[1:1+d.Cols], total[1+d.Cols:], true
	for j := range mean {
		distance := mean[j] / total[0]
		mean[j] = center[j] + distance
		variance[j] = max(0, variance[j]/total[0]-distance*distance)
		good = good && !FarOff(center[j], distance, variance[j])
	}
	return mean, variance, good
}

// Foldable reports whether the map can go into the weights of a following layer without loss in float32: no feature
// lies far from zero for its spread, and none is so large or small that weights leave the range of float32.
func (s Standard) Foldable() bool {
	for j, scale := range s.Scale {
		if scale != 0 && (math.Abs(s.Mean[j])*scale > 16 || scale > 1e12 || scale < 1e-12) {
			return false
		}
	}
	return true
}

// Rounded is the map in numbers that float32 holds. What is learned from features that it maps refers to what a graph
// makes of them, so that rounding costs nothing, even of years or other numbers far from zero.
func (s Standard) Rounded() Standard {
	out := Standard{Mean: make([]float64, len(s.Mean)), Scale: make([]float64, len(s.Scale))}
	for j := range s.Mean {
		pair := Narrow([]float64{s.Mean[j], s.Scale[j]})
		out.Mean[j], out.Scale[j] = float64(pair[0]), float64(pair[1])
	}
	return out
}

// Append adds the map to a graph: from x (rows, cols) to (rows, cols).
func (s Standard) Append(b *graph.Builder, x graph.Value) graph.Value {
	x = b.Op("Sub", x, b.Floats("mean", Narrow(s.Mean)))
	return b.Op("Mul", x, b.Floats("scale", Narrow(s.Scale)))
}

// Narrow rounds to float32; what is beyond its range becomes the largest finite number.
func Narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(min(max(v, -math.MaxFloat32), math.MaxFloat32))
	}
	return out
}
