package neural

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Data is what a net learns from: rows of a table and their targets.
type Data struct {
	Task    fit.Task
	Table   *table.Table
	Class   []int32   // classification: (rows), 0 … Classes-1
	Classes int       // classification: at least 2
	Y       []float32 // regression: (rows)
	Weight  []float32 // (rows), or nil for equal ones
	Seed    uint64    // every random choice follows from it: same data, seed and thread count, same net
	Threads int       // goroutines at most; 0 means all processors
}

// Net is a net that was trained.
type Net struct {
	Input   Input
	Summary *nn.Summary
	Outcome train.Outcome

	net            *train.Net
	task           fit.Task
	center, spread float64 // of the target of a regression: y = center + spread·output
}

// Fit trains a net of in on d and keeps the weights that were best on rows that it set aside for that.
//
// With w.Store, a training that was killed goes on from where its last checkpoint left it, to the same weights, bit for bit.
// Errors: fault.Invalid for a Spec that does not fit the data and for training that diverges, in's for bad data, fault.Canceled when ctx ends.
func Fit(ctx context.Context, in Input, d Data, s Spec, w Watch) (*Net, error) {
	layers, err := s.net(in, d)
	if err != nil {
		return nil, err
	}
	n := &Net{Input: in, task: d.Task}
	if n.net, n.Summary, err = nn.Build(in.Type(), append(layers, nn.Dense{OutFeatures: d.outputs()}), d.Seed); err != nil {
		return nil, err
	}
	c := s.config(in, d)
	n.Summary.Batch = c.BatchSize
	w.say(n.Summary.String())
	learn, valid, err := n.split(ctx, d, s)
	if err != nil {
		return nil, err
	}
	n.Outcome, err = w.run(ctx, n.net, learn, valid, c)
	return n, err
}

func (d Data) outputs() int {
	if d.Task == fit.Regression {
		return 1
	}
	return d.Classes
}

// split sets rows aside by which training is watched.
func (n *Net) split(ctx context.Context, d Data, s Spec) (learn, valid *dataset, err error) {
	rows, err := n.Input.Rows(ctx, d.Table)
	if err != nil {
		return nil, nil, err
	}
	share := s.ValidationFraction
	if share == 0 {
		share = .1
	}
	all := fit.Data{Task: d.Task, Rows: d.Table.Rows, Class: d.Class, Classes: d.Classes, Y: d.Y, Weight: d.Weight, Seed: d.Seed}
	inner, outer := all.Split(share)
	n.measure(d)
	mean := 0.
	for _, r := range inner {
		mean += all.W(int(r)) / float64(len(inner))
	}
	part := func(index []int32) *dataset {
		return &dataset{data: d, rows: rows, index: index, center: n.center, spread: n.spread, mean: mean}
	}
	return part(inner), part(outer), nil
}

// measure finds mean and deviation of a regression's target.
func (n *Net) measure(d Data) {
	if d.Task != fit.Regression {
		return
	}
	z := fit.Standardize(fit.Data{Rows: len(d.Y), Cols: 1, X: d.Y, Weight: d.Weight})
	n.center = z.Mean[0]
	if z.Scale[0] != 0 { // a constant target keeps the spread 0: it is answered exactly
		n.spread = 1 / z.Scale[0]
	}
}

// config is how a net is trained where the Spec leaves it open.
func (s Spec) config(in Input, d Data) train.Config {
	c := s.Config
	c.Seed, c.Threads = d.Seed, d.Threads
	if d.Task == fit.Regression && c.Loss == "" {
		c.Loss = train.MSE
	}
	if c.Epochs == 0 {
		c.Epochs = 30
	}
	if c.BatchSize == 0 {
		c.BatchSize = max(8, min(64, d.Table.Rows/20), min(512, d.Table.Rows/1000))
	}
	if c.Optimizer.Name == "" {
		c.Optimizer.Name = "adamw"
	}
	if c.Schedule.Name == "" {
		c.Schedule.Name = "one_cycle"
		if c.Optimizer.LR == 0 && c.Optimizer.Name == "adamw" {
			c.Optimizer.LR = 2e-3
		}
	}
	if c.Optimizer.ClipGradNorm == 0 {
		c.Optimizer.ClipGradNorm = 1
	}
	c.ReadAhead = 2 // batches are made while the step before is taken
	return c
}

// Append puts the trained net into a graph, from the inputs that it declares to probabilities, float32 (rows, classes), or numbers, float32 (rows, 1).
func (n *Net) Append(b *graph.Builder) (graph.Value, error) {
	for _, c := range n.Input.Columns() {
		if b.Taken(c.Name) {
			return "", fault.New(fault.BadData, "the name of this column is taken by another column or an output").At(c.Name).Try("rename the column")
		}
	}
	x, err := n.Input.Append(b)
	if err != nil {
		return "", err
	}
	y := b.Append(n.net.Graph, x)[0]
	if n.task == fit.Classification {
		return b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, y), nil
	}
	return b.Op("Add", b.Op("Mul", y, b.Scalar("spread", float32(n.spread))), b.Scalar("center", float32(n.center))), nil
}
