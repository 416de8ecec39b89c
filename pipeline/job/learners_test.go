package job

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
)

// TestEveryLearner: each model that has a name learns penguins by it, better than the baseline, and those that learn numbers learn these.
func TestEveryLearner(t *testing.T) {
	data := load(t, "penguins/penguins.csv")
	for _, l := range learners {
		for _, c := range []struct {
			target, metric string
			ok             bool
		}{{"species", "accuracy", l.classes != nil}, {"body_mass_g", "r2", l.numbers != nil}} {
			if l.name == "mlp" && testing.Short() || l.name == "gaussian_process" && (testing.Short() || c.target == "species") {
				continue
			}
			out, err := Train(t.Context(), data, Spec{Target: c.target, Model: l.name, Seed: 1}, nil)
			if !c.ok {
				if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), l.name) {
					t.Errorf("%s on %s: %v", l.name, c.target, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s on %s: %v", l.name, c.target, err)
				continue
			}
			if got, base := out.Card.Metrics.Holdout[c.metric], out.Card.Metrics.Baseline[c.metric]; got < base+.2 || out.Card.Provenance.Estimator != l.name {
				t.Errorf("%s on %s: %s %v, baseline %v", out.Card.Provenance.Estimator, c.target, c.metric, got, base)
			}
		}
	}
}

// TestParams: hyper-parameters reach the model and its provenance, and a retraining asks for the same.
func TestParams(t *testing.T) {
	params := map[string]any{"n_estimators": 3, "max_depth": 2.0, "objective": "reg:gamma", "monotone_constraints": map[string]any{"flipper_length_mm": 1}}
	out, err := Train(t.Context(), load(t, "penguins/penguins.csv"), Spec{Target: "body_mass_g", Model: "boost", Params: params}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kept := out.Card.Provenance.Config["parameters"].(map[string]any)
	if kept["n_estimators"] != 3.0 || kept["objective"] != "reg:gamma" {
		t.Errorf("the provenance has %v", kept)
	}
	asked, err := (&upload{Retrainer: &Retrainer{}, champion: &predict.Model{Card: out.Card}}).spec(dataset.Version{})
	if err != nil || asked.Params["max_depth"] != 2.0 {
		t.Errorf("a retraining asks for %v, %v", asked.Params, err)
	}
	for _, c := range []struct {
		model, hint string
		params      map[string]any
	}{
		{"boost", "max_depth", map[string]any{"max_deep": 3}},
		{"boost", "max_depth=8", map[string]any{"max_depth": "three"}},
		{"auto", "--model boost", map[string]any{"max_depth": 3}},
		{"lda", "shrinkage", map[string]any{"max_depth": 3}},
	} {
		_, err := Train(t.Context(), load(t, "penguins/penguins.csv"), Spec{Target: "species", Model: c.model, Params: c.params}, nil)
		if f := (*fault.Error)(nil); !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != "param" || !strings.Contains(f.Hint, c.hint) {
			t.Errorf("%s %v: %v", c.model, c.params, err)
		}
	}
	if !slices.Contains(Models(), "knn") || ForTables("mlp") || !ForTables("knn") {
		t.Error("names of models")
	}
}
