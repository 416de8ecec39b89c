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
