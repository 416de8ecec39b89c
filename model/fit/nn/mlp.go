// Package nn makes neural networks of layers: a net is an ONNX graph from the start, which package train then makes learn.
package nn

import (
	"context"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// MLP is a multi-layer perceptron for classification (softmax, cross-entropy) and regression (squared error on a target
// that is standardised inside), trained by Adam (Kingma and Ba 2015) on mini-batches. Parameters carry scikit-learn's
// names. Features are standardised inside, and that is folded into the emitted graph; X must be finite.
//
// Training stops when the loss on held-out rows has not fallen by Tol for NIterNoChange epochs, and keeps the weights of
// the best epoch. Where there are too few rows to hold any out, the training loss takes that part.
type MLP struct {
	HiddenLayerSizes   []int   `json:"hidden_layer_sizes,omitempty"`  // units of each hidden layer; nil means 64, 32
	Activation         string  `json:"activation,omitempty"`          // "relu" (default), "tanh" or "logistic"
	LearningRateInit   float64 `json:"learning_rate_init,omitempty"`  // Adam's step, above 0; 0 means 0.001
	Alpha              float64 `json:"alpha,omitempty"`               // L2 penalty of weights, as scikit-learn counts it; 0 means 0.0001, negative: none
	BatchSize          int     `json:"batch_size,omitempty"`          // rows of a step; 0 means a twentieth of the rows, between 16 and 256
	MaxIter            int     `json:"max_iter,omitempty"`            // epochs at most; 0 means 200
	NIterNoChange      int     `json:"n_iter_no_change,omitempty"`    // 0 means 10
	Tol                float64 `json:"tol,omitempty"`                 // 0 means 0.0001
	ValidationFraction float64 `json:"validation_fraction,omitempty"` // share of rows held out; 0 means 0.1
}

var _ fit.Estimator = MLP{}

// Fit implements fit.Estimator. Errors: fault.Invalid for bad data or parameters and for training that diverges,
// fault.Canceled.
func (p MLP) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	if err := d.Check(false); err != nil {
		return "", err
	}
	p, err := p.defaults(d.Rows)
	if err != nil {
		return "", err
	}
	f, err := newFit(p, d)
	if err != nil {
		return "", err
	}
	if err := f.learn(ctx, report); err != nil {
		return "", err
	}
	return f.emit(b, x), nil
}

// most is the number of weights up to which a network is trained: 64 Mi, which with gradients and moments take 1 GiB.
const most = 1 << 26

func (p MLP) defaults(rows int) (MLP, error) {
	if p.HiddenLayerSizes == nil {
		p.HiddenLayerSizes = []int{64, 32}
	}
	if p.Activation == "" {
		p.Activation = "relu"
	}
	or(&p.LearningRateInit, .001)
	or(&p.Alpha, .0001)
	or(&p.BatchSize, min(256, max(16, rows/20)))
	or(&p.MaxIter, 200)
	or(&p.NIterNoChange, 10)
	or(&p.Tol, .0001)
	or(&p.ValidationFraction, .1)
	p.Alpha = max(0, p.Alpha)
	for i, n := range p.HiddenLayerSizes {
		if n < 1 || n > 1<<16 {
			return p, fault.New(fault.Invalid, "hidden layer "+strconv.Itoa(i+1)+" must have 1 … 65536 units").At("hidden_layer_sizes")
		}
	}
	for _, c := range []struct {
		ok          bool
		name, wants string
	}{
		{slices.Contains([]string{"relu", "tanh", "logistic"}, p.Activation), "activation", "relu, tanh or logistic"},
		{p.LearningRateInit > 0 && p.LearningRateInit-p.LearningRateInit == 0, "learning_rate_init", "a number above 0"},
		{p.Alpha-p.Alpha == 0, "alpha", "a finite number"},
		{p.BatchSize > 0, "batch_size", "above 0"},
		{p.MaxIter > 0, "max_iter", "above 0"},
		{p.NIterNoChange > 0, "n_iter_no_change", "above 0"},
		{p.Tol > 0, "tol", "above 0"},
		{p.ValidationFraction > 0 && p.ValidationFraction < 1, "validation_fraction", "above 0 and below 1"},
	} {
		if !c.ok {
			return p, fault.New(fault.Invalid, c.name+" must be "+c.wants).At(c.name)
		}
	}
	p.BatchSize = min(p.BatchSize, rows)
	return p, nil
}

func or[T int | float64](field *T, def T) {
	if *field == 0 {
		*field = def
	}
}
