package fittest

import (
	"context"
	"encoding/json"
	"flag"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

var update = flag.Bool("update", false, "train again and write testdata/onnx, before test/goldens/make_fit_onnx.py adds onnxruntime's answers")

// golden is testdata/onnx/NAME.json: an input of the model beside it, and what onnxruntime answers.
type golden struct {
	X     []*float32 `json:"x"` // (rows, cols); null is NaN
	Rows  int        `json:"rows"`
	Y     []float32  `json:"y"` // onnxruntime's output
	Shape []int      `json:"shape"`
}

// Golden holds a learner's graphs to onnxruntime: testdata/onnx/NAME.onnx, trained earlier from the same data, must
// give onnxruntime's answers in this engine to 1e-5, and a model that is trained now must be of the same operators.
// With -update it trains and writes the files instead.
func Golden(t *testing.T, name string, e fit.Estimator, d fit.Data) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		path := "testdata/onnx/" + name
		m := Train(t, e, d)
		if *update {
			write(t, path, m, d)
			return
		}
		file, err := os.ReadFile(path + ".onnx")
		if err != nil {
			t.Fatal(err)
		}
		stored, err := onnx.Decode(file, onnx.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := operators(m.Graph), operators(stored.Graph); got != want {
			t.Errorf("operators are %s, in the golden file %s: run with -update and test/goldens/make_fit_onnx.py", got, want)
		}
		var g golden
		text, err := os.ReadFile(path + ".json")
		if err == nil {
			err = json.Unmarshal(text, &g)
		}
		if err != nil {
			t.Fatal(err)
		}
		compare(t, Run(t, stored, g.input(d.Cols)), g)
	})
}

func (g golden) input(cols int) *tensor.Tensor {
	x := make([]float32, len(g.X))
	for i, v := range g.X {
		x[i] = float32(math.NaN())
		if v != nil {
			x[i] = *v
		}
	}
	return tensor.Floats(x, g.Rows, cols)
}

func compare(t *testing.T, y *tensor.Tensor, g golden) {
	t.Helper()
	if len(g.Y) == 0 || y.Len() != len(g.Y) || y.Rank() != len(g.Shape) || y.Shape()[1] != g.Shape[1] {
		t.Fatalf("output has shape %v, onnxruntime's %v", y.Shape(), g.Shape)
	}
	for i, want := range g.Y {
		got := y.F32()[i]
		if d := math.Abs(float64(got - want)); !(d <= 1e-5*max(1, math.Abs(float64(want)))) {
			t.Errorf("output %d is %v, onnxruntime's %v", i, got, want)
		}
	}
}

func operators(g *graph.Graph) string {
	var s string
	for _, n := range g.Nodes {
		s += n.Op + " "
	}
	return s
}

// write stores the model and 24 rows: some of the data, and some far outside; where the data has missing values, some
// more of them are left out.
func write(t *testing.T, path string, m *graph.Model, d fit.Data) {
	t.Helper()
	file, err := onnx.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	g := golden{Rows: 24}
	missing := slices.ContainsFunc(d.X, func(v float32) bool { return v != v })
	for i := range g.Rows {
		row := d.Row(i * d.Rows / g.Rows)
		for j := range row {
			v := row[j]
			switch i {
			case 0:
				v = 0
			case 1:
				v *= -3
			case 2:
				v *= 10
			}
			if v != v || (missing && i > 2 && (i*7+j)%3 == 0) {
				g.X = append(g.X, nil)
			} else {
				g.X = append(g.X, &v)
			}
		}
	}
	text, err := json.Marshal(g)
	if err == nil {
		err = os.MkdirAll("testdata/onnx", 0o755)
	}
	if err == nil {
		err = os.WriteFile(path+".onnx", file, 0o644)
	}
	if err == nil {
		err = os.WriteFile(path+".json", text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Train fits e to d and returns the model: input "x" (rows, cols), output "y".
func Train(t testing.TB, e fit.Estimator, d fit.Data) *graph.Model {
	t.Helper()
	m, err := attempt(context.Background(), e, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func attempt(ctx context.Context, e fit.Estimator, d fit.Data, report func(fit.Progress)) (*graph.Model, error) {
	b := graph.NewBuilder("model")
	x := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
	y, err := e.Fit(ctx, d, b, x, report)
	if err != nil {
		return nil, err
	}
	outs := 1
	if d.Task == fit.Classification {
		outs = d.Classes
	}
	b.Output("y", y, tensor.Rows(tensor.Float32, outs))
	return b.Model(), nil
}
