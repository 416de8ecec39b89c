package train_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// foreign is a model of opset 11 as an exporter may write it: a weight in a Constant node, weights of one name in both branches of an If, a Softmax at the end.
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
	g.Inputs = []graph.Port{{Name: "x", Type: graph.TensorOf(tensor.Rows(tensor.Float32, 2))}}
	g.Initializers["yes"] = tensor.FromSlice(tensor.Bool, []bool{true}, 1)
	g.Nodes = []*graph.Node{
		{Op: "Constant", Outputs: []graph.Value{"first"}, Attrs: []graph.Attr{graph.TensorAttr("value", tensor.Floats([]float32{1, -1, .5, 0, 0, 1, -.5, 2}, 2, 4))}},
		{Op: "MatMul", Name: "encoder.product", Inputs: []graph.Value{"x", "first"}, Outputs: []graph.Value{"a"}},
		{Op: "Tanh", Inputs: []graph.Value{"a"}, Outputs: []graph.Value{"h"}},
		{Op: "If", Inputs: []graph.Value{"yes"}, Outputs: []graph.Value{"logits"}, Attrs: []graph.Attr{
			{Name: "then_branch", Kind: graph.AttrGraph, Graph: branch(.1)}, {Name: "else_branch", Kind: graph.AttrGraph, Graph: branch(.2)},
		}},
		{Op: "Softmax", Inputs: []graph.Value{"logits"}, Outputs: []graph.Value{"y"}, Attrs: []graph.Attr{graph.IntAttr("axis", 1)}},
	}
	g.Outputs = []graph.Port{{Name: "y", Type: graph.TensorOf(tensor.Rows(tensor.Float32, 3))}}
	return &graph.Model{IRVersion: 6, Opsets: map[string]int64{"": 11}, Graph: g}
}

// sectors are points and the third of the plane that they lie in.
func sectors(rows int) *train.Memory {
	m := waves(rows)
	y := tensor.New(tensor.Int64, rows)
	for i := range rows {
		switch a, b := m.In[0].F32()[2*i], m.In[0].F32()[2*i+1]; {
		case a > 0 && b > 0:
			y.I64()[i] = 1
		case b < 0:
			y.I64()[i] = 2
		}
	}
	m.Target = y
	return m
}

func answers(t *testing.T, m *graph.Model, x *tensor.Tensor) []float32 {
	t.Helper()
	p, err := exec.Compile(m, exec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(context.Background(), []*tensor.Tensor{x})
	if err != nil {
		t.Fatal(err)
	}
	return out[0].F32()
}

// TestLift: a model of another opset learns on, and is itself the trained model: its weights are the net's.
func TestLift(t *testing.T) {
	m, data := foreign(), sectors(300)
	original := foreign()
	n, err := train.Lift(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Params) != 3 {
		t.Fatalf("%v learn", n.Params)
	}
	before := answers(t, m, data.In[0])
	if !slices.Equal(before, answers(t, original, data.In[0])) {
		t.Error("lifting has changed the model")
	}
	out, err := train.Run(context.Background(), n, data, nil, train.Config{Epochs: 30, Optimizer: optim.Config{LR: .02}}, train.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, y := 0, answers(t, m, data.In[0]); i < 300; i++ {
		if best := slices.Index(y[3*i:3*i+3], slices.Max(y[3*i:3*i+3])); int64(best) == data.Target.I64()[i] {
			right++
		}
	}
	if right < 260 || out.Loss > .5 {
		t.Errorf("%d of 300 right, loss %v", right, out.Loss)
	}
}

// TestFreeze: what is frozen stays, by the name of a weight or of a node; when nothing is left, that is said.
func TestFreeze(t *testing.T) {
	m := foreign()
	n, err := train.Lift(m, "encoder.*", "weight_*")
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Params) != 1 {
		t.Fatalf("%v learn", n.Params)
	}
	first := slices.Clone(m.Graph.Nodes[0].Attrs[0].Tensor.F32())
	if _, err := train.Run(context.Background(), n, sectors(64), nil, train.Config{Epochs: 2}, train.Hooks{}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first, m.Graph.Nodes[0].Attrs[0].Tensor.F32()) {
		t.Error("a frozen weight has moved")
	}
	for _, patterns := range [][]string{{"*"}, {"["}} {
		var f *fault.Error
		if _, err := train.Lift(foreign(), patterns...); !errors.As(err, &f) || f.Code != fault.Invalid || f.Hint == "" {
			t.Errorf("%v: %v", patterns, err)
		}
	}
}
