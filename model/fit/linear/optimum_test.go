package linear

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
)

// drawn are rows of features that have something in common, and targets of both tasks that follow from them.
func drawn(rows, cols, classes int, weighted bool) fit.Data {
	random := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
	d := fit.Data{Task: fit.Classification, Rows: rows, Cols: cols, Classes: classes}
	truth := make([]float64, cols)
	for j := range truth {
		truth[j] = random.NormFloat64() / math.Sqrt(float64(cols))
	}
	for i := range rows {
		common, z := random.NormFloat64(), random.NormFloat64()
		for j := range cols {
			x := 3 + common + random.NormFloat64()*float64(1+j%5)
			d.X = append(d.X, float32(x))
			z += truth[j] * (x - 3)
		}
		d.Y = append(d.Y, float32(z))
		d.Class = append(d.Class, int32(min(classes-1, max(0, int(float64(classes)/2+z)))))
		if weighted {
			d.Weight = append(d.Weight, float32(i%4))
		}
	}
	return d
}

// sampleFrom makes fits begin with samples at fewer rows than else, so that tests take less time.
func sampleFrom(t *testing.T, rows ...int) {
	before := samples
	samples = rows
	t.Cleanup(func() { samples = before })
}

// TestOptimum: what a solver returns leaves no slope that is larger than its tolerance, at few and many rows and
// coefficients, as an evaluation row by row in plain float64 finds it.
func TestOptimum(t *testing.T) {
	sampleFrom(t, 500, 2000)
	for _, c := range []struct {
		rows, cols, classes int
		weighted            bool
	}{
		{300, 7, 2, false}, {300, 7, 4, true}, {1500, 6, 2, false}, {9001, 5, 3, true}, {300, 400, 3, false}, {200, 1100, 2, true},
	} {
		d := drawn(c.rows, c.cols, c.classes, c.weighted)
		s := fit.Standardize(d)
		for _, penalty := range []string{"l2", "l1", "elasticnet"} {
			t.Run(fmt.Sprintf("%d×%d, %d classes, %s", c.rows, c.cols, c.classes, penalty), func(t *testing.T) {
				l, _ := Logistic{C: .1, Penalty: penalty, Tol: 1e-6, MaxIter: 20000}.defaults()
				weight, bias, err := l.solve(context.Background(), d, s, nil)
				if err != nil {
					t.Fatal(err)
				}
				if worst := steepest(d, s, weight, bias, l); !(worst <= 3e-6) {
					t.Errorf("a slope of %.3g is left", worst)
				}
			})
		}
	}
}

// steepest is the largest derivative of the objective by a coefficient, in units of the feature's curvature.
func steepest(d fit.Data, s fit.Standard, weight [][]float64, bias []float64, l Logistic) (most float64) {
	l1, l2 := l.strengths(weights(d))
	g, outs, total := matrix(len(weight), d.Cols+1), len(weight), weights(d)
	for i := range d.Rows {
		z := probabilities(scoresOf(d.Row(i), s, weight, bias))
		z[d.Class[i]]--
		for k := range g {
			r := z[len(z)-outs+k] * d.W(i) / total
			for j, x := range d.Row(i) {
				g[k][j] += r * (float64(x) - s.Mean[j])
			}
			g[k][d.Cols] += r
		}
	}
	for k, row := range g {
		most = max(most, math.Abs(row[d.Cols]))
		for j, v := range weight[k] {
			slope := row[j] + l2*v
			left := max(0, math.Abs(slope)-l1)
			if v != 0 {
				left = math.Abs(slope + math.Copysign(l1, v))
			}
			most = max(most, left*2*s.Scale[j])
		}
	}
	return most
}

// TestManyRows: moments of many blocks, weighted or not, and with a first guess of the means that is far off.
func TestManyRows(t *testing.T) {
	for _, name := range []string{"plain", "weighted", "far off"} {
		d := drawn(20_000, 9, 2, name == "weighted")
		if name == "far off" { // what Center looks at is not what the rest is like
			for i := 0; i < d.Rows; i += 4 {
				for j := range d.Cols {
					d.X[i*d.Cols+j] = 1e9
				}
			}
			d.Weight = make([]float32, d.Rows)
			for i := range d.Weight {
				d.Weight[i] = 1
				if i%4 == 0 {
					d.Weight[i] = 1e-20
				}
			}
		}
		s, err := measure(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		total, mean := center(d)
		near(t, name+": weight", s.total, total, 1e-12)
		near(t, name+": mean target", s.center, mean, 1e-12)
		for j := range d.Cols {
			var m, v, right float64
			for i := range d.Rows {
				m += d.W(i) * float64(d.X[i*d.Cols+j])
			}
			m /= total
			for i := range d.Rows {
				x := float64(d.X[i*d.Cols+j]) - m
				v += d.W(i) * x * x
				right += d.W(i) * x * (float64(d.Y[i]) - mean)
			}
			near(t, name+": mean", s.Mean[j], m, 1e-10)
			near(t, name+": square", s.gram[j*(d.Cols+1)], v, 1e-9)
			near(t, name+": product", s.right[j], right, 1e-8)
		}
	}
}

// TestRareClass: a class that the sample of many rows does not see.
func TestRareClass(t *testing.T) {
	sampleFrom(t, 500, 2000)
	d := drawn(7001, 3, 2, false)
	d.Classes = 3
	d.Class[1], d.Class[3] = 2, 2
	s := fit.Standardize(d)
	l, _ := Logistic{}.defaults()
	weight, bias, err := l.solve(context.Background(), d, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if worst := steepest(d, s, weight, bias, l); !(worst <= 3e-5) {
		t.Errorf("a slope of %.3g is left", worst)
	}
	if p := probabilities(scoresOf(d.Row(1), s, weight, bias)); p[2] < 1e-5 || p[2] > 1e-1 {
		t.Errorf("two rows of %d have the probability %v", d.Rows, p[2])
	}
}

// TestCollinear: features that are all but copies of each other are learned as well as float64 can.
func TestCollinear(t *testing.T) {
	d := fittest.Numbers(t, "diabetes")
	for i := range d.Rows {
		row := d.Row(i)
		row[1] = row[0] * 1.000001
	}
	found, _, err := Ridge{Alpha: 1e-9}.solve(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	plain := fittest.Numbers(t, "diabetes")
	for i := range plain.Rows {
		plain.Row(i)[1] = 0
	}
	without, _, err := Ridge{Alpha: 1e-9}.solve(context.Background(), plain)
	if err != nil {
		t.Fatal(err)
	}
	if !(found.loss <= without.loss*(1+1e-6)) {
		t.Errorf("the loss is %v, and %v without the copy", found.loss, without.loss)
	}
}

// TestThreads: the same bits at any number of threads, also where rows go by blocks.
func TestThreads(t *testing.T) {
	sampleFrom(t, 500, 2000)
	d := drawn(6001, 7, 3, true)
	ctx := context.Background()
	var first []float64
	for _, threads := range []int{1, 2, 5} {
		d.Threads = threads
		s := fit.Standardize(d)
		got := append(slices.Clone(s.Mean), s.Scale...)
		ridge, _, err := Ridge{Alpha: 1}.solve(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ridge.coef...)
		for _, penalty := range []string{"l2", "l1"} {
			l, _ := Logistic{Penalty: penalty}.defaults()
			weight, bias, err := l.solve(ctx, d, s, nil)
			if err != nil {
				t.Fatal(err)
			}
			got = append(append(got, slices.Concat(weight...)...), bias...)
		}
		if first == nil {
			first = got
		} else if !slices.Equal(first, got) {
			t.Errorf("%d threads learn something else", threads)
		}
	}
}

// TestSamples: machines that begin with samples come to what those do that do not.
func TestSamples(t *testing.T) {
	ctx, d := context.Background(), drawn(6001, 7, 2, true)
	s := fit.Standardize(d)
	l, _ := SVM{Tol: 1e-8, Epsilon: .5}.defaults()
	var want []float64
	for _, rows := range [][]int{{1 << 30}, {500, 2000}} {
		sampleFrom(t, rows...)
		coef, bias, err := l.machine(ctx, d, s, 1, &solver{tol: l.Tol, steps: l.MaxIter})
		if err != nil {
			t.Fatal(err)
		}
		line, height, err := l.numbers(ctx, d, s, &solver{tol: l.Tol, steps: l.MaxIter})
		if err != nil {
			t.Fatal(err)
		}
		got := append(append(append(coef, bias), line...), height)
		if want == nil {
			want = got
		}
		for i, v := range got {
			near(t, "coefficient", v, want[i], 1e-6)
		}
	}
}

// TestManyFeatures: more than are handled by their products.
func TestManyFeatures(t *testing.T) {
	ctx, d := context.Background(), drawn(60, direct+10, 2, true)
	ridge, s, err := Ridge{Alpha: 1}.solve(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := ElasticNet{Alpha: .1}.defaults()
	sparse, bias, _, err := e.solve(ctx, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, mean := center(d)
	near(t, "mean", bias, mean, 1e-12)
	for name, coef := range map[string][]float64{"ridge": ridge.coef, "elastic net": sparse} {
		var left, all float64
		for i, y := range d.Y {
			z := scoresOf(d.Row(i), s, [][]float64{coef}, []float64{bias})[0]
			left += d.W(i) * (float64(y) - z) * (float64(y) - z)
			all += d.W(i) * (float64(y) - mean) * (float64(y) - mean)
		}
		if !(left < .1*all) {
			t.Errorf("%s leaves %.3g of the squares", name, left/all)
		}
	}
}
