package neighbors

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

// TestGolden compares with scikit-learn, in float64 and as a graph; test/goldens/make_fit_neighbors.py remakes the file.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Params   KNeighbors
		Data     string
		Weighted bool
		Rows     [][]float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		d := load(t, c.Data)
		train, held := parts(d, c.Weighted)
		m, err := c.Params.learn(context.Background(), train)
		if err != nil {
			t.Fatal(err)
		}
		graph := fittest.Run(t, fittest.Train(t, c.Params, train), tensor.Floats(held.X, held.Rows, held.Cols)).F32()
		for i, row := range c.Rows {
			y := m.answer(held.Row(i), -1)
			for k, want := range row {
				near(t, c.Data, y[k], want)
				near(t, c.Data+" as a graph", float64(graph[i*len(row)+k]), want)
			}
		}
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

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if d := math.Abs(got - want); !(d <= 1e-5*max(1, math.Abs(want))) {
		t.Errorf("%s: %.9g, scikit-learn has %.9g", what, got, want)
	}
}

// TestLarge: a model that would not fit is refused before it is made.
func TestLarge(t *testing.T) {
	d := fit.Data{Task: fit.Regression, Rows: 60000, Cols: 1000, X: make([]float32, 60000*1000), Y: make([]float32, 60000)}
	if _, err := (KNeighbors{}).learn(context.Background(), d); !fault.Is(err, fault.TooLarge) {
		t.Errorf("240 MB of rows: %v", err)
	}
}
