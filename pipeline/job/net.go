package job

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/feature"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// look is what a net looks at: one column of images, texts or sequences, or the features of a table.
type look struct {
	spec   neural.Spec
	kind   check.Kind // Image, Text or Sequence; "" for features
	column string
	images *neural.Images
}

// glance decides whether a net is trained, and on what. It returns nil for estimators on features.
func (w *work) glance() (*look, error) {
	var l look
	switch {
	case w.spec.Net != nil:
		l.spec = *w.spec.Net
	case slices.Contains([]string{neural.CNN, neural.RNN, neural.Transformer}, w.spec.Model):
		l.spec.Type = w.spec.Model
	case w.spec.Model == neural.MLP && w.manyCategories():
		l.spec.Type = neural.MLP
		return &l, nil
	case w.spec.Model == "" || w.spec.Model == "auto":
		if len(w.columns(usable)) > 0 || len(w.columns(looked)) == 0 {
			return nil, nil
		}
	default:
		return nil, nil
	}
	return &l, l.choose(w)
}

// looked reports whether nets look at columns of that kind one at a time.
func looked(k check.Kind) bool {
	return k == check.Image || k == check.Sequence || k == check.Text
}

// columns are the names of the columns of some kinds, the target left out.
func (w *work) columns(of func(check.Kind) bool) (names []string) {
	for _, c := range w.report.Columns {
		if c.Name != w.spec.Target && of(c.Kind) {
			names = append(names, c.Name)
		}
	}
	return names
}

// manyCategories reports whether a column has more categories than features are made for.
func (w *work) manyCategories() bool {
	return slices.ContainsFunc(w.report.Columns, func(c check.Column) bool {
		return c.Name != w.spec.Target && c.Kind == check.Category && c.Unique > feature.DefaultMaxCategories
	})
}

// choose finds the column.
func (l *look) choose(w *work) error {
	names := w.columns(looked)
	if l.spec.Column != "" {
		names = []string{l.spec.Column}
		c := w.report.Column(l.spec.Column)
		if c == nil || l.spec.Column == w.spec.Target {
			return fault.New(fault.Invalid, fmt.Sprintf("there is no column %q to look at", l.spec.Column)).At("model.column").Try("the columns are " + columnNames(w.table))
		}
	}
	onlyFeatures := l.spec.Type == neural.MLP || l.spec.Type == "" && len(names) == 0
	switch {
	case onlyFeatures && l.spec.Column == "":
		return nil
	case len(names) == 0:
		return fault.New(fault.BadData, "there is no column of images, sequences or texts for a "+l.spec.Type+" to look at").
			Try("see what each column is taken for with 'jarvis data check', name one with model.column, or use --model mlp")
	case len(names) > 1:
		return fault.New(fault.Invalid, "a net looks at one column, and there are "+strings.Join(names, ", ")).At("model.column").Try("name one with model.column")
	}
	l.column = names[0]
	switch l.kind = w.report.Column(l.column).Kind; l.kind {
	case check.Image, check.Sequence, check.Text:
	case check.ID, check.Category:
		l.kind = check.Text
	default:
		return fault.New(fault.Invalid, "the column holds neither images nor sequences nor texts, but is taken for "+string(l.kind)).At(l.column)
	}
	return nil
}

// rows leaves out the rows in which there is nothing to look at.
func (l *look) rows(ctx context.Context, w *work, rows []int) ([]int, error) {
	c := w.table.Column(l.column)
	if c == nil {
		return rows, nil
	}
	all := len(rows)
	rows = filled(c, rows)
	if left := all - len(rows); left > 0 {
		w.tell(Event{Stage: Understand, Message: fmt.Sprintf("%d rows have nothing in %s, and are left out", left, l.column)})
	}
	switch {
	case len(rows) == 0:
		return rows, nil
	case l.kind == check.Sequence: // what is wrong with any is said by its number in the data, before they are split
		_, _, err := neural.FitSequences(w.table, l.column, rows, l.spec.Sequence)
		return rows, err
	case l.kind != check.Image:
		return rows, nil
	}
	o := l.spec.Image
	o.Files = w.spec.Files
	o.Progress = func(done, all int) { w.tell(Event{Stage: Prepare, Done: .999 * float64(done) / float64(max(1, all))}) }
	var err error
	if l.images, err = neural.FitImages(ctx, w.table.Take(rows), l.column, o); err != nil {
		return nil, err
	}
	w.digest = l.images.Digest()
	for _, n := range l.images.Notices() {
		w.tell(Event{Stage: Understand, Message: n})
	}
	usable := make([]int, 0, len(rows))
	for _, at := range l.images.Usable() {
		usable = append(usable, rows[at])
	}
	return usable, nil
}

// filled are the rows that have something in a column.
func filled(c *table.Column, rows []int) []int {
	return slices.DeleteFunc(rows, func(r int) bool {
		return c.Missing(r) || c.Kind == table.Text && (strings.TrimSpace(c.Text(r)) == "" || strings.TrimSpace(c.Text(r)) == "[]")
	})
}

// net prepares the training of a net.
func (w *work) net(ctx context.Context) (learner, error) {
	l := &netLearner{w: w, look: *w.look}
	t := w.table.Take(w.train)
	var err error
	if l.input, err = l.prepare(ctx, t); err != nil {
		return nil, err
	}
	if err := w.checkNames(l.input.Columns()); err != nil {
		return nil, err
	}
	y := w.target.take(w.train)
	l.data = neural.Data{Task: y.task, Table: t, Class: y.class, Classes: len(y.classes), Y: y.y, Weight: w.weights(w.train), Seed: w.spec.Seed, Threads: w.spec.Threads}
	w.tell(Event{Stage: Prepare, Done: 1, Message: fmt.Sprintf("%s; %d rows to train on, %d held out", l.says, len(w.train), len(w.test))})
	return l, nil
}

// netLearner is a net as a learner.
type netLearner struct {
	w       *work
	look    look
	input   neural.Input
	data    neural.Data
	net     *neural.Net
	says    string // what it looks at
	dropped []card.Dropped
	seen    []card.Distribution
}

// prepare makes the input of the rows to train on.
func (l *netLearner) prepare(ctx context.Context, t *table.Table) (neural.Input, error) {
	w := l.w
	if l.look.column == "" {
		plan, err := feature.Fit(t, w.report, w.spec.Target, feature.Options{Codes: neural.FewCategories})
		if err != nil {
			return nil, err
		}
		l.says = fmt.Sprintf("%d columns become %d features", len(plan.Inputs), len(plan.Names))
		if n := len(plan.Codes); n > 0 {
			l.says += fmt.Sprintf(", %d of them categories that vectors are learned for", n)
		}
		l.dropped, l.seen = plan.Dropped, plan.Baseline(t)
		return &neural.Features{Plan: plan}, nil
	}
	for _, c := range w.table.Columns {
		if c.Name != l.look.column && c.Name != w.spec.Target {
			l.dropped = append(l.dropped, card.Dropped{Column: c.Name, Reason: "the net looks at " + l.look.column})
		}
	}
	l.says = "a net looks at " + l.look.column
	switch l.look.kind {
	case check.Image:
		in := l.look.images
		l.says += fmt.Sprintf(", in %d×%d pixels of %d channels", in.Size(), in.Size(), in.Channels())
		return in, nil
	case check.Sequence:
		in, _, err := neural.FitSequences(w.table, l.look.column, w.train, l.look.spec.Sequence)
		return in, err
	}
	in, err := neural.FitTexts(ctx, t, l.look.column, l.look.spec.Text)
	if err == nil {
		l.says += fmt.Sprintf(", as %d different tokens", in.Tokenizer.Size())
	}
	return in, err
}

func (l *netLearner) name() string {
	if l.look.spec.Type == "" {
		return "net"
	}
	return l.look.spec.Type
}

func (l *netLearner) parameters() any { return l.look.spec }

func (l *netLearner) columns() ([]card.Input, []card.Dropped) { return l.input.Columns(), l.dropped }

func (l *netLearner) spread() []card.Distribution { return l.seen }

func (l *netLearner) append(ctx context.Context, b *graph.Builder) (graph.Value, error) {
	w := l.w
	var err error
	if l.net, err = neural.Fit(ctx, l.input, l.data, l.look.spec, w.watch(l.run())); err != nil {
		return "", err
	}
	w.kept(l.net.Outcome)
	return l.net.Append(b)
}

// run names the training by all that its outcome follows from.
func (l *netLearner) run() string {
	s := l.w.spec
	text, _ := json.Marshal([]any{l.w.fingerprint(), l.look.spec, s.Target, s.Weight, l.w.target.task, s.Seed, s.Threads, s.Holdout, s.HoldoutBy, s.Version}) // plain fields
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
