package gaussian_test

import (
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
	"github.com/jarvis-ml/jarvis/model/fit/gaussian"
)

func TestRuntime(t *testing.T) {
	fittest.Golden(t, "regression", gaussian.Process{}, every(fittest.Numbers(t, "diabetes"), 4))
	fittest.Golden(t, "little_noise", gaussian.Process{Fixed: true, NoiseLevel: 1e-5}, every(fittest.Numbers(t, "diabetes"), 4))
	fittest.Golden(t, "three_classes", gaussian.Process{}, every(fittest.Classes(t, "penguins"), 8))
	fittest.Golden(t, "two_classes", gaussian.Process{}, every(fittest.Classes(t, "breast_cancer"), 10))
}

// every keeps one row of n: the files hold a matrix of rows by rows.
func every(d fit.Data, n int) fit.Data {
	var rows []int32
	for i := 0; i < d.Rows; i += n {
		rows = append(rows, int32(i))
	}
	return fittest.Subset(d, rows)
}

// One against the rest leaves more doubt than a softmax would: scikit-learn has a log loss of 0.2 on these rows too.
func TestSuite(t *testing.T) {
	fittest.Suite(t, gaussian.Process{OptimizeRows: 80}, fittest.Learner{Classes: true, Numbers: true, LogLoss: .23})
}
