package linear

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Logistic is logistic regression: binomial for two classes, multinomial (softmax) for more. It minimises
// C·Σ weight·(-log p(class)) + ½·Σ coef², the intercepts not penalised, by L-BFGS. X must be finite.
// Where it has not converged after MaxIter it keeps the best point found, as scikit-learn does.
type Logistic struct {
	C       float64 `json:"C,omitempty"`        // inverse strength of the penalty, above 0; 0 means 1
	MaxIter int     `json:"max_iter,omitempty"` // iterations at most; 0 means 200
	Tol     float64 `json:"tol,omitempty"`      // stop when no partial derivative of the mean loss, by features of unit curvature, is larger; 0 means 1e-5
}

var _ fit.Estimator = Logistic{}

// Fit implements fit.Estimator for classification. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (l Logistic) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	l, err := l.defaults()
	if err != nil {
		return "", err
	}
	if d.Task != fit.Classification {
		return "", fault.New(fault.Invalid, "logistic regression learns classes, not numbers").At("model").Try("use ridge regression")
	}
	if err := d.Check(false); err != nil {
		return "", err
	}
	s := fit.Standardize(d)
	weight, bias, err := l.solve(ctx, d, s, report)
	if err != nil {
		return "", err
	}
	if d.Classes == 2 { // softmax of (0, z) is (1-σ(z), σ(z))
		weight = [][]float64{make([]float64, d.Cols), weight[0]}
		bias = []float64{0, bias[0]}
	}
	return b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, emit(b, x, s, weight, bias)), nil
}

func (l Logistic) defaults() (Logistic, error) {
	if l.C == 0 {
		l.C = 1
	}
	if l.MaxIter == 0 {
		l.MaxIter = 200
	}
	if l.Tol == 0 {
		l.Tol = 1e-5
	}
	switch {
	case !(l.C > 0):
		return l, fault.New(fault.Invalid, "C must be above 0").At("C")
	case l.MaxIter < 0:
		return l, fault.New(fault.Invalid, "max_iter must not be negative").At("max_iter")
	case !(l.Tol > 0):
		return l, fault.New(fault.Invalid, "tol must be above 0").At("tol")
	}
	return l, nil
}

// solve returns coefficients (outs, cols) and intercepts (outs) of the centred features; outs is 1 for two classes.
func (l Logistic) solve(ctx context.Context, d fit.Data, s fit.Standard, report func(fit.Progress)) ([][]float64, []float64, error) {
	var total float64
	for i := range d.Rows {
		total += d.W(i)
	}
	penalty := 1 / (l.C * total)
	// The curvature of the mean loss along a feature is about ¼ of its variance: this scale makes it 1.
	scale := make([]float64, d.Cols)
	for j, inverse := range s.Scale {
		if inverse != 0 {
			scale[j] = 1 / math.Sqrt(.25/(inverse*inverse)+penalty)
		}
	}
	o := &objective{design: newDesign(d, s.Mean, scale), ctx: ctx, total: total, penalty: penalty, outs: d.Classes}
	if d.Classes == 2 {
		o.outs = 1
	}
	theta, err := o.minimize(l, report)
	if err != nil {
		return nil, nil, err
	}
	weight, bias := o.unpack(theta)
	return weight, bias, nil
}

// objective is the mean loss with its penalty as a function of theta (outs, cols+1): coefficients of the scaled
// features, and behind them the intercept.
type objective struct {
	*design
	ctx            context.Context
	total, penalty float64
	outs           int

	at       []float64 // where value and gradient were computed last
	value    float64
	gradient []float64
}

func (o *objective) minimize(l Logistic, report func(fit.Progress)) ([]float64, error) {
	problem := optimize.Problem{
		Func: func(x []float64) float64 { o.evaluate(x); return o.value },
		Grad: func(g, x []float64) { o.evaluate(x); copy(g, o.gradient) },
		Status: func() (optimize.Status, error) {
			if err := fit.Stopped(o.ctx); err != nil {
				return optimize.Failure, err
			}
			return optimize.NotTerminated, nil
		},
	}
	settings := &optimize.Settings{
		GradientThreshold: l.Tol, MajorIterations: l.MaxIter, Converger: optimize.NeverTerminate{},
		Recorder: recorder{l.MaxIter, report},
	}
	result, err := optimize.Minimize(problem, make([]float64, o.outs*(o.Cols+1)), settings, &optimize.LBFGS{Store: 20})
	if stopped := fit.Stopped(o.ctx); stopped != nil {
		return nil, stopped
	}
	if result == nil || !(math.Abs(result.F) <= math.MaxFloat64) {
		return nil, fault.New(fault.Invalid, "logistic regression met a loss that is not finite").Because(err).Try("scale the features, or lower C")
	}
	// Other errors come from a line search that finds no lower value in float64: this point is as good as it gets.
	return result.X, nil
}

func (o *objective) unpack(theta []float64) (weight [][]float64, bias []float64) {
	for k := range o.outs {
		part := theta[k*(o.Cols+1) : (k+1)*(o.Cols+1)]
		weight = append(weight, o.raw(part))
		bias = append(bias, part[o.Cols])
	}
	return weight, bias
}

// evaluate computes value and gradient at theta, unless it did so last time.
func (o *objective) evaluate(theta []float64) {
	if slices.Equal(theta, o.at) {
		return
	}
	o.at = append(o.at[:0], theta...)
	weight, bias := o.unpack(theta)
	values, gradients := make([]float64, o.blocks), make([][]float64, o.blocks)
	fit.Parallel(o.Workers(), o.blocks, func(b int) {
		gradients[b] = make([]float64, len(theta))
		if o.ctx.Err() == nil {
			values[b] = o.sum(b, weight, bias, gradients[b])
		}
	})
	o.value, o.gradient = 0, make([]float64, len(theta))
	for b, g := range gradients {
		o.value += values[b] / o.total
		for i, v := range g {
			o.gradient[i] += v / o.total
		}
	}
	for i, v := range theta {
		j := i % (o.Cols + 1)
		if j == o.Cols {
			continue
		}
		o.value += o.penalty / 2 * v * v * o.scale[j] * o.scale[j]
		o.gradient[i] = o.gradient[i]*o.scale[j] + o.penalty*v*o.scale[j]*o.scale[j]
	}
}

// sum adds the gradient of a block by unscaled coefficients to grad (outs, cols+1), and returns the block's loss.
func (o *objective) sum(block int, weight [][]float64, bias, grad []float64) (loss float64) {
	z := make([]float64, o.outs)
	from, to := o.rows(block)
	for i := from; i < to; i++ {
		row, w := o.Row(i), o.W(i)
		for k := range z {
			z[k] = bias[k] + o.dot(row, weight[k])
		}
		loss += w * residuals(z, int(o.Class[i]))
		for k, r := range z {
			g := grad[k*(o.Cols+1) : (k+1)*(o.Cols+1)]
			o.add(g, w*r, row)
			g[o.Cols] += w * r
		}
	}
	return loss
}

// residuals turns logits z into derivatives of the loss by them, and returns the loss. One logit means two classes.
func residuals(z []float64, class int) float64 {
	if len(z) == 1 {
		sign := 1.0
		if class == 0 {
			sign = -1
		}
		m := sign * z[0] // loss = log(1 + e^-m), derivative by m = -1/(1 + e^m)
		z[0] = -sign / (1 + math.Exp(m))
		return math.Max(-m, 0) + math.Log1p(math.Exp(-math.Abs(m)))
	}
	top, own := slices.Max(z), z[class]
	var sum float64
	for k, v := range z {
		z[k] = math.Exp(v - top)
		sum += z[k]
	}
	for k := range z {
		z[k] /= sum
	}
	z[class]--
	return top + math.Log(sum) - own
}

// recorder reports the iterations of an optimisation.
type recorder struct {
	steps  int
	report func(fit.Progress)
}

func (recorder) Init() error { return nil }

func (r recorder) Record(at *optimize.Location, op optimize.Operation, stats *optimize.Stats) error {
	if r.report != nil && op == optimize.MajorIteration {
		r.report(fit.Progress{Step: stats.MajorIterations, Steps: r.steps, Loss: at.F, Valid: math.NaN()})
	}
	return nil
}
