package job

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/metric"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// portfolio are the names of the estimators that "auto" tries, in this order.
func portfolio() []string {
	var names []string
	for _, l := range learners {
		if l.auto {
			names = append(names, l.name)
		}
	}
	return names
}

// Folds of the cross-validation by which "auto" chooses: 5, and 3 where rows are plenty and fits are slow.
const (
	fewFolds, manyFolds = 3, 5
	manyRows            = 20_000
	// sampleRows bounds the rows that candidates are compared on. The order of candidates is settled long before; the
	// winner is fitted on all rows.
	sampleRows = 50_000
)

// compare cross-validates every estimator of the portfolio and returns them best first. The first is always tried; a
// later one is skipped when the deadline has passed, or would by the pace of the ones before.
func compare(ctx context.Context, d fit.Data, deadline time.Time, report func(Event)) ([]Candidate, error) {
	d = head(d, sampleRows)
	k := manyFolds
	if d.Rows > manyRows {
		k = fewFolds
	}
	group := folds(d.Rows, k, d.Class, d.Seed)
	var tried, skipped []Candidate
	names := portfolio()
	for i, name := range names {
		if i > 0 && !deadline.IsZero() && time.Now().After(deadline) {
			c := Candidate{Estimator: name, Skipped: "the time limit had passed"}
			skipped = append(skipped, c)
			report(Event{Stage: Compare, Done: float64(i+1) / float64(len(names)), Candidate: &c})
			continue
		}
		inTime, cancel := ctx, context.CancelFunc(func() {})
		if i > 0 && !deadline.IsZero() {
			inTime, cancel = context.WithDeadline(ctx, deadline)
		}
		start, score := time.Now(), math.NaN()
		e, err := estimator(name, d.Task, nil)
		if err == nil {
			score, err = crossValidate(inTime, e, d, group, k, func(done float64) {
				report(Event{Stage: Compare, Done: (float64(i) + done) / float64(len(names))})
			})
		}
		late := errors.Is(inTime.Err(), context.DeadlineExceeded)
		cancel()
		c := Candidate{Estimator: name, Metric: primary(d.Task), Score: score, Seconds: time.Since(start).Seconds()}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && late:
			c = Candidate{Estimator: name, Seconds: c.Seconds, Skipped: "stopped by the time limit"}
			skipped = append(skipped, c)
		case err != nil:
			c = Candidate{Estimator: name, Seconds: c.Seconds, Skipped: err.Error()}
			skipped = append(skipped, c)
		default:
			tried = append(tried, c)
		}
		report(Event{Stage: Compare, Done: float64(i+1) / float64(len(names)), Candidate: &c})
	}
	if len(tried) == 0 {
		return nil, fault.New(fault.BadData, "no estimator could be trained: "+skipped[0].Skipped)
	}
	slices.SortStableFunc(tried, func(a, b Candidate) int {
		if metric.Better(a.Metric, a.Score, b.Score) {
			return -1
		} else if metric.Better(a.Metric, b.Score, a.Score) {
			return 1
		}
		return 0
	})
	return append(tried, skipped...), nil
}

// primary is the metric that candidates are ranked by: a proper score, not a rounded one.
func primary(task fit.Task) string {
	if task == fit.Regression {
		return "rmse"
	}
	return "log_loss"
}

// crossValidate returns the mean of the primary metric over k folds.
func crossValidate(ctx context.Context, e fit.Estimator, d fit.Data, group []int, k int, report func(float64)) (float64, error) {
	sum, folds := 0.0, 0.0
	for fold := range k {
		var in, out []int
		for row, g := range group {
			if g == fold {
				out = append(out, row)
			} else {
				in = append(in, row)
			}
		}
		if len(out) == 0 {
			continue // fewer rows than folds
		}
		valid := subset(d, out)
		pred, err := fitAndRun(ctx, e, subset(d, in), valid.X)
		if err != nil {
			return 0, err
		}
		m := scores(d.Task, d.Classes, valid.Class, valid.Y, pred)[primary(d.Task)]
		if math.IsNaN(m) || math.IsInf(m, 0) {
			return 0, fault.New(fault.BadData, "the model diverged in cross-validation")
		}
		sum += m
		folds++
		report(float64(fold+1) / float64(k))
	}
	return sum / folds, nil
}

func scores(task fit.Task, classes int, class []int32, y, pred []float32) map[string]float64 {
	if task == fit.Regression {
		return metric.Regression(y, pred)
	}
	return metric.Classification(classes, class, pred)
}

// fitAndRun fits e on d and runs what it learned on x (rows, d.Cols), through the graph as a server would.
func fitAndRun(ctx context.Context, e fit.Estimator, d fit.Data, x []float32) ([]float32, error) {
	b := graph.NewBuilder("candidate")
	in := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
	y, err := e.Fit(ctx, d, b, in, nil)
	if err != nil {
		return nil, err
	}
	b.Output("y", y, tensor.Rows(tensor.Float32, max(d.Classes, 1)))
	program, err := model.FromGraph(b.Model(), model.Threads(d.Threads))
	if err != nil {
		return nil, err
	}
	out, err := program.Run(ctx, map[string]*tensor.Tensor{"x": tensor.Floats(x, len(x)/d.Cols, d.Cols)})
	if err != nil {
		return nil, err
	}
	return out["y"].F32(), nil
}

// subset copies rows of a training set.
func subset(d fit.Data, rows []int) fit.Data {
	out := d
	out.Rows = len(rows)
	out.X = make([]float32, 0, len(rows)*d.Cols)
	out.Y, out.Class, out.Weight, out.Group = nil, nil, nil, nil
	for _, r := range rows {
		out.X = append(out.X, d.X[r*d.Cols:(r+1)*d.Cols]...)
		if d.Y != nil {
			out.Y = append(out.Y, d.Y[r])
		}
		if d.Class != nil {
			out.Class = append(out.Class, d.Class[r])
		}
		if d.Weight != nil {
			out.Weight = append(out.Weight, d.Weight[r])
		}
		if d.Group != nil {
			out.Group = append(out.Group, d.Group[r])
		}
	}
	return out
}

// head thins a training set to at most n rows, evenly over its length, so that a sorted file loses no part of itself.
func head(d fit.Data, n int) fit.Data {
	if d.Rows <= n {
		return d
	}
	rows := make([]int, n)
	for i := range rows {
		rows[i] = int(int64(i) * int64(d.Rows) / int64(n))
	}
	return subset(d, rows)
}
