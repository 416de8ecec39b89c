package onnx

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// FuzzDecode holds that no file makes Decode panic, and that what it accepts is written and read back unchanged.
func FuzzDecode(f *testing.F) {
	for _, file := range goldens(f) {
		f.Add(file)
		for _, cut := range []int{1, 7, len(file) / 2, len(file) - 1} {
			f.Add(file[:cut])
		}
		for i := 0; i < len(file); i += max(1, len(file)/8) {
			flipped := bytes.Clone(file)
			flipped[i] ^= 1 << (i % 8)
			f.Add(flipped)
		}
	}
	f.Add(nested(70))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := Decode(file, Limits{MaxTensorElements: 1 << 24})
		if err != nil {
			return
		}
		first, err := Encode(m)
		if err != nil {
			t.Fatalf("a decoded model cannot be written: %v", err)
		}
		m, err = Decode(first, Limits{MaxTensorElements: 1 << 24})
		if err != nil {
			t.Fatalf("a written model cannot be read: %v", err)
		}
		second, err := Encode(m)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("written twice, the files differ (%v)", err)
		}
	})
}

// FuzzTensor is FuzzDecode for single tensors.
func FuzzTensor(f *testing.F) {
	f.Add(EncodeTensor("a", tensor.Floats([]float32{1, 2})))
	f.Add(EncodeTensor("b", tensor.Strings([]string{"x", ""})))
	f.Add([]byte{0x08, 0x02, 0x10, 0x02, 0x2a, 0x02, 0x01, 0x05}) // uint8 (2) in packed int32_data
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := DecodeTensor(b)
		if err != nil {
			return
		}
		first := EncodeTensor("n", x)
		y, err := DecodeTensor(first)
		if err != nil || !bytes.Equal(EncodeTensor("n", y), first) {
			t.Fatalf("a tensor changed on its way: %v", err)
		}
	})
}

// nested makes a model of n graphs, each in an attribute of the only node of the one before.
func nested(n int) []byte {
	g := graph.New("inner")
	for range n {
		outer := graph.New("g")
		outer.Nodes = []*graph.Node{{Op: "If", Attrs: []graph.Attr{{Name: "b", Kind: graph.AttrGraph, Graph: g}}}}
		g = outer
	}
	file, err := Encode(&graph.Model{IRVersion: 8, Opsets: map[string]int64{"": 17}, Graph: g})
	if err != nil {
		panic(err)
	}
	return file
}

func TestDepth(t *testing.T) {
	if _, err := Decode(nested(60), Limits{}); err != nil {
		t.Errorf("60 levels: %v", err)
	}
	if _, err := Decode(nested(70), Limits{}); err == nil {
		t.Error("70 levels were read, the default limit is 64")
	}
}

// TestMemoryBound feeds files made of the smallest messages there are, which blow up most, and holds the bound that the
// package comment gives.
func TestMemoryBound(t *testing.T) {
	const size = 1 << 20
	repeat := func(wrap func(w *writer, body []byte), unit []byte) []byte {
		w := &writer{}
		w.int(1, 8)
		wrap(w, bytes.Repeat(unit, size/len(unit)))
		return w.buf
	}
	inGraph := func(w *writer, body []byte) { w.bytes(7, body) }
	inAttr := func(w *writer, body []byte) {
		_ = w.message(7, func() error { return w.message(1, func() error { w.bytes(5, body); return nil }) })
	}
	cases := map[string][]byte{
		"nodes":       repeat(inGraph, []byte{0x0a, 0x03, 0x22, 0x01, 'A'}),
		"empty nodes": repeat(inGraph, []byte{0x0a, 0x00}),
		"graphs":      repeat(inAttr, []byte{0x5a, 0x00}),
		"tensors":     repeat(inAttr, []byte{0x52, 0x02, 0x10, 0x01}),
		"strings":     repeat(inAttr, []byte{0x4a, 0x00}),
		"ints":        repeat(inAttr, []byte{0x40, 0x00}),
		"ports":       repeat(inGraph, []byte{0x5a, 0x03, 0x0a, 0x01, 'x'}),
		"types":       repeat(inAttr, []byte{0x7a, 0x00}),
		"functions":   repeat(func(w *writer, body []byte) { w.buf = append(w.buf, body...) }, []byte{0xca, 0x01, 0x03, 0x0a, 0x01, 'f'}),
		"attributes":  repeat(func(w *writer, b []byte) { _ = w.message(7, func() error { w.bytes(1, b); return nil }) }, []byte{0x2a, 0x05, 0x0a, 0x01, 'a', 0x18, 0x01}),
	}
	for name, file := range cases {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(file, Limits{})
		runtime.ReadMemStats(&after)
		times := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(file))
		if times > 128 {
			t.Errorf("%s: allocated %.0f times the size of the file", name, times)
		}
		t.Logf("%s: %.0f times (%v)", name, times, err)
	}
}

// FuzzValue is FuzzTensor for sequences, optionals and maps.
func FuzzValue(f *testing.F) {
	scalar := EncodeTensor("", tensor.New(tensor.Float32))
	field := func(num byte, b []byte) []byte { return append([]byte{num<<3 | wireBytes, byte(len(b))}, b...) }
	list := append(field(3, scalar), field(3, scalar)...)
	f.Add(list, uint8(graph.SequenceKind))
	f.Add(field(3, scalar), uint8(graph.OptionalKind))
	f.Add(field(5, list), uint8(graph.OptionalKind))
	f.Add(append(append(field(4, []byte("a")), field(4, []byte("b"))...), field(5, list)...), uint8(graph.MapKind))
	f.Add(field(6, append([]byte{3 << 3, 7}, field(5, field(3, scalar))...)), uint8(graph.SequenceKind))
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		v, err := DecodeValue(b, graph.Kind(kind%4))
		if (v == nil) == (err == nil) {
			t.Fatalf("a value %v and an error %v", v, err)
		}
	})
}
