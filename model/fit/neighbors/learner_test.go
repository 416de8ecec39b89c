package neighbors_test

import (
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit/fittest"
	"github.com/jarvis-ml/jarvis/model/fit/neighbors"
)

func TestRuntime(t *testing.T) {
	fittest.Golden(t, "uniform", neighbors.KNeighbors{}, fittest.Classes(t, "penguins"))
	fittest.Golden(t, "distance", neighbors.KNeighbors{Weights: "distance", Unscaled: true}, fittest.Classes(t, "iris"))
	fittest.Golden(t, "regression", neighbors.KNeighbors{NNeighbors: 12}, fittest.Numbers(t, "diabetes"))
	fittest.Golden(t, "differences", neighbors.KNeighbors{P: 1, Weights: "distance"}, fittest.Numbers(t, "diabetes"))
}

func TestKNeighbors(t *testing.T) {
	fittest.Suite(t, neighbors.KNeighbors{}, fittest.Learner{Classes: true, Numbers: true})
}

func TestDistance(t *testing.T) {
	fittest.Suite(t, neighbors.KNeighbors{Weights: "distance", P: 1}, fittest.Learner{Classes: true, Numbers: true})
}

// The floors are scikit-learn's scores on the same rows: body mass drowns all other features.
func TestUnscaled(t *testing.T) {
	fittest.Suite(t, neighbors.KNeighbors{Unscaled: true}, fittest.Learner{Classes: true, Numbers: true, Accuracy: .79, LogLoss: 1.4})
}
