package server

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

// looking makes a regressor of one input of a kind: the mean over all numbers of a row.
func looking(t testing.TB, in card.Input, inner tensor.Type) []byte {
	t.Helper()
	b := graph.NewBuilder("looking")
	x := b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, b.Input(in.Name, inner))
	y := b.OpWith("ReduceMean", []graph.Attr{graph.IntsAttr("axes", 1), graph.IntAttr("keepdims", 1)}, b.OpWith("Flatten", []graph.Attr{graph.IntAttr("axis", 1)}, x))
	b.Output("prediction", y, tensor.Rows(tensor.Float32, 1))
	m := b.Model()
	var err error
	if m.Metadata, err = (card.Card{Signature: card.Signature{Task: "regression", Target: "y", Inputs: []card.Input{in}}}).Encode(); err != nil {
		t.Fatal(err)
	}
	return encoded(t, m)
}

// Pictures and sequences are answered over HTTP as rows and as tensors, and what is wrong with them is said.
func TestPredictPicturesAndSequences(t *testing.T) {
	f := newFixture(t, Options{})
	f.publish("photos", looking(t, card.Input{Name: "photo", Type: "uint8", Kind: card.Image, Shape: []int{-1, -1, 1}}, tensor.Rows(tensor.Uint8, tensor.Free, tensor.Free, 1)), registry.Champion)
	f.publish("series", looking(t, card.Input{Name: "s", Type: "float32", Kind: card.Sequence, Shape: []int{-1, 2}}, tensor.Rows(tensor.Float32, tensor.Free, 2)), registry.Champion)
	f.refresh()

	grey := image.NewGray(image.Rect(0, 0, 2, 3))
	grey.SetGray(1, 1, color.Gray{Y: 120})
	var file bytes.Buffer
	if err := png.Encode(&file, grey); err != nil {
		t.Fatal(err)
	}
	photo := base64.StdEncoding.EncodeToString(file.Bytes())
	for _, c := range []struct {
		path, body string
		want       float64
	}{
		{"/models/photos/predict", `{"rows":[{"photo":"` + photo + `"}]}`, 20},
		{"/models/photos/predict", `[{"photo":"data:image/png;base64,` + photo + `"}]`, 20},
		{"/models/series/predict", `[{"s":[[1,2],[3,6]]}]`, 3},
	} {
		var p predicted
		if f.ok(&p, "POST", c.path, c.body); len(p.Predictions) != 1 || p.Predictions[0].Prediction == nil || *p.Predictions[0].Prediction != c.want {
			t.Errorf("%.60s: %+v, want %v", c.body, p.Predictions, c.want)
		}
	}
	for _, c := range []struct{ path, body string }{
		{"/v2/models/photos/infer", `{"inputs":[{"name":"photo","shape":[1,2,3,1],"datatype":"UINT8","data":[0,0,0,120,0,0]}]}`},
		{"/v2/models/series/infer", `{"inputs":[{"name":"s","shape":[1,2,2],"datatype":"FP32","data":[20,20,20,20]}]}`},
	} {
		var p struct{ Outputs []struct{ Data []float64 } }
		if f.ok(&p, "POST", c.path, c.body); len(p.Outputs) != 1 || p.Outputs[0].Data[0] != 20 {
			t.Errorf("%s: %+v", c.path, p)
		}
	}
	for _, c := range []struct{ path, body, says string }{
		{"/models/photos/predict", `[{"photo":"/etc/x.png"}]`, "must be a picture"},
		{"/models/photos/predict", `[{"photo":"` + photo[:60] + `"}]`, "a broken picture"},
		{"/models/series/predict", `[{"s":[1,2]}]`, "a list of steps of 2 numbers"},
	} {
		a := f.do("POST", c.path, c.body)
		if p := a.problem(t); p.Code != "invalid" || !strings.Contains(a.body, c.says) || !strings.Contains(a.body, "rows[0].") {
			t.Errorf("%s: %d %s", c.body, a.StatusCode, a.body)
		}
	}
}
