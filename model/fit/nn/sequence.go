package nn

import (
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Steps takes in sequences of numbers, float32 (rows, steps, features), where NaN fills the steps behind a sequence's end: layers behind leave those steps
// out, and in them the numbers are 0. The others are standardised: (x - mean)·scale.
type Steps struct {
	Mean  []float64 `json:"mean,omitempty"`  // (features), or none
	Scale []float64 `json:"scale,omitempty"` // (features), or none
}

// Append implements Layer.
func (l Steps) Append(s *Scope, x graph.Value) (graph.Value, error) {
	dims, err := s.Dims(x, 3, "Steps")
	if err != nil {
		return "", err
	}
	if err := known(dims[2], "the number of features of a step"); err != nil {
		return "", err
	}
	for _, p := range []struct {
		name string
		v    []float64
	}{{"mean", l.Mean}, {"scale", l.Scale}} {
		if p.v != nil && len(p.v) != dims[2] {
			return "", fault.New(fault.Invalid, "one number for each feature of a step is wanted").At(p.name)
		}
	}
	first := s.Op("Slice", x, s.Ints("from", []int64{0}), s.Ints("to", []int64{1}), s.Ints("axis", []int64{2})) // (rows, steps, 1)
	s.Mask = s.Op("Not", s.Op("IsNaN", s.Op("Squeeze", first, s.Ints("axis", []int64{2}))))
	y := x
	if l.Mean != nil {
		y = s.Op("Sub", y, s.Fixed("mean", fit.Narrow(l.Mean)))
	}
	if l.Scale != nil {
		y = s.Op("Mul", y, s.Fixed("scale", fit.Narrow(l.Scale)))
	}
	return s.Op("Where", s.Op("IsNaN", x), s.Scalar("zero", 0), y), nil
}

// Transpose exchanges the last two dimensions: (rows, steps, features) becomes (rows, features, steps), as convolutions along sequences want it, and back.
type Transpose struct{}

// Append implements Layer.
func (Transpose) Append(s *Scope, x graph.Value) (graph.Value, error) {
	if _, err := s.Dims(x, 3, "Transpose"); err != nil {
		return "", err
	}
	return s.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 2, 1)}, x), nil
}
