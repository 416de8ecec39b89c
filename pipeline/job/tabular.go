package job

import (
	"context"
	"fmt"
	"time"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/pipeline/feature"
)

// tabular is an estimator on the features of a table.
type tabular struct {
	w         *work
	estimator fit.Estimator
	called    string
	plan      *feature.Plan
	data      fit.Data            // of the rows to train on
	seen      []card.Distribution // of the inputs on these
}

// tabular learns the features, and chooses the estimator.
func (w *work) tabular(ctx context.Context, start time.Time) (learner, []Candidate, error) {
	l := &tabular{w: w}
	if err := l.prepare(ctx); err != nil {
		return nil, nil, err
	}
	name, candidates, err := l.choose(ctx, start)
	if err != nil {
		return nil, nil, err
	}
	l.called = name
	l.estimator, err = estimator(name, w.target.task, w.spec.Params)
	return l, candidates, err
}

func (l *tabular) prepare(ctx context.Context) error {
	w := l.w
	train := w.table.Take(w.train)
	plan, err := feature.Fit(train, w.report, w.spec.Target, feature.Options{})
	if err != nil {
		return err
	}
	l.plan = plan
	if len(plan.Inputs) == 0 {
		return noColumns()
	}
	if err := w.checkNames(plan.Inputs); err != nil {
		return err
	}
	x, err := plan.Transform(ctx, train)
	if err != nil {
		return err
	}
	l.seen = plan.Baseline(train)
	y := w.target.take(w.train)
	l.data = fit.Data{
		Task: y.task, Rows: len(w.train), Cols: len(plan.Names), X: x, Y: y.y, Class: y.class, Classes: len(y.classes),
		Weight: w.weights(w.train), Names: plan.Names, Seed: w.spec.Seed, Threads: w.spec.Threads,
	}
	w.tell(Event{Stage: Prepare, Done: 1, Message: fmt.Sprintf("%d columns become %d features; %d rows to train on, %d held out",
		len(plan.Inputs), len(plan.Names), len(w.train), len(w.test))})
	return nil
}

// choose returns the name of the estimator to fit: the one asked for, or the best in cross-validation.
func (l *tabular) choose(ctx context.Context, start time.Time) (string, []Candidate, error) {
	w := l.w
	if name := w.spec.Model; name != "" && name != "auto" {
		return name, nil, nil
	}
	var deadline time.Time
	if w.spec.TimeLimit > 0 {
		// The rest of the limit is for fitting the winner.
		deadline = start.Add(w.spec.TimeLimit * 7 / 10)
	}
	candidates, err := compare(ctx, l.data, deadline, w.tell)
	if err != nil {
		return "", nil, err
	}
	return candidates[0].Estimator, candidates, nil
}

func (l *tabular) name() string { return l.called }

func (l *tabular) run() string { return "" }

func (l *tabular) parameters() any { return l.estimator }

func (l *tabular) columns() ([]card.Input, []card.Dropped) { return l.plan.Inputs, l.plan.Dropped }

func (l *tabular) spread() []card.Distribution { return l.seen }

func (l *tabular) append(ctx context.Context, b *graph.Builder) (graph.Value, error) {
	x, err := l.plan.Append(b)
	if err != nil {
		return "", err
	}
	return l.estimator.Fit(ctx, l.data, b, x, func(p fit.Progress) {
		if p.Steps > 0 {
			l.w.tell(Event{Stage: Fit, Done: float64(p.Step) / float64(p.Steps)})
		}
	})
}
