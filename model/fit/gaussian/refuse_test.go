package gaussian_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/gaussian"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestRefuses: parameters out of range are refused by name, before anything is appended.
func TestRefuses(t *testing.T) {
	d := fit.Data{Task: fit.Classification, Rows: 2, Cols: 2, X: []float32{1, -2, 3, 4}, Class: []int32{0, 1}, Classes: 2}
	for _, c := range []struct {
		e     fit.Estimator
		field string
	}{
		{gaussian.Process{LengthScale: 1e6}, "length_scale"},
		{gaussian.Process{ConstantValue: -1}, "constant_value"},
		{gaussian.Process{NoiseLevel: math.NaN()}, "noise_level"},
		{gaussian.Process{MaxIter: -1}, "max_iter"},
		{gaussian.Process{OptimizeRows: -1}, "optimize_rows"},
	} {
		b := graph.NewBuilder("model")
		x := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
		_, err := c.e.Fit(context.Background(), d, b, x, nil)
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != c.field || len(b.Graph().Nodes) > 0 {
			t.Errorf("%+v: %v, want an invalid %q", c.e, err, c.field)
		}
	}
}
