package job

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"strconv"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/infra/folder"
	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/tune"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// mustTune has a model go on learning.
func mustTune(t *testing.T, data *table.Table, s Spec, how Tuning) *Outcome {
	t.Helper()
	s.Threads = 1
	out, err := FineTune(t.Context(), data, s, how, nil)
	if err != nil {
		t.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	if _, err := predict.Open(out.Artifact, model.Threads(1)); err != nil {
		t.Fatal(err)
	}
	return out
}

// young is a net that has learned little.
func young(t *testing.T, target string) []byte {
	t.Helper()
	net := described(t, `{"layers": [{"type": "dense", "out_features": 16, "activation": "relu"}, {"type": "batch_norm"}], "epochs": 1, "batch_size": 16}`)
	return mustTrain(t, load(t, "penguins/penguins.csv").Take(stride(0, 2)), Spec{Target: target, Net: net, Threads: 1}).Artifact
}

// TestFineTune: an artifact of Jarvis's own goes on learning what it learned, its columns and classes as they were; with a new last layer it learns another target.
func TestFineTune(t *testing.T) {
	file := young(t, "species")
	how := Tuning{Model: file, Name: "young.onnx"}
	how.Epochs, how.Optimizer.LR = 20, 5e-3
	out := mustTune(t, load(t, "penguins/penguins.csv").Take(stride(1, 2)), Spec{}, how)
	if a := out.Card.Metrics.Holdout["accuracy"]; a < .9 {
		t.Errorf("accuracy %v", a)
	}
	if s := out.Card.Signature; s.Target != "species" || len(s.Classes) != 3 || out.Card.Provenance.Estimator != FineTuned {
		t.Errorf("%+v by %s", s, out.Card.Provenance.Estimator)
	}
	again := mustTune(t, load(t, "penguins/penguins.csv").Take(stride(0, 2)), Spec{}, Tuning{Model: out.Artifact, Config: how.Config})
	if len(again.Card.Signature.Inputs) != len(out.Card.Signature.Inputs) || len(again.Artifact) > len(out.Artifact)+2000 {
		t.Errorf("the artifact of an artifact has %d inputs and %d bytes, before %d and %d", len(again.Card.Signature.Inputs), len(again.Artifact), len(out.Card.Signature.Inputs), len(out.Artifact))
	}
	how.Head, how.Freeze = true, []string{"layers.0*"}
	data := load(t, "penguins/penguins.csv")
	both := table.Column{Field: table.Field{Name: "kind", Kind: table.Text}, Dict: table.NewDict()}
	for i := range data.Rows {
		both.Codes = append(both.Codes, both.Dict.Code(data.Column("species").Text(i)+" "+strconv.Itoa(int(data.Column("year").Numbers[i]))))
	}
	data.Columns = append(data.Columns, both)
	other := mustTune(t, data, Spec{Target: "kind"}, how)
	if len(other.Card.Signature.Classes) != 9 || len(other.Card.Provenance.Dropped) != 1 {
		t.Errorf("classes %v, left out %v", other.Card.Signature.Classes, other.Card.Provenance.Dropped)
	}
}

// TestFineTuneNumbers: a regression answers in the unit of its target, with its own last layer and with a new one.
func TestFineTuneNumbers(t *testing.T) {
	file := young(t, "body_mass_g")
	how := Tuning{Model: file}
	how.Epochs, how.Optimizer.LR = 20, 1e-2
	out := mustTune(t, load(t, "penguins/penguins.csv"), Spec{}, how)
	if m, b := out.Card.Metrics.Holdout["rmse"], out.Card.Metrics.Baseline["rmse"]; !(m < .6*b) {
		t.Errorf("rmse %v, that of the mean %v", m, b)
	}
	data := load(t, "penguins/penguins.csv")
	wide := table.Column{Field: table.Field{Name: "tenths", Kind: table.Number}}
	for _, v := range data.Column("flipper_length_mm").Numbers {
		wide.Numbers = append(wide.Numbers, 10*v)
	}
	data.Columns = append(data.Columns, wide)
	how.Head = true
	out = mustTune(t, data, Spec{Target: "tenths"}, how)
	if m, b := out.Card.Metrics.Holdout["rmse"], out.Card.Metrics.Baseline["rmse"]; !(m < .6*b) {
		t.Errorf("with a new layer: rmse %v, that of the mean %v", m, b)
	}
}

// outside is a model of opset 9 that takes four numbers.
func outside(t *testing.T) []byte {
	t.Helper()
	b := graph.NewBuilder("outside")
	x := b.Input("float_input", tensor.Rows(tensor.Float32, 4))
	w, v := make([]float32, 32), make([]float32, 24)
	for i := range w {
		w[i] = float32(i%5-2) / 100
	}
	for i := range v {
		v[i] = float32(i%7-3) / 10
	}
	h := b.OpWith("Clip", []graph.Attr{graph.FloatAttr("min", 0), graph.FloatAttr("max", 60)}, b.Op("MatMul", x, b.Floats("first", w, 4, 8)))
	b.Output("p", b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, b.Op("MatMul", h, b.Floats("last", v, 8, 3))), tensor.Rows(tensor.Float32, 3))
	m := b.Model()
	m.Opsets[""] = 9
	file, err := onnx.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestFineTuneForeign: the columns of numbers are given to a model of numbers, nodes of its opset stand beside Jarvis's, and weights learn beside matrices.
func TestFineTuneForeign(t *testing.T) {
	data := load(t, "penguins/penguins.csv")
	var rows []int
	for i := range data.Rows {
		if !data.Column("bill_length_mm").Missing(i) {
			rows = append(rows, i)
		}
	}
	data = data.Take(rows)
	kept := data.Columns[:0]
	for _, c := range data.Columns {
		if c.Name != "year" {
			kept = append(kept, c)
		}
	}
	data.Columns = kept
	least := map[string]float64{"whole": .1, "head": .1, "lora": 0} // the matrices of this one are too few for much
	for name, how := range map[string]Tuning{"whole": {}, "lora": {LoRA: tune.LoRA{Rank: 4}}, "head": {Head: true, Freeze: []string{"*"}}} {
		how.Model, how.Epochs, how.Optimizer.LR = outside(t), 40, 1e-2
		ahead := false
		out, err := FineTune(t.Context(), data, Spec{Target: "species", Threads: 1}, how, func(e Event) { ahead = ahead || strings.Contains(e.Message, "once for each row") })
		if err != nil {
			t.Fatalf("%s: %v (%s)", name, err, fault.HintOf(err))
		}
		if ahead != (name == "head") {
			t.Errorf("%s: what is frozen is computed once: %v", name, ahead)
		}
		if a, b := out.Card.Metrics.Holdout["accuracy"], out.Card.Metrics.Baseline["accuracy"]; !(a >= b+least[name]) || len(out.Card.Signature.Inputs) != 4 {
			t.Errorf("%s: accuracy %v, of the most frequent %v; inputs %v", name, a, b, out.Card.Signature.Inputs)
		}
	}
	for what, c := range map[string]struct {
		spec Spec
		how  Tuning
		says string
	}{
		"missing":     {Spec{Target: "species"}, Tuning{Model: outside(t)}, "has no value"},
		"too few":     {Spec{Target: "bill_length_mm"}, Tuning{Model: outside(t)}, "which column is for the input float_input"},
		"own target":  {Spec{Target: "species"}, Tuning{Model: young(t, "island")}, "takes the column that is to be learned"},
		"other width": {Spec{Target: "sex"}, Tuning{Model: outside(t)}, "the model gives 3 numbers, the data have 2 classes"},
		"all frozen":  {Spec{Target: "species"}, Tuning{Model: outside(t), Freeze: []string{"*"}}, "frozen"},
		"no model":    {Spec{Target: "species"}, Tuning{Model: []byte("nonsense")}, ""},
	} {
		some := data
		if what == "missing" {
			some = load(t, "penguins/penguins.csv")
			some.Columns = some.Columns[:len(some.Columns)-1]
		}
		c.spec.Threads = 1
		_, err := FineTune(t.Context(), some, c.spec, c.how, nil)
		if err == nil || !strings.Contains(err.Error(), c.says) || fault.CodeOf(err) == fault.Internal {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestRetrainFineTuned: a model that was fine-tuned goes on learning when more rows arrive.
func TestRetrainFineTuned(t *testing.T) {
	b, err := folder.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t, b, registry.Open(b), dataset.Open(b)}
	data := load(t, "penguins/penguins.csv").Take(stride(0, 2))
	how := Tuning{Model: young(t, "species"), Head: true, Freeze: []string{"layers.0*"}}
	how.Epochs, how.Optimizer.LR = 20, 1e-2
	out := mustTune(t, data, Spec{}, how)
	if _, err := Publish(t.Context(), p.reg, "penguins", out, PublishOptions{Who: "test"}); err != nil {
		t.Fatal(err)
	}
	if _, err := KeepData(t.Context(), p.set, "penguins", data, nil, "test", "test"); err != nil {
		t.Fatal(err)
	}
	p.put("inbox/penguins/more.csv", lines(t, stride(1, 2)))
	r := p.retrainer()
	r.Policy.Margin = 10
	if got := p.run(r, "inbox/penguins/more.csv"); got.Action != Promoted {
		t.Fatalf("%+v", got)
	}
	if v, err := p.reg.Resolve(t.Context(), "penguins"); err != nil || v.Summary.Estimator != FineTuned {
		t.Errorf("the challenger is a %s, %v", v.Summary.Estimator, err)
	}
}

// TestFineTunePictures: a model of pictures takes a column of them, not square, and what comes of it goes on learning from such a column.
func TestFineTunePictures(t *testing.T) {
	b := graph.NewBuilder("pictures")
	x := b.Input("x", tensor.Type{DType: tensor.Float32, Dims: []tensor.Dim{{Size: tensor.Free}, {Size: 3}, {Size: tensor.Free}, {Size: tensor.Free}}})
	w := make([]float32, 4*3*9)
	for i := range w {
		w[i] = float32(i%7-3) / 10
	}
	h := b.Op("Relu", b.OpWith("Conv", []graph.Attr{graph.IntsAttr("strides", 2, 2)}, x, b.Floats("filters", w, 4, 3, 3, 3)))
	b.Output("y", b.Op("GlobalAveragePool", h), tensor.Type{DType: tensor.Float32, Unranked: true})
	file, err := onnx.Encode(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	photo, colour := table.Column{Field: table.Field{Name: "photo", Kind: table.Text}, Dict: table.NewDict()}, table.Column{Field: table.Field{Name: "colour", Kind: table.Text}, Dict: table.NewDict()}
	for i := range 60 {
		m := image.NewNRGBA(image.Rect(0, 0, 20+i%9, 12+i%5))
		for k := range m.Pix {
			m.Pix[k] = byte(40 + (k*i*7)%90)
			if k%4 == i%2*2 || k%4 == 3 {
				m.Pix[k] = 255
			}
		}
		var text bytes.Buffer
		if err := png.Encode(&text, m); err != nil {
			t.Fatal(err)
		}
		photo.Codes = append(photo.Codes, photo.Dict.Code(base64.StdEncoding.EncodeToString(text.Bytes())))
		colour.Codes = append(colour.Codes, colour.Dict.Code([]string{"red", "blue"}[i%2]))
	}
	data := &table.Table{Rows: 60, Columns: []table.Column{photo, colour}}
	how := Tuning{Model: file, Head: true, Pictures: neural.PictureOptions{Height: 8, Width: 16}}
	how.Epochs, how.Optimizer.LR = 15, 2e-2
	out := mustTune(t, data, Spec{Target: "colour"}, how)
	if in := out.Card.Signature.Inputs; out.Card.Metrics.Holdout["accuracy"] < .9 || len(in) != 1 || in[0].Kind != card.Image {
		t.Errorf("%v, inputs %v", out.Card.Metrics.Holdout, in)
	}
	how = Tuning{Model: out.Artifact}
	how.Epochs = 2
	if again := mustTune(t, data, Spec{}, how); again.Card.Metrics.Holdout["accuracy"] < .9 {
		t.Errorf("%v", again.Card.Metrics.Holdout)
	}
}
