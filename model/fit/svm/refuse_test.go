package svm_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/svm"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestRefuses: parameters out of range are refused by name, before anything is appended.
func TestRefuses(t *testing.T) {
	d := fit.Data{Task: fit.Classification, Rows: 2, Cols: 2, X: []float32{1, -2, 3, 4}, Class: []int32{0, 1}, Classes: 2}
	for _, c := range []struct {
		e     fit.Estimator
		field string
	}{
		{svm.SVM{Kernel: "sigmoid"}, "kernel"},
		{svm.SVM{C: -1}, "C"},
		{svm.SVM{Gamma: math.Inf(1)}, "gamma"},
		{svm.SVM{Degree: 17}, "degree"},
		{svm.SVM{Coef0: math.NaN()}, "coef0"},
		{svm.SVM{Epsilon: math.Inf(1)}, "epsilon"},
		{svm.SVM{Tol: -1}, "tol"},
		{svm.SVM{MaxIter: -1}, "max_iter"},
		{svm.SVM{CacheSize: -1}, "cache_size"},
	} {
		b := graph.NewBuilder("model")
		x := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
		_, err := c.e.Fit(context.Background(), d, b, x, nil)
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != c.field || len(b.Graph().Nodes) > 0 {
			t.Errorf("%+v: %v, want an invalid %q", c.e, err, c.field)
		}
	}
}
