package metric_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/jarvis-ml/jarvis/model/metric"
)

type golden struct {
	Classification []struct {
		Name    string
		Classes int
		Truth   []int32
		Proba   []float32
		Weight  []float32
		Want    map[string]float64
	}
	Regression []struct {
		Name                string
		Truth, Pred, Weight []float32
		Want                map[string]float64
		Pinball             [][2]float64 // quantile, value
	}
	Ranking []struct {
		Name             string
		K                int
		Group            []int32
		Relevance, Score []float32
		Want             float64
	}
	Clusters []struct {
		Name    string
		Cols    int
		X       []float32
		Cluster []int32
		Want    *float64 // nil where it is not defined
	}
}

var (
	classNames  = []string{"accuracy", "balanced_accuracy", "f1_macro", "f1_micro", "f1_weighted", "mcc", "kappa", "log_loss", "brier", "roc_auc", "pr_auc"}
	numberNames = []string{"r2", "rmse", "mae", "mape", "pinball"}
)

// TestGolden compares with scikit-learn; test/goldens/make_fit_metric.py remakes the file.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Classification {
		compare(t, c.Name, named(classNames, func(name string) (float64, bool) {
			return metric.OfClasses(name, c.Classes, c.Truth, c.Proba, c.Weight)
		}), c.Want, 1e-6)
		if c.Weight == nil {
			want := only(c.Want, "accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc")
			compare(t, c.Name, metric.Classification(c.Classes, c.Truth, c.Proba), want, 1e-6)
		}
	}
	for _, c := range g.Regression {
		compare(t, c.Name, named(numberNames, func(name string) (float64, bool) { return metric.OfNumbers(name, c.Truth, c.Pred, c.Weight) }), c.Want, 1e-12)
		if c.Weight == nil {
			compare(t, c.Name, metric.Regression(c.Truth, c.Pred), only(c.Want, "rmse", "mae", "r2"), 1e-12)
		}
		for _, p := range c.Pinball {
			got, _ := metric.Pinball(p[0], c.Truth, c.Pred, c.Weight)
			compare(t, c.Name, map[string]float64{"pinball": got}, map[string]float64{"pinball": p[1]}, 1e-12)
		}
	}
	for _, c := range g.Ranking {
		got, _ := metric.NDCGAt(c.K, c.Group, c.Relevance, c.Score)
		compare(t, c.Name, map[string]float64{"ndcg": got}, map[string]float64{"ndcg": c.Want}, 1e-12)
	}
	for _, c := range g.Clusters {
		got, ok := metric.SilhouetteOf(c.Cols, c.X, c.Cluster)
		if ok != (c.Want != nil) {
			t.Errorf("%s: silhouette is defined: %v", c.Name, ok)
		} else if ok {
			compare(t, c.Name, map[string]float64{"silhouette": got}, map[string]float64{"silhouette": *c.Want}, 1e-6)
		}
	}
}

// named are the metrics of these names that are defined.
func named(names []string, of func(string) (float64, bool)) map[string]float64 {
	out := map[string]float64{}
	for _, name := range names {
		if v, ok := of(name); ok {
			out[name] = v
		}
	}
	return out
}

func only(m map[string]float64, names ...string) map[string]float64 {
	return named(names, func(name string) (float64, bool) { v, ok := m[name]; return v, ok })
}

func compare(t *testing.T, name string, got, want map[string]float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %v, want %v", name, got, want)
	}
	for k, w := range want {
		if d := math.Abs(got[k] - w); !(d <= tol*max(1, math.Abs(w))) {
			t.Errorf("%s: %s is %v, scikit-learn has %v", name, k, got[k], w)
		}
	}
}

func TestBetter(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name string
		a, b float64
		want bool
	}{
		{metric.Accuracy, .9, .8, true},
		{metric.Accuracy, .8, .8, false},
		{metric.LogLoss, .1, .2, true},
		{metric.RMSE, 2, 1, false},
		{metric.RMSE, 1, nan, true},
		{metric.R2, nan, 0, false},
		{metric.R2, nan, nan, false},
		{metric.LogLoss, 1, math.Inf(1), true},
		{"no_such_metric", 2, 1, false},
	} {
		if got := metric.Better(c.name, c.a, c.b); got != c.want {
			t.Errorf("Better(%s, %v, %v) = %v", c.name, c.a, c.b, got)
		}
	}
}

func TestNothingToCompare(t *testing.T) {
	if m := metric.Classification(2, nil, nil); len(m) != 0 {
		t.Errorf("no rows gave %v", m)
	}
	if m := metric.Regression(nil, nil); len(m) != 0 {
		t.Errorf("no rows gave %v", m)
	}
	m := metric.Classification(2, []int32{0, 1}, []float32{float32(math.NaN()), 0, .5, .5})
	if !math.IsNaN(m[metric.LogLoss]) {
		t.Errorf("a NaN probability is hidden: %v", m)
	}
}

func TestBaseline(t *testing.T) {
	m := metric.BaselineClassification(3, []int32{0, 0, 0, 1}, []int32{0, 1, 2, 0})
	if m[metric.Accuracy] != .5 || m[metric.ROCAUC] != .5 {
		t.Errorf("baseline of classes: %v", m)
	}
	r := metric.BaselineRegression([]float32{1, 3}, []float32{2, 4})
	if r[metric.MAE] != 1 {
		t.Errorf("baseline of a mean: %v", r)
	}
}

func ExampleRegression() {
	m := metric.Regression([]float32{3, -0.5, 2, 7}, []float32{2.5, 0, 2, 8})
	fmt.Printf("r2 %.3f, mae %.1f\n", m[metric.R2], m[metric.MAE])
	// Output: r2 0.949, mae 0.5
}
