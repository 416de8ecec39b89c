package exec

import (
	"context"
	"math"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestSameShapesAreSeen: where free dimensions have names, gradients of what was not broadcast are neither summed nor copied.
func TestSameShapesAreSeen(t *testing.T) {
	b := graph.NewBuilder("block")
	x := b.Input("x", tensor.Type{DType: tensor.Float32, Dims: []tensor.Dim{{Size: tensor.Free, Name: "rows"}, {Size: tensor.Free, Name: "steps"}, {Size: 8}}})
	w, bias := b.Input("w", tensor.TypeOf(tensor.Float32, 8, 8)), b.Input("bias", tensor.TypeOf(tensor.Float32, 8))
	h := b.Op("Reshape", b.Op("Add", b.Op("MatMul", x, w), bias), b.Ints("heads", []int64{0, 0, 2, 4}, 4))
	y := b.Node(op.Private, "HeadAttention", []graph.Value{h, h, h}, 1, graph.IntsAttr("inside", 1, 1, 1, 1))[0]
	y = b.Op("Add", x, b.Op("Reshape", y, b.Ints("joined", []int64{0, 0, 8}, 3)))
	loss := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, b.Op("Mul", y, y))
	grads, err := Gradient(b, loss, []graph.Value{x, w, bias})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range grads {
		b.Graph().Outputs = append(b.Graph().Outputs, graph.Port{Name: g})
	}
	p, err := Compile(b.Model(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, s := range p.steps {
		count[s.operator]++
	}
	if count["ReduceTo"] != 1 || count["Dense"] != 1 {
		t.Errorf("%d sums for one bias, %d dense layers of one", count["ReduceTo"], count["Dense"])
	}
}

// TestGradientsOfComposed checks, in float32, operators that are written out before they are differentiated.
func TestGradientsOfComposed(t *testing.T) {
	heads := graph.IntAttr("num_heads", 2)
	for _, c := range []struct {
		op     string
		attrs  []graph.Attr
		shapes [][]int // nil: absent
		mask   *tensor.Tensor
		at     int // of the mask
	}{
		{op: "MultiHeadAttention", attrs: []graph.Attr{heads, graph.IntAttr("unidirectional", 1)}, shapes: [][]int{{2, 3, 4}, {2, 3, 4}, {2, 3, 6}, {14}}},
		{op: "MultiHeadAttention", attrs: []graph.Attr{heads}, shapes: [][]int{{2, 3, 4}, {2, 5, 4}, {2, 5, 4}, nil, nil, {1, 2, 3, 5}}},
		{op: "Attention", attrs: []graph.Attr{heads}, shapes: [][]int{{2, 3, 4}, {4, 12}, {12}, nil}, mask: tensor.FromSlice(tensor.Int32, []int32{1, 1, 0, 1, 1, 1}, 2, 3), at: 3},
		{op: "FusedMatMul", attrs: []graph.Attr{graph.FloatAttr("alpha", .5), graph.IntAttr("transA", 1), graph.IntAttr("transB", 1)}, shapes: [][]int{{2, 3, 4}, {5, 3}}},
		{op: "FusedGemm", attrs: []graph.Attr{graph.StringAttr("activation", "Tanh"), graph.IntAttr("transB", 1)}, shapes: [][]int{{2, 3}, {4, 3}, {4}}},
	} {
		t.Run(c.op, func(t *testing.T) {
			b := graph.NewBuilder("composed")
			var in []*tensor.Tensor
			var names, wrt []graph.Value
			for i, shape := range c.shapes {
				if shape == nil {
					names = append(names, "")
					if c.mask != nil && i == c.at {
						names[i] = b.Init("mask", c.mask)
					}
					continue
				}
				x := tensor.New(tensor.Float32, shape...)
				for k := range x.F32() {
					x.F32()[k] = float32(math.Sin(float64(3*k + i)))
				}
				names = append(names, b.Input("x"+string(rune('0'+i)), x.Type()))
				in, wrt = append(in, x), append(wrt, names[i])
			}
			y := b.Node("com.microsoft", c.op, names, 1, c.attrs...)[0]
			loss := b.Op("ReduceSum", b.Op("Mul", y, y))
			grads, err := Gradient(b, loss, wrt)
			if err != nil {
				t.Fatal(err)
			}
			b.Output("loss", loss, tensor.TypeOf(tensor.Float32))
			for i, g := range grads {
				b.Output("d"+string(wrt[i]), g, in[i].Type())
			}
			m := b.Model()
			m.Opsets["com.microsoft"] = 1
			p, err := Compile(m, Options{})
			if err != nil {
				t.Fatal(err)
			}
			run := func() []*tensor.Tensor {
				out, err := p.Run(context.Background(), in)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			exact := run()
			for i, x := range in {
				for k := range x.F32() {
					v := x.F32()[k]
					x.F32()[k] = v + 1e-2
					up := run()[0].F32()[0]
					x.F32()[k] = v - 1e-2
					down := run()[0].F32()[0]
					x.F32()[k] = v
					if got, want := float64(exact[i+1].F32()[k]), float64(up-down)/2e-2; math.Abs(got-want) > 2e-2*math.Max(1, math.Abs(want)) {
						t.Errorf("d%s[%d]: got %v, differences give %v", wrt[i], k, got, want)
					}
				}
			}
		})
	}
}
