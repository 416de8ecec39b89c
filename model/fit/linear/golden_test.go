package linear

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
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
	Elastic []struct {
		Data      string
		Alpha     float64
		L1Ratio   float64 `json:"l1_ratio"`
		Weighted  bool
		Coef      []float64
		Intercept float64
	}
	Sparse []struct {
		Data     string
		C        float64
		Penalty  string
		L1Ratio  float64 `json:"l1_ratio"`
		Weighted bool
		Coef     [][]float64
		Rows     [][]float64
		Step     int
	}
	Machine []struct {
		Data     string
		C        float64
		Weighted bool
		Coef     [][]float64
		Rows     [][]float64
		Step     int
	}
	Tube []struct {
		Data       string
		C, Epsilon float64
		Weighted   bool
		Coef       []float64
		Rows       []float64
		Step       int
	}
}

// load reads what test/goldens/make_fit_linear.py wrote.
func load(t *testing.T) (g golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The following tests compare with scikit-learn.

func TestGoldenRidge(t *testing.T) {
	for _, c := range load(t).Ridge {
		d := fittest.Numbers(t, c.Data)
		weigh(&d, c.Weighted)
		found, s, err := Ridge{Alpha: c.Alpha}.solve(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		holdLine(t, c.Data, found.coef, found.bias, s, c.Coef, c.Intercept, 1e-8)
	}
}

func TestGoldenElasticNet(t *testing.T) {
	for _, c := range load(t).Elastic {
		d := fittest.Numbers(t, c.Data)
		weigh(&d, c.Weighted)
		e := ElasticNet{Alpha: c.Alpha, L1Ratio: c.L1Ratio, Tol: 1e-14, MaxIter: 1_000_000}
		coef, bias, s, err := e.solve(context.Background(), d, nil)
		if err != nil {
			t.Fatal(err)
		}
		holdLine(t, c.Data, coef, bias, s, c.Coef, c.Intercept, 1e-6)
		total, mean := center(d)
		if coef, err = e.descend(context.Background(), newColumns(d, s, mean), total, nil); err != nil {
			t.Fatal(err)
		}
		holdLine(t, c.Data+" by columns", coef, bias, s, c.Coef, c.Intercept, 1e-5)
	}
}

func holdLine(t *testing.T, name string, coef []float64, bias float64, s fit.Standard, want []float64, intercept, tol float64) {
	t.Helper()
	for j, v := range coef {
		bias -= v * s.Mean[j]
		near(t, name+" coefficient", v, want[j], tol)
	}
	near(t, name+" intercept", bias, intercept, tol)
}

func TestGoldenLogistic(t *testing.T) {
	for _, c := range load(t).Logistic {
		d := fittest.Classes(t, c.Data)
		weigh(&d, c.Weighted)
		holdLogistic(t, Logistic{C: c.C, Tol: 1e-9, MaxIter: 5000}, d, c.Data, c.Coef, c.Rows, c.Step)
	}
}

func TestGoldenSparse(t *testing.T) {
	for _, c := range load(t).Sparse {
		d := fittest.Classes(t, c.Data)
		weigh(&d, c.Weighted)
		holdLogistic(t, Logistic{C: c.C, Penalty: c.Penalty, L1Ratio: c.L1Ratio, Tol: 1e-10, MaxIter: 5000}, d, c.Data+" "+c.Penalty, c.Coef, c.Rows, c.Step)
	}
}

func holdLogistic(t *testing.T, l Logistic, d fit.Data, name string, coef, rows [][]float64, step int) {
	t.Helper()
	s := fit.Standardize(d)
	l, _ = l.defaults()
	weight, bias, err := l.solve(context.Background(), d, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	holdCoefficients(t, name, weight, coef, 1e-6)
	for i, want := range rows {
		for k, p := range probabilities(scoresOf(d.Row(i*step), s, weight, bias)) {
			near(t, name+" probability", p, want[k], 1e-6)
		}
	}
}

func holdCoefficients(t *testing.T, name string, got, want [][]float64, tol float64) {
	t.Helper()
	for k, row := range got {
		for j, v := range row {
			near(t, name+" coefficient", v, want[k][j], tol)
		}
	}
}

func TestGoldenMachine(t *testing.T) {
	for _, c := range load(t).Machine {
		d := fittest.Classes(t, c.Data)
		weigh(&d, c.Weighted)
		s := fit.Standardize(d)
		l, _ := SVM{C: c.C, Tol: 1e-10}.defaults()
		for k, want := range c.Coef {
			if len(c.Coef) == 1 {
				k = 1
			}
			coef, _, err := l.machine(context.Background(), d, s, int32(k), &solver{tol: l.Tol, steps: l.MaxIter})
			if err != nil {
				t.Fatal(err)
			}
			holdCoefficients(t, c.Data, [][]float64{coef}, [][]float64{want}, 1e-6)
		}
		weight, bias, err := l.classes(context.Background(), d, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.Rows {
			z := scoresOf(d.Row(i*c.Step), s, weight, bias)
			p := shares(z)
			if len(z) == 1 {
				p = probabilities(z)
			}
			for k := range p {
				near(t, c.Data+" probability", p[k], want[k], 1e-5)
			}
		}
	}
}

func TestGoldenTube(t *testing.T) {
	for _, c := range load(t).Tube {
		d := fittest.Numbers(t, c.Data)
		weigh(&d, c.Weighted)
		s := fit.Standardize(d)
		l, _ := SVM{C: c.C, Epsilon: c.Epsilon, Tol: 1e-10}.defaults()
		coef, bias, err := l.numbers(context.Background(), d, s, &solver{tol: l.Tol, steps: l.MaxIter})
		if err != nil {
			t.Fatal(err)
		}
		holdCoefficients(t, c.Data, [][]float64{coef}, [][]float64{c.Coef}, 1e-5) // all that liblinear reaches
		for i, want := range c.Rows {
			near(t, c.Data+" prediction", scoresOf(d.Row(i*c.Step), s, [][]float64{coef}, []float64{bias})[0], want, 1e-6)
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

// scoresOf evaluates a model in float64, so that solvers are tested apart from the graph.
func scoresOf(row []float32, s fit.Standard, weight [][]float64, bias []float64) []float64 {
	z := make([]float64, len(bias))
	for k := range z {
		z[k] = bias[k]
		for j, x := range row {
			z[k] += (float64(x) - s.Mean[j]) * weight[k][j]
		}
	}
	return z
}

// probabilities are the softmax of scores; one score is beside 0.
func probabilities(z []float64) []float64 {
	if len(z) == 1 {
		z = []float64{0, z[0]}
	}
	var sum float64
	for _, v := range z {
		sum += math.Exp(v - slices.Max(z))
	}
	p := make([]float64, len(z))
	for k, v := range z {
		p[k] = math.Exp(v-slices.Max(z)) / sum
	}
	return p
}

// shares are sigmoids divided by their sum.
func shares(z []float64) []float64 {
	var sum float64
	p := make([]float64, len(z))
	for k, v := range z {
		p[k] = 1 / (1 + math.Exp(-v))
		sum += p[k]
	}
	return scaled(p, 1/sum)
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
	ctx := context.Background()
	want, s, err := Ridge{Alpha: .1}.solve(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Ridge{Alpha: .1}.conjugate(ctx, d, s)
	if err != nil {
		t.Fatal(err)
	}
	holdCoefficients(t, "conjugate gradients", [][]float64{got.coef}, [][]float64{want.coef}, 1e-6)
	near(t, "loss", got.loss, want.loss, 1e-9)
	near(t, "mean", got.bias, want.bias, 1e-9)
}
