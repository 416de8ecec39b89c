package discriminant_test

import (
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit/discriminant"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
)

func TestRuntime(t *testing.T) {
	fittest.Golden(t, "linear", discriminant.Linear{}, fittest.Classes(t, "penguins"))
	fittest.Golden(t, "linear_shrunken", discriminant.Linear{Shrinkage: -1}, fittest.Classes(t, "breast_cancer"))
	fittest.Golden(t, "quadratic", discriminant.Quadratic{}, fittest.Classes(t, "iris"))
	fittest.Golden(t, "quadratic_singular", discriminant.Quadratic{}, fittest.Classes(t, "penguins"))
}

func TestLinear(t *testing.T) {
	fittest.Suite(t, discriminant.Linear{}, fittest.Learner{Classes: true})
}

func TestLinearShrunken(t *testing.T) {
	fittest.Suite(t, discriminant.Linear{Shrinkage: -1}, fittest.Learner{Classes: true})
}

func TestQuadratic(t *testing.T) {
	fittest.Suite(t, discriminant.Quadratic{}, fittest.Learner{Classes: true})
}

func TestQuadraticRegularised(t *testing.T) {
	fittest.Suite(t, discriminant.Quadratic{RegParam: .1}, fittest.Learner{Classes: true})
}
