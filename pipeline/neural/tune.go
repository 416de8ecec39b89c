package neural

import (
	"context"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/fit/tune"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Tuned is a model from elsewhere that has learned on.
type Tuned struct {
	Outcome train.Outcome

	inputs *Foreign
	model  *tune.Model
	task   fit.Task
}

// Tune trains a model from elsewhere on d and keeps the weights that were best on rows that it set aside for that. A new last layer learns a regression's
// target standardised, and answers in its unit in the end.
//
// Checkpoints and errors are those of Fit.
func Tune(ctx context.Context, f *Foreign, m *tune.Model, d Data, c train.Config, w Watch) (*Tuned, error) {
	inputs := m.Net.Graph.Inputs
	f.Keep(inputs)
	rows, err := f.prepare(ctx, d.Table, inputs)
	if err != nil {
		return nil, err
	}
	c = tuning(c, m, d)
	w.say("learning rate " + strconv.FormatFloat(c.Optimizer.LR, 'g', -1, 64) + ", batches of " + strconv.Itoa(c.BatchSize) + ", at most " + strconv.Itoa(c.Epochs) + " epochs")
	n := &Net{task: d.Task}
	n.spread = 1
	if m.HasHead() {
		n.measure(d)
	}
	all := fit.Data{Task: d.Task, Rows: d.Table.Rows, Class: d.Class, Classes: d.Classes, Y: d.Y, Weight: d.Weight, Seed: d.Seed}
	inner, outer := all.Split(.1)
	mean := 0.
	for _, r := range inner {
		mean += all.W(int(r)) / float64(len(inner))
	}
	net, source := m.Net, batchSource(rows)
	if front, rest := m.Divide(); front != nil && !f.varied() {
		ahead, err := answered(ctx, front, rows, d)
		if err != nil {
			return nil, err
		}
		if ahead != nil {
			w.say("what is frozen has been computed, once for each row")
			net, source = rest, ahead
		}
	}
	part := func(index []int32) *foreignDataset {
		return &foreignDataset{dataset{data: d, index: index, center: n.center, spread: n.spread, mean: mean}, source, m.Binary}
	}
	t := &Tuned{inputs: f, model: m, task: d.Task}
	if t.Outcome, err = w.run(ctx, net, part(inner), part(outer), c); err != nil {
		return nil, err
	}
	m.Merge()
	if d.Task == fit.Regression {
		m.Scale(n.center, n.spread)
	}
	return t, nil
}

// tuning is how a model learns on where that is left open: slowly, for it knows much already; what is new learns faster.
func tuning(c train.Config, m *tune.Model, d Data) train.Config {
	c.Seed, c.Threads, c.ReadAhead = d.Seed, d.Threads, 2
	switch {
	case c.Loss != "":
	case m.Binary:
		c.Loss = train.BCE
	case d.Task == fit.Regression:
		c.Loss = train.MSE
	}
	if c.Epochs == 0 {
		c.Epochs = 10
	}
	if c.BatchSize == 0 {
		c.BatchSize = TuningBatch(d.Table.Rows)
	}
	if c.Optimizer.Name == "" {
		c.Optimizer.Name = "adamw"
	}
	if c.Optimizer.LR == 0 {
		weights := 0
		for _, t := range m.Net.Weights() {
			weights += t.Len()
		}
		switch {
		case m.Narrow():
			c.Optimizer.LR = 2e-3
		case weights > 1<<20:
			c.Optimizer.LR = 1e-4
		default:
			c.Optimizer.LR = 5e-4
		}
	}
	if c.Schedule.Name == "" {
		c.Schedule.Name = "one_cycle"
	}
	if c.Optimizer.ClipGradNorm == 0 {
		c.Optimizer.ClipGradNorm = 1
	}
	return c
}

// TuningBatch is how many rows a step takes of so many, unless it is said.
func TuningBatch(rows int) int { return max(8, min(32, rows/20)) }

// Append puts the model into a graph, from the columns that it declares to probabilities, float32 (rows, classes), or numbers, float32 (rows, 1).
func (t *Tuned) Append(b *graph.Builder) (graph.Value, error) {
	g := t.model.Net.Graph
	in, err := t.inputs.Append(b, g.Inputs)
	if err != nil {
		return "", err
	}
	z := b.Append(g, in...)[0]
	switch {
	case t.task == fit.Regression:
		return z, nil
	case t.model.Binary:
		p := b.Op("Sigmoid", z)
		return b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 1)}, b.Op("Sub", b.Scalar("one", 1), p), p), nil
	}
	return b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, z), nil
}

// batchSource gives the inputs of a net for some rows.
type batchSource interface {
	read(ctx context.Context, rows []int32, draw uint64, in []*tensor.Tensor) error
}

// foreignDataset is some rows of Data as a model from elsewhere takes them.
type foreignDataset struct {
	dataset
	rows   batchSource
	binary bool
}

// Read implements train.Dataset.
func (d *foreignDataset) Read(ctx context.Context, rows []int32, draw uint64, b *train.Batch) error {
	at := make([]int32, len(rows))
	for i, r := range rows {
		at[i] = d.index[r]
	}
	if err := d.rows.read(ctx, at, draw, b.In); err != nil {
		return err
	}
	d.weigh(at, b)
	if !d.binary {
		d.targets(at, b.Target)
		return nil
	}
	b.Target.Reset(tensor.Float32, len(rows), 1)
	for i, r := range at {
		b.Target.F32()[i] = float32(d.data.Class[r])
	}
	return nil
}
