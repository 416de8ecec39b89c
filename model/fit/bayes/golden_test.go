package bayes

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

// TestGolden compares with scikit-learn, in float64 and as a graph; test/goldens/make_fit_bayes.py remakes the file.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Kind     string
		Params   json.RawMessage
		Data     string
		Weighted bool
		Rows     [][]float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		train, held := parts(fittest.Classes(t, c.Data), c.Weighted)
		e, m := learned(t, c.Kind, c.Params, train)
		graph := fittest.Run(t, fittest.Train(t, e, train), tensor.Floats(held.X, held.Rows, held.Cols)).F32()
		z := make([]float64, held.Classes)
		for i := range held.Rows {
			m.joint(held.Row(i), z)
			fit.Normalise(z)
			for k, want := range c.Rows[i] {
				near(t, c.Kind+" of "+c.Data, z[k], want, 1e-8)
				near(t, c.Kind+" of "+c.Data+" as a graph", float64(graph[i*held.Classes+k]), want, 1e-4)
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

func learned(t *testing.T, kind string, params []byte, d fit.Data) (fit.Estimator, model) {
	t.Helper()
	var e fit.Estimator
	var m model
	var err error
	ctx := context.Background()
	switch kind {
	case "GaussianNB":
		e, m, err = with(params, func(p Gaussian) (*normal, error) { return p.learn(ctx, d) })
	case "MultinomialNB":
		e, m, err = with(params, func(p Multinomial) (*shares, error) { return p.learn(ctx, d) })
	case "ComplementNB":
		e, m, err = with(params, func(p Complement) (*shares, error) { return p.learn(ctx, d) })
	case "BernoulliNB":
		e, m, err = with(params, func(p Bernoulli) (*shares, error) { return p.learn(ctx, d) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return e, m
}

func with[P fit.Estimator, M model](params []byte, learn func(P) (M, error)) (fit.Estimator, model, error) {
	var p P
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, nil, err
	}
	m, err := learn(p)
	return p, m, err
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if d := math.Abs(got - want); !(d <= tol*max(1, math.Abs(want))) {
		t.Errorf("%s: %.9g, scikit-learn has %.9g", what, got, want)
	}
}
