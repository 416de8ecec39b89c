package main

import "testing"

// TestParam: hyper-parameters come from flags and from jarvis.yaml, and flags win over the file.
func TestParam(t *testing.T) {
	s := newShell(t)
	s.write("jarvis.yaml", "train:\n  model: boost\n  param: {n_estimators: 4, monotone_constraints: {flipper_length_mm: 1}}\n")
	bytes := func(args ...string) int {
		s.do(append([]string{"train", s.penguins(), "--target", "body_mass_g", "--out", "m.onnx"}, args...)...)
		return len(s.read("m.onnx"))
	}
	file, flags, few := bytes(), bytes("--param", "n_estimators=40", "--param", "max_depth=3"), bytes("--param=n_estimators=1")
	if few >= file || file >= flags {
		t.Errorf("1, 4 and 40 rounds make files of %d, %d and %d bytes", few, file, flags)
	}
}
