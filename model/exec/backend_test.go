package exec_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestBackend runs the ONNX node cases in the folder that JARVIS_ONNX_CASES names (onnx/backend/test/data/node of onnx 1.22.0), at the tolerances
// of the suite itself: rtol 1e-3, atol 1e-7. A case may pass or be refused as unsupported; anything else fails.
func TestBackend(t *testing.T) {
	root := os.Getenv("JARVIS_ONNX_CASES")
	if root == "" {
		t.Skip("JARVIS_ONNX_CASES names no folder of ONNX backend cases")
	}
	dirs, err := filepath.Glob(filepath.Join(root, "*", "model.onnx"))
	if err != nil || len(dirs) == 0 {
		t.Fatal("no cases in ", root, err)
	}
	passed, refused := 0, 0
	for _, file := range dirs {
		name := filepath.Base(filepath.Dir(file))
		why, err := backendCase(filepath.Dir(file))
		switch {
		case err == nil && why == "":
			passed++
		case fault.Is(err, fault.Unsupported):
			refused++
			if os.Getenv("JARVIS_ONNX_REFUSED") != "" {
				t.Log(name, err)
			}
		default:
			t.Errorf("%s: %s %v", name, why, err)
		}
	}
	t.Logf("%d cases: %d passed, %d refused as unsupported", len(dirs), passed, refused)
}

// backendCase runs all data sets of one case.
func backendCase(dir string) (why string, err error) {
	file, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return "", err
	}
	m, err := onnx.Decode(file, onnx.Limits{})
	if err != nil {
		return "decode", err
	}
	p, err := exec.Compile(m, exec.Options{})
	if err != nil {
		return "compile", err
	}
	sets, err := filepath.Glob(filepath.Join(dir, "test_data_set_*"))
	if err != nil {
		return "", err
	}
	for _, set := range sets {
		in, err := readTensors(set, "input_", p.Inputs())
		if err != nil {
			return "input", err
		}
		want, err := readTensors(set, "output_", p.Outputs())
		if err != nil {
			return "output", err
		}
		got, err := p.Run(context.Background(), in)
		if err != nil {
			return "run", err
		}
		for i := range want {
			if want[i] == nil {
				continue
			}
			if strings.HasPrefix(filepath.Base(dir), "test_bernoulli") { // drawn without a seed: only the type can be compared
				if got[i].Type().String() == want[i].Type().String() {
					continue
				}
			}
			if why := op.Compare(got[i], want[i], 1e-3, 1e-7); why != "" {
				return "output " + strconv.Itoa(i) + ": " + why, nil
			}
		}
	}
	return "", nil
}

func readTensors(dir, prefix string, ports []graph.Port) ([]*tensor.Tensor, error) {
	out := make([]*tensor.Tensor, len(ports))
	for i := range out {
		raw, err := os.ReadFile(filepath.Join(dir, prefix+strconv.Itoa(i)+".pb"))
		if err != nil {
			return nil, err
		}
		if out[i], err = onnx.DecodeValue(raw, ports[i].Type.Kind); err != nil {
			if strings.Contains(err.Error(), "data type") {
				return nil, fault.Wrap(err, fault.Unsupported, "tensor")
			}
			return nil, err
		}
	}
	return out, nil
}
