package svm

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

type golden struct {
	Machines []struct {
		Params   SVM
		Data     string
		Weighted bool
		Rows     [][]float64
		Supports int
	}
	Platt []struct {
		Decision, Weight []float64
		First            []bool
		A, B             float64
	}
}

// TestGolden compares decisions with scikit-learn's; test/goldens/make_fit_svm.py remakes the file. libsvm keeps kernels
// in float32, as this package does.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Machines {
		d := load(t, c.Data)
		train, held := parts(d, c.Weighted)
		c.Params.Tol = 1e-7
		m, err := c.Params.learn(context.Background(), train, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.support) != c.Supports {
			t.Logf("%s: %d support vectors, scikit-learn has %d", c.Data, len(m.support), c.Supports)
		}
		for i, row := range c.Rows {
			y := m.decisions(held.Row(i))
			for k, want := range row {
				near(t, c.Data+" "+m.Kernel, m.center+m.unit*y[k], want, 2e-5)
			}
		}
	}
	for _, c := range g.Platt {
		l := platt(c.Decision, c.First, c.Weight)
		near(t, "slope", l.a, c.A, 1e-3) // scikit-learn stops earlier
		near(t, "offset", l.b, c.B, 1e-3)
	}
}

// TestGraph: the graph computes what the decisions say.
func TestGraph(t *testing.T) {
	d := fittest.Numbers(t, "diabetes")
	p := SVM{Kernel: "poly", Coef0: 1}
	m, err := p.learn(context.Background(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	y := fittest.Run(t, fittest.Train(t, p, d), tensor.Floats(d.X, d.Rows, d.Cols)).F32()
	for i := range d.Rows {
		near(t, "graph", float64(y[i]), m.center+m.unit*m.decisions(d.Row(i))[0], 1e-4)
	}
}

// TestCache: a cache of two rows changes the time, and nothing else.
func TestCache(t *testing.T) {
	d := fittest.Classes(t, "iris")
	s := newSpace(SVM{Kernel: "rbf", C: 1}, d)
	var rows []int32
	for r := range s.from {
		rows = append(rows, int32(r))
	}
	k := s.kernels(rows, 1)
	small, large := newCache(k, 1), newCache(k, 1<<20)
	for i := range 500 {
		point := i * 37 % len(rows)
		a, b := small.get(point), large.get(point)
		for v := range a {
			if a[v] != b[v] {
				t.Fatalf("row %d differs at %d", point, v)
			}
		}
	}
	if small.order.Len() != 2 || large.order.Len() != len(rows) {
		t.Errorf("caches hold %d and %d rows", small.order.Len(), large.order.Len())
	}
}

// TestLarge: more rows than can be learned are refused before anything is computed.
func TestLarge(t *testing.T) {
	d := fit.Data{Task: fit.Regression, Rows: 100001, Cols: 1, X: make([]float32, 100001), Y: make([]float32, 100001)}
	if _, err := (SVM{}).learn(context.Background(), d, nil); !fault.Is(err, fault.TooLarge) {
		t.Errorf("100001 rows: %v", err)
	}
	d = fit.Data{Task: fit.Classification, Rows: 10000, Cols: 1, X: make([]float32, 10000), Class: make([]int32, 10000), Classes: 90}
	if _, err := (SVM{}).learn(context.Background(), d, nil); !fault.Is(err, fault.TooLarge) {
		t.Errorf("4005 pairs of 10000 rows: %v", err)
	}
	d.Classes = 101
	if _, err := (SVM{}).learn(context.Background(), d, nil); !fault.Is(err, fault.TooLarge) {
		t.Errorf("101 classes: %v", err)
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
