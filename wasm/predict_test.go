// Package wasm_test holds the programs of this folder to what they promise: small, without reflection, and with the
// numbers that onnxruntime gives.
package wasm_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const predict = "github.com/jarvis-ml/jarvis/wasm/predict"

// goTool runs the go command for the browser.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// TestLean holds that the predictor carries none of the packages that would double it.
func TestLean(t *testing.T) {
	deps := strings.Fields(goTool(t, "list", "-tags", "lean", "-deps", predict))
	if !slices.Contains(deps, "github.com/jarvis-ml/jarvis/model") {
		t.Fatalf("the predictor does not use package model: %v", deps)
	}
	for _, dep := range deps {
		first, _, _ := strings.Cut(dep, "/")
		if slices.Contains([]string{"fmt", "reflect", "encoding/json", "regexp"}, dep) || first == "net" || strings.Contains(dep, "protobuf") {
			t.Errorf("the predictor depends on %s; find out why with: GOOS=js GOARCH=wasm go list -tags lean -deps -f '{{.ImportPath}} {{.Imports}}' %s", dep, predict)
		}
	}
}

// TestPredict builds the predictor and runs it in node: predict.test.mjs.
func TestPredict(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a WebAssembly program")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is not installed: the web page needs it, and so does this test")
	}
	file := filepath.Join(t.TempDir(), "jarvis-predict.wasm")
	goTool(t, "build", "-tags", "lean", "-trimpath", "-ldflags=-s -w", "-o", file, predict)
	loader := filepath.Join(strings.TrimSpace(goTool(t, "env", "GOROOT")), "lib", "wasm", "wasm_exec.js")
	out, err := exec.Command(node, "predict.test.mjs", file, loader, "../model/testdata", "../pipeline/token/testdata").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	var got struct {
		Sizes struct{ Brotli int }
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if got.Sizes.Brotli > 1<<20 {
		t.Errorf("%d bytes in brotli, want at most 1 MiB", got.Sizes.Brotli)
	}
}
