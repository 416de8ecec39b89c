//go:build !lean

package op

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestTransposeTiles holds transposed convolutions of windows side by side to the sums of all others: over lines, planes and cubes, in groups.
func TestTransposeTiles(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 150 {
		rank := 1 + r.IntN(spatial)
		group := 1 + r.IntN(2)
		x, w := []int{1 + r.IntN(2), group * (1 + r.IntN(9))}, []int{0, 1 + r.IntN(9)}
		w[0] = x[1]
		tr := transposed{window: window{op: "ConvTranspose"}}
		for range rank {
			k := 1 + r.IntN(3)
			x, w = append(x, 1+r.IntN(30)), append(w, k)
			tr.strides = append(tr.strides, int64(k))
		}
		v, err := tr.fit(x, w)
		if err != nil || !v.sideBySide() {
			t.Fatalf("%v by %v: %v", x, w, err)
		}
		random := func(n int) []float32 {
			y := make([]float32, n)
			for i := range y {
				y[i] = float32(r.NormFloat64())
			}
			return y
		}
		weights := tensor.FromSlice(tensor.Float32, random(w[0]*w[1]*volume(v.kernel)), w...)
		s := convSize{batch: x[0], cg: x[1] / group, m: w[1] * group}
		a := convArgs[float32]{x: random(x[0] * x[1] * volume(v.in)), w: weights.F32()}
		if r.IntN(3) > 0 {
			a.bias = random(s.m)
		}
		c := &convTranspose[float32]{group: group, threads: 2, act: activation{kind: []activationKind{actNone, actRelu, actSigmoid}[r.IntN(3)]}}
		size := s.batch * s.m * volume(v.out)
		var got [3][]float32
		for i, constant := range []*tensor.Tensor{weights, nil, nil} {
			got[i] = make([]float32, size)
			a.y = got[i]
			if c.tiles = newTransposeTiles(c, constant); i == 2 {
				c.tiles = nil
			}
			if err := c.run(context.Background(), &v, s, a); err != nil {
				t.Fatal(err)
			}
		}
		want := tensor.Floats(got[2])
		for _, y := range got[:2] {
			if why := Compare(tensor.Floats(y), want, 1e-5, 1e-5); why != "" {
				t.Fatalf("%v by %v in %d groups: %s", x, w, group, why)
			}
		}
	}
}

// TestTransposePaths holds float32 transposed convolutions with bias and activation to the plain ones, which float64 takes.
func TestTransposePaths(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct {
		x, w     []int
		s, d, p  int64
		group    int64
		function string
	}{
		{[]int{2, 8, 7, 9}, []int{8, 5, 3, 3}, 1, 1, 1, 1, "Relu"},
		{[]int{2, 8, 7, 9}, []int{8, 13, 4, 4}, 2, 1, 1, 1, "Tanh"},
		{[]int{1, 9, 12, 5}, []int{9, 4, 3, 2}, 2, 2, 0, 3, "Relu"},
		{[]int{3, 4, 50}, []int{4, 3, 5}, 3, 1, 1, 1, "Sigmoid"},
		{[]int{1, 3, 20, 20}, []int{3, 40, 1, 1}, 2, 1, 0, 1, "Relu"},
		{[]int{1, 3, 3, 4, 5}, []int{3, 2, 3, 3, 3}, 2, 1, 1, 1, "Relu"},
	} {
		rank := len(c.x) - 2
		list := func(v int64) []int64 { return []int64{v, v, v, v, v, v}[:rank] }
		attrs := []graph.Attr{
			graph.IntsAttr("strides", list(c.s)...), graph.IntsAttr("dilations", list(c.d)...), graph.IntAttr("group", c.group),
			graph.IntsAttr("pads", []int64{c.p, c.p, c.p, c.p, c.p, c.p}[:2*rank]...), graph.StringAttr("activation", c.function),
		}
		wide := []*tensor.Tensor{convRandom(r, c.x...), convRandom(r, c.w...), convRandom(r, c.w[1]*int(c.group))}
		var results [3]*tensor.Tensor
		for i := range results {
			in := wide
			if i > 0 {
				in = nil
				for _, w := range wide {
					n := tensor.New(tensor.Float32, w.Shape()...)
					if err := castInto(n, w); err != nil {
						t.Fatal(err)
					}
					in = append(in, n)
				}
			}
			site := &Site{Opset: 1, Threads: 1 + i, Constant: make([]*tensor.Tensor, 3), Types: []tensor.Type{in[0].Type(), in[1].Type(), in[2].Type()}}
			k, err := compileConvTranspose(&graph.Node{Op: "FusedConvTranspose", Attrs: attrs}, site)
			if err != nil {
				t.Fatal(err)
			}
			out := new(tensor.Tensor)
			if err := k(context.Background(), in, []*tensor.Tensor{out}); err != nil {
				t.Fatal(err)
			}
			results[i] = out
		}
		back := tensor.New(tensor.Float64, results[1].Shape()...)
		if err := castInto(back, results[1]); err != nil {
			t.Fatal(err)
		}
		if diff := Compare(back, results[0], 1e-4, 1e-4); diff != "" {
			t.Errorf("%v by %v: %s", c.x, c.w, diff)
		}
		if diff := Compare(results[2], results[1], 0, 0); diff != "" {
			t.Errorf("%v by %v on three goroutines: %s", c.x, c.w, diff)
		}
	}
}
