package nn_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

func TestSuite(t *testing.T) {
	fittest.Suite(t, nn.MLP{MaxIter: 40}, fittest.Learner{Classes: true, Numbers: true})
}

func TestRuntime(t *testing.T) {
	few := nn.MLP{HiddenLayerSizes: []int{12, 8}, MaxIter: 40}
	fittest.Golden(t, "regression", few, fittest.Numbers(t, "diabetes"))
	fittest.Golden(t, "two_classes", few, fittest.Classes(t, "breast_cancer"))
	fittest.Golden(t, "three_classes", nn.MLP{HiddenLayerSizes: []int{8}, Activation: "tanh", MaxIter: 40}, fittest.Classes(t, "iris"))
	fittest.Golden(t, "offset", few, fittest.Classes(t, "penguins")) // its years need centring in front
	fittest.Golden(t, "no_hidden_layer", nn.MLP{HiddenLayerSizes: []int{}, MaxIter: 20}, fittest.Classes(t, "iris"))
}

func TestSuiteLogistic(t *testing.T) {
	e := nn.MLP{HiddenLayerSizes: []int{20}, Activation: "logistic", LearningRateInit: .01, MaxIter: 40}
	fittest.Suite(t, e, fittest.Learner{Classes: true, Numbers: true})
}

func TestParameters(t *testing.T) {
	d := fittest.Classes(t, "iris")
	for field, e := range map[string]nn.MLP{
		"hidden_layer_sizes":  {HiddenLayerSizes: []int{8, 0}},
		"activation":          {Activation: "swish"},
		"learning_rate_init":  {LearningRateInit: -1},
		"alpha":               {Alpha: math.NaN()},
		"batch_size":          {BatchSize: -1},
		"max_iter":            {MaxIter: -5},
		"n_iter_no_change":    {NIterNoChange: -1},
		"tol":                 {Tol: -1},
		"validation_fraction": {ValidationFraction: 1.5},
	} {
		refused(t, e, d, fault.Invalid, field)
	}
	refused(t, nn.MLP{HiddenLayerSizes: []int{60000, 60000}}, d, fault.TooLarge, "hidden_layer_sizes")
}

// TestDivergence: a rate that is far too large is noticed, and said.
func TestDivergence(t *testing.T) {
	refused(t, nn.MLP{LearningRateInit: 1e4}, fittest.Numbers(t, "diabetes"), fault.Invalid, "learning_rate_init")
	refused(t, nn.MLP{LearningRateInit: 1e30}, fittest.Classes(t, "penguins"), fault.Invalid, "learning_rate_init")
}

func refused(t *testing.T, e nn.MLP, d fit.Data, code fault.Code, field string) {
	t.Helper()
	b := graph.NewBuilder("model")
	_, err := e.Fit(context.Background(), d, b, b.Input("x", tensor.Rows(tensor.Float32, d.Cols)), nil)
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != code || f.Field != field || f.Hint == "" && code != fault.Invalid {
		t.Errorf("%+v: %v, want %s at %s", e, err, code, field)
	}
}

// TestStopsEarly: epochs that learn noise are not run, and the best weights are kept.
func TestStopsEarly(t *testing.T) {
	d := fittest.Numbers(t, "diabetes")
	b := graph.NewBuilder("model")
	epochs := 0
	if _, err := (nn.MLP{LearningRateInit: .01, MaxIter: 500}).Fit(context.Background(), d, b, b.Input("x", tensor.Rows(tensor.Float32, d.Cols)),
		func(fit.Progress) { epochs++ }); err != nil {
		t.Fatal(err)
	}
	if epochs > 100 {
		t.Errorf("%d epochs of 442 rows", epochs)
	}
}

// BenchmarkMLP trains 50,000 rows of 25 features with the defaults.
func BenchmarkMLP(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	d := fit.Data{Task: fit.Classification, Classes: 3, Rows: 50_000, Cols: 25, Seed: 1}
	for range d.Rows * d.Cols {
		d.X = append(d.X, float32(random.NormFloat64()))
	}
	for i := range d.Rows {
		r := d.Row(i)
		v := float64(r[0]*r[1]+r[2]-r[3]*r[3]) + .5*random.NormFloat64()
		switch {
		case v < -1.5:
			d.Class = append(d.Class, 0)
		case v < 0:
			d.Class = append(d.Class, 1)
		default:
			d.Class = append(d.Class, 2)
		}
	}
	epochs := 0
	for b.Loop() {
		graphs := graph.NewBuilder("model")
		_, err := nn.MLP{}.Fit(context.Background(), d, graphs, graphs.Input("x", tensor.Rows(tensor.Float32, 25)), func(p fit.Progress) { epochs = p.Step })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(epochs), "epochs")
}
