package trees_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/trees"
)

// FuzzRead holds that no tree operator makes Read panic, and that what it accepts can be walked, written and explained.
func FuzzRead(f *testing.F) {
	for _, pattern := range []string{"testdata/*_category*.onnx", "testdata/*_vector.onnx", "testdata/foreign/*.onnx"} {
		paths, _ := filepath.Glob(pattern)
		if len(paths) == 0 {
			f.Fatalf("no files %s", pattern)
		}
		for _, path := range paths {
			file, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(file)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := onnx.Decode(file, onnx.Limits{MaxTensorElements: 1 << 16})
		if err != nil || m.Graph == nil {
			return
		}
		for _, n := range trees.Find(m.Graph) {
			e, err := trees.Read(n)
			if err != nil {
				if c := fault.CodeOf(err); c != fault.BadModel && c != fault.Unsupported && c != fault.TooLarge {
					t.Fatalf("%s: %v", c, err)
				}
				continue
			}
			if e.Features > 1<<12 || e.Outputs > 1<<8 {
				continue
			}
			e.Predict(make([]float32, e.Features))
			if _, err := e.Model("model"); err != nil {
				t.Fatalf("trees that were read cannot be written: %v", err)
			}
			if e.Covered() {
				explain(t, e, make([]float32, e.Features))
			}
		}
	})
}
