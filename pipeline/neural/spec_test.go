package neural_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
)

// TestWrongSpecs: each mistake is said with its place.
func TestWrongSpecs(t *testing.T) {
	for text, want := range map[string]struct{ field, says string }{
		`{"type": "gan"}`: {"model.type", "no net of the type"},
		`{"layer": []}`:   {"model", `no setting "layer"`},
		`{"layers": [{"type": "dense", "n": 3}]}`: {"model.layers.0", "unknown field"},
		`{"layers": {}}`:                {"model.layers", "must be a list"},
		`{"validation_fraction": 1}`:    {"model.validation_fraction", "share"},
		`{"sequence": {"max_len": -1}}`: {"model.sequence.max_len", "above 0"},
		`{"seed": 3}`:                   {"model.seed", "whole training"},
		`{"epochs": "many"}`:            {"model", "epochs"},
	} {
		_, err := neural.Decode([]byte(text))
		var f *fault.Error
		if !errors.As(err, &f) || f.Field != want.field || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestSchema: every setting that Decode takes stands in the schema, and every type of layer.
func TestSchema(t *testing.T) {
	net, _ := json.Marshal(neural.Schema())
	for _, setting := range []string{`"layers":{"$ref":"#/$defs/layers"}`, `"batch_size":{"type":"integer"}`, `"betas":{"items":{"type":"number"},"maxItems":2`, `"lr":{"type":"number"}`, `"max_len"`, `"additionalProperties":false`} {
		if !strings.Contains(string(net), setting) {
			t.Errorf("the schema lacks %s", setting)
		}
	}
	layers, _ := json.Marshal(neural.LayersSchema())
	for name := range nn.Types() {
		if !strings.Contains(string(layers), `"const":"`+name+`"`) {
			t.Errorf("the schema of layers lacks %s", name)
		}
	}
}

// TestDocs: docs/nets.md names every layer, and its example is a net.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/nets.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range nn.Types() {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/nets.md lacks the layer %s", name)
		}
	}
	_, example, _ := strings.Cut(string(text), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	var whole struct {
		Model map[string]any `yaml:"model"`
	}
	if err := yaml.Unmarshal([]byte(example), &whole); err != nil {
		t.Fatal(err)
	}
	net, _ := json.Marshal(whole.Model)
	if s, err := neural.Decode(net); err != nil || s.Image.Size != 8 || s.Epochs != 20 {
		t.Errorf("%+v, %v", s, err)
	}
}
