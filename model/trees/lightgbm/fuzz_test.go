package lightgbm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// FuzzRead holds that no file makes Read panic, and that what it accepts can be walked and written.
func FuzzRead(f *testing.F) {
	paths, _ := filepath.Glob("../testdata/models/*.txt")
	if len(paths) < 10 {
		f.Fatalf("%d models", len(paths))
	}
	for _, path := range paths {
		file, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(file) < 6000 {
			f.Add(file)
			f.Add(file[:len(file)/2])
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		e, err := Read(file)
		if err != nil {
			if c := fault.CodeOf(err); c != fault.BadModel && c != fault.Unsupported && c != fault.TooLarge {
				t.Fatalf("%s: %v", c, err)
			}
			return
		}
		if e.Features > 1<<12 || e.Outputs > 1<<8 {
			return
		}
		e.Predict(make([]float32, e.Features))
		if _, err := e.Model("model"); err != nil {
			t.Fatalf("a model that was read cannot be written: %v", err)
		}
	})
}

// TestErrors: what is wrong with a file is said with its place.
func TestErrors(t *testing.T) {
	text, err := os.ReadFile("../testdata/models/lgb_category.txt")
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	line := func(key, value string) string {
		at := strings.Index(good, "\n"+key+"=") + 1
		if at == 0 {
			t.Fatalf("there is no line %s", key)
		}
		end := at + strings.Index(good[at:], "\n")
		return good[:at] + key + "=" + value + good[end:]
	}
	for _, c := range []struct {
		name, file, want string
		code             fault.Code
	}{
		{"empty", "", "no text model", fault.Unsupported},
		{"foreign", "{}", "no text model", fault.Unsupported},
		{"cut off", good[:1500], "tree 1: leaf_value", fault.BadModel},
		{"no end", good[:strings.Index(good, "end of trees")], "the file ends", fault.BadModel},
		{"linear", line("is_linear", "1"), "linear_tree", fault.Unsupported},
		{"objective", line("objective", "mine"), "header: objective", fault.Unsupported},
		{"features", line("max_feature_idx", "2147483646"), "max_feature_idx", fault.BadModel},
		{"child", line("left_child", "2 6 3 -1 -4 -6 -99"), "tree 0: left_child", fault.BadModel},
		{"circle", line("left_child", "0 6 3 -1 -4 -6 -2"), "tree 0: node 0: child 0", fault.BadModel},
		{"set", line("cat_boundaries", "0 1 2 9"), "cat_boundaries", fault.BadModel},
		{"mask", line("cat_threshold", "1 -2 3"), "cat_threshold", fault.BadModel},
		{"number", line("threshold", "a b c d e f g"), "tree 0: threshold", fault.BadModel},
		{"leaves", line("num_leaves", "2000000000"), "tree 0: leaf_value", fault.BadModel},
		{"decision", line("decision_type", "9 9 9 10 8 10 99"), "tree 0: decision_type", fault.BadModel},
		{"disagreement", line("decision_type", "9 9 8 10 8 10 10"), "feature 2", fault.Unsupported},
	} {
		_, err := Read([]byte(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.CodeOf(err) != c.code {
			t.Errorf("%s: %s %v, want %q", c.name, fault.CodeOf(err), err, c.want)
		}
	}
}
