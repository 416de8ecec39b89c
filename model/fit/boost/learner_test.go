package boost_test

import (
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit/boost"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
)

func TestRuntime(t *testing.T) {
	few := boost.Boost{NEstimators: 5, MaxDepth: 3}
	fittest.Golden(t, "regression", few, fittest.Numbers(t, "diabetes"))
	fittest.Golden(t, "two_classes", few, fittest.Classes(t, "breast_cancer"))
	fittest.Golden(t, "three_classes", few, fittest.Classes(t, "iris"))
	fittest.Golden(t, "missing", few, fittest.Classes(t, "penguins_missing"))
	// Trees without a split: nothing is heavy enough.
	fittest.Golden(t, "no_split", boost.Boost{NEstimators: 2, MinChildWeight: 1e9}, fittest.Classes(t, "penguins_missing"))
}
