// Package svm learns support vector machines (Cortes and Vapnik 1995) by sequential minimal optimisation, as libsvm and
// with it scikit-learn's SVC and SVR do: one machine for each pair of classes, or one for numbers. Parameters carry
// scikit-learn's names, and the optimum is scikit-learn's.
//
// The graph is made of MatMul and Exp on the support vectors, not of ai.onnx.ml's SVMClassifier: that takes each row by
// itself, and couples probabilities in another way.
package svm

import (
	"context"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// SVM is support vector classification (scikit-learn: SVC) or regression (SVR). X must be finite, with 100,000 rows
// and 100 classes at most. Time grows with the second to third power of rows: seconds for 2,000, minutes for 20,000. The model holds the
// support vectors, 200 MB at most.
//
// Kernels mix the units of features, so features, and for numbers the target, are standardised first unless Unscaled is
// set: scikit-learn leaves that to a StandardScaler in front. A row's weight multiplies its C.
//
// Probabilities of two classes are the logistic of a line through the decision (Platt 1999, as Lin, Lin and Weng 2007
// fit it), which is learned from five-fold decisions. Those of more classes are coupled as Price et al. 1995 do: with
// r(k, j) the probability of k against j, p(k) ∝ 1 / (Σ 1/r(k, j) - (classes - 2)), a formula where libsvm iterates.
type SVM struct {
	Kernel  string  `json:"kernel,omitempty"`   // "rbf" exp(-gamma·|x-z|²) (default), "linear" x·z, or "poly" (gamma·x·z + coef0)^degree
	C       float64 `json:"C,omitempty"`        // inverse strength of the penalty, above 0; 0 means 1; times a weight, 1e9 at most
	Gamma   float64 `json:"gamma,omitempty"`    // of rbf and poly, above 0; 0 means 1/(features·variance) ("scale"), negative 1/features ("auto")
	Degree  int     `json:"degree,omitempty"`   // of poly, 1 … 16; 0 means 3
	Coef0   float64 `json:"coef0,omitempty"`    // of poly; default 0
	Epsilon float64 `json:"epsilon,omitempty"`  // regression: errors up to it cost nothing, in deviations of the target; 0 means 0.1, negative 0
	Tol     float64 `json:"tol,omitempty"`      // stop when the optimality conditions hold to it, above 0; 0 means 1e-3
	MaxIter int     `json:"max_iter,omitempty"` // steps of one machine at most, after which it is kept as it is; 0 means 10 million

	CacheSize int  `json:"cache_size,omitempty"` // MB for rows of kernels; 0 means 200
	Unscaled  bool `json:"unscaled,omitempty"`   // take features and target in their units, as scikit-learn does
}

var _ fit.Estimator = SVM{}

// Bounds on the data and on the model.
const (
	mostRows    = 100_000
	mostClasses = 100
	mostPairs   = 25_000_000 // times rows
	mostBytes   = 200 << 20
	mostC       = 1e9
)

// Fit implements fit.Estimator. Errors: fault.Invalid for bad data or parameters, fault.TooLarge for more rows than it
// can or a model above 200 MB, fault.Canceled.
func (p SVM) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	m, err := p.learn(ctx, d, report)
	if err != nil {
		return "", err
	}
	if bytes := 8 * len(m.support) * (d.Cols + len(m.bias)); bytes > mostBytes && p.Kernel != "linear" {
		return "", fault.New(fault.TooLarge, "the model would hold "+strconv.Itoa(len(m.support))+" support vectors, which are "+strconv.Itoa(bytes>>20)+
			" MB, and 200 MB is the most").At("model").Try("train on a sample of the rows, or use boosting")
	}
	return m.emit(b, x), nil
}

// learn trains all machines. Errors as Fit.
func (p SVM) learn(ctx context.Context, d fit.Data, report func(fit.Progress)) (*machine, error) {
	p, err := p.defaults()
	if err != nil {
		return nil, err
	}
	if err := d.Check(false); err != nil {
		return nil, err
	}
	if d.Rows > mostRows {
		return nil, fault.New(fault.TooLarge, strconv.Itoa(d.Rows)+" rows, and a support vector machine learns from 100000 at most").At("model").
			Try("train on a sample of the rows, or use boosting")
	}
	if d.Classes > mostClasses {
		return nil, fault.New(fault.TooLarge, strconv.Itoa(d.Classes)+" classes make a machine for each pair, and 100 classes are the most").At("model").
			Try("use logistic regression or boosting")
	}
	if pairs := d.Classes * (d.Classes - 1) / 2; pairs*d.Rows > mostPairs {
		return nil, fault.New(fault.TooLarge, strconv.Itoa(pairs)+" pairs of classes of "+strconv.Itoa(d.Rows)+
			" rows, and pairs times rows may be 25 million").At("model").
			Try("train on a sample of the rows, or use logistic regression or boosting")
	}
	s := newSpace(p, d)
	watch := &watch{ctx: ctx, report: report}
	var m *machine
	if d.Task == fit.Classification {
		m = p.classes(s, watch)
	} else {
		m = p.numbers(s, watch)
	}
	if err := fit.Stopped(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

func (p SVM) defaults() (SVM, error) {
	number := func(field *float64, def float64) {
		if *field == 0 {
			*field = def
		}
	}
	if p.Kernel == "" {
		p.Kernel = "rbf"
	}
	number(&p.C, 1)
	number(&p.Epsilon, .1)
	number(&p.Tol, 1e-3)
	if p.Degree == 0 {
		p.Degree = 3
	}
	if p.MaxIter == 0 {
		p.MaxIter = 10_000_000
	}
	if p.CacheSize == 0 {
		p.CacheSize = 200
	}
	for _, c := range []struct {
		ok          bool
		name, wants string
	}{
		{p.Kernel == "rbf" || p.Kernel == "linear" || p.Kernel == "poly", "kernel", "rbf, linear or poly"},
		{p.C > 0 && !math.IsInf(p.C, 1), "C", "a number above 0"},
		{p.Gamma-p.Gamma == 0, "gamma", "a finite number"},
		{p.Degree > 0 && p.Degree <= 16, "degree", "1 … 16"},
		{p.Coef0-p.Coef0 == 0, "coef0", "a finite number"},
		{p.Epsilon-p.Epsilon == 0, "epsilon", "a finite number"},
		{p.Tol > 0, "tol", "above 0"},
		{p.MaxIter > 0, "max_iter", "above 0"},
		{p.CacheSize > 0, "cache_size", "above 0"},
	} {
		if !c.ok {
			return p, fault.New(fault.Invalid, c.name+" must be "+c.wants).At(c.name)
		}
	}
	p.Epsilon = max(0, p.Epsilon)
	return p, nil
}
