package job

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/fit/tune"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/feature"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Tuning says how a model that was trained elsewhere, or by Jarvis before, goes on learning.
type Tuning struct {
	Model    []byte                              `json:"-"`                // the ONNX file
	External func(onnx.External) ([]byte, error) `json:"-"`                // what the model keeps in other files; nil: nothing
	Name     string                              `json:"model"`            // of the model, for the provenance
	Output   string                              `json:"output,omitempty"` // to learn from, where there are several
	Fix      map[string]*tensor.Tensor           `json:"-"`                // inputs that are always the same
	Freeze   []string                            `json:"freeze,omitempty"` // patterns of names of weights, or of nodes that use them, that stay as they are
	Head     bool                                `json:"head,omitempty"`   // a new last layer, for other classes than the model knows
	LoRA     tune.LoRA                           `json:"lora,omitzero"`
	Pictures neural.PictureOptions               `json:"pictures,omitzero"` // what it wants pictures to be

	train.Config // zero values mean what suits a model that knows much already
}

// FineTuned is what the provenance calls models that went on learning.
const FineTuned = "finetune"

// tuningConfig is where the configuration of a fine-tuning has its Tuning.
const tuningConfig = "tuning"

// tuningOf is how a model that was fine-tuned goes on learning from more rows, nil for other models: as it did before, with the last layer that it has now.
func tuningOf(c card.Card) (*Tuning, error) {
	described := c.Provenance.Config[tuningConfig]
	if described == nil {
		return nil, nil
	}
	text, err := json.Marshal(described)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadModel, "the description of the fine-tuning cannot be read")
	}
	var how Tuning
	if err := json.Unmarshal(text, &how); err != nil {
		return nil, fault.New(fault.BadModel, "the description of the fine-tuning cannot be read").Because(err)
	}
	how.Head, how.Output = false, ""
	return &how, nil
}

// FineTune has a model go on learning from a table. Everything else is as Train has it: the holdout, the artifact, its card. Spec.Model and Spec.Net say nothing
// here.
//
// Errors: those of Train, of tune.Open and neural.FitForeign; fault.Invalid for classes that the model does not know.
func FineTune(ctx context.Context, t *table.Table, s Spec, how Tuning, report func(Event)) (*Outcome, error) {
	start := time.Now()
	out, err := fineTune(ctx, t, s, how, report)
	if err != nil && ctx.Err() != nil {
		return nil, fault.Wrap(context.Cause(ctx), fault.Canceled, "the training was stopped")
	}
	if err == nil {
		out.Seconds = time.Since(start).Seconds()
	}
	return out, err
}

func fineTune(ctx context.Context, t *table.Table, s Spec, how Tuning, report func(Event)) (*Outcome, error) {
	l := &tuned{how: how}
	var err error
	if l.model, err = onnx.Decode(how.Model, onnx.Limits{External: how.External}); err != nil {
		return nil, err
	}
	if l.from, l.own, err = card.Decode(l.model.Metadata); err != nil {
		return nil, err
	}
	if l.own {
		if s, err = l.like(s); err != nil {
			return nil, err
		}
	}
	s.Model, s.Net = "", nil
	if l.w, err = begin(t, s, report); err != nil {
		return nil, err
	}
	if err := l.connect(ctx); err != nil {
		return nil, err
	}
	if err := l.w.split(ctx); err != nil {
		return nil, err
	}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l.w.fit(ctx, l)
}

// tuned is a model that goes on learning, as a learner.
type tuned struct {
	w      *work
	how    Tuning
	model  *graph.Model
	from   card.Card // of the model
	own    bool      // Jarvis made it
	inputs *neural.Foreign
	net    *tune.Model
	notes  []string
}

// like has a model of Jarvis's own learn what it learned, unless it gets a new last layer.
func (l *tuned) like(s Spec) (Spec, error) {
	sig := l.from.Signature
	if s.Target == "" {
		s.Target = sig.Target
	}
	if s.Task == "" || s.Task == "auto" {
		s.Task = sig.Task
	}
	if !l.how.Head && s.Task != sig.Task {
		return s, fault.New(fault.Invalid, "the model was trained for "+sig.Task+", not "+s.Task).At("task").Try("put a new last layer in its place with head")
	}
	if l.how.Output == "" {
		l.how.Output = predict.ProbabilityOutput
		if sig.Task == string(fit.Regression) {
			l.how.Output = predict.PredictionOutput
		}
	}
	return s, nil
}

// connect finds a column for each input.
func (l *tuned) connect(ctx context.Context) error {
	w := l.w
	var open []graph.Port
	for _, in := range l.model.Graph.Inputs {
		if l.how.Fix[string(in.Name)] == nil && l.model.Graph.Initializers[in.Name] == nil {
			open = append(open, in)
		}
	}
	o := neural.ForeignOptions{Target: w.spec.Target, Pictures: l.how.Pictures}
	o.Pictures.Files = w.spec.Files
	if l.own {
		o.Card, o.Graph = &l.from, l.model.Graph
	}
	var err error
	if l.inputs, err = neural.FitForeign(ctx, open, w.table, w.report, o); err != nil {
		return err
	}
	w.digest = l.inputs.Digest()
	l.notes = append(l.notes, l.inputs.Notes...)
	columns := l.inputs.Columns()
	if err := w.checkNames(columns); err != nil {
		return err
	}
	if len(columns) == 0 {
		return fault.New(fault.Invalid, "every input is fixed, so there is nothing to learn from").At("fix")
	}
	if w.spec.HoldoutBy == nil {
		for _, c := range columns {
			w.spec.HoldoutBy = append(w.spec.HoldoutBy, c.Name)
		}
	}
	w.target.only(l.inputs.Usable(w.target.rows()))
	return nil
}

// only takes the target of all other rows away.
func (t *target) only(rows []int) {
	keep := map[int]bool{}
	for _, r := range rows {
		keep[r] = true
	}
	for i := range t.class {
		if !keep[i] {
			t.class[i] = -1
		}
	}
	for i := range t.y {
		if !keep[i] {
			t.y[i] = float32(math.NaN())
		}
	}
}

// open makes a net of the model, and gives the classes of the data their numbers in it.
func (l *tuned) open() error {
	w := l.w
	y := w.target
	o := tune.Options{
		Output: l.how.Output, Regression: y.task == fit.Regression, Outputs: max(1, len(y.classes)), Fix: l.how.Fix, Types: l.inputs.Types(),
		Freeze: l.how.Freeze, Head: l.how.Head, LoRA: l.how.LoRA, BatchSize: l.how.BatchSize, Seed: w.spec.Seed,
	}
	if o.BatchSize == 0 {
		o.BatchSize = neural.TuningBatch(len(w.train))
	}
	l.how.BatchSize = o.BatchSize
	numbered := numbers(y.classes)
	known := l.own && !l.how.Head && y.task == fit.Classification
	if known || numbered && !o.Head {
		o.Outputs = 0
	}
	var err error
	if l.net, err = tune.Open(l.model, o); err != nil {
		return err
	}
	l.notes = append(l.notes, l.net.Notes...)
	if y.task == fit.Classification && !o.Head {
		switch {
		case known:
			err = y.rename(l.from.Signature.Classes)
		case numbered:
			err = y.rename(counting(l.net.Outputs))
		default:
			l.notes = append(l.notes, "the model's classes are taken to be "+strings.Join(y.classes[:min(6, len(y.classes))], ", ")+", in this order")
		}
	}
	if err != nil {
		return err
	}
	for _, n := range l.notes {
		w.tell(Event{Stage: Prepare, Message: n})
	}
	w.tell(Event{Stage: Prepare, Done: 1, Message: fmt.Sprintf("%d tensors of weights learn; %d rows to train on, %d held out", len(l.net.Net.Params), len(w.train), len(w.test))})
	return nil
}

// numbers reports whether classes are called 0, 1, 2 …, some of them perhaps missing.
func numbers(classes []string) bool {
	return len(classes) > 0 && !slices.ContainsFunc(classes, func(c string) bool {
		n, err := strconv.Atoi(c)
		return err != nil || n < 0 || strconv.Itoa(n) != c
	})
}

func counting(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// rename gives classes the numbers that they have in a longer list. Errors: fault.Invalid for one that is not there.
func (t *target) rename(classes []string) error {
	to := make([]int32, len(t.classes))
	for i, c := range t.classes {
		at := slices.Index(classes, c)
		if at < 0 {
			return fault.New(fault.Invalid, fmt.Sprintf("the model gives %d classes, and %q is none of them", len(classes), c)).At("head").
				Try("put a new last layer in its place with head; the model's classes are " + strings.Join(classes[:min(12, len(classes))], ", "))
		}
		to[i] = int32(at)
	}
	for i, c := range t.class {
		if c >= 0 {
			t.class[i] = to[c]
		}
	}
	t.classes = classes
	return nil
}

func (l *tuned) name() string { return FineTuned }

func (l *tuned) parameters() any { return l.how }

func (l *tuned) columns() ([]card.Input, []card.Dropped) {
	inputs := l.inputs.Columns()
	var dropped []card.Dropped
	for _, c := range l.w.table.Columns {
		if c.Name != l.w.spec.Target && c.Name != l.w.spec.Weight && !slices.ContainsFunc(inputs, func(in card.Input) bool { return in.Name == c.Name }) {
			dropped = append(dropped, card.Dropped{Column: c.Name, Reason: "the model has no such input"})
		}
	}
	return inputs, dropped
}

func (l *tuned) spread() []card.Distribution {
	var plan feature.Plan
	for _, in := range l.inputs.Columns() {
		if in.Kind == card.Number || in.Kind == card.Category || in.Kind == card.Boolean || in.Kind == card.Date {
			plan.Inputs = append(plan.Inputs, in)
		}
	}
	return plan.Baseline(l.w.table.Take(l.w.train))
}

// run names the training by all that its outcome follows from.
func (l *tuned) run() string {
	s := l.w.spec
	fixed := map[string][]byte{}
	for name, t := range l.how.Fix {
		fixed[name] = t.Bytes()
	}
	file := sha256.Sum256(l.how.Model)
	text, _ := json.Marshal([]any{l.w.fingerprint(), hex.EncodeToString(file[:]), l.how, fixed, s.Target, s.Weight, l.w.target.task, s.Seed, s.Threads, s.Holdout, s.HoldoutBy, s.Version}) // plain fields
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func (l *tuned) append(ctx context.Context, b *graph.Builder) (graph.Value, error) {
	w := l.w
	y := w.target.take(w.train)
	d := neural.Data{Task: y.task, Table: w.table.Take(w.train), Class: y.class, Classes: len(y.classes), Y: y.y, Weight: w.weights(w.train), Seed: w.spec.Seed, Threads: w.spec.Threads}
	done, err := neural.Tune(ctx, l.inputs, l.net, d, l.how.Config, w.watch(l.run()))
	if err != nil {
		return "", err
	}
	w.kept(done.Outcome)
	return done.Append(b)
}
