package linear

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
)

type golden struct {
	Ridge []struct {
		Data      string
		Alpha     float64
		Weighted  bool
		Coef      []float64
		Intercept float64
	}
	Logistic []struct {
		Data      string
		C         float64
		Weighted  bool
		Coef      [][]float64
		Intercept []float64
		Rows      [][]float64
		Step      int
	}
}

// TestGolden compares with scikit-learn; test/goldens/make_fit_linear.py remakes the file.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Ridge {
		d := fittest.Numbers(t, c.Data)
		weigh(&d, c.Weighted)
		s := fit.Standardize(d)
		coef, bias, _, err := Ridge{Alpha: c.Alpha}.solve(context.Background(), d, s)
		if err != nil {
			t.Fatal(err)
		}
		intercept := bias
		for j, v := range coef {
			intercept -= v * s.Mean[j]
			near(t, c.Data+" coefficient", v, c.Coef[j], 1e-8)
		}
		near(t, c.Data+" intercept", intercept, c.Intercept, 1e-8)
	}
	for _, c := range g.Logistic {
		d := fittest.Classes(t, c.Data)
		weigh(&d, c.Weighted)
		s := fit.Standardize(d)
		l, _ := Logistic{C: c.C, Tol: 1e-9, MaxIter: 5000}.defaults()
		weight, bias, err := l.solve(context.Background(), d, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, row := range weight {
			for j, v := range row {
				near(t, c.Data+" coefficient", v, c.Coef[k][j], 2e-5)
			}
		}
		for i, want := range c.Rows {
			for k, p := range probabilities(d.Row(i*c.Step), s, weight, bias) {
				near(t, c.Data+" probability", p, want[k], 1e-6)
			}
		}
	}
}

func weigh(d *fit.Data, weighted bool) {
	if !weighted {
		return
	}
	for i := range d.Rows {
		d.Weight = append(d.Weight, float32(1+i%3))
	}
}

// probabilities evaluates the model in float64, so that the solver is tested apart from the graph.
func probabilities(row []float32, s fit.Standard, weight [][]float64, bias []float64) []float64 {
	z := make([]float64, len(bias))
	for k := range z {
		z[k] = bias[k]
		for j, x := range row {
			z[k] += (float64(x) - s.Mean[j]) * weight[k][j]
		}
	}
	if len(z) == 1 {
		p := 1 / (1 + math.Exp(-z[0]))
		return []float64{1 - p, p}
	}
	var sum float64
	for k := range z {
		z[k] = math.Exp(z[k])
		sum += z[k]
	}
	for k := range z {
		z[k] /= sum
	}
	return z
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if d := math.Abs(got - want); !(d <= tol*max(1, math.Abs(want))) {
		t.Errorf("%s: %.9g, scikit-learn has %.9g", what, got, want)
	}
}

// TestManySolvers: the same ridge by factoring and by conjugate gradients.
func TestManySolvers(t *testing.T) {
	d := fittest.Numbers(t, "diabetes")
	s := fit.Standardize(d)
	scale := make([]float64, d.Cols)
	for j := range scale {
		scale[j] = s.Scale[j] / math.Sqrt(float64(d.Rows))
	}
	m := newDesign(d, s.Mean, scale)
	ctx := context.Background()
	right, _ := m.moment(ctx, 150)
	want, err := m.normal(ctx, right, .1)
	if err != nil {
		t.Fatal(err)
	}
	cg, err := m.conjugate(ctx, right, .1)
	if err != nil {
		t.Fatal(err)
	}
	for j := range want {
		near(t, "conjugate gradients", cg[j], want[j], 1e-6)
	}
}
