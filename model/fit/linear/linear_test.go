package linear_test

import (
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit/fittest"
	"github.com/jarvis-ml/jarvis/model/fit/linear"
)

func TestRuntime(t *testing.T) {
	fittest.Golden(t, "ridge", linear.Ridge{}, fittest.Numbers(t, "diabetes"))
	fittest.Golden(t, "logistic_two", linear.Logistic{}, fittest.Classes(t, "breast_cancer"))
	fittest.Golden(t, "logistic_three", linear.Logistic{}, fittest.Classes(t, "iris"))
	fittest.Golden(t, "logistic_offset", linear.Logistic{}, fittest.Classes(t, "penguins")) // its years need centring in front
}

func TestRidge(t *testing.T) { fittest.Suite(t, linear.Ridge{}, fittest.Learner{Numbers: true}) }

func TestLogistic(t *testing.T) { fittest.Suite(t, linear.Logistic{}, fittest.Learner{Classes: true}) }
