//go:build !lean

package model_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestQuantGoldens runs a net as onnxruntime quantises it (test/goldens/make_quant_goldens.py) and compares with onnxruntime. Its last result is
// in steps, of which one may be rounded otherwise.
func TestQuantGoldens(t *testing.T) {
	text, err := os.ReadFile("testdata/quant/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string][][]float32
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"qdq_unsigned", "qdq_channels", "operators"} {
		file, err := os.ReadFile("testdata/quant/" + name + ".onnx")
		if err != nil {
			t.Fatal(err)
		}
		p, err := model.Load(file)
		if err != nil {
			t.Fatal(name, err)
		}
		for i, x := range golden["x"] {
			out, err := p.Run(context.Background(), map[string]*tensor.Tensor{"x": tensor.Floats(x, 1, 3, 9, 9)})
			if err != nil {
				t.Fatal(name, err)
			}
			y, want := out["y"].F32(), golden[name][i]
			if len(y) != len(want) {
				t.Fatalf("%s: %d results, want %d", name, len(y), len(want))
			}
			step := math.Inf(1) // the scale of the results: the least distance between two
			for _, a := range want {
				for _, b := range want {
					if d := math.Abs(float64(a - b)); d > 1e-6 {
						step = min(step, d)
					}
				}
			}
			for j, w := range want {
				if math.Abs(float64(y[j]-w)) > 1.001*min(step, .03) {
					t.Errorf("%s: result %d of %d is %v, want %v", name, j, i, y[j], w)
				}
			}
		}
	}
}
