package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model"
)

// TestImport: models of both libraries become files that load, and say what their features are worth.
func TestImport(t *testing.T) {
	s := newShell(t)
	models := filepath.Join(s.data, "..", "model", "trees", "testdata", "models")
	for file, want := range map[string]imported{
		"xgb_softprob.ubj": {From: "XGBoost", Task: "classification", Trees: 9}, "xgb_regression.ubj": {From: "XGBoost", Task: "regression", Trees: 3},
		"lgb_category.txt": {From: "LightGBM", Task: "regression", Trees: 3},
	} {
		var got imported
		s.json(&got, "import", filepath.Join(models, file), "--out", "m.onnx")
		if got.From != want.From || got.Task != want.Task || got.Trees != want.Trees || len(got.Worth) == 0 || got.Worth[0].TotalGain <= 0 {
			t.Errorf("%s: %+v", file, got)
		}
		if _, err := model.Load([]byte(s.read("m.onnx"))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if r := s.try("", "import", filepath.Join(models, "xgb_softprob.ubj"), "--out", "m.onnx"); !strings.Contains(r.stdout, "XGBoost, classification, 9 trees of 6 features") || !strings.Contains(r.stdout, "kind") {
		t.Errorf("it says %s", r.stdout)
	}
	s.write("broken.json", `{"learner":{"gradient_booster":`)
	s.write("other.txt", "no model at all")
	before := s.read("m.onnx")
	for file, says := range map[string]string{"broken.json": "broken.json: byte", "other.txt": "save_model", "nothing": "cannot read"} {
		if r := s.try("", "import", file, "--out", "m.onnx"); r.code == 0 || !strings.Contains(r.stderr, says) {
			t.Errorf("%s: exit %d, %s", file, r.code, r.stderr)
		}
	}
	if s.read("m.onnx") != before {
		t.Error("a failed import wrote the file")
	}
}
