package tune_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/fit/tune"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// foreign is a model of opset 11 as an exporter may write it: a weight in a Constant node, weights of one name in both branches of an If that depends on
// the data, a Softmax at the end.
func foreign() *graph.Model {
	branch := func(factor float32) *graph.Graph {
		g := graph.New("branch")
		w := tensor.New(tensor.Float32, 4, 3)
		for i := range w.F32() {
			w.F32()[i] = factor * float32(i%5-2)
		}
		g.Initializers["weight"] = w
		g.Nodes = []*graph.Node{{Op: "MatMul", Inputs: []graph.Value{"h", "weight"}, Outputs: []graph.Value{"z"}}}
		g.Outputs = []graph.Port{{Name: "z", Type: graph.TensorOf(tensor.Rows(tensor.Float32, 3))}}
		return g
	}
	g := graph.New("foreign")
	g.Inputs = []graph.Port{{Name: "x", Type: graph.TensorOf(tensor.Rows(tensor.Float32, 2))}, {Name: "which", Type: graph.TensorOf(tensor.TypeOf(tensor.Int64))}}
	g.Initializers["one"] = scalar(tensor.Int64, 1)
	g.Nodes = []*graph.Node{
		{Op: "Constant", Outputs: []graph.Value{"first"}, Attrs: []graph.Attr{graph.TensorAttr("value", tensor.Floats([]float32{1, -1, .5, 0, 0, 1, -.5, 2}, 2, 4))}},
		{Op: "Equal", Inputs: []graph.Value{"which", "one"}, Outputs: []graph.Value{"yes"}},
		{Op: "MatMul", Name: "encoder/product", Inputs: []graph.Value{"x", "first"}, Outputs: []graph.Value{"a"}},
		{Op: "Tanh", Inputs: []graph.Value{"a"}, Outputs: []graph.Value{"h"}},
		{Op: "If", Inputs: []graph.Value{"yes"}, Outputs: []graph.Value{"logits"}, Attrs: []graph.Attr{
			{Name: "then_branch", Kind: graph.AttrGraph, Graph: branch(.1)}, {Name: "else_branch", Kind: graph.AttrGraph, Graph: branch(.2)},
		}},
		{Op: "Softmax", Inputs: []graph.Value{"logits"}, Outputs: []graph.Value{"y"}, Attrs: []graph.Attr{graph.IntAttr("axis", 1)}},
	}
	g.Outputs = []graph.Port{{Name: "y", Type: graph.TensorOf(tensor.Rows(tensor.Float32, 3))}}
	return &graph.Model{IRVersion: 6, Opsets: map[string]int64{"": 11}, Graph: g}
}

func scalar(d tensor.DType, v int64) *tensor.Tensor {
	t := tensor.New(tensor.Int64)
	t.I64()[0] = v
	if d == tensor.Float64 {
		t = tensor.New(tensor.Float64)
		tensor.Data[float64](t)[0] = float64(v)
	}
	return t
}

// chosen fixes which branch is taken.
func chosen(v int64) map[string]*tensor.Tensor {
	return map[string]*tensor.Tensor{"which": scalar(tensor.Float64, v)}
}

// sectors are points and the third of the plane that they lie in.
func sectors(rows int) *train.Memory {
	r := rand.New(rand.NewPCG(1, 2))
	x, y := tensor.New(tensor.Float32, rows, 2), tensor.New(tensor.Int64, rows)
	for i := range rows {
		a, b := r.NormFloat64(), r.NormFloat64()
		x.F32()[2*i], x.F32()[2*i+1] = float32(a), float32(b)
		switch {
		case a > 0 && b > 0:
			y.I64()[i] = 1
		case b < 0:
			y.I64()[i] = 2
		}
	}
	return &train.Memory{In: []*tensor.Tensor{x}, Target: y}
}

func open(t *testing.T, m *graph.Model, o tune.Options) *tune.Model {
	t.Helper()
	n, err := tune.Open(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func answers(t *testing.T, g *graph.Graph, in ...*tensor.Tensor) []float32 {
	t.Helper()
	p, err := exec.Compile(&graph.Model{IRVersion: 8, Opsets: map[string]int64{"": 17}, Graph: g}, exec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out[0].F32()
}

// learn takes some epochs and returns the loss of the first and the last.
func learn(t *testing.T, n *tune.Model, data *train.Memory, epochs int, lr float64) (first, last float64) {
	t.Helper()
	c := train.Config{Epochs: epochs, Optimizer: optim.Config{LR: lr}}
	if n.Binary {
		c.Loss = train.BCE
	}
	if _, err := train.Run(context.Background(), n.Net, data, nil, c, train.Hooks{Report: func(p train.Progress) {
		if last = p.Loss; p.Epoch == 1 {
			first = p.Loss
		}
	}}); err != nil {
		t.Fatal(err)
	}
	return first, last
}

// refused checks that a model is refused with a hint, and that message, field and hint say certain words.
func refused(t *testing.T, m *graph.Model, o tune.Options, code fault.Code, words ...string) {
	t.Helper()
	_, err := tune.Open(m, o)
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != code || fault.HintOf(err) == "" {
		t.Fatalf("%v", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error()+" "+fault.HintOf(err), w) {
			t.Errorf("%q does not say %q", err.Error()+"; "+fault.HintOf(err), w)
		}
	}
}

// TestOpen: a model of another opset learns on; what learns, by which branch the fixed input takes. The model that was opened stays.
func TestOpen(t *testing.T) {
	data := sectors(300)
	for which, factor := range map[int64]float32{1: .1, 0: .2} {
		m := foreign()
		n := open(t, m, tune.Options{Outputs: 3, Fix: chosen(which)})
		if len(n.Net.Params) != 2 || len(n.Net.Graph.Inputs) != 1 {
			t.Fatalf("%v learn, of %v", n.Net.Params, n.Net.Graph.Inputs)
		}
		if w := n.Net.Graph.Initializers[n.Net.Params[1]].F32()[0]; w != -2*factor {
			t.Errorf("the branch of %v was taken for %d", w, which)
		}
		if _, last := learn(t, n, data, 30, .02); last > .5 {
			t.Errorf("loss %v", last)
		}
		if w := m.Graph.Nodes[0].Attrs[0].Tensor.F32(); w[0] != 1 || w[7] != 2 {
			t.Error("the model that was opened has changed")
		}
	}
}

// TestBranches: an If that is not decided keeps both branches, and the weights of both learn.
func TestBranches(t *testing.T) {
	n := open(t, foreign(), tune.Options{Outputs: 3})
	if len(n.Net.Params) != 3 {
		t.Fatalf("%v learn", n.Net.Params)
	}
	data := sectors(40)
	got := answers(t, n.Net.Graph, data.In[0], scalar(tensor.Int64, 0))
	if want := answers(t, open(t, foreign(), tune.Options{Outputs: 3, Fix: chosen(0)}).Net.Graph, data.In[0]); !slices.Equal(got, want) {
		t.Error("lifting has changed the model")
	}
}

// TestFreeze: what is frozen stays, by the name of a weight or of a node; when nothing is left, or a pattern fits nothing, that is said.
func TestFreeze(t *testing.T) {
	n := open(t, foreign(), tune.Options{Outputs: 3, Freeze: []string{"enc*"}, Fix: chosen(1)})
	if len(n.Net.Params) != 1 {
		t.Fatalf("%v learn", n.Net.Params)
	}
	learn(t, n, sectors(64), 2, .02)
	if w := n.Net.Graph.Initializers["first"].F32(); w[0] != 1 || w[7] != 2 {
		t.Error("a frozen weight has moved")
	}
	refused(t, foreign(), tune.Options{Outputs: 3, Freeze: []string{"*"}, Fix: chosen(1)}, fault.Invalid, "frozen", "first")
	refused(t, foreign(), tune.Options{Outputs: 3, Freeze: []string{"decoder.*"}, Fix: chosen(1)}, fault.Invalid, "decoder.*", "first")
}

// TestRefusals: each names what is wrong and what there is instead.
func TestRefusals(t *testing.T) {
	refused(t, foreign(), tune.Options{Outputs: 5, Fix: chosen(1)}, fault.Invalid, "the model gives 3 numbers, the data have 5 classes", "head")
	refused(t, foreign(), tune.Options{Outputs: 3, Output: "z"}, fault.Invalid, `"z"`, "y")
	refused(t, foreign(), tune.Options{Outputs: 3, Fix: map[string]*tensor.Tensor{"sr": scalar(tensor.Float64, 1)}}, fault.Invalid, `"sr"`, "x, which")
	two := foreign()
	two.Graph.Outputs = append(two.Graph.Outputs, graph.Port{Name: "h", Type: graph.TensorOf(tensor.Rows(tensor.Float32, 4))})
	refused(t, two, tune.Options{Outputs: 3}, fault.Invalid, "several outputs", "y, h")
	refused(t, trees(), tune.Options{Outputs: 2}, fault.Invalid, "no float32 weights", "Cast")
	refused(t, quantised(), tune.Options{Outputs: 2}, fault.Unsupported, "DynamicQuantizeLinear", "float32")
}

// trees has nothing that learns.
func trees() *graph.Model {
	b := graph.NewBuilder("trees")
	x := b.Input("x", tensor.Rows(tensor.Float32, 2))
	b.Output("y", b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", 1)}, b.Op("Greater", x, b.Scalar("limit", 1))), tensor.Rows(tensor.Float32, 2))
	return b.Model()
}

// quantised has a bias that would learn, and integers behind it.
func quantised() *graph.Model {
	b := graph.NewBuilder("quantised")
	x := b.Input("x", tensor.Rows(tensor.Float32, 2))
	h := b.Op("Add", b.Op("MatMul", x, b.Floats("w", []float32{1, 2, 3, 4}, 2, 2)), b.Floats("b", []float32{1, 2}))
	q := b.Node("", "DynamicQuantizeLinear", []graph.Value{h}, 3)
	b.Output("y", b.Op("DequantizeLinear", q...), tensor.Rows(tensor.Float32, 2))
	return b.Model()
}

// TestHead: the last layer goes, whatever stands behind it, and the new one learns alone when all else is frozen.
func TestHead(t *testing.T) {
	n := open(t, foreign(), tune.Options{Outputs: 5, Head: true, Freeze: []string{"*"}, Fix: chosen(1)})
	if len(n.Net.Params) != 2 || n.Net.Params[0] != "head.weight" || !slices.Equal(n.Net.Weights()[0].Shape(), []int{4, 5}) {
		t.Fatalf("%v learn", n.Net.Params)
	}
	if _, ok := n.Net.Graph.Initializers["weight"]; ok {
		t.Error("the old layer is still there")
	}
	if first, last := learn(t, n, sectors(300), 20, .05); last > .7*first {
		t.Errorf("the loss goes from %v to %v", first, last)
	}
}

// embedder gives a vector for each step of a sequence, normalised: nothing that is a last layer.
func embedder() *graph.Model {
	b := graph.NewBuilder("embedder")
	steps := tensor.Type{DType: tensor.Int64, Dims: []tensor.Dim{{Size: tensor.Free, Name: "rows"}, {Size: tensor.Free, Name: "steps"}}}
	ids, mask := b.Input("input_ids", steps), b.Input("attention_mask", steps)
	table := make([]float32, 20*6)
	for i := range table {
		table[i] = float32(math.Sin(float64(i * i)))
	}
	x := b.Op("Mul", b.Op("Gather", b.Floats("table", table, 20, 6), ids), b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", 1)}, b.Op("Unsqueeze", mask, b.Ints("axes", []int64{2}))))
	ones, zeros := b.Floats("scale", []float32{1, 1, 1, 1, 1, 1}), b.Floats("shift", make([]float32, 6))
	b.Output("last_hidden_state", b.Op("LayerNormalization", x, ones, zeros), tensor.Type{DType: tensor.Float32, Unranked: true})
	return b.Model()
}

// TestMaskedMean: behind vectors of steps a head looks at their mean, without the steps that are masked.
func TestMaskedMean(t *testing.T) {
	n := open(t, embedder(), tune.Options{Outputs: 2, Head: true})
	long := answers(t, n.Net.Graph, tensor.Ints([]int64{3, 4, 9, 9}, 1, 4), tensor.Ints([]int64{1, 1, 0, 0}, 1, 4))
	short := answers(t, n.Net.Graph, tensor.Ints([]int64{3, 4}, 1, 2), tensor.Ints([]int64{1, 1}, 1, 2))
	for i := range short {
		if math.Abs(float64(long[i]-short[i])) > 1e-6 {
			t.Errorf("%v, without padding %v", long, short)
		}
	}
	fixed := open(t, embedder(), tune.Options{Outputs: 2, Head: true, Fix: map[string]*tensor.Tensor{"attention_mask": scalar(tensor.Float64, 1)}})
	if got := answers(t, fixed.Net.Graph, tensor.Ints([]int64{3, 4}, 1, 2)); math.Abs(float64(got[0]-short[0])) > 1e-6 {
		t.Errorf("%v with the mask fixed, want %v", got, short)
	}
}

// TestLoRA: only the pairs learn, the model starts as it was, and merging changes nothing but the nodes.
func TestLoRA(t *testing.T) {
	data := sectors(200)
	plain := open(t, foreign(), tune.Options{Outputs: 3, Fix: chosen(1)})
	n := open(t, foreign(), tune.Options{Outputs: 3, Fix: chosen(1), LoRA: tune.LoRA{Rank: 2, Dropout: .1}})
	if len(n.Net.Params) != 4 {
		t.Fatalf("%v learn", n.Net.Params)
	}
	if !slices.Equal(answers(t, plain.Net.Graph, data.In[0]), answers(t, n.Net.Graph, data.In[0])) {
		t.Error("the model does not start as it was")
	}
	if first, last := learn(t, n, data, 20, .02); last > .9*first {
		t.Errorf("the loss goes from %v to %v", first, last)
	}
	before := answers(t, n.Net.Graph, data.In[0])
	n.Merge()
	after := answers(t, n.Net.Graph, data.In[0])
	if a, b := n.Net.Graph, plain.Net.Graph; len(a.Nodes) != len(b.Nodes) || len(a.Initializers) != len(b.Initializers) {
		t.Errorf("%d nodes and %d tensors, without LoRA %d and %d", len(a.Nodes), len(a.Initializers), len(b.Nodes), len(b.Initializers))
	}
	for i := range before {
		if math.Abs(float64(before[i]-after[i])) > 1e-5 {
			t.Fatalf("%v before merging, %v after", before[i], after[i])
		}
	}
	refused(t, foreign(), tune.Options{Outputs: 3, Fix: chosen(1), LoRA: tune.LoRA{Rank: 2, Match: []string{"decoder*"}}}, fault.Invalid, "LoRA", "first")
}

// convolved has a convolution, running statistics, and a Sigmoid over a mean as its one output.
func convolved() *graph.Model {
	b := graph.NewBuilder("convolved")
	x := b.Input("x", tensor.Rows(tensor.Float32, 2))
	h := b.Op("Conv", b.Op("Unsqueeze", x, b.Ints("axes", []int64{2})), b.Floats("filters", []float32{1, .5, -1, .2, .3, .4}, 3, 2, 1))
	h = b.Op("BatchNormalization", h, b.Floats("scale", []float32{1, 1, 1}), b.Floats("shift", []float32{0, 0, 0}), b.Floats("mean", []float32{0, 0, 0}), b.Floats("var", []float32{1, 1, 1}))
	p := b.Op("Sigmoid", b.Op("Conv", b.Op("Relu", h), b.Floats("last", []float32{.1, -.1, .2}, 1, 3, 1)))
	b.Output("p", b.OpWith("ReduceMean", []graph.Attr{graph.IntsAttr("axes", 2), graph.IntAttr("keepdims", 0)}, p), tensor.Rows(tensor.Float32, 1))
	return b.Model()
}

// TestBinary: one probability for two classes learns as a logit of it.
func TestBinary(t *testing.T) {
	n := open(t, convolved(), tune.Options{Outputs: 2})
	if !n.Binary {
		t.Fatal("not taken for a probability")
	}
	data := sectors(200)
	p, z := answers(t, convolved().Graph, data.In[0]), answers(t, n.Net.Graph, data.In[0])
	for i := range p {
		if got := 1 / (1 + math.Exp(-float64(z[i]))); math.Abs(got-float64(p[i])) > 1e-6 {
			t.Fatalf("σ(%v) is %v, not %v", z[i], got, p[i])
		}
	}
	y := tensor.New(tensor.Float32, 200, 1)
	for i, c := range data.Target.I64() {
		y.F32()[i] = float32(min(1, c))
	}
	if first, last := learn(t, n, &train.Memory{In: data.In, Target: y}, 20, .02); last > .9*first {
		t.Errorf("the loss goes from %v to %v", first, last)
	}
}

// TestStatistics: they move with large batches, where something in front of them learns.
func TestStatistics(t *testing.T) {
	for _, c := range []struct {
		name  string
		o     tune.Options
		moves bool
	}{
		{"all learns", tune.Options{Outputs: 3, Head: true}, true},
		{"small batches", tune.Options{Outputs: 3, Head: true, BatchSize: 8}, false},
		{"only the head", tune.Options{Outputs: 3, Head: true, Freeze: []string{"*"}}, false},
	} {
		n := open(t, convolved(), c.o)
		learn(t, n, sectors(64), 1, .01)
		if moved := n.Net.Graph.Initializers["mean"].F32()[0] != 0; moved != c.moves || len(n.Notes) < 2 {
			t.Errorf("%s: moved is %v; %v", c.name, moved, n.Notes)
		}
	}
}

// TestNoGradient: the operator is named, with the way from it to the loss.
func TestNoGradient(t *testing.T) {
	b := graph.NewBuilder("stuck")
	x := b.Input("x", tensor.Rows(tensor.Float32, 2))
	h := b.Node(graph.ML, "SVMRegressor", []graph.Value{b.Op("MatMul", x, b.Floats("w", []float32{1, 2, 3, 4}, 2, 2))}, 1,
		graph.StringAttr("kernel_type", "LINEAR"), graph.FloatsAttr("coefficients", []float32{1, 2}), graph.FloatsAttr("rho", []float32{0}))[0]
	b.Output("y", b.Op("Tanh", h), tensor.Rows(tensor.Float32, 1))
	n := open(t, b.Model(), tune.Options{Regression: true, Outputs: 1})
	data := &train.Memory{In: sectors(40).In, Target: tensor.New(tensor.Float32, 40, 1)}
	_, err := train.Run(context.Background(), n.Net, data, nil, train.Config{Loss: train.MAE, Epochs: 1}, train.Hooks{})
	if !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "SVMRegressor") || !strings.Contains(fault.HintOf(err), "SVMRegressor → Tanh → Identity → Sub → Abs") {
		t.Errorf("%v; %s", err, fault.HintOf(err))
	}
}

// TestOneRow: a model that was exported for one row at a time takes batches, and answers each row as it would alone.
func TestOneRow(t *testing.T) {
	made := func(to ...int64) *graph.Model {
		b := graph.NewBuilder("single")
		x := b.Input("x", tensor.TypeOf(tensor.Float32, 1, 2))
		h := b.Op("Tanh", b.Op("MatMul", x, b.Floats("w", []float32{1, -1, .5, 2, 0, 1, -.5, 1}, 2, 4)))
		h = b.Op("Reshape", b.Op("Reshape", h, b.Ints("form", []int64{1, 2, 2})), b.Ints("flat", to))
		b.Output("y", b.Op("MatMul", h, b.Floats("v", []float32{1, 0, 1, -1, .5, 2, 1, 1}, 4, 2)), tensor.TypeOf(tensor.Float32, 1, 2))
		return b.Model()
	}
	o := tune.Options{Outputs: 2, Types: map[string]tensor.Type{"x": tensor.Rows(tensor.Float32, 2)}}
	x := sectors(3).In[0]
	got := answers(t, open(t, made(1, -1), o).Net.Graph, x)
	for i := range 3 {
		want := answers(t, made(1, 4).Graph, tensor.Floats(x.F32()[2*i:2*i+2], 1, 2))
		if !slices.Equal(got[2*i:2*i+2], want) {
			t.Errorf("row %d: %v, alone %v", i, got[2*i:2*i+2], want)
		}
	}
}

// TestDivide: what is frozen stands in front, gives each row one vector, and the rest makes of it what the whole net does.
func TestDivide(t *testing.T) {
	x := sectors(5).In[0]
	for name, c := range map[string]struct {
		m *graph.Model
		o tune.Options
	}{
		"dense":       {foreign(), tune.Options{Outputs: 5, Head: true, Freeze: []string{"*"}, Fix: chosen(1)}},
		"a part":      {foreign(), tune.Options{Outputs: 3, Freeze: []string{"first"}, Fix: chosen(1)}},
		"convolution": {convolved(), tune.Options{Outputs: 3, Head: true, Freeze: []string{"*"}}},
	} {
		n := open(t, c.m, c.o)
		front, rest := n.Divide()
		if front == nil {
			t.Errorf("%s: nothing stands in front", name)
			continue
		}
		got := answers(t, rest.Graph, tensor.Floats(answers(t, front, x), 5, front.Outputs[0].Type.Type().Dims[1].Size))
		if len(front.Outputs[0].Type.Type().Dims) != 2 {
			t.Errorf("%s: %s in front", name, front.Outputs[0].Type.Type())
		}
		if want := answers(t, n.Net.Graph, x); !slices.Equal(got, want) {
			t.Errorf("%s: %v, the whole net gives %v", name, got, want)
		}
	}
	for name, o := range map[string]tune.Options{"all learns": {Outputs: 3, Fix: chosen(1)}, "weights beside": {Outputs: 3, Fix: chosen(1), LoRA: tune.LoRA{Rank: 1}}} {
		if front, _ := open(t, foreign(), o).Divide(); front != nil {
			t.Errorf("%s: %d nodes stand in front", name, len(front.Nodes))
		}
	}
}
