package bayes_test

import (
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit/bayes"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
)

func TestRuntime(t *testing.T) {
	fittest.Golden(t, "gaussian", bayes.Gaussian{}, fittest.Classes(t, "penguins"))
	fittest.Golden(t, "gaussian_two", bayes.Gaussian{}, fittest.Classes(t, "breast_cancer"))
	fittest.Golden(t, "multinomial", bayes.Multinomial{}, fittest.Classes(t, "iris"))
	fittest.Golden(t, "complement", bayes.Complement{Norm: true}, fittest.Classes(t, "iris"))
	fittest.Golden(t, "bernoulli", bayes.Bernoulli{Binarize: 2.5}, fittest.Classes(t, "iris"))
}

// The floors are scikit-learn's scores on the same rows: penguins have features that repeat each other, and Bernoulli
// sees only what is above zero.

func TestGaussian(t *testing.T) {
	fittest.Suite(t, bayes.Gaussian{}, fittest.Learner{Classes: true, Accuracy: .84, LogLoss: .75})
}

func TestMultinomial(t *testing.T) {
	fittest.Suite(t, bayes.Multinomial{}, fittest.Learner{Classes: true, Counts: true, Accuracy: .89, LogLoss: .86})
}

func TestComplement(t *testing.T) {
	fittest.Suite(t, bayes.Complement{}, fittest.Learner{Classes: true, Counts: true, Accuracy: .7, LogLoss: 4.1})
}

func TestBernoulli(t *testing.T) {
	fittest.Suite(t, bayes.Bernoulli{}, fittest.Learner{Classes: true, Accuracy: .69, LogLoss: .61})
}
