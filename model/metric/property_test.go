package metric_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model/metric"
)

// TestNames: every name is known, has a direction, and no other name gives a value.
func TestNames(t *testing.T) {
	for _, name := range append(append([]string{"ndcg", "silhouette"}, classNames...), numberNames...) {
		if !metric.Known(name) || metric.Better(name, 1, 0) == metric.Better(name, 0, 1) {
			t.Errorf("%s has no direction", name)
		}
	}
	for _, name := range append(numberNames, "no_such_metric") {
		if _, ok := metric.OfClasses(name, 2, []int32{0, 1}, []float32{1, 0, 0, 1}, nil); ok {
			t.Errorf("%s is defined for classes", name)
		}
	}
	for _, name := range append(classNames, "no_such_metric") {
		if _, ok := metric.OfNumbers(name, []float32{0, 1}, []float32{0, 1}, nil); ok {
			t.Errorf("%s is defined for numbers", name)
		}
	}
}

// TestUndefined: what cannot be computed is left out.
func TestUndefined(t *testing.T) {
	none := []float32{0, 0}
	for _, name := range classNames {
		if v, ok := metric.OfClasses(name, 2, []int32{0, 1}, []float32{1, 0, 0, 1}, none); ok {
			t.Errorf("%s of rows without weight is %v", name, v)
		}
	}
	for _, name := range numberNames {
		if v, ok := metric.OfNumbers(name, []float32{0, 1}, []float32{0, 1}, none); ok {
			t.Errorf("%s of rows without weight is %v", name, v)
		}
	}
	for _, q := range []float64{-.1, 1.1, math.NaN()} {
		if _, ok := metric.Pinball(q, []float32{1}, []float32{1}, nil); ok {
			t.Errorf("there is a quantile %v", q)
		}
	}
	nan := float32(math.NaN())
	for _, c := range [][2][]float32{{{}, {}}, {{1, -1}, {0, 0}}, {{1, 0}, {nan, 0}}, {{nan, 0}, {1, 0}}} {
		if v, ok := metric.NDCGAt(0, nil, c[0], c[1]); ok {
			t.Errorf("ndcg of %v by %v is %v", c[0], c[1], v)
		}
	}
	for _, cluster := range [][]int32{{0, 0, 0}, {0, 1, 2}, {0, -1, 0}} {
		if v, ok := metric.SilhouetteOf(1, []float32{1, 2, 3}, cluster); ok {
			t.Errorf("silhouette of %v is %v", cluster, v)
		}
	}
	if _, ok := metric.SilhouetteOf(1, []float32{1, nan, 3}, []int32{0, 0, 1}); ok {
		t.Error("silhouette of a NaN is defined")
	}
}

// FuzzAreas: areas under curves lie between 0 and 1, do not change with a strictly rising map of the scores or with the
// order of rows, and a row of weight two counts as two rows.
func FuzzAreas(f *testing.F) {
	f.Add(uint64(1), 5)
	f.Add(uint64(2), 100)
	f.Fuzz(func(t *testing.T, seed uint64, rows int) {
		rows = 2 + int(uint(rows)%200)
		random := rand.New(rand.NewPCG(seed, 1))
		truth, proba, risen := make([]int32, rows), make([]float32, 2*rows), make([]float32, 2*rows)
		weight := make([]float32, rows)
		var many []int32
		var manyProba []float32
		for i := range rows {
			truth[i] = int32(random.IntN(2))
			p := float32(random.IntN(16)) / 16 // with ties
			proba[2*i], proba[2*i+1] = 1-p, p
			risen[2*i], risen[2*i+1] = 1-p*p, p*p
			weight[i] = float32(random.IntN(3))
			for range int(weight[i]) {
				many, manyProba = append(many, truth[i]), append(manyProba, 1-p, p)
			}
		}
		for _, name := range []string{metric.ROCAUC, metric.PRAUC} {
			a, ok := metric.OfClasses(name, 2, truth, proba, nil)
			b, same := metric.OfClasses(name, 2, truth, risen, nil)
			if ok != same || ok && (a != b || a < 0 || a > 1) {
				t.Errorf("%s is %v, and %v of risen scores", name, a, b)
			}
			w, ok := metric.OfClasses(name, 2, truth, proba, weight)
			m, same := metric.OfClasses(name, 2, many, manyProba, nil)
			if ok != same || ok && math.Abs(w-m) > 1e-12 {
				t.Errorf("%s is %v with weights, %v with copies", name, w, m)
			}
		}
	})
}

// FuzzNDCG: between 0 and 1, 1 for the perfect ranking, never more than it for another.
func FuzzNDCG(f *testing.F) {
	f.Add(uint64(1), 5, 0)
	f.Add(uint64(2), 100, 3)
	f.Fuzz(func(t *testing.T, seed uint64, rows, k int) {
		rows = 1 + int(uint(rows)%200)
		random := rand.New(rand.NewPCG(seed, 2))
		relevance, score, group := make([]float32, rows), make([]float32, rows), make([]int32, rows)
		for i := range rows {
			relevance[i], score[i], group[i] = float32(random.IntN(5)), float32(random.IntN(7)), int32(random.IntN(4))
		}
		if got, ok := metric.NDCGAt(k, group, relevance, score); !ok || got < 0 || got > 1+1e-12 {
			t.Errorf("ndcg is %v, %v", got, ok)
		}
		relevance[0] = 1 // so that the only group has something to find
		if best, ok := metric.NDCGAt(k, nil, relevance, relevance); !ok || math.Abs(best-1) > 1e-12 {
			t.Errorf("ndcg of the perfect ranking is %v", best)
		}
	})
}

// TestPerfect: a prediction that is right has the best value.
func TestPerfect(t *testing.T) {
	for name, best := range map[string]float64{"accuracy": 1, "f1_weighted": 1, "mcc": 1, "kappa": 1, "brier": 0, "pr_auc": 1} {
		if v, ok := metric.OfClasses(name, 3, []int32{0, 1, 2}, []float32{1, 0, 0, 0, 1, 0, 0, 0, 1}, nil); !ok || v != best {
			t.Errorf("%s of right answers is %v", name, v)
		}
	}
	for name, best := range map[string]float64{"r2": 1, "mape": 0, "pinball": 0} {
		if v, ok := metric.OfNumbers(name, []float32{0, 1, 2}, []float32{0, 1, 2}, nil); !ok || v != best {
			t.Errorf("%s of right answers is %v", name, v)
		}
	}
}
