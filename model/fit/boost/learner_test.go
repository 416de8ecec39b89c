package boost_test

import (
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/boost"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
)

func TestRuntime(t *testing.T) {
	few := boost.Boost{NEstimators: 5, MaxDepth: 3}
	fittest.Golden(t, "regression", few, fittest.Numbers(t, "diabetes"))
	fittest.Golden(t, "two_classes", few, fittest.Classes(t, "breast_cancer"))
	fittest.Golden(t, "three_classes", few, fittest.Classes(t, "iris"))
	fittest.Golden(t, "missing", few, fittest.Classes(t, "penguins_missing"))
	// Leaves of one sign only, where onnxruntime's classifier would leave out the logistic.
	fittest.Golden(t, "one_sign", boost.Boost{NEstimators: 2}, onlyOnes(fittest.Classes(t, "breast_cancer")))
	// Trees without a split: nothing is heavy enough.
	fittest.Golden(t, "no_split", boost.Boost{NEstimators: 2, MinChildWeight: 1e9}, fittest.Classes(t, "penguins_missing"))
}

func TestSuite(t *testing.T) {
	fittest.Suite(t, boost.Boost{NEstimators: 60, MaxDepth: 3, LearningRate: .1}, fittest.Learner{Classes: true, Numbers: true, Missing: true})
}

func TestSuiteSampled(t *testing.T) {
	e := boost.Boost{NEstimators: 60, LearningRate: .2, Subsample: .7, ColsampleBytree: .7, MaxLeaves: 12, GrowPolicy: "lossguide", EarlyStoppingRounds: 15}
	fittest.Suite(t, e, fittest.Learner{Classes: true, Numbers: true, Missing: true})
}

func onlyOnes(d fit.Data) fit.Data {
	for i := range d.Class {
		d.Class[i] = 1
	}
	return d
}
