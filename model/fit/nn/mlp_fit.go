package nn

import (
	"context"
	"errors"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// mlpFit is one training of a perceptron.
type mlpFit struct {
	MLP
	data           fit.Data
	standard       fit.Standard
	center, spread float64 // of the target of a regression: y = center + spread·output
	net            *train.Net
	train, valid   []int32
}

func newFit(p MLP, d fit.Data) (*mlpFit, error) {
	f := &mlpFit{MLP: p, data: d, standard: fit.Standardize(d)}
	outs := 1
	if d.Task == fit.Classification {
		outs = d.Classes
	}
	var layers []Layer
	for _, n := range p.HiddenLayerSizes {
		layers = append(layers, Dense{OutFeatures: n, Activation: p.Activation})
	}
	var err error
	if f.net, _, err = Build(tensor.Rows(tensor.Float32, d.Cols), append(layers, Dense{OutFeatures: outs}), d.Seed); err != nil {
		if e := (*fault.Error)(nil); errors.As(err, &e) && e.Code == fault.TooLarge {
			return nil, fault.New(fault.TooLarge, e.Message).At("hidden_layer_sizes").Try("fewer units or features are needed")
		}
		return nil, err
	}
	f.train, f.valid = d.Split(p.ValidationFraction)
	f.measure()
	return f, nil
}

// measure finds mean and deviation of a regression's target.
func (f *mlpFit) measure() {
	if f.data.Task != fit.Regression {
		return
	}
	s := fit.Standardize(fit.Data{Rows: f.data.Rows, Cols: 1, X: f.data.Y, Weight: f.data.Weight})
	f.center = s.Mean[0]
	if s.Scale[0] != 0 { // a constant target keeps the spread 0: it is answered exactly
		f.spread = 1 / s.Scale[0]
	}
}

// rows are standardised features and targets of some rows. Weights are scaled so that those of the rows to learn from are 1 on average.
func (f *mlpFit) rows(rows []int32) *train.Memory {
	d := f.data
	x, y, w := make([]float32, 0, len(rows)*d.Cols), tensor.New(tensor.Int64, len(rows)), make([]float32, len(rows))
	if d.Task == fit.Regression {
		y = tensor.New(tensor.Float32, len(rows), 1)
	}
	var sum float64
	for _, r := range f.train {
		sum += d.W(int(r))
	}
	for i, r := range rows {
		for j, v := range d.Row(int(r)) {
			x = append(x, float32((float64(v)-f.standard.Mean[j])*f.standard.Scale[j]))
		}
		w[i] = float32(d.W(int(r)) * float64(len(f.train)) / sum)
		if d.Task == fit.Classification {
			y.I64()[i] = int64(d.Class[r])
		} else if f.spread > 0 {
			y.F32()[i] = float32((float64(d.Y[r]) - f.center) / f.spread)
		}
	}
	return &train.Memory{In: []*tensor.Tensor{tensor.Floats(x, len(rows), d.Cols)}, Target: y, Weight: w}
}

// learn trains until it pays no more, and leaves the best weights in the net.
func (f *mlpFit) learn(ctx context.Context, report func(fit.Progress)) error {
	c := train.Config{
		Optimizer: optim.Config{LR: f.LearningRateInit, L2: f.Alpha / float64(f.BatchSize)}, Epochs: f.MaxIter, BatchSize: f.BatchSize,
		Patience: f.NIterNoChange, MinDelta: f.Tol, Seed: f.data.Seed, Threads: f.data.Workers(),
	}
	if f.data.Task == fit.Regression {
		c.Loss = train.MSE
	}
	epochs := 0
	out, err := train.Run(ctx, f.net, f.rows(f.train), f.rows(f.valid), c, train.Hooks{Report: func(p train.Progress) {
		if report != nil && p.Epoch > epochs {
			epochs = p.Epoch
			report(fit.Progress{Step: p.Epoch, Steps: p.Epochs, Loss: p.Loss, Valid: p.Valid})
		}
	}})
	if e := (*fault.Error)(nil); errors.As(err, &e) && e.Field == "lr" {
		return diverged()
	}
	if err != nil {
		return err
	}
	if !(out.Loss <= 10*f.trivial()+1) {
		return diverged()
	}
	return nil
}

// trivial is the mean loss of answering 0 (the mean target, or equal probabilities) to the rows that judge: what is far
// worse has not learned but diverged.
func (f *mlpFit) trivial() float64 {
	if f.data.Task == fit.Classification {
		return math.Log(float64(f.data.Classes))
	}
	rows := f.valid
	if len(rows) == 0 {
		rows = f.train
	}
	var total, weight float64
	for _, r := range rows {
		if e := float64(f.data.Y[r]) - f.center; f.spread > 0 {
			total += f.data.W(int(r)) * (e / f.spread) * (e / f.spread)
		}
		weight += f.data.W(int(r))
	}
	return total / weight
}

func diverged() error {
	return fault.New(fault.Invalid, "training diverged").At("learning_rate_init").Try("lower learning_rate_init, or raise batch_size")
}

// emit appends the trained net to b, the standardising of features and target folded in.
func (f *mlpFit) emit(b *graph.Builder, x graph.Value) graph.Value {
	if f.standard.Foldable() {
		f.foldFeatures()
	} else {
		x = f.standard.Append(b, x)
	}
	if f.data.Task == fit.Regression {
		f.foldTarget()
	}
	y := b.Append(f.net.Graph, x)[0]
	if f.data.Task == fit.Classification {
		y = b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, y)
	}
	return y
}

// foldFeatures has the first layer take features as they are: W·(x - mean)·scale + b.
func (f *mlpFit) foldFeatures() {
	weights := f.net.Weights()
	w, c := widen(weights[0].F32()), widen(weights[1].F32())
	for j, scale := range f.standard.Scale {
		for k := range c {
			at := j*len(c) + k
			w[at] *= scale
			c[k] -= f.standard.Mean[j] * w[at]
		}
	}
	copy(weights[0].F32(), fit.Narrow(w))
	copy(weights[1].F32(), fit.Narrow(c))
}

// foldTarget has the last layer answer in the target's unit.
func (f *mlpFit) foldTarget() {
	weights := f.net.Weights()
	last := weights[len(weights)-2:]
	w, c := widen(last[0].F32()), widen(last[1].F32())
	for k := range w {
		w[k] *= f.spread
	}
	c[0] = c[0]*f.spread + f.center
	copy(last[0].F32(), fit.Narrow(w))
	copy(last[1].F32(), fit.Narrow(c))
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
