package job

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/boost"
	"github.com/jarvis-ml/jarvis/model/fit/linear"
	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/metric"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
)

// portfolio lists the estimators that --model names, in the order in which "auto" tries them.
var portfolio = []struct {
	name string
	of   func(fit.Task) fit.Estimator
}{
	{"linear", func(t fit.Task) fit.Estimator {
		if t == fit.Regression {
			return &linear.Ridge{}
		}
		return &linear.Logistic{}
	}},
	{"boost", func(fit.Task) fit.Estimator { return &boost.Boost{} }},
	{"mlp", func(fit.Task) fit.Estimator { return &nn.MLP{} }},
}

// estimator makes the estimator of that name.
func estimator(name string, task fit.Task) (fit.Estimator, error) {
	for _, p := range portfolio {
		if p.name == name {
			return p.of(task), nil
		}
	}
	return nil, checkModel(name)
}

// Models are the names that Spec.Model takes.
func Models() []string {
	names := []string{"auto"}
	for _, p := range portfolio {
		names = append(names, p.name)
	}
	return append(names, neural.CNN, neural.RNN, neural.Transformer)
}

// checkModel reports an unknown name before any work is done for it.
func checkModel(name string) error {
	names := Models()
	if name == "" || slices.Contains(names, name) {
		return nil
	}
	return fault.New(fault.Invalid, "there is no estimator "+name).At("model").Try("use " + strings.Join(names, ", "))
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
	for i, p := range portfolio {
		if i > 0 && !deadline.IsZero() && time.Now().After(deadline) {
			c := Candidate{Estimator: p.name, Skipped: "the time limit had passed"}
			skipped = append(skipped, c)
			report(Event{Stage: Compare, Done: float64(i+1) / float64(len(portfolio)), Candidate: &c})
			continue
		}
		inTime, cancel := ctx, context.CancelFunc(func() {})
		if i > 0 && !deadline.IsZero() {
			inTime, cancel = context.WithDeadline(ctx, deadline)
		}
		start := time.Now()
		score, err := crossValidate(inTime, p.of(d.Task), d, group, k, func(done float64) {
			report(Event{Stage: Compare, Done: (float64(i) + done) / float64(len(portfolio))})
		})
		late := errors.Is(inTime.Err(), context.DeadlineExceeded)
		cancel()
		c := Candidate{Estimator: p.name, Metric: primary(d.Task), Score: score, Seconds: time.Since(start).Seconds()}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && late:
			c = Candidate{Estimator: p.name, Seconds: c.Seconds, Skipped: "stopped by the time limit"}
			skipped = append(skipped, c)
		case err != nil:
			c = Candidate{Estimator: p.name, Seconds: c.Seconds, Skipped: err.Error()}
			skipped = append(skipped, c)
		default:
			tried = append(tried, c)
		}
		report(Event{Stage: Compare, Done: float64(i+1) / float64(len(portfolio)), Candidate: &c})
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
