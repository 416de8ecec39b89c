package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func (s shell) setting(key string, args ...string) setting {
	s.Helper()
	var all []setting
	out := s.do(append([]string{"--json", "config", "show"}, args...)...)
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		s.Fatal(err)
	}
	for _, one := range all {
		if one.Key == key {
			return one
		}
	}
	s.Fatalf("config show has no %s", key)
	return setting{}
}

// Flags win over the file, the file over the environment, that over the default; config show says which it was.
func TestPrecedence(t *testing.T) {
	s := newShell(t)
	check := func(want setting, args ...string) {
		t.Helper()
		if got := s.setting(want.Key, args...); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	check(setting{"train.seed", "0", "default"}, "train")
	t.Setenv("JARVIS_SEED", "1")
	check(setting{"train.seed", "1", "environment JARVIS_SEED"}, "train")
	s.write("jarvis.yaml", "train: {seed: 2, time-limit: 90s, data: some.csv}\nserve: {token: secret, margin: 0.05, watch: false}\nbucket: ./b\n")
	check(setting{"train.seed", "2", "file jarvis.yaml"}, "train")
	check(setting{"train.seed", "3", "flag"}, "train", "--seed", "3")
	check(setting{"train.time-limit", "90s", "file jarvis.yaml"}, "train")
	check(setting{"train.data", "some.csv", "file jarvis.yaml"}, "train")
	check(setting{"train.data", "x.csv", "argument"}, "train", "x.csv")
	check(setting{"serve.token", "(hidden)", "file jarvis.yaml"})
	check(setting{"serve.watch", "false", "file jarvis.yaml"})
	check(setting{"bucket", "./b", "file jarvis.yaml"}, "models", "list")
	s.write("other.yaml", "train: {seed: 5}\n")
	check(setting{"train.seed", "5", "file other.yaml"}, "--config", "other.yaml", "train")
	t.Setenv("JARVIS_CONFIG", "other.yaml")
	check(setting{"train.seed", "5", "file other.yaml"}, "train")
}

// The whole of a training can stand in the file, and is used.
func TestTrainByFile(t *testing.T) {
	s := newShell(t)
	s.write("jarvis.yaml", "bucket: ./models\nquiet: true\ntrain:\n  data: "+s.penguins()+"\n  target: species\n  model: linear\n  name: from-file\n  holdout: 0.3\n")
	var got struct {
		Model string
		Rows  int
	}
	s.json(&got, "train")
	if got.Model != "from-file/1" || len(s.files("models")) == 0 || len(s.files(".jarvis")) != 0 {
		t.Errorf("%+v, files %v", got, s.files("."))
	}
	if m := s.do("models", "list"); !strings.Contains(m, "from-file") {
		t.Errorf("the bucket of the file holds %s", m)
	}
}

// A key that no setting has is refused with its name and the nearest one.
func TestWrongKeys(t *testing.T) {
	s := newShell(t)
	for text, want := range map[string]string{
		"train: {tagret: y}":     "train.tagret is not a setting\n        did you mean target?",
		"train: {time_limit: 5}": "did you mean time-limit?",
		"target: y":              "did you mean train.target?",
		"trian: {target: y}":     "trian is not a setting\n        did you mean train?",
		"zzzzzzzz: 1":            "zzzzzzzz is not a setting\n        'jarvis config schema'",
		"train: 5":               "train is a section",
		"train: [":               "not a valid configuration file",
		"train: {seed: many}":    "--seed",
		"train: {task: magic}":   "--task must be one of",
		"config: c.yaml":         "config",
		"bucket: a\nbucket: b":   "not a valid configuration file",
		"- a\n- b":               "not a valid configuration file",
	} {
		s.write("jarvis.yaml", text)
		r := s.try("", "train", s.penguins(), "--target", "species", "--out", "x.onnx")
		if r.code != 2 || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: exit %d:\n%s", text, r.code, r.stderr)
		}
	}
	s.write("jarvis.yaml", "")
	s.do("version")
}

// node is the part of JSON Schema that the printed schema uses.
type node struct {
	Type                 string
	Properties           map[string]*node
	AdditionalProperties *bool
	Enum                 []string
	Pattern              string
	Default              any
	Description          string
}

// The schema describes each setting that config show lists, with a default of its own type, and refuses others.
func TestSchema(t *testing.T) {
	s := newShell(t)
	var root node
	if err := json.Unmarshal([]byte(s.do("config", "schema")), &root); err != nil {
		t.Fatal(err)
	}
	var all []setting
	s.json(&all, "config", "show")
	for _, one := range all {
		at := &root
		for part := range strings.SplitSeq(one.Key, ".") {
			if at.AdditionalProperties == nil || *at.AdditionalProperties || at.Type != "object" {
				t.Fatalf("%s: the section above allows anything", one.Key)
			}
			if at = at.Properties[part]; at == nil {
				t.Fatalf("the schema has no %s", one.Key)
			}
		}
		if at.Description == "" || strings.Contains(at.Description, "${") {
			t.Errorf("%s is described as %q", one.Key, at.Description)
		}
		if text, ok := at.Default.(string); ok && at.Pattern != "" && !regexp.MustCompile(at.Pattern).MatchString(text) {
			t.Errorf("the default %q of %s breaks its own pattern", text, one.Key)
		}
		ok := at.Default == nil
		switch at.Default.(type) {
		case string:
			ok = at.Type == "string" || at.Type == "" // a setting that may have parts
		case bool:
			ok = at.Type == "boolean"
		case float64:
			ok = at.Type == "number" || at.Type == "integer"
		}
		if !ok {
			t.Errorf("%s is a %s with the default %v", one.Key, at.Type, at.Default)
		}
	}
}
