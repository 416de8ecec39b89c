//go:build !lean

package exec

import (
	"bytes"
	"context"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// deep is a chain of layers with skips, views, random numbers and nodes of several outputs between, and the gradients of its weights behind.
func deep(t *testing.T, layers int) (m *graph.Model, in []*tensor.Tensor) {
	t.Helper()
	const width = 16
	b := graph.NewBuilder("deep")
	x := b.Input("x", tensor.Rows(tensor.Float32, width))
	in = append(in, noise(32, width))
	h, skip := x, x
	var learned []graph.Value
	for i := range layers {
		w := b.Input(string(b.Fresh("w"))+"_in", tensor.TypeOf(tensor.Float32, width, width))
		learned, in = append(learned, w), append(in, noise(width, width))
		h = b.Op("Tanh", b.Op("MatMul", h, w))
		switch {
		case i%8 == 2:
			h = b.Op("Add", h, skip)
			skip = h
		case i%8 == 4: // views
			h = b.Op("Reshape", b.Op("Sigmoid", b.Op("Reshape", h, b.Ints("shape", []int64{-1, 4, 4}))), b.Ints("shape", []int64{-1, width}))
		case i == 5: // other numbers in each run
			h = b.Op("Mul", h, b.OpWith("RandomNormalLike", []graph.Attr{graph.FloatAttr("seed", float32(i))}, h))
		case i%8 == 6:
			half := b.Node("", "Split", []graph.Value{h}, 2, graph.IntAttr("axis", 1))
			h = b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 1)}, half[1], b.Op("Exp", half[0]))
		}
	}
	loss := b.OpWith("ReduceMean", []graph.Attr{graph.IntAttr("keepdims", 0)}, b.Op("Mul", h, h))
	b.Output("loss", loss, tensor.TypeOf(tensor.Float32))
	gradients, err := Gradient(b, loss, learned)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range gradients {
		b.Output(string(v), v, tensor.TypeOf(tensor.Float32, width, width))
	}
	return b.Model(), in
}

// TestRecompute: gradients are the same, bit for bit, when most of the way forward is computed again, and memory grows with the root of the depth.
func TestRecompute(t *testing.T) {
	var held [2]int64
	for k, layers := range []int{40, 640} {
		m, in := deep(t, layers)
		plain, err := Compile(m, Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		again, err := Compile(m, Options{Threads: 1, Recompute: "loss"})
		if err != nil {
			t.Fatal(err)
		}
		for run := range 2 {
			want, err := plain.Run(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := again.Run(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if !bytes.Equal(got[i].Bytes(), want[i].Bytes()) {
					t.Fatalf("%d layers, run %d: output %d differs", layers, run, i)
				}
			}
		}
		if n := len(again.steps) - len(plain.steps); n < layers/2 || n > len(plain.steps)/2 {
			t.Errorf("%d layers: %d of %d nodes run again", layers, n, len(plain.steps))
		}
		held[k] = again.Held()
		if part := float64(again.Held()) / float64(plain.Held()); part > []float64{.6, .2}[k] {
			t.Errorf("%d layers: %d bytes are held, of %d", layers, again.Held(), plain.Held())
		}
	}
	if held[1] > 6*held[0] { // of 16 times the depth: four times, and the skips
		t.Errorf("%d and %d bytes are held", held[0], held[1])
	}
}
