package svm_test

import (
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit/fittest"
	"github.com/jarvis-ml/jarvis/model/fit/svm"
)

func TestRuntime(t *testing.T) {
	fittest.Golden(t, "three_classes", svm.SVM{}, fittest.Classes(t, "penguins"))
	fittest.Golden(t, "two_classes", svm.SVM{Kernel: "poly", Degree: 2, Coef0: 1}, fittest.Classes(t, "breast_cancer"))
	fittest.Golden(t, "linear", svm.SVM{Kernel: "linear"}, fittest.Classes(t, "iris"))
	// Large coefficients, and a kernel that is 1 nearly everywhere: what float32 would not bear.
	fittest.Golden(t, "large", svm.SVM{C: 1e4}, fittest.Classes(t, "iris"))
	fittest.Golden(t, "near", svm.SVM{Unscaled: true}, fittest.Classes(t, "penguins"))
	fittest.Golden(t, "regression", svm.SVM{Epsilon: .8}, fittest.Numbers(t, "diabetes"))
}

func TestRBF(t *testing.T) {
	fittest.Suite(t, svm.SVM{}, fittest.Learner{Classes: true, Numbers: true})
}

func TestLinear(t *testing.T) {
	fittest.Suite(t, svm.SVM{Kernel: "linear"}, fittest.Learner{Classes: true, Numbers: true})
}

func TestPolynomial(t *testing.T) {
	fittest.Suite(t, svm.SVM{Kernel: "poly", Coef0: 1, C: .3}, fittest.Learner{Classes: true, Numbers: true})
}
