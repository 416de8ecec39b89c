package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const endlessNet = "model:\n  layers: [{type: dense, out_features: 16, activation: relu}]\n  epochs: 1000000\n  patience: -1\n"

// A training of a net that is killed goes on when it is started again; Ctrl-C makes a model of the best weights.
func TestNetIsTakenUp(t *testing.T) {
	s := newShell(t)
	s.write("net.yaml", endlessNet)
	args := []string{"train", s.penguins(), "--target", "species", "--model", "net.yaml", "--name", "p", "--checkpoint-every", "20ms"}
	first := s.start(args...)
	first.says(`epoch +40/`)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.end()
	second := s.start(args...)
	second.says(`going on from the last checkpoint`)
	second.says(`epoch +\d+/`)
	if strings.Contains(second.stderr.String(), "epoch       1/") {
		t.Error("it began anew")
	}
	second.signal(os.Interrupt)
	second.says(`best weights so far are kept`)
	if code := second.end(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, second.stderr.String())
	}
	if !strings.Contains(second.stdout.String(), "published p/1 as champion") {
		t.Errorf("it says\n%s", second.stdout.String())
	}
	if left, _ := filepath.Glob(".jarvis/runs/p/*/checkpoint*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	if kept, _ := filepath.Glob(".jarvis/runs/p/*/metrics/*.json"); len(kept) == 0 {
		t.Error("no metrics were kept")
	}
}

// What --model and the flags of nets refuse.
func TestWrongNetFlags(t *testing.T) {
	s := newShell(t)
	s.write("broken.yaml", "model: {layers: [{type: dens}]}\n")
	s.write("list.yaml", "- 1\n")
	for _, c := range []struct{ args, says string }{
		{"--model broken.yaml", `no layer of the type "dens"`},
		{"--model list.yaml", "not a valid description of a net"},
		{"--model missing.yaml", "cannot read the description"},
		{"--model gan", "there is no estimator gan"},
		{"--model boost --epochs 3", "are for nets"},
		{"--model mlp --lr=-1", "above 0"},
	} {
		got := s.try("", append([]string{"train", s.penguins(), "--target", "species"}, strings.Fields(c.args)...)...)
		if got.code == 0 || !strings.Contains(got.stderr, c.says) {
			t.Errorf("%s says %s", c.args, got.stderr)
		}
	}
}
