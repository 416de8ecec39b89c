package onnx

import (
	"bytes"
	"slices"
	"strconv"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
)

// longNode is a node with long lists of all three kinds.
func longNode(domain string) *graph.Node {
	n := &graph.Node{Domain: domain, Op: "TreeEnsembleRegressor", Outputs: []graph.Value{"y"}}
	var ints []int64
	var floats []float32
	var strs []string
	for i := range int64(longList + 3) {
		ints, floats, strs = append(ints, i*i*i*i*(i%3-1)), append(floats, float32(i)/3), append(strs, strconv.Itoa(int(i/2%7)))
	}
	n.Attrs = []graph.Attr{graph.IntsAttr("i", ints...), graph.FloatsAttr("f", floats), graph.StringsAttr("s", strs)}
	return n
}

// Long lists of a forest stay in the file, give the same elements, and are written as they were read. Elsewhere they are slices.
func TestLongLists(t *testing.T) {
	for _, domain := range []string{graph.ML, ""} {
		n := longNode(domain)
		g := graph.New("g")
		g.Nodes = []*graph.Node{n}
		file, err := Encode(&graph.Model{IRVersion: 8, Opsets: map[string]int64{"": 17, graph.ML: 3}, Graph: g})
		if err != nil {
			t.Fatal(err)
		}
		m, err := Decode(file, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got := m.Graph.Nodes[0]
		for i, a := range got.Attrs {
			if (a.List != nil) != (domain == graph.ML) || a.Len() != n.Attrs[i].Len() {
				t.Errorf("%q: attribute %s is a list: %v, of %d elements", domain, a.Name, a.List != nil, a.Len())
			}
		}
		if !slices.Equal(got.Ints("i"), n.Ints("i")) || !slices.Equal(got.Floats("f"), n.Floats("f")) || !slices.Equal(got.Strs("s"), n.Strs("s")) {
			t.Errorf("%q: other elements", domain)
		}
		if again, err := Encode(m); err != nil || !bytes.Equal(again, file) {
			t.Errorf("%q: %v, or other bytes", domain, err)
		}
		got.Attrs[0].Unpack()
		if got.Attrs[0].List != nil || !slices.Equal(got.Attrs[0].Ints, n.Ints("i")) {
			t.Errorf("%q: unpacked to other elements", domain)
		}
	}
}

// A list may go on after another field, or packed, or be broken at its end.
func TestBrokenLists(t *testing.T) {
	var run writer
	for range longList {
		run.int(8, 300)
	}
	var packed writer
	packed.bytes(8, []byte{1, 2})
	attr := func(parts ...[]byte) (graph.Attr, error) {
		var w writer
		w.text(1, "i")
		w.buf = append(w.buf, bytes.Join(parts, nil)...)
		w.int(20, int64(graph.AttrInts))
		d, err := newDecoder(w.buf, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return d.attr(field{wire: wireBytes, b: w.buf})
	}
	a, err := attr(run.buf, packed.buf, run.buf)
	if want := slices.Concat(slices.Repeat([]int64{300}, longList), []int64{1, 2}, slices.Repeat([]int64{300}, longList)); err != nil || a.List != nil || !slices.Equal(a.Ints, want) {
		t.Errorf("in three parts: %v, %d elements", err, a.Len())
	}
	var doc writer
	doc.text(13, "doc")
	if a, err = attr(run.buf, doc.buf, run.buf); err != nil || a.Len() != 2*longList {
		t.Errorf("in two parts: %v, %d elements", err, a.Len())
	}
	var floats writer
	floats.float(7, 1)
	if _, err = attr(run.buf, floats.buf); err == nil {
		t.Error("floats in a list of integers pass")
	}
	if _, err = attr(run.buf, []byte{intsKey, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}); err == nil {
		t.Error("an overlong number passes")
	}
}
