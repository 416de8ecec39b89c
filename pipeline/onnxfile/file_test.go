package onnxfile

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// entry is a StringStringEntryProto, and field a length-delimited field of a message, in protobuf's wire format.
func entry(key, value string) []byte {
	return append(field(1, []byte(key)), field(2, []byte(value))...)
}

func field(num int, b []byte) []byte {
	return append([]byte{byte(num<<3 | 2), byte(len(b))}, b...)
}

// addModel is y = x + w, where w, two float32, lies at a place that the entries tell.
func addModel(entries ...[]byte) []byte {
	w := []byte{0x08, 2, 0x10, 1} // dims, data_type
	w = append(w, field(8, []byte("w"))...)
	for _, e := range entries {
		w = append(w, field(13, e)...)
	}
	w = append(w, 0x70, 1) // data_location
	typ := field(2, field(1, []byte{0x08, 1, 0x12, 4, 0x0a, 2, 0x08, 2}))
	node := append(append(append(field(1, []byte("x")), field(1, []byte("w"))...), field(2, []byte("y"))...), field(4, []byte("Add"))...)
	g := append(append(append(append(field(1, node), field(2, []byte("g"))...), field(5, w)...), field(11, append(field(1, []byte("x")), typ...))...), field(12, append(field(1, []byte("y")), typ...))...)
	return append(append([]byte{0x08, 8}, field(7, g)...), field(8, []byte{0x10, 17})...)
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

var weights = []byte{9, 9, 9, 9, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40} // four bytes that are not meant, then 1 and 2

func TestExternalData(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "data", "w.bin"), weights)
	name := write(t, filepath.Join(dir, "m.onnx"), addModel(entry("location", "data/w.bin"), entry("offset", "4"), entry("length", "8")))
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := model.Load(f.Bytes, f.Option())
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(context.Background(), map[string]*tensor.Tensor{"x": tensor.Floats([]float32{10, 20})})
	if err != nil {
		t.Fatal(err)
	}
	if y := out["y"].F32(); y[0] != 11 || y[1] != 22 {
		t.Errorf("got %v", y)
	}
}

// What a file says about where its data lies cannot be trusted.
func TestExternalDataStaysInTheFolder(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "models")
	secret := write(t, filepath.Join(root, "secret"), weights)
	write(t, filepath.Join(dir, "w.bin"), weights)
	if err := os.Symlink(secret, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	cases := map[string][][]byte{
		"above":          {entry("location", "../secret")},
		"absolute":       {entry("location", secret)},
		"link":           {entry("location", "link")},
		"folder":         {entry("location", ".")},
		"none":           {entry("offset", "0")},
		"missing":        {entry("location", "nothing.bin")},
		"beyond":         {entry("location", "w.bin"), entry("offset", "8")},
		"far beyond":     {entry("location", "w.bin"), entry("offset", "9223372036854775807")},
		"negative":       {entry("location", "w.bin"), entry("offset", "-4")},
		"another length": {entry("location", "w.bin"), entry("length", "12")},
	}
	for name, entries := range cases {
		f, err := Open(write(t, filepath.Join(dir, "m.onnx"), addModel(entries...)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.Load(f.Bytes, f.Option()); !fault.Is(err, fault.BadModel) {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
