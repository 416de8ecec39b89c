package linear_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
	"github.com/jarvis-ml/jarvis/model/fit/linear"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

func TestRuntime(t *testing.T) {
	fittest.Golden(t, "ridge", linear.Ridge{}, fittest.Numbers(t, "diabetes"))
	fittest.Golden(t, "lasso", linear.Lasso{Alpha: .1}, fittest.Numbers(t, "diabetes"))
	fittest.Golden(t, "elastic_net", linear.ElasticNet{Alpha: .01}, fittest.Numbers(t, "diabetes"))
	fittest.Golden(t, "svm_numbers", linear.SVM{Epsilon: 5}, fittest.Numbers(t, "diabetes"))
	fittest.Golden(t, "logistic_two", linear.Logistic{}, fittest.Classes(t, "breast_cancer"))
	fittest.Golden(t, "logistic_three", linear.Logistic{}, fittest.Classes(t, "iris"))
	fittest.Golden(t, "logistic_offset", linear.Logistic{}, fittest.Classes(t, "penguins")) // its years need centring in front
	fittest.Golden(t, "logistic_sparse", linear.Logistic{Penalty: "l1"}, fittest.Classes(t, "breast_cancer"))
	fittest.Golden(t, "svm_two", linear.SVM{}, fittest.Classes(t, "breast_cancer"))
	fittest.Golden(t, "svm_three", linear.SVM{}, fittest.Classes(t, "iris"))
}

func TestRidge(t *testing.T) { fittest.Suite(t, linear.Ridge{}, fittest.Learner{Numbers: true}) }

func TestLasso(t *testing.T) {
	fittest.Suite(t, linear.Lasso{Alpha: .1}, fittest.Learner{Numbers: true})
}

func TestElasticNet(t *testing.T) {
	fittest.Suite(t, linear.ElasticNet{Alpha: 1e-3}, fittest.Learner{Numbers: true})
}

func TestLogistic(t *testing.T) { fittest.Suite(t, linear.Logistic{}, fittest.Learner{Classes: true}) }

func TestLogisticPenalties(t *testing.T) {
	for _, penalty := range []string{"l1", "elasticnet", "none"} {
		t.Run(penalty, func(t *testing.T) {
			fittest.Suite(t, linear.Logistic{Penalty: penalty}, fittest.Learner{Classes: true})
		})
	}
}

func TestLinearSVM(t *testing.T) {
	fittest.Suite(t, linear.SVM{}, fittest.Learner{Classes: true, Numbers: true})
}

// TestParameters: what a learner cannot take is refused by the parameter's name.
func TestParameters(t *testing.T) {
	numbers, classes := fittest.Numbers(t, "diabetes"), fittest.Classes(t, "iris")
	for _, c := range []struct {
		e     fit.Estimator
		d     fit.Data
		field string
	}{
		{linear.Ridge{Alpha: -1}, numbers, "alpha"},
		{linear.Lasso{Alpha: -1}, numbers, "alpha"},
		{linear.ElasticNet{L1Ratio: 1.5}, numbers, "l1_ratio"},
		{linear.ElasticNet{Tol: -1}, numbers, "tol"},
		{linear.Lasso{MaxIter: -1}, numbers, "max_iter"},
		{linear.Logistic{C: -1}, classes, "C"},
		{linear.Logistic{Penalty: "l3"}, classes, "penalty"},
		{linear.Logistic{Penalty: "elasticnet", L1Ratio: -1}, classes, "l1_ratio"},
		{linear.SVM{C: -1}, classes, "C"},
		{linear.SVM{Epsilon: -1}, numbers, "epsilon"},
	} {
		b := graph.NewBuilder("model")
		_, err := c.e.Fit(context.Background(), c.d, b, b.Input("x", tensor.Rows(tensor.Float32, c.d.Cols)), nil)
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != c.field {
			t.Errorf("%+v: %v", c.e, err)
		}
	}
}
