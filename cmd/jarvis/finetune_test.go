package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// The commands of the README: a net goes on learning under its name, and its file is as good as its name.
func TestFinetune(t *testing.T) {
	s := newShell(t)
	s.try("", "train", s.penguins(), "--target", "species", "--model", "mlp", "--name", "net")
	r := s.try("", "finetune", "net", s.penguins(), "--epochs", "3")
	for _, want := range []string{"weights learn", "epoch 3/3", "learning rate"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("standard error has no %q:\n%s", want, r.stderr)
		}
	}
	for _, want := range []string{"classification by finetune, 344 rows", "published net/2 as candidate"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("standard output has no %q:\n%s", want, r.stdout)
		}
	}
	out := filepath.Join(t.TempDir(), "tuned.onnx")
	s.try("", "finetune", "net/2", s.penguins(), "--lora", "4", "--epochs", "1", "--out", out)
	if r := s.try("", "predict", out, s.penguins()); !strings.Contains(r.stdout, "Gentoo") {
		t.Errorf("it answers %.200s", r.stdout)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"finetune", "net", s.penguins(), "--target", "island"}, 2, "takes the column"},
		{[]string{"finetune", "nothing.onnx", s.penguins(), "--target", "island"}, 4, "no such model"},
		{[]string{"finetune", "net", s.penguins(), "--fix", "year"}, 2, "NAME=VALUE"},
		{[]string{"finetune", "net", s.penguins(), "--fix", "years=2007"}, 2, `no input "years"`},
		{[]string{"finetune", "net", s.penguins(), "--freeze", "*"}, 2, "frozen"},
		{[]string{"finetune", "net", s.penguins(), "--freeze", "encoder*"}, 2, "encoder*"},
	} {
		if r := s.try("", c.args...); r.code != c.code || !strings.Contains(r.stderr, c.says) {
			t.Errorf("%v: exit code %d: %s", c.args, r.code, r.stderr)
		}
	}
}

func TestConstants(t *testing.T) {
	for text, shape := range map[string][]int{"16000": {}, "-1.5e3": {}, "true": {}, "[1, 2, 3]": {3}, "[[1,2,3],[4,5,6]]": {2, 3}} {
		got, err := constant(text)
		if err != nil || got.DType() != tensor.Float64 || len(got.Shape()) != len(shape) || len(shape) > 0 && got.Shape()[0] != shape[0] {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if got, err := constant("text"); err != nil || got.Str()[0] != "text" {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"[1, [2]]", "[[1], [2, 3]]", "[]", "null", `{"a": 1}`, "[[1, 2], 3]"} {
		if got, err := constant(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}
