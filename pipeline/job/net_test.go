package job

import (
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/infra/folder"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// described is a small net that somebody wrote down.
func described(t *testing.T, text string) *neural.Spec {
	t.Helper()
	s, err := neural.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

const smallNet = `{"layers": [{"type": "dense", "out_features": 16, "activation": "gelu"}], "epochs": 12, "batch_size": 16}`

// TestRetrainNet: a challenger of a net is the same net, trained on more rows; metrics are kept, the checkpoint is not.
func TestRetrainNet(t *testing.T) {
	b, err := folder.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t, b, registry.Open(b), dataset.Open(b)}
	p.train("penguins", load(t, "penguins/penguins.csv").Take(stride(0, 2)), Spec{Target: "species", Net: described(t, smallNet), Threads: 1}, false)
	p.put("inbox/penguins/more.csv", lines(t, stride(1, 2)))
	r := p.retrainer()
	r.Policy.Margin = 10
	if got := p.run(r, "inbox/penguins/more.csv"); got.Action != Promoted {
		t.Fatalf("%+v", got)
	}
	v, err := p.reg.Resolve(t.Context(), "penguins")
	if err != nil {
		t.Fatal(err)
	}
	if v.Summary.Estimator != "net" {
		t.Errorf("the challenger is a %s", v.Summary.Estimator)
	}
	if keys := p.keys("runs/penguins/"); len(keys) < 12 || strings.Contains(strings.Join(keys, " "), "checkpoint") {
		t.Errorf("the run left %v", keys)
	}
}

// TestEmbeddings: a column of thousands of categories, on which the target hangs, is learned through vectors; categories that were never seen are answered.
func TestEmbeddings(t *testing.T) {
	const cities, rows = 300, 6000
	tab := &table.Table{Rows: rows, Columns: []table.Column{
		{Field: table.Field{Name: "city", Kind: table.Text}, Dict: table.NewDict()},
		{Field: table.Field{Name: "warm", Kind: table.Text}, Dict: table.NewDict()},
		{Field: table.Field{Name: "noise", Kind: table.Number}},
	}}
	for i := range rows {
		city := (i * 7919) % cities
		tab.Columns[0].Codes = append(tab.Columns[0].Codes, tab.Columns[0].Dict.Code("city "+strings.Repeat("x", city%17)+string(rune('a'+city%26))+string(rune('a'+city/26))))
		tab.Columns[1].Codes = append(tab.Columns[1].Codes, tab.Columns[1].Dict.Code([]string{"no", "yes"}[city*city%7%2]))
		tab.Columns[2].Numbers = append(tab.Columns[2].Numbers, float64(i%97))
	}
	out := mustTrain(t, tab, Spec{Target: "warm", Model: "mlp", Threads: 2, Seed: 1, Net: &neural.Spec{Type: neural.MLP}})
	if a := out.Card.Metrics.Holdout["accuracy"]; a < .98 {
		t.Errorf("accuracy %v", a)
	}
	if out.Card.Provenance.Estimator != "mlp" || out.Card.Provenance.Config["net"] == nil {
		t.Errorf("trained by %s, configured %v", out.Card.Provenance.Estimator, out.Card.Provenance.Config)
	}
}

// TestWrongNets: what a net cannot look at is said with what to do.
func TestWrongNets(t *testing.T) {
	data := load(t, "penguins/penguins.csv")
	for name, c := range map[string]struct {
		spec Spec
		says string
	}{
		"nothing to look at": {Spec{Model: "cnn"}, "no column of images, sequences or texts"},
		"no such column":     {Spec{Net: &neural.Spec{Type: neural.RNN, Column: "song"}}, `no column "song"`},
		"the target":         {Spec{Net: &neural.Spec{Type: neural.RNN, Column: "species"}}, "to look at"},
		"a number":           {Spec{Net: &neural.Spec{Type: neural.RNN, Column: "year"}}, "taken for number"},
		"layers of images":   {Spec{Net: described(t, `{"layers": [{"type": "conv2d", "out_channels": 4}]}`)}, "4 dimensions"},
		"a rate of 1e9":      {Spec{Net: described(t, `{"layers": [{"type": "dense", "out_features": 64}, {"type": "dense", "out_features": 64}, {"type": "dense", "out_features": 64}], "optimizer": {"name": "sgd", "lr": 1e9, "clip_grad_norm": 1e30}}`)}, "diverged"},
	} {
		s := c.spec
		s.Target, s.Threads = "species", 1
		_, err := Train(t.Context(), data, s, nil)
		if err == nil || !strings.Contains(err.Error(), c.says) || fault.CodeOf(err) == fault.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWeights: rows of weight 0 teach nothing, every estimator and net alike; a column of weights is no input; bad ones are said with their row.
func TestWeights(t *testing.T) {
	const rows = 1200
	x, weight, label := make([]float64, rows), make([]float64, rows), make([]string, rows)
	for i := range rows {
		x[i], label[i] = float64(i%100), "high"
		if i%3 != 0 {
			continue // lies that do not count, though they are the most
		}
		if weight[i] = 1; x[i] < 50 {
			label[i] = "low"
		}
	}
	data := table.New(table.Numbers("x", x), table.Numbers("w", weight), table.Texts("label", label))
	for name, s := range map[string]Spec{
		"linear": {Model: "linear"}, "boost": {Model: "boost"}, "net": {Net: described(t, `{"layers": [{"type": "dense", "out_features": 32, "activation": "relu"}], "epochs": 20}`)},
	} {
		s.Target, s.Weight, s.Threads = "label", "w", 1
		out := mustTrain(t, data, s)
		if in := out.Card.Signature.Inputs; len(in) != 1 || in[0].Name != "x" {
			t.Errorf("%s has the inputs %v", name, in)
		}
		m, err := predict.Open(out.Artifact)
		if err != nil {
			t.Fatal(err)
		}
		answers, err := m.Rows(t.Context(), []map[string]any{{"x": 20.}, {"x": 80.}})
		if err != nil || answers.Labels[0] != "low" || answers.Labels[1] != "high" {
			t.Errorf("%s answers %v, %v", name, answers.Labels, err)
		}
	}
	weight[7] = -1
	if _, err := Train(t.Context(), data, Spec{Target: "label", Weight: "w"}, nil); err == nil || !strings.Contains(err.Error(), "row 8 has the weight -1") {
		t.Errorf("a weight below 0: %v", err)
	}
}
