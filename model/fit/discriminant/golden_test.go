package discriminant

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestGolden compares with scikit-learn, in float64 and as a graph; test/goldens/make_fit_discriminant.py remakes the file.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Quadratic bool
		Params    json.RawMessage
		Data      string
		Weighted  bool
		Rows      [][]float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		train, held := parts(fittest.Classes(t, c.Data), c.Weighted)
		e, m := learned(t, c.Quadratic, c.Params, train)
		graph := fittest.Run(t, fittest.Train(t, e, train), tensor.Floats(held.X, held.Rows, held.Cols)).F32()
		z := make([]float64, held.Classes)
		for i := range held.Rows {
			m.joint(held.Row(i), z)
			fit.Normalise(z)
			for k, want := range c.Rows[i] {
				near(t, c.Data, z[k], want, 1e-6)
				near(t, c.Data+" as a graph", float64(graph[i*held.Classes+k]), want, 1e-4)
			}
		}
	}
}

// parts holds out every fifth row, and keeps every fourth of those.
func parts(d fit.Data, weighted bool) (train, held fit.Data) {
	var in, out []int32
	for i := range d.Rows {
		switch {
		case i%5 != 0:
			in = append(in, int32(i))
		case i%20 == 0:
			out = append(out, int32(i))
		}
	}
	train = fittest.Subset(d, in)
	for i := range train.Rows {
		if weighted {
			train.Weight = append(train.Weight, float32(1+i%3))
		}
	}
	return train, fittest.Subset(d, out)
}

func learned(t *testing.T, quadratic bool, params []byte, d fit.Data) (e fit.Estimator, m model) {
	t.Helper()
	var l Linear
	var q Quadratic
	var err error
	ctx := context.Background()
	if quadratic {
		if err = json.Unmarshal(params, &q); err == nil {
			m, err = q.learn(ctx, d)
		}
		e = q
	} else {
		if err = json.Unmarshal(params, &l); err == nil {
			m, err = l.learn(ctx, d)
		}
		e = l
	}
	if err != nil {
		t.Fatal(err)
	}
	return e, m
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if d := math.Abs(got - want); !(d <= tol*max(1, math.Abs(want))) {
		t.Errorf("%s: %.9g, scikit-learn has %.9g", what, got, want)
	}
}
