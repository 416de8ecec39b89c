package xgboost

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
)

func models(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	paths, _ := filepath.Glob("../testdata/models/*")
	for _, path := range paths {
		if strings.HasSuffix(path, ".txt") {
			continue
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = file
	}
	if len(out) < 20 {
		t.Fatalf("%d models", len(out))
	}
	return out
}

// FuzzRead holds that no file makes Read panic, and that what it accepts can be walked and written.
func FuzzRead(f *testing.F) {
	for name, file := range models(f) {
		if len(file) > 6000 {
			continue
		}
		f.Add(file)
		f.Add(file[:len(file)/2])
		if strings.HasSuffix(name, "json") {
			f.Add([]byte(strings.Replace(string(file), "-1", "7", 3)))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		e, err := Read(file, Options{Best: true})
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
	good := string(models(t)["old17_logistic.json"])
	replace := func(old, by string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("there is no %s in the model", old)
		}
		return strings.Replace(good, old, by, 1)
	}
	for _, c := range []struct {
		name, file, want string
		code             fault.Code
	}{
		{"empty", "", "no model", fault.Unsupported},
		{"binary", "binf\x00\x00", "no model", fault.Unsupported},
		{"cut off", good[:2000], "byte", fault.BadModel},
		{"linear", replace(`"name":"gbtree"`, `"name":"gblinear"`), "gblinear", fault.Unsupported},
		{"objective", replace("binary:logistic", "my:own"), "learner.objective.name", fault.Unsupported},
		{"base", replace(`"base_score":"3E-1"`, `"base_score":"2"`), "base_score", fault.BadModel},
		{"base of another length", replace(`"base_score":"3E-1"`, `"base_score":"[1,2]"`), "base_score", fault.BadModel},
		{"child", replace(`"left_children":[1,`, `"left_children":[99,`), "trees[0]: node 0: child 99", fault.BadModel},
		{"circle", replace(`"left_children":[1,`, `"left_children":[0,`), "trees[0]: node 0: child 0", fault.BadModel},
		{"feature", replace(`"split_indices":[`, `"split_indices":[12`), "trees[0].split_indices", fault.BadModel},
		{"short list", replace(`"default_left":[`, `"default_left":[1,`), "trees[0].default_left", fault.BadModel},
		{"features", replace(`"num_feature":"6","num_target"`, `"num_feature":"2147483647","num_target"`), "learner_model_param", fault.BadModel},
		{"deep", strings.Repeat(`{"a":`, 100), "nested", fault.BadModel},
		{"deep UBJSON", "{" + strings.Repeat("U\x01a{", 100), "nested", fault.BadModel},
		{"long UBJSON", "{U\x01a[$L#L\x00\x00\x00\x00\x7f\x00\x00\x00", "length", fault.BadModel},
		{"weightless UBJSON", "{U\x01a[$T#U\x0f", "no room", fault.BadModel},
	} {
		_, err := Read([]byte(c.file), Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.CodeOf(err) != c.code {
			t.Errorf("%s: %s %v, want %q", c.name, fault.CodeOf(err), err, c.want)
		}
	}
}

// TestMemory feeds files of the smallest values there are, which take most memory.
func TestMemory(t *testing.T) {
	const n = 1 << 18
	for name, file := range map[string]string{
		"json objects": `{"a":[` + strings.Repeat("{},", n) + "{}]}",
		"json numbers": `{"a":[` + strings.Repeat("1,", n) + "1]}",
		"ubj objects":  "{U\x01a[" + strings.Repeat("{}", n) + "]}",
		"ubj bytes":    "{U\x01a[$U#l\x00\x04\x00\x00" + strings.Repeat("x", n) + "}",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read([]byte(file), Options{})
		runtime.ReadMemStats(&after)
		times := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(file))
		if t.Logf("%s: %.0f times (%v)", name, times, err); times > 200 || err == nil {
			t.Errorf("%s: allocated %.0f times the size of the file (%v)", name, times, err)
		}
	}
}

// TestBest: rounds behind the best are dropped if asked for.
func TestBest(t *testing.T) {
	file := strings.Replace(string(models(t)["xgb_quantiles.json"]), `"attributes":{}`, `"attributes":{"best_iteration":"1"}`, 1)
	all, err := Read([]byte(file), Options{})
	if err != nil {
		t.Fatal(err)
	}
	best, err := Read([]byte(file), Options{Best: true})
	if err != nil || len(all.Trees) != 6 || len(best.Trees) != 4 {
		t.Errorf("%d trees of %d (%v)", len(best.Trees), len(all.Trees), err)
	}
}
