package exec_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestSettle: an If on what is known becomes its branch, one within it too; weights become what is made of them, except where they are used as they are
// beside it; names that both branches use do not collide; the answers stay.
func TestSettle(t *testing.T) {
	made := func() *graph.Graph {
		inner := func(op string) *graph.Graph {
			g := graph.New(op)
			g.Nodes = []*graph.Node{{Op: op, Inputs: []graph.Value{"w"}, Outputs: []graph.Value{"v"}}, {Op: "MatMul", Inputs: []graph.Value{"h", "v"}, Outputs: []graph.Value{"z"}}}
			g.Outputs = []graph.Port{{Name: "z"}}
			return g
		}
		choice := func(cond, out graph.Value, yes, no *graph.Graph) *graph.Node {
			return &graph.Node{Op: "If", Inputs: []graph.Value{cond}, Outputs: []graph.Value{out}, Attrs: []graph.Attr{
				{Name: "then_branch", Kind: graph.AttrGraph, Graph: yes}, {Name: "else_branch", Kind: graph.AttrGraph, Graph: no},
			}}
		}
		outer := graph.New("outer")
		outer.Nodes = []*graph.Node{choice("flat", "r", inner("Transpose"), inner("Neg"))}
		outer.Outputs = []graph.Port{{Name: "r"}}
		b := graph.NewBuilder("g")
		x := b.Input("x", tensor.Rows(tensor.Float32, 2))
		b.Graph().Initializers["w"] = tensor.Floats([]float32{1, 2, 3, 4}, 2, 2)
		b.Graph().Initializers["u"] = tensor.Floats([]float32{1, 0, 2, 1}, 2, 2)
		b.Reserve("w", "u", "h", "v", "z", "r", "flat")
		rank := b.Op("Size", b.Op("Shape", x))
		flat := b.Op("Equal", rank, b.Ints("two", []int64{2}))
		h := b.Op("MatMul", b.Op("MatMul", x, "u"), b.Op("Transpose", "u"))
		g := b.Graph()
		g.Nodes = append(g.Nodes, &graph.Node{Op: "Identity", Inputs: []graph.Value{flat}, Outputs: []graph.Value{"flat"}}, &graph.Node{Op: "Relu", Inputs: []graph.Value{h}, Outputs: []graph.Value{"h"}},
			choice("flat", "first", outer, inner("Neg")), choice("flat", "second", inner("Abs"), inner("Neg")), &graph.Node{Op: "Sub", Inputs: []graph.Value{"first", "second"}, Outputs: []graph.Value{"y"}})
		g.Outputs = []graph.Port{{Name: "y", Type: graph.TensorOf(tensor.Rows(tensor.Float32, 2))}}
		return g
	}
	run := func(g *graph.Graph) []float32 {
		p, err := exec.Compile(&graph.Model{IRVersion: 8, Opsets: map[string]int64{"": 17}, Graph: g}, exec.Options{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Run(context.Background(), []*tensor.Tensor{tensor.Floats([]float32{1, 2, 3, -4, 5, 6}, 3, 2)})
		if err != nil {
			t.Fatal(err)
		}
		return out[0].F32()
	}
	g, err := exec.Inline(&graph.Model{Opsets: map[string]int64{"": 17}, Graph: made()})
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Settle(g); err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, n := range g.Nodes {
		if n.Op != "Identity" {
			ops = append(ops, n.Op)
		}
	}
	if got := strings.Join(ops, " "); got != "MatMul Transpose MatMul Relu MatMul MatMul Sub" { // the Transpose is that of u, which is used as it is too
		t.Errorf("it became %s", got)
	}
	if got, want := run(g), run(made()); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	bad := made()
	bad.Nodes[0].Op = "Nonsense"
	if err := exec.Settle(bad); !fault.Is(err, fault.BadModel) && !fault.Is(err, fault.Unsupported) {
		t.Error(err)
	}
}
