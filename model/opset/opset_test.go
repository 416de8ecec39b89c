package opset_test

import (
	"bytes"
	"context"
	"strconv"
	"testing"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/opset"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// single is a model of one case of an operator, and its inputs; nil for one that says nothing here.
func single(s *op.Spec, c *op.Case) (m *graph.Model, in []*tensor.Tensor) {
	if s.Domain != "" || s.Random || c.Err != "" || len(c.Out) == 0 {
		return nil, nil
	}
	n := s.Node(c)
	if len(n.Subgraphs()) > 0 {
		return nil, nil
	}
	g := graph.New("case")
	for i, t := range c.In {
		if t == nil {
			continue
		}
		if t.DType().Container() {
			return nil, nil
		}
		g.Inputs = append(g.Inputs, graph.Port{Name: n.Inputs[i], Type: graph.TensorOf(t.Type())})
		in = append(in, t)
	}
	g.Nodes = []*graph.Node{n}
	for _, v := range n.Outputs {
		if v != "" {
			g.Outputs = append(g.Outputs, graph.Port{Name: v, Type: graph.TensorOf(tensor.Type{Unranked: true})})
		}
	}
	return &graph.Model{IRVersion: 7, Opsets: map[string]int64{"": s.Version(c)}, Graph: g}, in
}

func run(m *graph.Model, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	p, err := exec.Compile(m, exec.Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	return p.Run(context.Background(), in)
}

// TestRaise: every example of every operator gives the same after it was raised, or is refused by name.
func TestRaise(t *testing.T) {
	refused := map[string]bool{}
	for _, to := range []int64{17, 18, 21} {
		raised := 0
		for _, s := range op.All() {
			for i := range s.Cases {
				m, in := single(s, &s.Cases[i])
				if m == nil || m.Opsets[""] >= to {
					continue
				}
				want, err := run(m, in)
				if err != nil {
					continue // needs what a graph alone does not have
				}
				name := s.Name + "/" + s.Cases[i].Name + " from " + strconv.FormatInt(m.Opsets[""], 10) + " to " + strconv.FormatInt(to, 10)
				m.Graph.Inputs = append(m.Graph.Inputs, graph.Port{Name: "other", Type: graph.TensorOf(tensor.Rows(tensor.Float32, 1))})
				m.Graph.Nodes = append(m.Graph.Nodes, &graph.Node{Op: "Identity", Inputs: []graph.Value{"other"}, Outputs: []graph.Value{"same"}, Opsets: map[string]int64{"": to}})
				from := m.Opsets[""]
				if err := opset.Raise(m); err != nil {
					if !fault.Is(err, fault.Unsupported) || fault.HintOf(err) == "" {
						t.Errorf("%s: %v", name, err)
					}
					refused[s.Name] = refused[s.Name] || from >= 7
					continue
				}
				if m.Opsets[""] != to {
					t.Fatalf("%s: raised to %v", name, m.Opsets)
				}
				raised++
				got, err := run(m, append(in, tensor.New(tensor.Float32, 1, 1)))
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				for k := range want {
					if !bytes.Equal(want[k].Bytes(), got[k].Bytes()) || len(want[k].Shape()) != len(got[k].Shape()) {
						t.Errorf("%s: %v, want %v", name, got[k], want[k])
					}
				}
			}
		}
		if raised < 80 {
			t.Errorf("only %d cases were raised to %d", raised, to)
		}
	}
	for _, name := range []string{"Clip", "Slice", "Squeeze", "Unsqueeze", "ReduceSum", "ReduceMean", "Split", "Softmax", "Pad", "TopK", "RoiAlign", "DFT", "Gemm", "Conv", "MatMul", "LSTM"} {
		if refused[name] {
			t.Errorf("%s is refused", name)
		}
	}
}

// TestSubgraphs: nodes in bodies are raised too.
func TestSubgraphs(t *testing.T) {
	body := graph.New("body")
	body.Nodes = []*graph.Node{{Op: "Squeeze", Inputs: []graph.Value{"x"}, Outputs: []graph.Value{"z"}, Attrs: []graph.Attr{graph.IntsAttr("axes", 1)}}}
	body.Outputs = []graph.Port{{Name: "z", Type: graph.TensorOf(tensor.Rows(tensor.Float32))}}
	g := graph.New("outer")
	g.Inputs = []graph.Port{{Name: "x", Type: graph.TensorOf(tensor.Rows(tensor.Float32, 1))}, {Name: "when", Type: graph.TensorOf(tensor.TypeOf(tensor.Bool))}}
	g.Nodes = []*graph.Node{
		{Op: "If", Inputs: []graph.Value{"when"}, Outputs: []graph.Value{"y"}, Attrs: []graph.Attr{
			{Name: "then_branch", Kind: graph.AttrGraph, Graph: body}, {Name: "else_branch", Kind: graph.AttrGraph, Graph: body.Clone()},
		}},
		{Op: "Identity", Inputs: []graph.Value{"y"}, Outputs: []graph.Value{"out"}, Opsets: map[string]int64{"": 17}},
	}
	g.Outputs = []graph.Port{{Name: "out", Type: graph.TensorOf(tensor.Rows(tensor.Float32))}}
	m := &graph.Model{IRVersion: 6, Opsets: map[string]int64{"": 11}, Graph: g}
	if err := opset.Raise(m); err != nil {
		t.Fatal(err)
	}
	flag := tensor.New(tensor.Bool)
	tensor.Data[bool](flag)[0] = true
	out, err := run(m, []*tensor.Tensor{tensor.Floats([]float32{1, 2}, 2, 1), flag})
	if err != nil || out[0].Rank() != 1 || m.IRVersion != graph.IRVersion {
		t.Errorf("%v %v", out, err)
	}
}
