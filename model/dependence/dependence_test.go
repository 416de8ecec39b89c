package dependence

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestGolden compares with scikit-learn; test/goldens/make_dependence.py remakes the files.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Rows  int
		X     []float32
		Cases []struct {
			Model      string
			Features   []int
			Points     int
			Weight     []float64
			Grids      [][]float64
			Average    []float64
			Individual []float64
		}
	}
	if err := json.Unmarshal(text, &g); err != nil || len(g.Cases) != 8 {
		t.Fatal(len(g.Cases), err)
	}
	for _, c := range g.Cases {
		p := load(t, "testdata/"+c.Model+".onnx")
		o := Options{Points: c.Points, Weight: c.Weight, Individual: c.Individual != nil}
		if c.Model == "forest" {
			o.Output = "probabilities"
		}
		for _, f := range c.Features {
			o.Features = append(o.Features, Feature{Input: "X", Column: f})
		}
		x := tensor.Floats(slices.Clone(g.X), g.Rows, 3)
		r, err := Compute(context.Background(), p, map[string]*tensor.Tensor{"X": x}, o)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(x.F32(), g.X) {
			t.Fatal("the input was changed")
		}
		for i, want := range c.Grids {
			near(t, c.Model+" grid", widen(r.Grids[i].F32()), want)
		}
		near(t, c.Model+" average", r.Average, c.Average)
		near(t, c.Model+" individual", r.Individual, c.Individual)
	}
}

func load(t *testing.T, path string) *model.Program {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := model.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func widen(x []float32) (out []float64) {
	for _, v := range x {
		out = append(out, float64(v))
	}
	return out
}

func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, scikit-learn has %d", what, len(got), len(want))
	}
	for i, w := range want {
		if !(math.Abs(got[i]-w) <= 1e-5*max(1, math.Abs(w))) {
			t.Errorf("%s: number %d is %v, scikit-learn has %v", what, i, got[i], w)
		}
	}
}

// columns is a model of one input for each column: y = 2·size + length of kind.
func columns(t *testing.T) *model.Program {
	t.Helper()
	b := graph.NewBuilder("columns")
	size, kind := b.Input("size", tensor.Rows(tensor.Float32, 1)), b.Input("kind", tensor.Rows(tensor.String, 1))
	code := b.Node(graph.ML, "LabelEncoder", []graph.Value{kind}, 1, graph.StringsAttr("keys_strings", []string{"a", "bb", "ccc"}),
		graph.FloatsAttr("values_floats", []float32{1, 2, 3}), graph.FloatAttr("default_float", 0))[0]
	b.Output("y", b.Op("Add", b.Op("Mul", size, b.Scalar("two", 2)), code), tensor.Rows(tensor.Float32, 1))
	p, err := model.FromGraph(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTexts: columns of texts have their values as a grid, or those that are given.
func TestTexts(t *testing.T) {
	in := map[string]*tensor.Tensor{"size": tensor.Floats([]float32{1, 2, 6}, 3, 1), "kind": tensor.Strings([]string{"bb", "a", "bb"}, 3, 1)}
	r, err := Compute(context.Background(), columns(t), in, Options{Features: []Feature{{Input: "kind"}}, Individual: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Grids[0].Str(); !slices.Equal(got, []string{"a", "bb"}) {
		t.Errorf("the grid is %q", got)
	}
	near(t, "average", r.Average, []float64{7, 8})
	near(t, "individual", r.Individual, []float64{3, 4, 5, 6, 13, 14})
	done := 0
	r, err = Compute(context.Background(), columns(t), in, Options{
		Features: []Feature{{Input: "kind", Grid: tensor.Strings([]string{"ccc", "?"})}, {Input: "size", Grid: tensor.Floats([]float32{0, 10, 20})}},
		Report:   func(at, of int) { done += at * of },
	})
	if err != nil || r.Points != 6 || done != 126 {
		t.Fatalf("%d points, reported %d (%v)", r.Points, done, err)
	}
	near(t, "pairs", r.Average, []float64{3, 23, 43, 0, 20, 40})
}

// TestErrors: what cannot be looked at is refused by name.
func TestErrors(t *testing.T) {
	p := columns(t)
	in := func() map[string]*tensor.Tensor {
		return map[string]*tensor.Tensor{"size": tensor.Floats([]float32{1, 2}, 2, 1), "kind": tensor.Strings([]string{"bb", "a"}, 2, 1)}
	}
	size := []Feature{{Input: "size"}}
	for field, o := range map[string]Options{
		"features":    {},
		"no input":    {Features: []Feature{{Input: "weight"}}},
		"column":      {Features: []Feature{{Input: "size", Column: 1}}},
		"points":      {Features: size, Points: 1},
		"percentiles": {Features: size, Percentiles: [2]float64{.5, .2}},
		"grid":        {Features: []Feature{{Input: "size", Grid: tensor.Ints([]int64{1})}}},
		"weight":      {Features: size, Weight: []float64{1, -1}},
		"output":      {Features: size, Output: "z"},
	} {
		if _, err := Compute(context.Background(), p, in(), o); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	big := tensor.New(tensor.Float32, 1<<11)
	if _, err := Compute(context.Background(), p, in(), Options{Features: []Feature{{Input: "size", Grid: big}, {Input: "size", Grid: big}}}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("4 million points: %v", err)
	}
	missing := in()
	delete(missing, "kind")
	if _, err := Compute(context.Background(), p, missing, Options{Features: size}); !fault.Is(err, fault.Invalid) {
		t.Errorf("without an input: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Compute(ctx, p, in(), Options{Features: size}); !fault.Is(err, fault.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
