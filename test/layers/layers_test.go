// Package layers holds the direction of imports: model ← pipeline ← infra ← functions, cmd; and what the packages of
// the browser predictor may not import.
package layers

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/jarvis-ml/jarvis/"

// allowed says which top-level folders a folder may import from, itself included.
var allowed = map[string][]string{
	"model":     {"model"},
	"pipeline":  {"model", "pipeline"},
	"wasm":      {"model", "pipeline", "wasm"},
	"web":       {"web"},
	"infra":     {"model", "pipeline", "infra", "web"},
	"functions": {"model", "pipeline", "infra", "functions"},
	"cmd":       {"model", "pipeline", "infra", "web", "cmd"},
	"test":      {"model", "pipeline", "infra", "web", "cmd", "test"},
}

// heavy are the packages that would fill the browser predictor.
var heavy = []string{"fmt", "reflect", "encoding/json", "regexp", "net", "net/http", "google.golang.org/protobuf/encoding/protowire"}

// lean are the packages that the browser predictor is made of.
var lean = []string{"model", "model/fault", "model/tensor", "model/graph", "model/onnx", "model/op", "model/exec", "model/kernel", "model/pattern"}

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range list(t) {
		from, ok := strings.CutPrefix(p.ImportPath, module)
		if !ok {
			continue
		}
		may, known := allowed[top(from)]
		if !known {
			t.Errorf("%s stands in a folder that has no place in the layout", p.ImportPath)
		}
		for _, imported := range p.Imports {
			if to, ours := strings.CutPrefix(imported, module); ours && !slices.Contains(may, top(to)) {
				t.Errorf("%s imports %s: %s may import from %v only", from, to, top(from), may)
			}
		}
	}
}

// TestPredictorIsLean looks at the build that the browser predictor is made of: operators that it leaves out may import what they need.
func TestPredictorIsLean(t *testing.T) {
	for _, p := range list(t, "-tags=lean") {
		from, _ := strings.CutPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			if slices.Contains(lean, from) && slices.Contains(heavy, imported) {
				t.Errorf("%s imports %s, which the browser predictor must not carry", from, imported)
			}
		}
	}
}

func top(path string) string { first, _, _ := strings.Cut(path, "/"); return first }

func list(t *testing.T, flags ...string) []pkg {
	t.Helper()
	args := append([]string{"list", "-json=ImportPath,Imports"}, flags...)
	cmd := exec.Command("go", append(args, module+"...")...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}
