package boost

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
	"github.com/jarvis-ml/jarvis/model/metric"
)

// scores walks the trees by the cuts, in float32 as a runtime does, and returns the outputs of a row.
func (e *ensemble) scores(row []float32) []float64 {
	out := slices.Clone(e.base)
	for i, t := range e.trees {
		at := 0
		for t[at].left > 0 {
			v := row[t[at].feature]
			if v <= t[at].cut || (v != v && t[at].missingLeft) {
				at = t[at].left
			} else {
				at = t[at].right
			}
		}
		out[i%len(out)] += float64(t[at].value)
	}
	return out
}

func (e *ensemble) probabilities(row []float32) []float32 {
	s := e.scores(row)
	if len(s) == 1 {
		s = []float64{0, s[0]}
	}
	var sum float64
	top := slices.Max(s)
	for k := range s {
		s[k] = math.Exp(s[k] - top)
		sum += s[k]
	}
	out := make([]float32, len(s))
	for k := range s {
		out[k] = float32(s[k] / sum)
	}
	return out
}

func train(t testing.TB, p Boost, d fit.Data) *ensemble {
	t.Helper()
	p, err := p.defaults()
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.train(context.Background(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// loss is the mean log loss or RMSE over folds: row i is tested in fold i % 5.
func loss(t testing.TB, p Boost, d fit.Data, folds int) float64 {
	t.Helper()
	var total float64
	for f := range folds {
		var in, out []int32
		for i := range d.Rows {
			if i%5 == f {
				out = append(out, int32(i))
			} else {
				in = append(in, int32(i))
			}
		}
		e := train(t, p, fittest.Subset(d, in))
		test := fittest.Subset(d, out)
		var pred []float32
		for i := range test.Rows {
			if d.Task == fit.Regression {
				pred = append(pred, float32(e.scores(test.Row(i))[0]))
			} else {
				pred = append(pred, e.probabilities(test.Row(i))...)
			}
		}
		if d.Task == fit.Regression {
			total += metric.Regression(test.Y, pred)[metric.RMSE]
		} else {
			total += metric.Classification(d.Classes, test.Class, pred)[metric.LogLoss]
		}
	}
	return total / float64(folds)
}

type diamond struct {
	Carat   *float64 `parquet:"carat"`
	Cut     *string  `parquet:"cut"`
	Color   *string  `parquet:"color"`
	Clarity *string  `parquet:"clarity"`
	Depth   *float64 `parquet:"depth"`
	Table   *float64 `parquet:"table"`
	Price   *int64   `parquet:"price"`
	X       *float64 `parquet:"x"`
	Y       *float64 `parquet:"y"`
	Z       *float64 `parquet:"z"`
}

// diamonds loads 53,940 diamonds, categories as their ranks.
func diamonds(t testing.TB) fit.Data {
	t.Helper()
	rows, err := parquet.ReadFile[diamond]("../../../testdata/diamonds/diamonds.parquet")
	if err != nil {
		t.Fatal(err)
	}
	cuts := []string{"Fair", "Good", "Very Good", "Premium", "Ideal"}
	clarities := []string{"I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"}
	d := fit.Data{Task: fit.Regression, Rows: len(rows), Cols: 9, Seed: 1}
	for _, r := range rows {
		d.X = append(d.X, float32(*r.Carat), float32(slices.Index(cuts, *r.Cut)), float32(strings.Index("DEFGHIJ", *r.Color)),
			float32(slices.Index(clarities, *r.Clarity)), float32(*r.Depth), float32(*r.Table), float32(*r.X), float32(*r.Y), float32(*r.Z))
		d.Y = append(d.Y, float32(*r.Price))
	}
	return d
}

// TestPeers holds the loss to XGBoost's and scikit-learn's at the same parameters;
// test/goldens/make_fit_boost.py remakes the file.
func TestPeers(t *testing.T) {
	text, err := os.ReadFile("testdata/peers.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Data             string
		Boost            // parameters by their JSON names
		Folds            int
		XGBoost, SKLearn float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		var d fit.Data
		switch c.Data {
		case "diamonds":
			if testing.Short() {
				continue
			}
			d = diamonds(t)
		case "diabetes":
			d = fittest.Numbers(t, c.Data)
		default:
			d = fittest.Classes(t, c.Data)
		}
		got := loss(t, c.Boost, d, c.Folds)
		t.Logf("%s: %.4f, xgboost %.4f, scikit-learn %.4f", c.Data, got, c.XGBoost, c.SKLearn)
		if got > 1.03*c.XGBoost+.003 {
			t.Errorf("%s: loss %.4f, XGBoost's is %.4f", c.Data, got, c.XGBoost)
		}
	}
}

// TestRuntimeSemantics compares trees walked here with onnxruntime's answers to the same emitted trees: base values, the
// second class of two, thresholds and missing values mean there what they mean here.
func TestRuntimeSemantics(t *testing.T) {
	few := Boost{NEstimators: 5, MaxDepth: 3}
	for name, d := range map[string]fit.Data{
		"regression": fittest.Numbers(t, "diabetes"), "two_classes": fittest.Classes(t, "breast_cancer"),
		"three_classes": fittest.Classes(t, "iris"), "missing": fittest.Classes(t, "penguins_missing"),
	} {
		text, err := os.ReadFile("testdata/onnx/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var g struct {
			X []*float32
			Y []float32
		}
		if err := json.Unmarshal(text, &g); err != nil {
			t.Fatal(err)
		}
		e := train(t, few, d)
		var got []float32
		for ; len(g.X) > 0; g.X = g.X[d.Cols:] {
			row := make([]float32, d.Cols)
			for j, v := range g.X[:d.Cols] {
				row[j] = float32(math.NaN())
				if v != nil {
					row[j] = *v
				}
			}
			if d.Task == fit.Regression {
				got = append(got, float32(e.scores(row)[0]))
			} else {
				got = append(got, e.probabilities(row)...)
			}
		}
		for i, want := range g.Y {
			if diff := math.Abs(float64(got[i] - want)); !(diff <= 1e-5*max(1, math.Abs(float64(want)))) {
				t.Errorf("%s: output %d is %v, onnxruntime's %v", name, i, got[i], want)
			}
		}
	}
}

// TestBinsAndCuts: a row goes the same way by its bin and by its float32 value.
func TestBinsAndCuts(t *testing.T) {
	d := fit.Data{Task: fit.Regression, Cols: 3, Seed: 3}
	next := float32(1)
	for i := range 600 {
		next = math.Nextafter32(next, 2) // neighbouring float32 have no middle
		v := float32(i % 7)
		if i%11 == 0 {
			v = float32(math.NaN())
		}
		d.X = append(d.X, next, v, float32(math.Exp(float64(i)/10-20)))
		d.Y = append(d.Y, float32(i))
	}
	d.Rows = len(d.Y)
	for _, bins := range []int{2, 3, 16, 256} {
		m := bin(d, bins)
		for f := range d.Cols {
			if n := int(m.offset[f+1] - m.offset[f]); n > bins {
				t.Errorf("feature %d has %d bins, at most %d were asked for", f, n, bins)
			}
			if bins == 256 && f != 1 && m.values(f) < 250 {
				t.Errorf("feature %d has only %d bins", f, m.values(f))
			}
			for i := range d.Rows {
				v, b := d.X[i*3+f], int(m.byCol[f*m.rows+i])
				if m.byRow != nil && b != int(m.byRow[i*3+f]) {
					t.Fatal("the two layouts differ")
				}
				for c, cut := range m.cuts[f] {
					if v == v && (v <= cut) != (b <= c) {
						t.Fatalf("%d bins: %v is in bin %d, but cut %d is %v", bins, v, b, c, cut)
					}
				}
			}
		}
	}
}

// TestMissingIsLearned: missing values that mean "large" go with the large ones.
func TestMissingIsLearned(t *testing.T) {
	d := fit.Data{Task: fit.Classification, Classes: 2, Cols: 1}
	for i := range 200 {
		v, k := float32(i), int32(0)
		if i >= 100 {
			k = 1
		}
		if i%5 == 0 && i >= 100 {
			v = float32(math.NaN())
		}
		d.X, d.Class = append(d.X, v), append(d.Class, k)
	}
	d.Rows = 200
	e := train(t, Boost{NEstimators: 10}, d)
	if p := e.probabilities([]float32{float32(math.NaN())}); p[1] < .9 {
		t.Errorf("a missing value has probability %v of the class it always meant", p[1])
	}
	if p := e.probabilities([]float32{3}); p[1] > .1 {
		t.Errorf("3 has probability %v of the wrong class", p[1])
	}
}

func TestLimits(t *testing.T) {
	d := fittest.Numbers(t, "diabetes")
	for _, c := range []struct {
		name string
		p    Boost
		ok   func(tree) bool
	}{
		{"max_depth", Boost{MaxDepth: 2}, func(t tree) bool { return len(t.leaves()) <= 4 && len(t.leaves()) > 2 }},
		{"max_leaves depthwise", Boost{MaxLeaves: 5}, func(t tree) bool { return len(t.leaves()) == 5 }},
		{"max_leaves lossguide", Boost{MaxLeaves: 5, GrowPolicy: "lossguide", MaxDepth: -1}, func(t tree) bool { return len(t.leaves()) == 5 }},
		{"gamma", Boost{Gamma: 1e12}, func(t tree) bool { return len(t.leaves()) == 1 }},
		{"min_child_weight", Boost{MinChildWeight: 300}, func(t tree) bool { return len(t.leaves()) == 1 }},
		{"reg_alpha", Boost{RegAlpha: 1e9}, func(t tree) bool { return t[0].value == 0 }},
	} {
		c.p.NEstimators = 2
		for _, grown := range train(t, c.p, d).trees {
			if !c.ok(grown) {
				t.Errorf("%s: %d leaves", c.name, len(grown.leaves()))
			}
		}
	}
}

// TestEarlyStopping: rounds behind the best are dropped, and the held-out loss is the better for it.
func TestEarlyStopping(t *testing.T) {
	d := fittest.Numbers(t, "diabetes")
	e := train(t, Boost{NEstimators: 300, EarlyStoppingRounds: 10}, d)
	if len(e.trees) >= 100 {
		t.Errorf("%d rounds of learning noise", len(e.trees))
	}
	long := loss(t, Boost{NEstimators: 300}, d, 2)
	if short := loss(t, Boost{NEstimators: 300, EarlyStoppingRounds: 10}, d, 2); short >= long {
		t.Errorf("loss %v with early stopping, %v without", short, long)
	}
}

// TestSampling: drawing rows and features changes the trees, and they still learn.
func TestSampling(t *testing.T) {
	d := fittest.Classes(t, "breast_cancer")
	for _, p := range []Boost{{Subsample: .5}, {ColsampleBytree: .3}, {Subsample: .7, ColsampleBytree: .7, MaxBin: 32}} {
		p.NEstimators, p.LearningRate = 50, .1
		if got := loss(t, p, d, 5); got > .13 {
			t.Errorf("%+v: loss %.3f", p, got)
		}
	}
}

func BenchmarkDiamonds(b *testing.B) {
	d := diamonds(b)
	for b.Loop() {
		train(b, Boost{NEstimators: 100, LearningRate: .1}, d)
	}
}
