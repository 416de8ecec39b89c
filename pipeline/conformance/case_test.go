package conformance

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// writeCase records a case of one operator on (1, 2).
func writeCase(t *testing.T, dir, operator string, want ...float32) {
	t.Helper()
	g := graph.New("g")
	vector := graph.TensorOf(tensor.TypeOf(tensor.Float32, 2))
	g.Inputs, g.Outputs = []graph.Port{{Name: "x", Type: vector}}, []graph.Port{{Name: "y", Type: vector}}
	g.Nodes = []*graph.Node{{Op: operator, Inputs: []graph.Value{"x"}, Outputs: []graph.Value{"y"}}}
	file, err := onnx.Encode(&graph.Model{IRVersion: 8, Opsets: map[string]int64{"": 17}, Graph: g})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"model.onnx": file, "test_data_set_0/input_0.pb": onnx.EncodeTensor("x", tensor.Floats([]float32{1, 2})), "test_data_set_0/output_0.pb": onnx.EncodeTensor("y", tensor.Floats(want)),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStatuses(t *testing.T) {
	root := t.TempDir()
	writeCase(t, filepath.Join(root, "good"), "Neg", -1, -2)
	writeCase(t, filepath.Join(root, "group", "wrong"), "Neg", -1, -2.1)
	writeCase(t, filepath.Join(root, "group", "strange"), "Frobnicate", 1, 2)
	writeCase(t, filepath.Join(root, "mute"), "Neg", -1, -2)
	if err := os.RemoveAll(filepath.Join(root, "mute", "test_data_set_0")); err != nil {
		t.Fatal(err)
	}
	dirs, err := Find(root)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Status{"good": Passed, "wrong": Failed, "strange": Unsupported, "mute": Failed}
	for _, dir := range dirs {
		r := Run(context.Background(), dir, Options{})
		if r.Status != want[r.Name] || (r.Detail == "") != (r.Status == Passed) {
			t.Errorf("%s: %s %s", r.Name, r.Status, r.Detail)
		}
		delete(want, r.Name)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
	if _, err := Find(t.TempDir()); err == nil {
		t.Error("an empty folder is no error")
	}
}
