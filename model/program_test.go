package model_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// golden is a model of skl2onnx with inputs and the outputs of onnxruntime (test/goldens/make_codec_goldens.py).
type golden struct {
	file    []byte
	inputs  map[string]*tensor.Tensor
	outputs map[string]json.RawMessage
}

func load(t testing.TB, name string) golden {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var raw struct{ Inputs, Outputs map[string]json.RawMessage }
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	g := golden{file: file, inputs: map[string]*tensor.Tensor{}, outputs: raw.Outputs}
	for name, column := range raw.Inputs {
		var words [][]string
		var numbers [][]float32
		if json.Unmarshal(column, &words) == nil {
			g.inputs[name] = tensor.Strings(slices.Concat(words...), len(words), 1)
		} else if err := json.Unmarshal(column, &numbers); err == nil {
			g.inputs[name] = tensor.Floats(slices.Concat(numbers...), len(numbers), 1)
		} else {
			t.Fatal(err)
		}
	}
	return g
}

// check compares outputs with onnxruntime's: labels exactly, probabilities within 1e-5.
func (g golden) check(t *testing.T, out map[string]*tensor.Tensor) {
	t.Helper()
	var labels []string
	var probabilities [][]float64
	if json.Unmarshal(g.outputs["label"], &labels) != nil || json.Unmarshal(g.outputs["probabilities"], &probabilities) != nil {
		t.Fatal("the golden file has other outputs")
	}
	if !slices.Equal(out["label"].Str(), labels) {
		t.Errorf("labels %v, want %v", out["label"].Str(), labels)
	}
	want := slices.Concat(probabilities...)
	got := out["probabilities"].F32()
	if len(got) != len(want) {
		t.Fatalf("%d probabilities, want %d", len(got), len(want))
	}
	for i, w := range want {
		if math.Abs(float64(got[i])-w) > 1e-5 {
			t.Fatalf("probability %d is %g, want %g", i, got[i], w)
		}
	}
}

func TestGoldens(t *testing.T) {
	for _, name := range []string{"logistic", "forest"} {
		t.Run(name, func(t *testing.T) {
			g := load(t, name)
			p, err := model.Load(g.file)
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.Run(context.Background(), g.inputs)
			if err != nil {
				t.Fatal(err)
			}
			g.check(t, out)
		})
	}
}

// TestConcurrentRuns runs one program from several goroutines; under the race detector it finds shared state.
func TestConcurrentRuns(t *testing.T) {
	g := load(t, "logistic")
	p, err := model.Load(g.file, model.Threads(1))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				out, err := p.Run(context.Background(), g.inputs)
				if err != nil {
					t.Error(err)
					return
				}
				g.check(t, out)
			}
		})
	}
	wg.Wait()
}

func TestWrongInputs(t *testing.T) {
	g := load(t, "logistic")
	p, err := model.Load(g.file)
	if err != nil {
		t.Fatal(err)
	}
	rows := g.inputs["sex"].Len()
	cases := []struct {
		name    string
		change  func(in map[string]*tensor.Tensor)
		field   string
		message string
	}{
		{"missing", func(in map[string]*tensor.Tensor) { delete(in, "sex") }, "sex", "the input is missing, want string(?, 1)"},
		{"nil", func(in map[string]*tensor.Tensor) { in["sex"] = nil }, "sex", "the input is missing, want string(?, 1)"},
		{"zero tensor", func(in map[string]*tensor.Tensor) { in["sex"] = new(tensor.Tensor) }, "sex", "got undefined(), want string(?, 1)"},
		{"type", func(in map[string]*tensor.Tensor) { in["sex"] = tensor.New(tensor.Float64, rows, 1) }, "sex", "got float64("},
		{"rank", func(in map[string]*tensor.Tensor) { in["sex"] = tensor.New(tensor.String, rows) }, "sex", "want string(?, 1)"},
		{"length", func(in map[string]*tensor.Tensor) { in["sex"] = tensor.New(tensor.String, rows, 2) }, "sex", "want string(?, 1)"},
		{"extra", func(in map[string]*tensor.Tensor) { in["zz"], in["age"] = in["sex"], in["sex"] }, "age", "no such input"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := map[string]*tensor.Tensor{}
			for k, v := range g.inputs {
				in[k] = v
			}
			c.change(in)
			_, err := p.Run(context.Background(), in)
			var e *fault.Error
			if !errors.As(err, &e) || e.Code != fault.Invalid || e.Field != c.field || !strings.Contains(e.Message, c.message) || e.Hint == "" {
				t.Fatalf("got %#v", err)
			}
		})
	}
}

// TestRowsMustAgree: without the check, an input of one row would be broadcast over those of many.
func TestRowsMustAgree(t *testing.T) {
	b := graph.NewBuilder("sum")
	x, y := b.Input("x", tensor.Rows(tensor.Float32, 1)), b.Input("y", tensor.Rows(tensor.Float32, 1))
	b.Output("z", b.Op("Add", x, y), tensor.Rows(tensor.Float32, 1))
	p, err := model.FromGraph(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Run(context.Background(), map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 3, 1), "y": tensor.New(tensor.Float32, 1, 1)})
	if e := (*fault.Error)(nil); !errors.As(err, &e) || e.Field != "y" || e.Message != "dimension 0 (rows) is 1, in x it is 3" {
		t.Fatalf("got %v", err)
	}
}

// TestInputsWithValue: files before IR version 4 list every initializer as an input too.
func TestInputsWithValue(t *testing.T) {
	b := graph.NewBuilder("scale")
	x := b.Input("x", tensor.Rows(tensor.Float32, 1))
	b.Output("y", b.Op("Mul", x, b.Floats("w", []float32{2}, 1)), tensor.Rows(tensor.Float32, 1))
	m := b.Model()
	m.Graph.Inputs = append([]graph.Port{{Name: "w", Type: graph.TensorOf(tensor.TypeOf(tensor.Float32, 1))}}, m.Graph.Inputs...)
	p, err := model.FromGraph(m)
	if err != nil {
		t.Fatal(err)
	}
	if in := p.Inputs(); len(in) != 1 || in[0].Name != "x" {
		t.Fatalf("inputs %v", in)
	}
	one := tensor.Floats([]float32{21}, 1, 1)
	out, err := p.Run(context.Background(), map[string]*tensor.Tensor{"x": one})
	if err != nil || out["y"].F32()[0] != 42 {
		t.Fatalf("%v %v", out, err)
	}
	_, err = p.Run(context.Background(), map[string]*tensor.Tensor{"x": one, "w": tensor.Floats([]float32{3})})
	if e := (*fault.Error)(nil); !errors.As(err, &e) || e.Field != "w" || !strings.Contains(e.Message, "in the model file") {
		t.Fatalf("got %v", err)
	}
}

func TestCodes(t *testing.T) {
	g := load(t, "logistic")
	p, err := model.Load(g.file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Run(ctx, g.inputs); !fault.Is(err, fault.Canceled) {
		t.Errorf("a canceled run: %v", err)
	}
	if _, err := model.Load(g.file[:len(g.file)/2]); !fault.Is(err, fault.BadModel) || fault.HintOf(err) == "" {
		t.Errorf("half a file: %v", err)
	}
	if _, err := model.Load(g.file, model.Limits(onnx.Limits{MaxBytes: 10})); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a file beyond the limit: %v", err)
	}
	if _, err := model.FromGraph(nil); !fault.Is(err, fault.BadModel) {
		t.Errorf("no model: %v", err)
	}
	if _, err := model.FromGraph(foreign()); !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "Telepathy") {
		t.Errorf("an unknown operator: %v", err)
	}
}

// foreign is a model with an operator that nobody has.
func foreign() *graph.Model {
	b := graph.NewBuilder("foreign")
	x := b.Input("x", tensor.Rows(tensor.Float32, 1))
	b.Output("y", b.Node("com.example", "Telepathy", []graph.Value{x}, 1)[0], tensor.Rows(tensor.Float32, 1))
	m := b.Model()
	m.Opsets["com.example"] = 3
	return m
}

func TestDescribe(t *testing.T) {
	g := load(t, "forest")
	d, err := model.Inspect(g.file)
	if err != nil {
		t.Fatal(err)
	}
	if !d.Runs || d.Problem != "" || len(d.Unsupported) != 0 || d.Bytes != int64(len(g.file)) || len(d.Inputs) != 6 || d.Nodes == 0 || d.Parameters == 0 {
		t.Errorf("%+v", d)
	}
	if !slices.ContainsFunc(d.Operators, func(o model.OperatorCount) bool {
		return o == model.OperatorCount{Domain: "ai.onnx.ml", Name: "TreeEnsembleClassifier", Count: 1}
	}) {
		t.Errorf("operators %v", d.Operators)
	}
	bad := model.Describe(foreign())
	if bad.Runs || !strings.Contains(bad.Problem, "Telepathy") || !slices.Equal(bad.Unsupported, []string{"com.example.Telepathy-3"}) {
		t.Errorf("%+v", bad)
	}
	if _, err := json.Marshal(bad); err != nil {
		t.Error(err)
	}
}

// What only the engine writes, a file may not hold: kernels of such operators trust what the engine has made sure of.
func TestPrivateOperatorsAreRefused(t *testing.T) {
	node := func(inner *graph.Graph) *graph.Graph {
		g := graph.New("g")
		g.Inputs = []graph.Port{{Name: "x", Type: graph.TensorOf(tensor.TypeOf(tensor.Bool))}}
		n := &graph.Node{Domain: "ai.jarvis", Op: "QuantAdd", Inputs: []graph.Value{"x"}, Outputs: []graph.Value{"y"}}
		if inner != nil {
			n = &graph.Node{Op: "If", Inputs: []graph.Value{"x"}, Outputs: []graph.Value{"y"}, Attrs: []graph.Attr{{Name: "then_branch", Kind: graph.AttrGraph, Graph: inner}, {Name: "else_branch", Kind: graph.AttrGraph, Graph: inner}}}
		}
		g.Nodes, g.Outputs = []*graph.Node{n}, []graph.Port{{Name: "y"}}
		return g
	}
	for _, g := range []*graph.Graph{node(nil), node(node(nil))} {
		file, err := onnx.Encode(&graph.Model{IRVersion: 10, Opsets: map[string]int64{"": 17, "ai.jarvis": 1}, Graph: g})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.Load(file); fault.CodeOf(err) != fault.Unsupported || !strings.Contains(err.Error(), "ai.jarvis.QuantAdd") {
			t.Errorf("%v", err)
		}
	}
}
