package exec

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// network is y = relu(x·w + b) and its largest column, with a constant part, views and a dead node.
func network() *graph.Model {
	b := graph.NewBuilder("net")
	x := b.Input("x", tensor.Rows(tensor.Float32, 3))
	w := b.Op("Add", b.Floats("w", []float32{1, 0, 0, 1, 1, 1}, 3, 2), b.Scalar("one", 1)) // (3, 2), folded
	h := b.Op("Relu", b.Op("Add", b.Op("MatMul", x, w), b.Floats("b", []float32{-6, 0})))
	b.Op("Exp", h) // dead
	flat := b.Op("Reshape", h, b.Ints("shape", []int64{-1}))
	b.Output("hidden", h, tensor.Rows(tensor.Float32, 2))
	b.Output("flat", flat, tensor.TypeOf(tensor.Float32, tensor.Free))
	b.Output("class", b.OpWith("ArgMax", []graph.Attr{graph.IntAttr("axis", 1), graph.IntAttr("keepdims", 0)}, h), tensor.Rows(tensor.Int64))
	b.Output("input", x, tensor.Rows(tensor.Float32, 3))
	b.Output("weight", w, tensor.TypeOf(tensor.Float32, 3, 2))
	return b.Model()
}

func TestRun(t *testing.T) {
	p, err := Compile(network(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.steps); n != 7 {
		t.Errorf("%d steps: what folds, is dead or fuses (MatMul, Add and Relu) is not gone", n)
	}
	var wg sync.WaitGroup
	for rows := 1; rows <= 8; rows++ {
		wg.Go(func() {
			for range 20 {
				runNetwork(t, p, rows)
			}
		})
	}
	wg.Wait()
}

func runNetwork(t *testing.T, p *Program, rows int) {
	x := tensor.New(tensor.Float32, rows, 3)
	for i := range x.F32() {
		x.F32()[i] = float32(rows)
	}
	out, err := p.Run(context.Background(), []*tensor.Tensor{x})
	if err != nil {
		t.Error(err)
		return
	}
	r := float32(rows)
	want := []float32{max(2*r+r+2*r-6, 0), r + 2*r + 2*r}
	for i, got := range out[0].F32() {
		if got != want[i%2] || out[1].F32()[i] != got {
			t.Errorf("hidden %d: %v and %v, want %v", i, got, out[1].F32()[i], want[i%2])
		}
	}
	if out[2].I64()[0] != 1 || &out[3].F32()[0] == &x.F32()[0] || out[3].F32()[0] != r || out[4].F32()[0] != 2 {
		t.Error("class, input or weight is wrong")
	}
	for i := range out[1].F32() { // outputs belong to the caller
		out[1].F32()[i], out[4].F32()[i%6] = -1, -1
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	p, err := Compile(network(), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	in := []*tensor.Tensor{tensor.New(tensor.Float32, 4, 3)}
	out, err := p.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := p.RunInto(context.Background(), in, out); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a run", n)
	}
}

func TestErrors(t *testing.T) {
	float := tensor.Rows(tensor.Float32, 2)
	graphOf := func(f func(b *graph.Builder)) *graph.Model {
		b := graph.NewBuilder("g")
		f(b)
		return b.Model()
	}
	node := func(b *graph.Builder, op, in, out string) {
		b.Graph().Nodes = append(b.Graph().Nodes, &graph.Node{Op: op, Inputs: []graph.Value{graph.Value(in)}, Outputs: []graph.Value{graph.Value(out)}})
	}
	for name, c := range map[string]struct {
		model *graph.Model
		code  fault.Code
		text  string
	}{
		"unknown operator": {graphOf(func(b *graph.Builder) { b.Output("y", b.Op("Frobnicate", b.Input("x", float)), float) }), fault.Unsupported, "Frobnicate"},
		"unknown attribute": {graphOf(func(b *graph.Builder) {
			b.Output("y", b.OpWith("Relu", []graph.Attr{graph.IntAttr("spin", 1)}, b.Input("x", float)), float)
		}), fault.Unsupported, "spin"},
		"cycle": {graphOf(func(b *graph.Builder) {
			node(b, "Relu", "b", "a")
			node(b, "Relu", "a", "b")
			b.Output("b", "b", float)
		}), fault.BadModel, "cycle"},
		"missing": {graphOf(func(b *graph.Builder) { node(b, "Relu", "nowhere", "a"); b.Output("a", "a", float) }), fault.BadModel, "nowhere"},
		"made twice": {graphOf(func(b *graph.Builder) {
			b.Input("x", float)
			node(b, "Relu", "x", "a")
			node(b, "Relu", "x", "a")
			b.Output("a", "a", float)
		}), fault.BadModel, "twice"},
		"no output": {graphOf(func(b *graph.Builder) { b.Input("x", float) }), fault.BadModel, "no outputs"},
		"wrong types": {graphOf(func(b *graph.Builder) {
			b.Output("y", b.Op("Add", b.Input("x", float), b.Ints("i", []int64{1})), float)
		}), fault.BadModel, "different types"},
		"wrong output": {graphOf(func(b *graph.Builder) { b.Output("y", b.Op("Shape", b.Input("x", float)), float) }), fault.BadModel, "declared"},
		"constant misfit": {graphOf(func(b *graph.Builder) {
			b.Output("y", b.Op("Add", b.Floats("p", []float32{1, 2}), b.Floats("q", []float32{1, 2, 3})), float)
		}), fault.BadModel, "broadcast"},
	} {
		_, err := Compile(c.model, Options{})
		if !fault.Is(err, c.code) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := network()
	m.Opsets[""] = 99
	if _, err := Compile(m, Options{}); !fault.Is(err, fault.Unsupported) {
		t.Error(err)
	}
}

func TestRunErrors(t *testing.T) {
	p, err := Compile(network(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for name, in := range map[string][]*tensor.Tensor{
		"shape": {tensor.New(tensor.Float32, 2, 2)}, "type": {tensor.New(tensor.Float64, 2, 3)}, "nil": {nil}, "count": {}, "rank": {tensor.New(tensor.Float32, 3)},
	} {
		if _, err := p.Run(ctx, in); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := p.Run(gone, []*tensor.Tensor{tensor.New(tensor.Float32, 1, 3)}); !fault.Is(err, fault.Canceled) {
		t.Error(err)
	}
	small, err := Compile(network(), Options{MemoryLimit: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := small.Run(ctx, []*tensor.Tensor{tensor.New(tensor.Float32, 100, 3)}); !fault.Is(err, fault.TooLarge) {
		t.Error(err)
	}
	if _, err := small.Run(ctx, []*tensor.Tensor{tensor.New(tensor.Float32, 1, 3)}); err != nil {
		t.Errorf("after a run that was too large: %v", err)
	}
}

// TestUnspecifiedExtent: a request decides an output's size; the limit holds it.
func TestUnspecifiedExtent(t *testing.T) {
	b := graph.NewBuilder("bomb")
	n := b.Input("n", tensor.TypeOf(tensor.Int64, 1))
	b.Output("y", b.Op("ConstantOfShape", n), tensor.TypeOf(tensor.Float32, tensor.Free))
	p, err := Compile(b.Model(), Options{MemoryLimit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(context.Background(), []*tensor.Tensor{tensor.Ints([]int64{1 << 39})}); !fault.Is(err, fault.TooLarge) {
		t.Error(err)
	}
}
