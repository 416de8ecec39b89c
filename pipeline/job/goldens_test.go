package job

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/jarvis-ml/jarvis/pipeline/predict"
)

var update = flag.Bool("update", false, "train the golden artifacts anew; then run test/goldens/make_job_goldens.py")

// Artifacts of every learner and task, with dates, booleans, categories and missing values, answer every row as
// onnxruntime does.
func TestGoldens(t *testing.T) {
	raw := load(t, "penguins/penguins-raw.csv")
	for task, target := range map[string]string{"classification": "Species", "regression": "Body Mass (g)"} {
		for _, model := range []string{"linear", "boost", "mlp"} {
			t.Run(task+"/"+model, func(t *testing.T) {
				name := filepath.Join("testdata", task+"-"+model)
				if *update {
					out := mustTrain(t, raw, Spec{Target: target, Task: task, Model: model, DataName: "penguins-raw.csv", Version: "golden"})
					if err := os.WriteFile(name+".onnx", out.Artifact, 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				m, err := predict.Open(readFile(t, name+".onnx"))
				if err != nil {
					t.Fatal(err)
				}
				got, err := m.Table(t.Context(), raw)
				if err != nil {
					t.Fatal(err)
				}
				compare32(t, readFile(t, name+".json"), got)
			})
		}
	}
}

func compare32(t *testing.T, golden []byte, got *predict.Result) {
	t.Helper()
	var want struct {
		Labels        []string
		Probabilities [][]float64
		Prediction    []float64
	}
	if err := json.Unmarshal(golden, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Labels)+len(want.Prediction) != 344 || len(got.Labels) != len(want.Labels) || len(got.Prediction) != len(want.Prediction) {
		t.Fatalf("%d labels of %d, %d predictions of %d", len(got.Labels), len(want.Labels), len(got.Prediction), len(want.Prediction))
	}
	worst := 0.0
	for i, l := range want.Labels {
		if got.Labels[i] != l {
			t.Errorf("row %d is %q, by onnxruntime %q", i+1, got.Labels[i], l)
		}
		for j, p := range want.Probabilities[i] {
			worst = max(worst, math.Abs(p-float64(got.Probabilities[i*len(got.Classes)+j])))
		}
	}
	for i, p := range want.Prediction {
		worst = max(worst, math.Abs(p-float64(got.Prediction[i]))/max(1, math.Abs(p)))
	}
	if worst > 1e-5 {
		t.Errorf("answers differ by %v", worst)
	}
	t.Logf("largest difference %.2g", worst)
}
