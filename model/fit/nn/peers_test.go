package nn

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
	"github.com/jarvis-ml/jarvis/model/metric"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestPeers holds losses to scikit-learn's at the same parameters; test/goldens/make_fit_nn.py remakes the file.
func TestPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("twenty trainings")
	}
	text, err := os.ReadFile("testdata/peers.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Data    string
		SKLearn float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		var d fit.Data
		if c.Data == "diabetes" {
			d = fittest.Numbers(t, c.Data)
		} else {
			d = fittest.Classes(t, c.Data)
		}
		got := loss(t, d)
		t.Logf("%s: %.4f, scikit-learn %.4f", c.Data, got, c.SKLearn)
		if got > 1.15*c.SKLearn+.02 {
			t.Errorf("%s: loss %.4f, scikit-learn's is %.4f", c.Data, got, c.SKLearn)
		}
	}
}

// loss is the mean log loss or RMSE over five folds: row i is tested in fold i % 5.
func loss(t *testing.T, d fit.Data) float64 {
	t.Helper()
	var total float64
	for f := range 5 {
		var in, out []int32
		for i := range d.Rows {
			if i%5 == f {
				out = append(out, int32(i))
			} else {
				in = append(in, int32(i))
			}
		}
		test := fittest.Subset(d, out)
		y := fittest.Run(t, fittest.Train(t, MLP{}, fittest.Subset(d, in)), tensor.Floats(test.X, test.Rows, d.Cols)).F32()
		if d.Task == fit.Regression {
			total += metric.Regression(test.Y, y)[metric.RMSE] / 5
		} else {
			total += metric.Classification(d.Classes, test.Class, y)[metric.LogLoss] / 5
		}
	}
	return total
}
