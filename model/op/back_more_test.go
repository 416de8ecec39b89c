package op

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestBackProducts holds the way back of attention, products and sums in float32 to that in float64, which central differences prove, on sizes that
// reach every block; the result on several goroutines to that on one, bit for bit; and steady runs to allocating nothing.
func TestBackProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	draw := func(shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float64, shape...)
		for i := range tensor.Data[float64](x) {
			tensor.Data[float64](x)[i] = float64(float32(r.NormFloat64()))
		}
		return x
	}
	attr := func(a ...graph.Attr) []graph.Attr { return a }
	for _, c := range []struct {
		name  string
		attrs []graph.Attr
		in    []*tensor.Tensor
		outs  int
	}{
		{"HeadAttentionGrad", attr(graph.FloatAttr("scale", .3)), in(draw(2, 3, 70, 8), draw(2, 3, 70, 5), draw(2, 3, 90, 5), draw(2, 3, 90, 8)), 3},
		{"HeadAttentionGrad", attr(graph.FloatAttr("scale", .3), graph.IntsAttr("inside", 1, 1, 1, 1)), in(draw(2, 70, 3, 8), draw(2, 70, 3, 5), draw(1, 90, 3, 5), draw(2, 90, 1, 8), draw(2, 1, 1, 90)), 4},
		{
			"AttentionGrad", attr(graph.IntAttr("q_num_heads", 4), graph.IntAttr("kv_num_heads", 2), graph.IntAttr("is_causal", 1), graph.FloatAttr("softcap", 3)),
			in(draw(2, 70, 16), draw(2, 30, 8), draw(2, 30, 6), draw(70, 90), draw(2, 2, 60, 4), draw(2, 2, 60, 3), nil, draw(2, 70, 12), nil, nil, nil), 6,
		},
		{"EinsumGrad", attr(graph.StringAttr("equation", "bijh,bkjh->bijk"), graph.IntAttr("term", 1)), in(draw(2, 20, 3, 30), draw(2, 20, 3, 8), draw(2, 30, 3, 8)), 1},
		{"MatMulGrad", nil, in(draw(4, 40, 50), draw(4, 40, 130), draw(130, 50)), 2},
		{"MatMulGrad", nil, in(draw(4, 40, 50), draw(4, 40, 30), draw(4, 30, 50)), 2},
		{"MatMulGrad", nil, in(draw(2, 4, 40, 50), draw(4, 40, 30), draw(2, 1, 30, 50)), 2},
		{"ReduceTo", nil, in(draw(300, 150), draw(150)), 1},
		{"ReduceTo", nil, in(draw(3, 300, 70), draw(3, 1, 70)), 1},
		{"ReduceProdGrad", nil, in(draw(4, 5, 6), i64v(1), draw(4, 1, 6)), 1},
		{"CumProdGrad", nil, in(draw(4, 5, 6), draw(4, 5, 6), i64v(1)), 1},
		{"PReluGrad", nil, in(draw(4, 30, 20, 40), draw(4, 30, 20, 40), draw(30, 1, 1)), 2},
		{"PReluGrad", nil, in(draw(300, 90), draw(300, 90), draw(90)), 2},
		{"PReluGrad", nil, in(draw(300, 90), draw(300, 90), draw()), 2},
		{"DetGrad", nil, in(draw(3), draw(3, 4, 4)), 1},
		{"DFTGrad", nil, in(draw(3, 12, 1), i64v(10), i64v(1), draw(3, 10, 2)), 1},
		{"STFTGrad", nil, in(draw(2, 20, 1), i64v(4), draw(8), i64v(8), draw(2, 4, 5, 2)), 2},
		{"RotaryCacheGrad", nil, in(draw(2, 3, 4, 8), draw(10, 4), draw(10, 4), i64s([]int{1, 4}, 1, 3, 9, 0), draw(2, 3, 4, 8)), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Lookup(Private, c.name, 1)
			narrow := make([]*tensor.Tensor, len(c.in))
			for i, x := range c.in {
				if narrow[i] = x; x != nil && x.DType() == tensor.Float64 {
					narrow[i] = tensor.New(tensor.Float32, x.Shape()...)
					if err := castInto(narrow[i], x); err != nil {
						t.Fatal(err)
					}
				}
			}
			want, got := productsOf(t, s, c.attrs, c.in, c.outs, 1), productsOf(t, s, c.attrs, narrow, c.outs, 1)
			for i, w := range want {
				wide := tensor.New(tensor.Float64, got[i].Shape()...)
				if err := castInto(wide, got[i]); err != nil {
					t.Fatal(err)
				}
				if diff := Compare(wide, w, 1e-4, 1e-4); diff != "" {
					t.Errorf("output %d: %s", i, diff)
				}
			}
			for threads := 2; threads < 4; threads++ {
				for i, g := range productsOf(t, s, c.attrs, narrow, c.outs, threads) {
					if !slices.Equal(g.Bytes(), got[i].Bytes()) {
						t.Errorf("output %d on %d goroutines is another", i, threads)
					}
				}
			}
		})
	}
}

// productsOf runs a node, more than once to see that it allocates nothing.
func productsOf(t *testing.T, s *Spec, attrs []graph.Attr, in []*tensor.Tensor, outs, threads int) []*tensor.Tensor {
	t.Helper()
	n := s.Node(&Case{Attrs: attrs, In: in, Out: make([]*tensor.Tensor, outs)})
	site := &Site{Opset: 1, Threads: threads, Constant: make([]*tensor.Tensor, len(in))}
	for _, x := range in {
		var typ tensor.Type
		if x != nil {
			typ = x.Type()
		}
		site.Types = append(site.Types, typ)
	}
	if err := s.Check(n); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Infer(n, site); err != nil {
		t.Fatal(err)
	}
	k, err := s.Compile(n, site)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]*tensor.Tensor, outs)
	for i := range out {
		out[i] = new(tensor.Tensor)
	}
	if got := testing.AllocsPerRun(10, func() {
		if err := k(context.Background(), in, out); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("%d threads: %v allocations a run", threads, got)
	}
	return out
}
