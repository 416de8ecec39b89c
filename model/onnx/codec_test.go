package onnx

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// goldens are files of the packages onnx and skl2onnx, made by test/goldens/make_codec_goldens.py.
func goldens(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, pattern := range []string{"testdata/*.onnx", "../testdata/*.onnx"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("no goldens in %s: %v", pattern, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.Base(name)] = b
		}
	}
	return files
}

// TestGoldens reads files of other writers, writes them and reads them again: nothing may change. With JARVIS_CODEC_OUT
// set it keeps what it wrote there, for make_codec_goldens.py --check.
func TestGoldens(t *testing.T) {
	out := os.Getenv("JARVIS_CODEC_OUT")
	for name, file := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			first, err := Decode(file, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			written, err := Encode(first)
			if err != nil {
				t.Fatal(err)
			}
			second, err := Decode(written, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			again, err := Encode(second)
			if err != nil || !bytes.Equal(written, again) {
				t.Errorf("Encode is not deterministic (%v)", err)
			}
			nameNaN(first.Graph)
			nameNaN(second.Graph)
			if !reflect.DeepEqual(first, second) {
				t.Error("the model changed on its way through Encode and Decode")
			}
			if out != "" {
				if err := os.WriteFile(filepath.Join(out, name), written, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// nameNaN puts a number in the place of NaN in float attributes, for reflect.DeepEqual.
func nameNaN(g *graph.Graph) {
	for _, n := range g.Nodes {
		for i := range n.Attrs {
			if n.Attrs[i].Float != n.Attrs[i].Float {
				n.Attrs[i].Float = 12345
			}
		}
	}
}

// TestTypedFields compares each tensor of everything.onnx that lies in a typed field with its twin in raw_data.
func TestTypedFields(t *testing.T) {
	m, err := Decode(goldens(t)["everything.onnx"], Limits{})
	if err != nil {
		t.Fatal(err)
	}
	pairs := 0
	for name, typed := range m.Graph.Initializers {
		suffix, ok := strings.CutPrefix(string(name), "typed_")
		if !ok {
			continue
		}
		pairs++
		raw := m.Graph.Initializers[graph.Value("raw_"+suffix)]
		if raw == nil || !bytes.Equal(raw.Bytes(), typed.Bytes()) || raw.Type().String() != typed.Type().String() {
			t.Errorf("%s: typed field and raw data differ", suffix)
		}
	}
	if pairs != 15 {
		t.Errorf("%d pairs, want one for each of 15 numeric types", pairs)
	}
	strs := m.Graph.Initializers["strings"]
	if want := []string{"a", "", "ä→", "\xff"}; !slices.Equal(strs.Str(), want) || !slices.Equal(strs.Shape(), []int{2, 2}) {
		t.Errorf("strings %q %v", strs.Str(), strs.Shape())
	}
	if s := m.Graph.Initializers["scalar"]; s.Rank() != 0 || s.F32()[0] != 42 {
		t.Errorf("scalar %v", s)
	}
	if e := m.Graph.Initializers["empty"]; e.Len() != 0 || !slices.Equal(e.Shape(), []int{0, 3}) {
		t.Errorf("empty %v", e.Shape())
	}
}

// TestEverything checks the fields that Decode gave against what the golden's script put there.
func TestEverything(t *testing.T) {
	m, err := Decode(goldens(t)["everything.onnx"], Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if m.IRVersion != 8 || m.Producer != "goldens" || m.ProducerVersion != "1" || m.Domain != "org.test" || m.Version != -3 || m.Doc != "a model" {
		t.Errorf("head %+v", m)
	}
	if !maps.Equal(m.Opsets, map[string]int64{"": 17, "test": 1}) || !maps.Equal(m.Metadata, map[string]string{"a": "1", "b": "2", "empty": ""}) {
		t.Errorf("opsets %v, metadata %v", m.Opsets, m.Metadata)
	}
	types := map[string]string{"x": "float32(batch, 3, ?)", "c": "bool()"}
	for _, p := range m.Graph.Inputs[:2] {
		if p.Type.Tensor.String() != types[string(p.Name)] {
			t.Errorf("%s is %s", p.Name, p.Type.Tensor)
		}
	}
	seq, mp, opt := m.Graph.Inputs[2].Type, m.Graph.Inputs[3].Type, m.Graph.Inputs[4].Type
	if seq.Kind != graph.SequenceKind || seq.Elem.Tensor.String() != "string(2)" || mp.Kind != graph.MapKind ||
		mp.Tensor.DType != tensor.Int64 || mp.Elem.Tensor.String() != "float32()" || opt.Kind != graph.OptionalKind || opt.Elem.Tensor.String() != "float16(…)" {
		t.Errorf("containers %+v %+v %+v", seq, mp, opt)
	}
	n := m.Graph.Nodes[0]
	if n.Name != "kinds" || n.Domain != "test" || n.Doc != "every kind" || !slices.Equal(n.Inputs, []graph.Value{"x", "", "scalar"}) ||
		!slices.Equal(n.Outputs, []graph.Value{"", "y", ""}) {
		t.Errorf("node %+v", n)
	}
	if n.Float("f", 0) != -1.5 || n.Int("i", 0) != -7 || n.Str("s", "") != "text" || !slices.Equal(n.Ints("iis"), []int64{1, -1 << 63, 0}) ||
		!slices.Equal(n.Floats("fs"), []float32{1, -0.5}) || !slices.Equal(n.Strs("ss"), []string{"a", "", "b"}) {
		t.Errorf("attributes %+v", n.Attrs)
	}
	if s := n.Attr("sp").Sparse; !slices.Equal(s.Dims, []int{2, 3}) || !slices.Equal(s.Indices.I64(), []int64{1, 5}) || s.Values.F32()[1] != 2 {
		t.Errorf("sparse %+v", s)
	}
	if len(n.Attr("graphs").Graphs) != 2 || n.Attr("g").Graph.Nodes[0].Op != "Neg" || n.Attr("none").Kind != graph.AttrInts ||
		n.Attr("tp").Type.Tensor.String() != "float32(1, n, ?)" || n.Attr("tps").Types[0].Elem.Tensor.DType != tensor.Int64 {
		t.Errorf("attributes %+v", n.Attrs)
	}
	f := m.Functions[0]
	if f.Name != "Twice" || f.Domain != "test" || !slices.Equal(f.Attributes, []string{"by"}) || f.Nodes[0].Attrs[0].Ref != "by" || f.Opsets[""] != 17 || f.Defaults[0].Int != 3 {
		t.Errorf("function %+v", f)
	}
}

func TestTensorFile(t *testing.T) {
	b, err := os.ReadFile("testdata/tensor.pb")
	if err != nil {
		t.Fatal(err)
	}
	x, err := DecodeTensor(b)
	if err != nil {
		t.Fatal(err)
	}
	if x.Type().String() != "float32(2, 3)" || !slices.Equal(x.F32(), []float32{0, 1, 2, 3, 4, 5}) {
		t.Fatalf("%s %v", x.Type(), x.F32())
	}
	if !bytes.Equal(EncodeTensor("input_0", x), b) {
		t.Error("EncodeTensor writes other bytes than the package onnx")
	}
}

// TestWeightsStayInTheFile holds that loading does not copy raw data.
func TestWeightsStayInTheFile(t *testing.T) {
	b := graph.NewBuilder("big")
	x := b.Input("x", tensor.Rows(tensor.Float32, 1<<20))
	b.Output("y", b.Op("MatMul", x, b.Floats("w", make([]float32, 1<<20), 1<<20, 1)), tensor.Rows(tensor.Float32, 1))
	file, err := Encode(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	// Raw data may start at any byte of a file.
	for shift := range 4 {
		buf := append(make([]byte, shift, len(file)+shift), file...)[shift:]
		m, err := Decode(buf, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		w := m.Graph.Initializers["w"].Bytes()
		before := w[0]
		for i := range buf {
			buf[i]++
		}
		if w[0] == before {
			t.Errorf("the weights were copied, %d bytes off", shift)
		}
	}
}

func TestRefusals(t *testing.T) {
	node := func(fill func(w *writer)) []byte { // a model of one node with one attribute
		w := &writer{}
		w.int(1, 8)
		_ = w.message(8, func() error { w.int(2, 17); return nil })
		_ = w.message(7, func() error {
			return w.message(1, func() error {
				w.text(4, "Op")
				return w.message(5, func() error { w.text(1, "a"); fill(w); return nil })
			})
		})
		return w.buf
	}
	tensorAttr := func(fill func(w *writer)) []byte {
		return node(func(w *writer) { _ = w.message(5, func() error { fill(w); return nil }) })
	}
	deep := &writer{}
	var nest func(n int) error
	nest = func(n int) error {
		if n == 0 {
			return nil
		}
		return deep.message(4, func() error { return deep.message(1, func() error { return nest(n - 1) }) })
	}
	_ = nest(1000)
	cases := []struct {
		name  string
		file  []byte
		code  fault.Code
		field string
	}{
		{"empty", nil, fault.BadModel, ""},
		{"text", []byte("this is no model"), fault.BadModel, ""},
		{"png", []byte("\x89PNG\r\n\x1a\n"), fault.BadModel, ""},
		{"no value", node(func(w *writer) { w.int(20, 4) }), fault.BadModel, "graph.node[0].attribute[0]"},
		{"no type", node(func(w *writer) {}), fault.BadModel, "graph.node[0].attribute[0]"},
		{"other type", node(func(w *writer) { w.int(20, 1); w.int(3, 1) }), fault.BadModel, "graph.node[0].attribute[0]"},
		{"float as bytes", node(func(w *writer) { w.text(2, "x") }), fault.BadModel, "graph.node[0].attribute[0].f"},
		{"deep type", node(func(w *writer) { w.bytes(14, deep.buf) }), fault.BadModel, ""},
		{"huge dims", tensorAttr(func(w *writer) { w.int(1, 1<<60); w.int(2, 1) }), fault.TooLarge, "graph.node[0].attribute[0].t.dims"},
		{"product of dims", tensorAttr(func(w *writer) {
			for range 4 {
				w.int(1, 1<<30)
			}
			w.int(2, 1)
		}), fault.BadModel, "graph.node[0].attribute[0].t.dims"},
		{"negative dims", tensorAttr(func(w *writer) { w.int(1, -1); w.int(2, 1) }), fault.BadModel, "graph.node[0].attribute[0].t.dims"},
		{"short raw data", tensorAttr(func(w *writer) { w.int(1, 1000); w.int(2, 1); w.text(9, "abcd") }), fault.BadModel, "graph.node[0].attribute[0].t.raw_data"},
		{"no data", tensorAttr(func(w *writer) { w.int(1, 1000); w.int(2, 1) }), fault.BadModel, "graph.node[0].attribute[0].t.raw_data"},
		{"no strings", tensorAttr(func(w *writer) { w.int(1, 1<<30); w.int(2, 8) }), fault.BadModel, "graph.node[0].attribute[0].t.string_data"},
		{"wrong field", tensorAttr(func(w *writer) { w.int(1, 1); w.int(2, 1); w.int(7, 1) }), fault.BadModel, "graph.node[0].attribute[0].t.int64_data"},
		{"out of range", tensorAttr(func(w *writer) { w.int(1, 1); w.int(2, 2); w.int(5, 256) }), fault.BadModel, "graph.node[0].attribute[0].t.int32_data"},
		{"int4", tensorAttr(func(w *writer) { w.int(1, 3); w.int(2, 22); w.text(9, "a") }), fault.BadModel, "graph.node[0].attribute[0].t.raw_data"},
		{"type of the future", tensorAttr(func(w *writer) { w.int(1, 1); w.int(2, 99); w.text(9, "a") }), fault.Unsupported, "graph.node[0].attribute[0].t.data_type"},
		{"external data", tensorAttr(func(w *writer) { w.int(1, 1); w.int(2, 1); w.text(8, "w"); w.int(14, 1) }), fault.Unsupported, "graph.node[0].attribute[0].t.external_data"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, err := Decode(c.file, Limits{})
			if m != nil || !fault.Is(err, c.code) {
				t.Fatalf("got %v, want code %s", err, c.code)
			}
			if e := (*fault.Error)(nil); c.field != "" && (!errors.As(err, &e) || e.Field != c.field) {
				t.Errorf("%v, want field %q", err, c.field)
			}
		})
	}
	if _, err := Decode(goldens(t)["logistic.onnx"], Limits{MaxNodes: 3}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("more nodes than the limit: %v", err)
	}
	if _, err := Decode(goldens(t)["logistic.onnx"], Limits{MaxBytes: 100}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("more bytes than the limit: %v", err)
	}
}

func TestEncodeRefusals(t *testing.T) {
	g := func(change func(g *graph.Graph)) *graph.Model {
		g := graph.New("g")
		change(g)
		return &graph.Model{Graph: g}
	}
	for name, m := range map[string]*graph.Model{
		"nil model":   nil,
		"no graph":    {},
		"nil tensor":  g(func(g *graph.Graph) { g.Initializers["w"] = nil }),
		"zero tensor": g(func(g *graph.Graph) { g.Initializers["w"] = new(tensor.Tensor) }),
		"nil node":    g(func(g *graph.Graph) { g.Nodes = append(g.Nodes, nil) }),
		"attr kind":   g(func(g *graph.Graph) { g.Nodes = []*graph.Node{{Op: "A", Attrs: []graph.Attr{{Name: "a"}}}} }),
		"nil subgraph": g(func(g *graph.Graph) {
			g.Nodes = []*graph.Node{{Op: "A", Attrs: []graph.Attr{{Name: "a", Kind: graph.AttrGraph}}}}
		}),
	} {
		if _, err := Encode(m); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
