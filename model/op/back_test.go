package op

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestBackFloat32 holds the float32 kernels of the way back, which are vector loops, to those of float64, which central differences prove; and the
// result on several goroutines to that on one, bit for bit.
func TestBackFloat32(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	draw := func(shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float64, shape...)
		for i := range tensor.Data[float64](x) {
			tensor.Data[float64](x)[i] = float64(float32(r.NormFloat64()))
		}
		return x
	}
	attr := func(a ...graph.Attr) []graph.Attr { return a }
	one, f := []int{3, 37, 61}, graph.FloatAttr
	for _, c := range []struct {
		name  string
		attrs []graph.Attr
		in    []*tensor.Tensor
	}{
		{"ReluGrad", nil, in(draw(one...), draw(one...))},
		{"LeakyReluGrad", attr(f("alpha", .25)), in(draw(one...), draw(one...))},
		{"SigmoidGrad", nil, in(draw(one...), draw(one...))},
		{"TanhGrad", nil, in(draw(one...), draw(one...))},
		{"HardSigmoidGrad", nil, in(draw(one...), draw(one...))},
		{"ErfGrad", nil, in(draw(one...), draw(one...))},
		{"SoftplusGrad", nil, in(draw(one...), draw(one...))},
		{"EluGrad", attr(f("alpha", 2)), in(draw(one...), draw(one...))},
		{"SeluGrad", nil, in(draw(one...), draw(one...))},
		{"CeluGrad", attr(f("alpha", .5)), in(draw(one...), draw(one...))},
		{"GeluGrad", nil, in(draw(one...), draw(one...))},
		{"GeluGrad", attr(graph.StringAttr("approximate", "tanh")), in(draw(one...), draw(one...))},
		{"SwishGrad", attr(f("alpha", 1.702)), in(draw(one...), draw(one...))},
		{"MishGrad", nil, in(draw(one...), draw(one...))},
		{"HardSwishGrad", nil, in(draw(one...), draw(one...))},
		{"SoftsignGrad", nil, in(draw(one...), draw(one...))},
		{"ThresholdedReluGrad", nil, in(draw(one...), draw(one...))},
		{"ShrinkGrad", nil, in(draw(one...), draw(one...))},
		{"ClipGrad", nil, in(draw(one...), draw(one...), f64s(nil, -.5), f64s(nil, 1))},
		{"BatchNormGrad", attr(graph.IntAttr("training", 1)), in(draw(4, 8, 5, 9), draw(4, 8, 5, 9), draw(8), draw(8), f64v(1, 2, .5, 1, 1, 2, 3, 1))},
		{"BatchNormGrad", attr(graph.IntAttr("training", 1)), in(draw(70, 300, 2), draw(70, 300, 2), draw(300), draw(300), ones(300))},
		{"BatchNormGrad", nil, in(draw(70, 300, 2), draw(70, 300, 2), draw(300), draw(300), ones(300))},
		{"LayerNormGrad", nil, in(draw(201, 217), draw(201, 217), draw(217))},
		{"LayerNormGrad", attr(graph.IntAttr("axis", 1)), in(draw(3, 37, 7), draw(3, 37, 7), draw(37, 1), draw(7))},
		{"LayerNormGrad", attr(graph.IntAttr("rms", 1)), in(draw(201, 217), draw(201, 217), draw(217))},
		{"GroupNormGrad", nil, in(draw(5, 12, 33, 21), draw(5, 12, 33, 21), draw(12))},
		{"GroupNormGrad", attr(graph.IntAttr("num_groups", 3)), in(draw(5, 12, 33, 21), draw(5, 12, 33, 21), draw(12))},
		{"GroupNormGrad", attr(graph.IntAttr("num_groups", 3), graph.IntAttr("by_group", 1)), in(draw(5, 12, 7), draw(5, 12, 7), draw(3))},
		{"SoftmaxGrad", nil, in(draw(111, 217), draw(111, 217))},
		{"SoftmaxGrad", attr(graph.IntAttr("axis", 1)), in(draw(3, 37, 300), draw(3, 37, 300))},
		{"LogSoftmaxGrad", nil, in(draw(111, 217), draw(111, 217))},
		{"LogSoftmaxGrad", attr(graph.IntAttr("axis", 1)), in(draw(3, 37, 300), draw(3, 37, 300))},
		{"LossGrad", attr(graph.IntAttr("softmax", 1)), in(draw(), classes(111), draw(111, 217))},
		{"LossGrad", attr(graph.IntAttr("softmax", 1), graph.StringAttr("reduction", "none")), in(draw(3, 300), i64s([]int{3, 300}, tensor.Data[int64](classes(900))...), draw(3, 37, 300), ones(37))},
		{"PReluGrad", nil, in(draw(one...), draw(one...), draw(37, 1))},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Lookup(Private, c.name, 1)
			want := backOf(t, s, c.attrs, c.in, 1)
			narrow := make([]*tensor.Tensor, len(c.in))
			for i, x := range c.in {
				if narrow[i] = x; x != nil && x.DType() == tensor.Float64 {
					narrow[i] = tensor.New(tensor.Float32, x.Shape()...)
					if err := castInto(narrow[i], x); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := backOf(t, s, c.attrs, narrow, 1)
			for i, w := range want {
				if w.DType() == tensor.Undefined { // not made from these inputs
					continue
				}
				wide := tensor.New(tensor.Float64, got[i].Shape()...)
				if err := castInto(wide, got[i]); err != nil {
					t.Fatal(err)
				}
				if diff := Compare(wide, w, 2e-5, 2e-5); diff != "" {
					t.Errorf("output %d: %s", i, diff)
				}
			}
			for threads := 2; threads < 4; threads++ {
				for i, g := range backOf(t, s, c.attrs, narrow, threads) {
					if !slices.Equal(g.Bytes(), got[i].Bytes()) {
						t.Errorf("output %d on %d goroutines is another", i, threads)
					}
				}
			}
		})
	}
}

// TestLayerStatistics holds the gradient that comes through mean and 1/√(var + epsilon) to central differences.
func TestLayerStatistics(t *testing.T) {
	x := []float64{1, 3, 8, 2, -1}
	for rms := range 2 {
		loss := func() float64 {
			var mean, squares float64
			for _, v := range x {
				mean += v / 5
			}
			if rms == 1 {
				mean = 0
			}
			for _, v := range x {
				squares += (v - mean) * (v - mean) / 5
			}
			return 2*mean - 3/math.Sqrt(squares+.5)
		}
		attrs := []graph.Attr{graph.FloatAttr("epsilon", .5), graph.IntAttr("rms", int64(rms))}
		inputs := in(f64s([]int{1, 5}, 0, 0, 0, 0, 0), f64s([]int{1, 5}, x...), f64v(1, 1, 1, 1, 1), nil, f32s([]int{1, 1}, 2), f32s([]int{1, 1}, -3))
		if rms == 1 {
			inputs[4] = nil
		}
		got := tensor.Data[float64](backOf(t, Lookup(Private, "LayerNormGrad", 1), attrs, inputs, 1)[0])
		for i := range x {
			v := x[i]
			x[i] = v + 1e-6
			up := loss()
			x[i] = v - 1e-6
			down := loss()
			x[i] = v
			if want := (up - down) / 2e-6; !(math.Abs(got[i]-want) <= 1e-6) {
				t.Errorf("rms %d: element %d: %g, differences give %g", rms, i, got[i], want)
			}
		}
	}
}

func classes(n int) *tensor.Tensor {
	t := tensor.New(tensor.Int64, n)
	for i := range t.I64() {
		t.I64()[i] = int64(i % 37)
	}
	return t
}

// TestSoftmaxBeside holds the softmax of float32 along a dimension that is not the last, and its logarithm, to that of float64.
func TestSoftmaxBeside(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	x, wide := tensor.New(tensor.Float32, 3, 7, 301), tensor.New(tensor.Float64, 3, 7, 301)
	for i := range x.F32() {
		x.F32()[i] = 10 * float32(r.NormFloat64())
		tensor.Data[float64](wide)[i] = float64(x.F32()[i])
	}
	for _, name := range []string{"Softmax", "LogSoftmax"} {
		attrs := []graph.Attr{graph.IntAttr("axis", 1)}
		got, want := backOf(t, Lookup("", name, 13), attrs, in(x), 2)[0], backOf(t, Lookup("", name, 13), attrs, in(wide), 1)[0]
		for i, v := range got.F32() {
			if w := tensor.Data[float64](want)[i]; !(math.Abs(float64(v)-w) <= 1e-6*(1+math.Abs(w))) {
				t.Fatalf("%s: element %d is %g, not %g", name, i, v, w)
			}
		}
	}
}

func ones(n int) *tensor.Tensor {
	x := tensor.New(tensor.Float64, n)
	fill(tensor.Data[float64](x), 1)
	return x
}

// backOf runs an operator for all its outputs.
func backOf(t *testing.T, s *Spec, attrs []graph.Attr, in []*tensor.Tensor, threads int) []*tensor.Tensor {
	t.Helper()
	n, site := s.Node(&Case{Attrs: attrs, In: in, Out: make([]*tensor.Tensor, s.Out.Max)}), &Site{Opset: max(1, s.Since), Threads: threads, Own: len(in)}
	for _, x := range in {
		typ := tensor.Type{}
		if x != nil {
			typ = x.Type()
		}
		site.Types, site.Constant = append(site.Types, typ), append(site.Constant, nil)
	}
	if _, err := s.Infer(n, site); err != nil {
		t.Fatal(err)
	}
	k, err := s.Compile(n, site)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]*tensor.Tensor, len(n.Outputs))
	for i := range out {
		out[i] = new(tensor.Tensor)
	}
	if err := k(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	return out
}
