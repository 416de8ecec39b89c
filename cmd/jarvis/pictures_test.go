package main

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// A folder of pictures, one picture and a table that names pictures are predicted; a picture that is broken is named.
func TestPredictPictures(t *testing.T) {
	s := newShell(t)
	b := graph.NewBuilder("grey")
	x := b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, b.Input("image", tensor.Rows(tensor.Uint8, tensor.Free, tensor.Free, 1)))
	b.Output("prediction", b.OpWith("ReduceMax", []graph.Attr{graph.IntsAttr("axes", 1, 2), graph.IntAttr("keepdims", 0)}, x), tensor.Rows(tensor.Float32, 1))
	m := b.Model()
	var err error
	if m.Metadata, err = (card.Card{Signature: card.Signature{Task: "regression", Target: "y", Inputs: []card.Input{
		{Name: "image", Type: "uint8", Kind: card.Image, Shape: []int{-1, -1, 1}},
	}}}).Encode(); err != nil {
		t.Fatal(err)
	}
	file, err := onnx.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("grey.onnx", file)
	for name, v := range map[string]uint8{"photos/a/1.png": 10, "photos/a/2.png": 20, "photos/b/1.png": 30} {
		p := image.NewGray(image.Rect(0, 0, int(v), 4))
		p.SetGray(2, 2, color.Gray{Y: v})
		var data strings.Builder
		if err := png.Encode(&data, p); err != nil {
			t.Fatal(err)
		}
		write(name, []byte(data.String()))
	}
	write("photos/table/list.csv", []byte("image,n\n../a/1.png,1\n"))
	write("list.csv", []byte("image,n\nphotos/b/1.png,1\nphotos/a/2.png,2\n"))
	for data, want := range map[string]string{
		"photos/a": "prediction\n10\n20\n", "photos/b/1.png": "prediction\n30\n", "list.csv": "prediction\n30\n20\n",
	} {
		if got := s.do("predict", "grey.onnx", data); got != want {
			t.Errorf("%s: %q", data, got)
		}
	}
	if r := s.try("", "predict", "grey.onnx", "photos/table"); r.code == 0 || !strings.Contains(r.stderr, "outside of the data's folder") {
		t.Errorf("a file outside is opened: %+v", r)
	}
	if err := os.RemoveAll("photos/table"); err != nil {
		t.Fatal(err)
	}
	write("photos/b/2.png", []byte("\x89PNG\r\n\x1a\n"))
	if r := s.try("", "predict", "grey.onnx", "photos"); r.code == 0 || !strings.Contains(r.stderr, "b/2.png: must be a picture") {
		t.Errorf("a broken picture: %+v", r)
	}
}
