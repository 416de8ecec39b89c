package fit

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
)

// Standard is a linear map of features to mean 0 and deviation 1: z = (x - Mean) * Scale. A constant feature has the
// Scale 0: nothing can be learned from it, and nothing shall follow from it later.
type Standard struct {
	Mean, Scale []float64 // (cols)
}

// Standardize measures the features of d under its weights, in two passes, so that a large offset costs no precision.
func Standardize(d Data) Standard {
	s := Standard{Mean: make([]float64, d.Cols), Scale: make([]float64, d.Cols)}
	var total float64
	for i := range d.Rows {
		w := d.W(i)
		total += w
		for j, v := range d.Row(i) {
			s.Mean[j] += w * float64(v)
		}
	}
	for j := range s.Mean {
		s.Mean[j] /= total
	}
	for i := range d.Rows {
		w := d.W(i)
		for j, v := range d.Row(i) {
			c := float64(v) - s.Mean[j]
			s.Scale[j] += w * c * c
		}
	}
	for j, squares := range s.Scale {
		deviation := math.Sqrt(squares / total)
		if deviation <= 1e-7*math.Abs(s.Mean[j]) || 1/deviation > math.MaxFloat32 { // below what float32 resolves
			s.Scale[j] = 0
			continue
		}
		s.Scale[j] = 1 / deviation
	}
	return s
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
