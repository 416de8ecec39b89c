package wasm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// TestWASI runs the wasip1 predictor under wazero as an edge host would, and holds it to onnxruntime's answer.
func TestWASI(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and compiles a WebAssembly module")
	}
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "jarvis-predict.wasm")
	build := exec.Command("go", "build", "-o", path, "./wasi")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	code, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	host := wazero.NewRuntime(ctx)
	defer host.Close(ctx)
	wasi_snapshot_preview1.MustInstantiate(ctx, host)
	compiled, err := host.CompileModule(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	run := func(model, rows string) (stdout, stderr string, exit uint32) {
		var out, errs bytes.Buffer
		config := wazero.NewModuleConfig().WithName("").WithArgs("jarvis-predict.wasm", model).WithStdin(strings.NewReader(rows)).
			WithStdout(&out).WithStderr(&errs).WithFSConfig(wazero.NewFSConfig().WithReadOnlyDirMount("../testdata/penguins", "/"))
		if _, err := host.InstantiateModule(ctx, compiled, config); err != nil {
			code, ok := err.(*sys.ExitError) //nolint:errorlint // wazero returns it bare
			if !ok {
				t.Fatal(err)
			}
			exit = code.ExitCode()
		}
		return out.String(), errs.String(), exit
	}

	const first = `{"island":"Torgersen","bill_length_mm":39.1,"bill_depth_mm":18.7,"flipper_length_mm":181,"body_mass_g":3750,"sex":"male","year":2007}`
	stdout, stderr, exit := run("penguins.onnx", `[`+first+`]`)
	if exit != 0 {
		t.Fatalf("exit code %d: %s", exit, stderr)
	}
	var got struct {
		Predictions []struct {
			Label         string
			Probabilities map[string]float64
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../testdata/penguins/onnxruntime.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Labels        []string
		Probabilities [][]float64
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if len(got.Predictions) != 1 || got.Predictions[0].Label != want.Labels[0] {
		t.Fatalf("got %s, want %s", stdout, want.Labels[0])
	}
	for i, class := range []string{"Adelie", "Chinstrap", "Gentoo"} {
		if d := got.Predictions[0].Probabilities[class] - want.Probabilities[0][i]; d > 1e-5 || d < -1e-5 {
			t.Errorf("%s differs by %g", class, d)
		}
	}
	if _, stderr, exit := run("penguins.onnx", `[{"island":3}]`); exit != 2 || !strings.Contains(stderr, "rows[0].island") {
		t.Errorf("a wrong row: exit code %d, %q", exit, stderr)
	}
	if _, _, exit := run("penguins.csv", `[`+first+`]`); exit != 3 {
		t.Errorf("a file that is no model: exit code %d", exit)
	}
}
