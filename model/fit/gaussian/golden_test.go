package gaussian

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
)

// TestGolden compares with scikit-learn; test/goldens/make_fit_gaussian.py remakes the file. Where values are chosen both
// stop close to the optimum, and the likelihood may be higher here. scikit-learn approximates the mean of the logistic by
// other error functions, to some 3e-4.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Params   Process
		Data     string
		Weighted bool
		Rows     [][]float64
		Evidence []float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		train, held := parts(load(t, c.Data), c.Weighted)
		s, err := c.Params.prepare(context.Background(), train)
		if err != nil {
			t.Fatal(err)
		}
		answer, evidence := learned(t, s)
		for k, want := range c.Evidence {
			if c.Params.Fixed {
				near(t, c.Data+" evidence", evidence[k], want, 1e-6)
			} else if evidence[k] < want-1e-6*math.Abs(want) {
				t.Errorf("%s: evidence %v, scikit-learn reaches %v", c.Data, evidence[k], want)
			}
		}
		for i, row := range c.Rows {
			y := answer(held.Row(i))
			for k, want := range row {
				tol := 1e-6
				if train.Task == fit.Classification {
					tol = 5e-4
				}
				if !c.Params.Fixed {
					tol = 1e-3
				}
				near(t, c.Data, y[k], want, tol)
			}
		}
	}
}

func learned(t *testing.T, s *points) (answer func([]float32) []float64, evidence []float64) {
	t.Helper()
	w := &watch{ctx: context.Background()}
	if s.Task == fit.Regression {
		m, err := s.numbers(w)
		if err != nil {
			t.Fatal(err)
		}
		return func(row []float32) []float64 { return []float64{m.predict(row)} }, []float64{m.likelihood}
	}
	m, err := s.classes(w)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range m.latent {
		evidence = append(evidence, l.evidence)
	}
	return m.probabilities, evidence
}

// TestSquashed compares with numbers that scipy integrated.
func TestSquashed(t *testing.T) {
	for _, c := range []struct{ mean, variance, want float64 }{
		{1, 4, 0.6477264385258688}, {5, 1900, 0.5456223732404076}, {-3, 30, 0.30132301782788157}, {-20, 400, 0.1596446341345552}, {0, 0, .5},
	} {
		near(t, "mean of the logistic", squashed(c.mean, c.variance), c.want, 1e-8)
	}
}

// TestGradient compares the derivatives of both likelihoods with differences, under weights.
func TestGradient(t *testing.T) {
	for _, name := range []string{"diabetes", "breast_cancer"} {
		d, _ := parts(load(t, name), true)
		s, err := Process{OptimizeRows: 60}.prepare(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		some := s.drawn()
		distance := s.distances(some)
		likelihood := func(theta []float64) (float64, []float64) {
			return s.labels(some, 1).evidence(&watch{ctx: context.Background()}, theta, distance)
		}
		theta := []float64{.3, .7}
		if d.Task == fit.Regression {
			m := &regression{points: s, center: 150, unit: 77}
			theta = append(theta, -.5)
			likelihood = func(theta []float64) (float64, []float64) {
				v, g, _ := s.evidence(theta, some, distance, m.targets(some), true)
				return v, g
			}
		}
		_, gradient := likelihood(theta)
		for i, got := range gradient {
			up, down := append([]float64(nil), theta...), append([]float64(nil), theta...)
			up[i], down[i] = up[i]+1e-4, down[i]-1e-4
			high, _ := likelihood(up)
			low, _ := likelihood(down)
			near(t, name+" derivative", got, (high-low)/2e-4, 1e-4)
		}
	}
}

// TestLarge: what would not fit is refused before it is made.
func TestLarge(t *testing.T) {
	d := fit.Data{Task: fit.Regression, Rows: 5001, Cols: 1, X: make([]float32, 5001), Y: make([]float32, 5001)}
	if _, err := (Process{}).prepare(context.Background(), d); !fault.Is(err, fault.TooLarge) {
		t.Errorf("5001 rows: %v", err)
	}
	d = fit.Data{Task: fit.Classification, Rows: 4000, Cols: 1, X: make([]float32, 4000), Class: make([]int32, 4000), Classes: 3}
	if _, err := (Process{}).prepare(context.Background(), d); !fault.Is(err, fault.TooLarge) {
		t.Errorf("three matrices of 128 MB: %v", err)
	}
}

func load(t *testing.T, name string) fit.Data {
	if name == "diabetes" {
		return fittest.Numbers(t, name)
	}
	return fittest.Classes(t, name)
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

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if d := math.Abs(got - want); !(d <= tol*max(1, math.Abs(want))) {
		t.Errorf("%s: %.9g, want %.9g", what, got, want)
	}
}
