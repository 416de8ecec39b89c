package neighbors_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/neighbors"
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
		{neighbors.KNeighbors{NNeighbors: -1}, "n_neighbors"},
		{neighbors.KNeighbors{Weights: "far"}, "weights"},
		{neighbors.KNeighbors{P: 3}, "p"},
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
