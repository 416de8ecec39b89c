package bayes

import (
	"context"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Multinomial is naive Bayes for features that are counts or frequencies, 0 or more: p(class) is its prior times the
// product of the feature shares of the class, each to the power of the feature. X must be finite.
type Multinomial struct {
	Alpha        float64 `json:"alpha,omitempty"`         // count that every feature of every class has before, above 0; 0 means 1
	UniformPrior bool    `json:"uniform_prior,omitempty"` // equal priors for the classes that occur (scikit-learn: fit_prior=False)
}

// Complement is Multinomial that learns each class from the rows of all others, for classes of very different sizes
// (Rennie, Shih, Teevan and Karger 2003, "Tackling the Poor Assumptions of Naive Bayes Text Classifiers"). As in
// scikit-learn, the prior counts only where there is a single class. X must be finite and not negative.
type Complement struct {
	Alpha float64 `json:"alpha,omitempty"` // count that every feature of every class has before, above 0; 0 means 1
	Norm  bool    `json:"norm,omitempty"`  // divide the weights of a class by their sum
}

// Bernoulli is naive Bayes for features that are there or not: a feature counts as there where it is above Binarize.
// X must be finite.
type Bernoulli struct {
	Alpha        float64 `json:"alpha,omitempty"`         // rows of either kind that every class has before, above 0; 0 means 1
	Binarize     float64 `json:"binarize,omitempty"`      // a feature above it is there; default 0
	UniformPrior bool    `json:"uniform_prior,omitempty"` // equal priors for the classes that occur (scikit-learn: fit_prior=False)
}

var (
	_ fit.Estimator = Multinomial{}
	_ fit.Estimator = Complement{}
	_ fit.Estimator = Bernoulli{}
)

// Fit implements fit.Estimator for classification. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (p Multinomial) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	m, err := p.learn(ctx, d)
	if err != nil {
		return "", err
	}
	return finish(ctx, d, m, b, x, report)
}

// Fit implements fit.Estimator for classification. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (p Complement) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	m, err := p.learn(ctx, d)
	if err != nil {
		return "", err
	}
	return finish(ctx, d, m, b, x, report)
}

// Fit implements fit.Estimator for classification. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (p Bernoulli) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	m, err := p.learn(ctx, d)
	if err != nil {
		return "", err
	}
	return finish(ctx, d, m, b, x, report)
}

func (p Multinomial) learn(ctx context.Context, d fit.Data) (*shares, error) {
	count, weight, err := counts(ctx, d, "multinomial", &p.Alpha, nil)
	if err != nil {
		return nil, err
	}
	m := &shares{weight: count, bias: logPriors(weight, p.UniformPrior)}
	for _, row := range m.weight {
		logarithms(row, p.Alpha)
	}
	m.center()
	return m, nil
}

func (p Complement) learn(ctx context.Context, d fit.Data) (*shares, error) {
	count, weight, err := counts(ctx, d, "complement", &p.Alpha, nil)
	if err != nil {
		return nil, err
	}
	all := make([]float64, d.Cols)
	for _, row := range count {
		for j, v := range row {
			all[j] += v
		}
	}
	m := &shares{weight: count, bias: make([]float64, d.Classes)}
	for k, row := range m.weight {
		if weight[k] == 0 {
			m.bias[k] = never
		}
		for j, v := range row {
			row[j] = all[j] - v
		}
		divisor := -1.0
		if sum := logarithms(row, p.Alpha); p.Norm && sum != 0 {
			divisor = sum
		}
		for j := range row {
			row[j] /= divisor
		}
	}
	m.center()
	return m, nil
}

func (p Bernoulli) learn(ctx context.Context, d fit.Data) (*shares, error) {
	if p.Binarize-p.Binarize != 0 {
		return nil, fault.New(fault.Invalid, "binarize must be a finite number").At("binarize")
	}
	threshold := fit.Narrow([]float64{p.Binarize})[0]
	count, weight, err := counts(ctx, d, "Bernoulli", &p.Alpha, &threshold)
	if err != nil {
		return nil, err
	}
	m := &shares{weight: count, bias: logPriors(weight, p.UniformPrior), threshold: &threshold}
	for k, row := range m.weight {
		for j, v := range row {
			there, not := v+p.Alpha, weight[k]-v+p.Alpha
			row[j] = math.Log(there / not)
			m.bias[k] += math.Log(not / (there + not))
		}
	}
	return m, nil
}

// logarithms turns counts into logarithms of shares, and returns their sum.
func logarithms(row []float64, alpha float64) float64 {
	var total, sum float64
	for _, v := range row {
		total += v + alpha
	}
	for j, v := range row {
		row[j] = math.Log((v + alpha) / total)
		sum += row[j]
	}
	return sum
}

// counts are the weighted sums of the features of each class (classes, cols), and the sums of weights. Where there is a
// threshold a feature counts 1 above it and 0 else. It sets the default of alpha.
func counts(ctx context.Context, d fit.Data, name string, alpha *float64, threshold *float32) ([][]float64, []float64, error) {
	if *alpha == 0 {
		*alpha = 1
	}
	if !(*alpha > 0) || math.IsInf(*alpha, 1) {
		return nil, nil, fault.New(fault.Invalid, "alpha must be a number above 0").At("alpha")
	}
	if err := ready(ctx, d, name); err != nil {
		return nil, nil, err
	}
	count := make([][]float64, d.Classes)
	for k := range count {
		count[k] = make([]float64, d.Cols)
	}
	for i, k := range d.Class {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, nil, fit.Stopped(ctx)
		}
		w := d.W(i)
		for j, v := range d.Row(i) {
			switch {
			case threshold == nil && v < 0:
				return nil, nil, fault.New(fault.Invalid, "is negative in row "+strconv.Itoa(i)+", and "+name+" naive Bayes counts").At(d.Name(j)).
					Try("use Gaussian naive Bayes for measurements")
			case threshold == nil:
				count[k][j] += w * float64(v)
			case v > *threshold:
				count[k][j] += w
			}
		}
	}
	return count, classWeights(d), nil
}
