package train

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// line is a net of one product, x (rows, 4) with w (4, 3).
func line(w []float32) *Net {
	b := graph.NewBuilder("line")
	v := b.Floats("w", w, 4, 3)
	b.Output("z", b.Op("MatMul", b.Input("x", tensor.Rows(tensor.Float32, 4)), v), tensor.Rows(tensor.Float32, 3))
	return &Net{Graph: b.Graph(), Params: []graph.Value{v}}
}

func near(got, want float64) bool { return math.Abs(got-want) < 1e-5*(1+math.Abs(want)) }

// TestClassWeights holds losses and gradients to PyTorch's; test/goldens/make_fit_train.py remakes the file.
func TestClassWeights(t *testing.T) {
	text, err := os.ReadFile("testdata/torch.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		X, W     []float32
		Y        []int64
		Balanced []float64
		Cases    []struct {
			Weights, Gradient      []float64
			Smoothing, Mixed, Loss float64
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	data := &Memory{In: []*tensor.Tensor{tensor.Floats(golden.X, 8, 4)}, Target: tensor.Ints(golden.Y)}
	for _, c := range golden.Cases {
		o := Objective{Loss: CrossEntropy, LabelSmoothing: c.Smoothing, ClassWeight: c.Weights}
		if c.Mixed < 1 {
			o.Mixup = 1
		}
		s, err := NewStep(line(golden.W), o, 1)
		if err != nil {
			t.Fatal(err)
		}
		b := NewBatch(1)
		if err := data.Read(context.Background(), []int32{0, 1, 2, 3, 4, 5, 6, 7}, 0, b); err != nil {
			t.Fatal(err)
		}
		s.take(b)
		if c.Mixed < 1 {
			s.mix(b, float32(c.Mixed), 3)
		}
		loss, err := s.run(context.Background(), 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !near(loss, c.Loss) {
			t.Errorf("%+v: loss %v", c, loss)
		}
		for i, want := range c.Gradient {
			if got := float64(s.Params[0].Gradient[i]); !near(got, want) {
				t.Errorf("weights %v, smoothing %v, mixed %v: gradient %d is %v, PyTorch's %v", c.Weights, c.Smoothing, c.Mixed, i, got, want)
			}
		}
	}
	w, err := Config{Balanced: true}.weights(line(golden.W), data)
	if err != nil || len(w) != 3 {
		t.Fatal(w, err)
	}
	for i, want := range golden.Balanced {
		if !near(w[i], want) {
			t.Errorf("balanced weight %d is %v, scikit-learn's %v", i, w[i], want)
		}
	}
}
