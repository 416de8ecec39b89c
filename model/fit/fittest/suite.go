package fittest

import (
	"bytes"
	"context"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/metric"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Learner says what an estimator claims to do.
type Learner struct {
	Classes bool // it classifies
	Numbers bool // it regresses
	Missing bool // it takes NaN
	Counts  bool // it takes no feature below 0

	// What it reaches on rows that it has not seen: 0 means an accuracy of 0.95 at least, a log loss of 0.2 at most (both
	// of penguins, unscaled) and an r2 of 0.3 at least (of diabetes). A method that cannot by its nature says what it can.
	Accuracy, LogLoss, R2 float64
}

func (l Learner) defaults() Learner {
	for _, f := range []struct {
		field *float64
		value float64
	}{{&l.Accuracy, .95}, {&l.LogLoss, .2}, {&l.R2, .3}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return l
}

// Suite tests that an estimator is a good citizen of the seam: that it learns, is deterministic at any number of
// threads, stops when told to, survives strange data, and refuses bad data by name. A new estimator joins with one line:
//
//	func TestSuite(t *testing.T) { fittest.Suite(t, ridge.Ridge{}, fittest.Learner{Numbers: true}) }
func Suite(t *testing.T, e fit.Estimator, l Learner) {
	before := reflect.ValueOf(e).Interface()
	l = l.defaults()
	for _, d := range l.tasks(t) {
		t.Run(string(d.Task), func(t *testing.T) {
			t.Run("learns", func(t *testing.T) { learns(t, e, d, l) })
			t.Run("is deterministic", func(t *testing.T) { deterministic(t, e, d) })
			t.Run("stops", func(t *testing.T) { stops(t, e, d) })
			t.Run("reports", func(t *testing.T) { reports(t, e, d) })
			t.Run("obeys weights", func(t *testing.T) { obeys(t, e, d, l) })
			t.Run("survives", func(t *testing.T) { survives(t, e, d.Task, l) })
			t.Run("refuses", func(t *testing.T) { refuses(t, e, d, l) })
			t.Run("answers each row alone", func(t *testing.T) { alone(t, e, d) })
		})
	}
	t.Run("other tasks", func(t *testing.T) { others(t, e, l) })
	if !reflect.DeepEqual(before, e) {
		t.Error("Fit changed its receiver")
	}
}

func (l Learner) tasks(t *testing.T) []fit.Data {
	var out []fit.Data
	if l.Classes {
		name := "penguins"
		if l.Missing {
			name = "penguins_missing"
		}
		out = append(out, Classes(t, name))
	}
	if l.Numbers {
		out = append(out, Numbers(t, "diabetes"))
	}
	return out
}

// learns trains on four rows of five, and asks for a better answer than the baseline's on the fifth.
func learns(t *testing.T, e fit.Estimator, d fit.Data, l Learner) {
	var in, out []int32
	for i := range d.Rows {
		if i%5 == 0 {
			out = append(out, int32(i))
		} else {
			in = append(in, int32(i))
		}
	}
	test := Subset(d, out)
	started := time.Now()
	m := Train(t, e, Subset(d, in))
	seconds := time.Since(started).Seconds()
	y := Run(t, m, tensor.Floats(test.X, test.Rows, d.Cols)).F32()
	if d.Task == fit.Classification {
		got := metric.Classification(d.Classes, test.Class, y)
		t.Logf("%.2f s, accuracy %.3f, log loss %.3f", seconds, got[metric.Accuracy], got[metric.LogLoss])
		if got[metric.Accuracy] < l.Accuracy || got[metric.LogLoss] > l.LogLoss {
			t.Errorf("penguins: %v", got)
		}
		return
	}
	got := metric.Regression(test.Y, y)
	t.Logf("%.2f s, r2 %.3f", seconds, got[metric.R2])
	if got[metric.R2] < l.R2 {
		t.Errorf("diabetes: %v", got)
	}
}

func deterministic(t *testing.T, e fit.Estimator, d fit.Data) {
	var first []byte
	for _, threads := range []int{1, 1, 2, 7} {
		d.Threads = threads
		file, err := onnx.Encode(Train(t, e, d))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = file
		} else if !bytes.Equal(first, file) {
			t.Fatalf("another model with %d threads", threads)
		}
	}
}

// stops ends the context before training, and at the first progress, after which at most one more may come.
func stops(t *testing.T, e fit.Estimator, d fit.Data) {
	ctx, cancel := context.WithCancel(context.Background())
	after := 0
	_, err := attempt(ctx, e, d, func(p fit.Progress) {
		if ctx.Err() != nil {
			after++
		} else if p.Step < p.Steps || p.Steps == 0 { // it has steps left
			cancel()
		}
	})
	if ctx.Err() != nil {
		canceled(t, err)
	}
	if after > 1 {
		t.Errorf("it reported %d more steps", after)
	}
	cancel()
	_, err = attempt(ctx, e, d, nil)
	canceled(t, err)
}

func canceled(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) || !fault.Is(err, fault.Canceled) {
		t.Errorf("a canceled training returned %v", err)
	}
}

func reports(t *testing.T, e fit.Estimator, d fit.Data) {
	last := 0
	if _, err := attempt(context.Background(), e, d, func(p fit.Progress) {
		if p.Step <= last || (p.Steps > 0 && p.Step > p.Steps) || p.Loss-p.Loss != 0 {
			t.Errorf("progress %+v after step %d", p, last)
		}
		last = p.Step
	}); err != nil {
		t.Fatal(err)
	}
	if last == 0 {
		t.Error("no progress was reported")
	}
}

// obeys adds every row again with a wrong target and next to no weight.
func obeys(t *testing.T, e fit.Estimator, d fit.Data, l Learner) {
	twice := d
	twice.Rows *= 2
	twice.X = append(append([]float32(nil), d.X...), d.X...)
	twice.Class, twice.Y = append([]int32(nil), d.Class...), append([]float32(nil), d.Y...)
	for _, k := range d.Class {
		twice.Class = append(twice.Class, (k+1)%int32(d.Classes))
	}
	for _, v := range d.Y {
		twice.Y = append(twice.Y, -5*v)
	}
	twice.Weight = make([]float32, twice.Rows)
	for i := range twice.Weight {
		twice.Weight[i] = 1
		if i >= d.Rows {
			twice.Weight[i] = 1e-6
		}
	}
	y := Run(t, Train(t, e, twice), tensor.Floats(d.X, d.Rows, d.Cols)).F32()
	if d.Task == fit.Classification {
		if got := metric.Classification(d.Classes, d.Class, y); got[metric.Accuracy] < l.Accuracy {
			t.Errorf("rows without weight were learned: %v", got)
		}
	} else if got := metric.Regression(d.Y, y); got[metric.R2] < l.R2 {
		t.Errorf("rows without weight were learned: %v", got)
	}
}

// survives fits strange data and asks for finite answers, that are probabilities where they should be.
func survives(t *testing.T, e fit.Estimator, task fit.Task, l Learner) {
	for name, d := range strange(task) {
		if l.Counts {
			for i, v := range d.X {
				d.X[i] = max(v, -v)
			}
		}
		t.Run(name, func(t *testing.T) {
			m, err := attempt(context.Background(), e, d, nil)
			if err != nil {
				t.Fatal(err)
			}
			sound(t, d, Run(t, m, tensor.Floats(d.X, d.Rows, d.Cols)))
		})
	}
}

func sound(t *testing.T, d fit.Data, y *tensor.Tensor) {
	t.Helper()
	outs := 1
	if d.Task == fit.Classification {
		outs = d.Classes
	}
	if y.Rank() != 2 || y.Shape()[0] != d.Rows || y.Shape()[1] != outs {
		t.Fatalf("output of shape %v for %d rows", y.Shape(), d.Rows)
	}
	for i := range d.Rows {
		var sum float64
		for _, v := range y.F32()[i*outs : (i+1)*outs] {
			if v-v != 0 || (d.Task == fit.Classification && (v < 0 || v > 1)) {
				t.Fatalf("row %d: answer %v", i, v)
			}
			sum += float64(v)
		}
		if d.Task == fit.Classification && math.Abs(sum-1) > 1e-5 {
			t.Fatalf("row %d: probabilities sum to %v", i, sum)
		}
	}
}

// alone asks for the same answer to a row alone as to the row among others.
func alone(t *testing.T, e fit.Estimator, d fit.Data) {
	m := Train(t, e, d)
	all := Run(t, m, tensor.Floats(d.X, d.Rows, d.Cols))
	outs := all.Shape()[1]
	for i := 0; i < d.Rows; i += 40 {
		one := Run(t, m, tensor.Floats(d.Row(i), 1, d.Cols))
		for k, v := range one.F32() {
			among := float64(all.F32()[i*outs+k])
			if math.Abs(float64(v)-among) > 1e-5*max(1, math.Abs(among)) {
				t.Errorf("row %d: %v alone, %v among others", i, v, among)
			}
		}
	}
}

func refuses(t *testing.T, e fit.Estimator, good fit.Data, l Learner) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name, field string
		change      func(d *fit.Data)
		skip        bool
	}{
		{"a missing value", good.Names[1], func(d *fit.Data) { d.X[d.Cols+1] = nan }, l.Missing},
		{"an infinite value", good.Names[2], func(d *fit.Data) { d.X[2] = inf }, false},
		{"a hole in the target", "target", func(d *fit.Data) { d.Y[3] = nan }, good.Task == fit.Classification},
		{"a class out of range", "target", func(d *fit.Data) { d.Class[3] = 99 }, good.Task == fit.Regression},
		{"a negative class", "target", func(d *fit.Data) { d.Class[3] = -1 }, good.Task == fit.Regression},
		{"one class", "target", func(d *fit.Data) { d.Classes = 1 }, good.Task == fit.Regression},
		{"a negative weight", "weight", func(d *fit.Data) { d.Weight = ones(d.Rows); d.Weight[0] = -1 }, false},
		{"no weight at all", "weight", func(d *fit.Data) { d.Weight = make([]float32, d.Rows) }, false},
		{"no rows", "", func(d *fit.Data) { d.Rows, d.X, d.Y, d.Class = 0, nil, nil, nil }, false},
		{"no features", "", func(d *fit.Data) { d.Cols, d.X, d.Names = 0, nil, nil }, false},
	} {
		if c.skip {
			continue
		}
		var every []int32
		for i := range good.Rows {
			every = append(every, int32(i))
		}
		d := Subset(good, every)
		c.change(&d)
		_, err := attempt(context.Background(), e, d, nil)
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != c.field {
			t.Errorf("%s: %v, want an invalid %q", c.name, err, c.field)
		}
	}
}

func ones(n int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = 1
	}
	return w
}

// others asks for a clear refusal of tasks that are not claimed, with the graph left as it was.
func others(t *testing.T, e fit.Estimator, l Learner) {
	tasks := []fit.Data{{Task: "ranking", Rows: 1, Cols: 1, X: []float32{1}}}
	if !l.Classes {
		tasks = append(tasks, Classes(t, "iris"))
	}
	if !l.Numbers {
		tasks = append(tasks, Numbers(t, "diabetes"))
	}
	for _, d := range tasks {
		b := graph.NewBuilder("model")
		x := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
		_, err := e.Fit(context.Background(), d, b, x, nil)
		if !fault.Is(err, fault.Invalid) || len(b.Graph().Nodes) > 0 {
			t.Errorf("%s: %v", d.Task, err)
		}
	}
}
