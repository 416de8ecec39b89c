package trees_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/model/trees"
	"github.com/jarvis-ml/jarvis/model/trees/lightgbm"
	"github.com/jarvis-ml/jarvis/model/trees/xgboost"
)

var update = flag.Bool("update", false, "write the graphs in testdata, before `test/goldens/make_trees.py runtime` adds onnxruntime's answers")

// golden is testdata/NAME.json: what the library that made a model says of some rows; test/goldens/make_trees.py remakes the files.
type golden struct {
	File       string
	Rows       int
	X          []*float32 // null is NaN
	Y          []float64
	Shape      []int
	Contribs   []float64
	Importance map[string]map[string]float64
	Runtime    []float64 // onnxruntime's answers to the graph beside it
}

func (g golden) input() []float32 {
	x := make([]float32, len(g.X))
	for i, v := range g.X {
		if x[i] = float32(math.NaN()); v != nil {
			x[i] = *v
		}
	}
	return x
}

// goldens calls f for each golden, with the model that it belongs to.
func goldens(t *testing.T, f func(t *testing.T, name string, g golden, e *trees.Ensemble)) {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) < 20 {
		t.Fatalf("%d goldens (%v)", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var g golden
			if err := json.Unmarshal(text, &g); err != nil {
				t.Fatal(err)
			}
			f(t, name, g, load(t, "testdata/"+g.File))
		})
	}
}

func load(t testing.TB, path string) *trees.Ensemble {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var e *trees.Ensemble
	if strings.HasSuffix(path, ".txt") {
		e, err = lightgbm.Read(file)
	} else {
		e, err = xgboost.Read(file, xgboost.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestGoldens: imported models predict what the library predicts, walked here, run as a graph, and run by onnxruntime.
func TestGoldens(t *testing.T) {
	goldens(t, func(t *testing.T, name string, g golden, e *trees.Ensemble) {
		x := g.input()
		var walked []float64
		for r := range g.Rows {
			walked = append(walked, e.Predict(x[r*e.Features:][:e.Features])...)
		}
		compare(t, "walked", walked, g.Y, 1e-5)

		m, err := e.Model("model")
		if err != nil {
			t.Fatal(err)
		}
		file, err := onnx.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, "run", run(t, m, x, e.Features), g.Y, 1e-5)
		path := "testdata/" + name + ".onnx"
		if *update {
			if err := os.WriteFile(path, file, 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		stored, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(stored, file) {
			t.Error("the graph is another than the one that onnxruntime ran: run with -update and test/goldens/make_trees.py runtime")
		}
		compare(t, "onnxruntime", g.Runtime, g.Y, 1e-5)
	})
}

// run gives a model's output for rows x.
func run(t testing.TB, m *graph.Model, x []float32, features int) []float64 {
	t.Helper()
	p, err := model.FromGraph(m)
	if err != nil {
		t.Fatal(err)
	}
	y, err := p.Run(context.Background(), map[string]*tensor.Tensor{"x": tensor.Floats(x, len(x)/features, features)})
	if err != nil {
		t.Fatal(err)
	}
	var out []float64
	for _, v := range y["y"].F32() {
		out = append(out, float64(v))
	}
	return out
}

func compare(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if d := math.Abs(got[i] - w); !(d <= tol*max(1, math.Abs(w))) {
			t.Errorf("%s: number %d is %.7g, the library's is %.7g", what, i, got[i], w)
		}
	}
}
