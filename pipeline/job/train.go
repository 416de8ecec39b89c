package job

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// leastRows is what a model can be trained and judged on at all.
const leastRows = 10

// Train makes a model from a table. report may be nil.
//
// A share of the rows (see holdout) is set aside first; features, choice of estimator and the model itself see only the
// rest, and the metrics are those of the finished artifact on the rows set aside.
// Errors: fault.Invalid for a wrong Spec, fault.BadData for data that cannot be learned from, and ctx's error.
func Train(ctx context.Context, t *table.Table, s Spec, report func(Event)) (*Outcome, error) {
	out, err := learn(ctx, t, s, report)
	if err != nil && ctx.Err() != nil {
		return nil, fault.Wrap(context.Cause(ctx), fault.Canceled, "the training was stopped")
	}
	return out, err
}

func learn(ctx context.Context, t *table.Table, s Spec, report func(Event)) (*Outcome, error) {
	start := time.Now()
	w, err := understand(ctx, t, s, report)
	if err != nil {
		return nil, err
	}
	l, candidates, err := w.learner(ctx, start)
	if err != nil {
		return nil, err
	}
	out, err := w.fit(ctx, l)
	if err != nil {
		return nil, err
	}
	out.Candidates, out.Seconds = candidates, time.Since(start).Seconds()
	return out, nil
}

// learner is what is to be fitted: an estimator on features, or a net.
type learner interface {
	name() string                                                      // of the estimator, as --model has it
	parameters() any                                                   // hyper-parameters, for the provenance
	columns() ([]card.Input, []card.Dropped)                           // that it uses, and the others
	spread() []card.Distribution                                       // of those that it uses, on the rows to train on
	run() string                                                       // id of its training, where that can be taken up
	append(ctx context.Context, b *graph.Builder) (graph.Value, error) // fits, and appends from the inputs to probabilities or numbers
}

// learner prepares what was asked for.
func (w *work) learner(ctx context.Context, start time.Time) (learner, []Candidate, error) {
	if w.look != nil {
		n, err := w.net(ctx)
		return n, nil, err
	}
	return w.tabular(ctx, start)
}

// work is the state of one Train.
type work struct {
	spec        Spec
	tell        func(Event)
	table       *table.Table
	weight      []float32 // (rows), or nil
	report      *check.Report
	target      *target
	look        *look  // what a net looks at; nil for estimators on features
	digest      string // of what stands in files that the table names
	train, test []int  // rows
}

func understand(ctx context.Context, t *table.Table, s Spec, report func(Event)) (*work, error) {
	w, err := begin(t, s, report)
	if err != nil {
		return nil, err
	}
	if w.look, err = w.glance(); err != nil {
		return nil, err
	}
	return w, w.split(ctx)
}

// begin looks at the columns, and at the target.
func begin(t *table.Table, s Spec, report func(Event)) (*work, error) {
	if report == nil {
		report = func(Event) {}
	}
	if s.Holdout == 0 {
		s.Holdout = DefaultHoldout
	}
	if !(s.Holdout > 0 && s.Holdout < 1) {
		return nil, fault.New(fault.Invalid, "the holdout is a share of the rows between 0 and 1").At("holdout")
	}
	if s.Threads <= 0 {
		s.Threads = runtime.GOMAXPROCS(0)
	}
	if err := checkModel(s.Model); err != nil && s.Net == nil {
		return nil, err
	}
	if len(s.Params) > 0 && (s.Net != nil || s.Model == "" || s.Model == "auto") {
		return nil, fault.New(fault.Invalid, "parameters are for a model that is named").At("param").Try("--model boost --param max_depth=8; a net has its settings in YAML")
	}
	w := &work{spec: s, tell: report, table: t}
	if err := w.weigh(); err != nil {
		return nil, err
	}
	col := w.table.Column(s.Target)
	if col == nil {
		return nil, noTarget(w.table, s.Target)
	}
	task, why, err := taskOf(s.Task, col)
	if err != nil {
		return nil, err
	}
	w.report = check.Profile(w.table, check.Options{Target: s.Target, Task: task})
	w.tell(Event{Stage: Understand, Message: fmt.Sprintf("%s: %s", task, why), Done: 1, Report: w.report})
	w.target, err = readTarget(col, task)
	return w, err
}

func noTarget(t *table.Table, name string) error {
	if name == "" {
		return fault.New(fault.Invalid, "no target column is named").At("target").Try("name one with --target: " + columnNames(t))
	}
	return fault.New(fault.Invalid, fmt.Sprintf("there is no column %q", name)).At("target").Try("the columns are " + columnNames(t))
}

func columnNames(t *table.Table) string {
	s := ""
	for i, f := range t.Schema() {
		if i == 20 {
			return s + fmt.Sprintf(" and %d more", len(t.Columns)-20)
		}
		if i > 0 {
			s += ", "
		}
		s += f.Name
	}
	return s
}

func taskOf(asked string, col *table.Column) (fit.Task, string, error) {
	switch asked {
	case "", "auto":
		task, why := check.InferTask(col)
		return task, why, nil
	case string(fit.Classification), string(fit.Regression):
		return fit.Task(asked), "as asked for", nil
	}
	return "", "", fault.New(fault.Invalid, "there is no task "+asked).At("task").Try("use auto, classification or regression")
}

// split sets the holdout aside. A class that would be missing from the rows to train on stays there whole.
func (w *work) split(ctx context.Context) error {
	rows := w.target.rows()
	if w.look != nil {
		var err error
		if rows, err = w.look.rows(ctx, w, rows); err != nil {
			return err
		}
	}
	if len(rows) < leastRows {
		return fault.New(fault.BadData, fmt.Sprintf("%d rows with a target are too few: at least %d are needed", len(rows), leastRows))
	}
	if w.spec.HoldoutBy == nil {
		w.spec.HoldoutBy = w.columns(usable)
		if w.look != nil && w.look.column != "" {
			w.spec.HoldoutBy = []string{w.look.column}
		}
	}
	if len(w.spec.HoldoutBy) == 0 {
		return noColumns()
	}
	w.train, w.test = holdout(w.table, w.spec.HoldoutBy, rows, w.spec.Holdout)
	if w.target.class != nil {
		seen := make([]int, len(w.target.classes))
		for _, r := range w.train {
			seen[w.target.class[r]]++
		}
		kept := w.test[:0]
		for _, r := range w.test {
			if seen[w.target.class[r]] < 2 {
				w.train = append(w.train, r)
			} else {
				kept = append(kept, r)
			}
		}
		w.test = kept
	}
	if len(w.test) == 0 || len(w.train) < leastRows/2 {
		return fault.New(fault.BadData, fmt.Sprintf("%d rows, many of them equal, cannot be split into rows to train on and a holdout", len(rows))).
			Try("add rows, or remove duplicates")
	}
	return nil
}

func noColumns() error {
	return fault.New(fault.BadData, "no column is left to learn from").Try("see what each column is taken for, and why, with 'jarvis data check'")
}

// usable reports whether features are made from a column of that kind.
func usable(k check.Kind) bool {
	return k == check.Number || k == check.Category || k == check.Boolean || k == check.Date
}

// fit fits on the rows to train on, writes the artifact, and scores that artifact on the holdout.
func (w *work) fit(ctx context.Context, l learner) (*Outcome, error) {
	m, err := w.assemble(ctx, l)
	if err != nil {
		return nil, err
	}
	w.tell(Event{Stage: Fit, Done: 1, Message: l.name() + " is fitted"})
	out := &Outcome{Card: w.card(l), Run: l.run(), Report: w.report, Rows: len(w.train) + len(w.test), held: w.table.Take(w.test), truth: w.target.take(w.test)}
	if out.Artifact, err = encode(m, out.Card); err != nil {
		return nil, err
	}
	if err := w.evaluate(ctx, out); err != nil {
		return nil, err
	}
	if w.spec.Keep != nil {
		if out.Card.Provenance.Dataset, err = w.spec.Keep(ctx); err != nil {
			return nil, err
		}
	}
	if out.Artifact, err = encode(m, out.Card); err != nil {
		return nil, err
	}
	w.tell(Event{Stage: Evaluate, Done: 1})
	return out, nil
}

// evaluate scores the artifact on the holdout, beside the baseline: the shares of the classes, or the mean.
func (w *work) evaluate(ctx context.Context, out *Outcome) error {
	m, err := predict.Open(out.Artifact, model.Threads(w.spec.Threads))
	if err != nil {
		return err
	}
	m.Files(w.spec.Files)
	scored, result, err := score(ctx, m, out.held, out.truth)
	if err != nil {
		return err
	}
	out.Card.Metrics = card.Metrics{Holdout: defined(scored), Baseline: w.baseline(), Rows: out.held.Rows}
	if _, ok := out.Card.Metrics.Holdout[primary(w.target.task)]; !ok {
		return fault.New(fault.BadData, "the model's answers on the holdout are not finite").Try("look for extreme values with 'jarvis data check'")
	}
	out.Card.Baseline.Output = outputDistribution(result)
	return nil
}
