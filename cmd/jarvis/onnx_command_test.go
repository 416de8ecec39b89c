package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/npy"
)

// negation writes a model y = -x of float32 (rows, 2), and returns its file.
func negation(t *testing.T, dir string) string {
	t.Helper()
	b := graph.NewBuilder("negation")
	x := b.Input("x", tensor.Rows(tensor.Float32, 2))
	b.Output("y", b.Op("Neg", x), tensor.Rows(tensor.Float32, 2))
	file, err := onnx.Encode(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	return put(t, filepath.Join(dir, "model.onnx"), file)
}

func put(t *testing.T, path string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOnnxRun(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	file := negation(t, dir)
	x := tensor.Floats([]float32{1, -2}, 1, 2)
	array, err := npy.Encode(x)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{put(t, filepath.Join(dir, "x.npy"), array), put(t, filepath.Join(dir, "x.pb"), onnx.EncodeTensor("x", x))} {
		var got ran
		s.json(&got, "onnx", "run", file, "--in", "x="+in, "--out-dir", filepath.Join(dir, "out"))
		if len(got.Outputs) != 1 || got.Outputs[0].Name != "y" || got.Outputs[0].Type != "float32(1, 2)" {
			t.Fatalf("%+v", got)
		}
		raw, err := os.ReadFile(got.Outputs[0].File)
		if err != nil {
			t.Fatal(err)
		}
		y, err := npy.Decode(raw)
		if err != nil || y.F32()[0] != -1 || y.F32()[1] != 2 {
			t.Errorf("%v %v", y, err)
		}
	}
	r := s.try("", "onnx", "run", file, "--out-dir", dir)
	if r.code != 2 || !strings.Contains(r.stderr, "x") {
		t.Errorf("without an input: %d %s", r.code, r.stderr)
	}
}

func TestOnnxTestCountsAndFails(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	negation(t, filepath.Join(dir, "case"))
	put(t, filepath.Join(dir, "case", "test_data_set_0", "input_0.pb"), onnx.EncodeTensor("x", tensor.Floats([]float32{1, 2}, 1, 2)))
	out := filepath.Join(dir, "case", "test_data_set_0", "output_0.pb")
	put(t, out, onnx.EncodeTensor("y", tensor.Floats([]float32{-1, -2}, 1, 2)))
	var got tested
	s.json(&got, "onnx", "test", dir)
	if got.Total != 1 || got.Passed != 1 || got.Cases[0].Name != "case" {
		t.Errorf("%+v", got)
	}
	put(t, out, onnx.EncodeTensor("y", tensor.Floats([]float32{-1, 2}, 1, 2)))
	if r := s.try("", "onnx", "test", dir); r.code != 1 || !strings.Contains(r.stdout, "failed       case") || !strings.Contains(r.stdout, "1 cases: 0 passed, 1 failed, 0 unsupported") {
		t.Errorf("%d %s", r.code, r.stdout)
	}
}

func TestOnnxBench(t *testing.T) {
	s := newShell(t)
	file := negation(t, t.TempDir())
	var got benched
	s.json(&got, "onnx", "bench", file, "--batch", "3", "--seconds", "0.05", "--profile")
	if got.Inputs[0] != "x float32(3, 2)" || got.Runs == 0 || got.P50US <= 0 || got.P99US < got.P50US || got.RunsPerS <= 0 || got.LoadMS <= 0 || len(got.Operators) != 2 /* Neg, and Identity for the output */ {
		t.Errorf("%+v", got)
	}
}

// recurrence writes a model y = x + h of float32, where x is (batch, 2) and h is (1, batch, width).
func recurrence(t *testing.T, dir string) string {
	t.Helper()
	batch := tensor.Dim{Size: tensor.Free, Name: "batch"}
	x := tensor.Type{DType: tensor.Float32, Dims: []tensor.Dim{batch, {Size: 2}}}
	h := tensor.Type{DType: tensor.Float32, Dims: []tensor.Dim{{Size: 1}, batch, {Size: tensor.Free, Name: "width"}}}
	b := graph.NewBuilder("recurrence")
	b.Output("y", b.Op("Add", b.Input("x", x), b.Input("h", h)), h)
	file, err := onnx.Encode(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	return put(t, filepath.Join(dir, "model.onnx"), file)
}

func TestOnnxBenchGivesADimensionOneLengthEverywhere(t *testing.T) {
	s := newShell(t)
	file := recurrence(t, t.TempDir())
	var got benched
	s.json(&got, "onnx", "bench", file, "--batch", "3", "--dim", "width=2", "--seconds", "0.01")
	if len(got.Inputs) != 2 || got.Inputs[0] != "x float32(3, 2)" || got.Inputs[1] != "h float32(1, 3, 2)" {
		t.Errorf("%+v", got)
	}
	s.json(&got, "onnx", "bench", file, "--batch", "3", "--dim", "batch=4", "--seconds", "0.01")
	if got.Inputs[0] != "x float32(4, 2)" || got.Inputs[1] != "h float32(1, 4, 1)" {
		t.Errorf("%+v", got)
	}
	for _, dim := range []string{"rows=2", "width=-1"} {
		if r := s.try("", "onnx", "bench", file, "--dim", dim); r.code != 2 || !strings.Contains(r.stderr, dim[:4]) {
			t.Errorf("%s: %d %s", dim, r.code, r.stderr)
		}
	}
	if r := s.try("", "onnx", "bench", file, "--dim", "width=3"); r.code != 2 || !strings.Contains(r.stderr, "h float32(1, 1, 3)") || !strings.Contains(r.stderr, "--in NAME=FILE") {
		t.Errorf("inputs that were made up and do not fit: %d %s", r.code, r.stderr)
	}
}
