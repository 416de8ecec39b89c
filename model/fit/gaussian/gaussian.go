// Package gaussian learns Gaussian processes (Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning"):
// functions that are as smooth as the data says, for hundreds to a few thousand rows. Parameters carry scikit-learn's
// names, and the answers are those of its GaussianProcessRegressor and GaussianProcessClassifier.
//
// The graph computes in float64 between its ends: coefficients of little noise are huge and of both signs, and nothing of
// their sum would be left in float32.
package gaussian

import (
	"context"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Process is a Gaussian process of the kernel ConstantValue · exp(-|x-z|²/(2·LengthScale²)) and, for numbers, white noise
// of the variance NoiseLevel. These three start where the fields say, and go to where the marginal likelihood is largest
// within 1e-5 … 1e5, by L-BFGS, unless Fixed is set. X must be finite, with 5000 rows at most.
//
// Features, and for numbers the target, are standardised first unless Unscaled is set; scikit-learn leaves that to a
// StandardScaler in front and normalize_y. A row of weight w has the noise NoiseLevel/w, for numbers, or counts w times in
// the likelihood, for classes; weights have the mean 1. Rows of weight 0 are left out.
//
// Classes are learned one against the rest by Laplace's approximation, two classes by one process. The model holds all
// rows, and for classes a matrix of rows by rows for each process, which every answer is multiplied by: 200 MB at most.
type Process struct {
	LengthScale   float64 `json:"length_scale,omitempty"`   // 0 means 1
	ConstantValue float64 `json:"constant_value,omitempty"` // variance of the function; 0 means 1
	NoiseLevel    float64 `json:"noise_level,omitempty"`    // regression: variance of the noise; 0 means 1
	Fixed         bool    `json:"fixed,omitempty"`          // keep these values (scikit-learn: optimizer=None)
	Unscaled      bool    `json:"unscaled,omitempty"`       // take features and target in their units
	MaxIter       int     `json:"max_iter,omitempty"`       // steps of the optimiser at most; 0 means 100

	// OptimizeRows is the number of rows, drawn by the seed, on which the values are chosen: each step takes the time of
	// its third power. All rows make the answers then. 0 means 1000, for classes 500.
	OptimizeRows int `json:"optimize_rows,omitempty"`
}

var _ fit.Estimator = Process{}

// Bounds on the data and on the model.
const (
	mostRows  = 5000
	mostBytes = 200 << 20
)

// Fit implements fit.Estimator. Errors: fault.Invalid for bad data or parameters, fault.TooLarge for more rows than it
// can or a model above 200 MB, fault.Canceled.
func (p Process) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	s, err := p.prepare(ctx, d)
	if err != nil {
		return "", err
	}
	watch := &watch{ctx: ctx, report: report}
	if d.Task == fit.Regression {
		m, err := s.numbers(watch)
		if err != nil {
			return "", err
		}
		return m.emit(b, x), nil
	}
	m, err := s.classes(watch)
	if err != nil {
		return "", err
	}
	return m.emit(b, x), nil
}

// prepare verifies parameters and data, and makes the points of the process.
func (p Process) prepare(ctx context.Context, d fit.Data) (*points, error) {
	p, err := p.defaults(d.Task)
	if err != nil {
		return nil, err
	}
	if err := d.Check(false); err != nil {
		return nil, err
	}
	s := newPoints(p, d)
	if n := len(s.from); n > mostRows {
		return nil, fault.New(fault.TooLarge, strconv.Itoa(n)+" rows, and a Gaussian process learns from 5000 at most").At("model").
			Try("train on a sample of the rows, or use boosting")
	}
	if bytes := 8 * len(s.from) * len(s.from) * s.processes(); d.Task == fit.Classification && bytes > mostBytes {
		return nil, fault.New(fault.TooLarge, "the model would hold a matrix of rows by rows for each class, which are "+strconv.Itoa(bytes>>20)+
			" MB, and 200 MB is the most").At("model").Try("train on a sample of the rows, or use boosting")
	}
	return s, fit.Stopped(ctx)
}

func (p Process) defaults(task fit.Task) (Process, error) {
	for _, c := range []struct {
		field *float64
		name  string
	}{{&p.LengthScale, "length_scale"}, {&p.ConstantValue, "constant_value"}, {&p.NoiseLevel, "noise_level"}} {
		if *c.field == 0 {
			*c.field = 1
		}
		if !(*c.field >= least && *c.field <= 1/least) {
			return p, fault.New(fault.Invalid, c.name+" must be 1e-5 … 1e5").At(c.name)
		}
	}
	if p.MaxIter == 0 {
		p.MaxIter = 100
	}
	if p.OptimizeRows == 0 {
		if p.OptimizeRows = 1000; task == fit.Classification {
			p.OptimizeRows = 500
		}
	}
	switch {
	case p.MaxIter < 0:
		return p, fault.New(fault.Invalid, "max_iter must be above 0").At("max_iter")
	case p.OptimizeRows < 0:
		return p, fault.New(fault.Invalid, "optimize_rows must be above 0").At("optimize_rows")
	}
	return p, nil
}

// theta are the logarithms of the values as they start: constant, length and, for numbers, noise.
func (p Process) theta(task fit.Task) []float64 {
	out := []float64{math.Log(p.ConstantValue), math.Log(p.LengthScale)}
	if task == fit.Regression {
		out = append(out, math.Log(p.NoiseLevel))
	}
	return out
}
