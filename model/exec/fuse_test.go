//go:build !lean

package exec

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

func gaussian(rng *rand.Rand, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(rng.NormFloat64())
	}
	return t
}

// attentionOf is an attention of three heads over x (2, 5, 6); scores makes q·k' of q and k (2, 5, 3, 2).
func attentionOf(b *graph.Builder, x graph.Value, rng *rand.Rand, scores func(q, k graph.Value) graph.Value) graph.Value {
	part := func() graph.Value {
		y := b.Op("Add", b.Floats("b", gaussian(rng, 6).F32()), b.Op("MatMul", x, b.Floats("w", gaussian(rng, 36).F32(), 6, 6)))
		return b.Op("Reshape", y, b.Ints("heads", []int64{0, 0, 3, 2}, 4))
	}
	turn := []graph.Attr{graph.IntsAttr("perm", 0, 2, 1, 3)}
	q, k, v := part(), part(), part()
	p := b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", -1)}, scores(q, k))
	y := b.OpWith("Transpose", turn, b.Op("MatMul", p, b.OpWith("Transpose", turn, v)))
	return b.Op("Reshape", y, b.Ints("joint", []int64{0, 0, 6}, 3))
}

// patterns are graphs as exporters write them, over x of the shape; want are the operators that remain.
var patterns = []struct {
	name  string
	shape []int
	build func(b *graph.Builder, x graph.Value, rng *rand.Rand) graph.Value
	want  string
}{
	{"swish", []int{2, 3}, func(b *graph.Builder, x graph.Value, _ *rand.Rand) graph.Value {
		return b.Op("Mul", b.Op("Sigmoid", x), x)
	}, "Swish"},
	{"hard swish of PaddlePaddle", []int{2, 3}, func(b *graph.Builder, x graph.Value, _ *rand.Rand) graph.Value {
		c := b.Op("Clip", b.Op("Add", x, b.Scalar("three", 3)), b.Scalar("zero", 0), b.Scalar("six", 6))
		return b.Op("Div", b.Op("Mul", x, c), b.Scalar("six", 6))
	}, "HardSwish"},
	{"gelu", []int{2, 3}, func(b *graph.Builder, x graph.Value, _ *rand.Rand) graph.Value {
		e := b.Op("Add", b.Op("Erf", b.Op("Div", x, b.Scalar("root", math.Sqrt2))), b.Scalar("one", 1))
		return b.Op("Mul", b.Op("Mul", x, e), b.Scalar("half", .5))
	}, "Gelu"},
	{"erf that is no gelu", []int{2, 3}, func(b *graph.Builder, x graph.Value, _ *rand.Rand) graph.Value {
		e := b.Op("Add", b.Op("Erf", b.Op("Div", x, b.Scalar("root", 1.5))), b.Scalar("one", 1))
		return b.Op("Mul", b.Op("Mul", x, e), b.Scalar("half", .5))
	}, "Div Erf Add Mul Mul"},
	{"layer norm", []int{2, 4}, func(b *graph.Builder, x graph.Value, rng *rand.Rand) graph.Value {
		mean := []graph.Attr{graph.IntsAttr("axes", -1)}
		d := b.Op("Sub", x, b.OpWith("ReduceMean", mean, x))
		v := b.OpWith("ReduceMean", mean, b.Op("Pow", d, b.Scalar("two", 2)))
		y := b.Op("Div", d, b.Op("Sqrt", b.Op("Add", v, b.Scalar("eps", 1e-5))))
		return b.Op("Add", b.Op("Mul", y, b.Floats("gamma", gaussian(rng, 4).F32())), b.Floats("beta", gaussian(rng, 4).F32()))
	}, "LayerNormalization"},
	{"dense layers", []int{2, 3}, func(b *graph.Builder, x graph.Value, rng *rand.Rand) graph.Value {
		h := b.Op("Relu", b.Op("Add", b.Op("MatMul", x, b.Floats("w", gaussian(rng, 12).F32(), 3, 4)), b.Floats("b", gaussian(rng, 4).F32())))
		return b.Op("Tanh", b.OpWith("Gemm", []graph.Attr{graph.IntAttr("transB", 1)}, h, b.Floats("w2", gaussian(rng, 8).F32(), 2, 4), b.Floats("b2", gaussian(rng, 2).F32())))
	}, "Dense Dense"},
	{"a sum that is no bias", []int{3, 3}, func(b *graph.Builder, x graph.Value, rng *rand.Rand) graph.Value {
		return b.Op("Add", b.Op("MatMul", x, b.Floats("w", gaussian(rng, 9).F32(), 3, 3)), b.Floats("b", gaussian(rng, 3).F32(), 3, 1))
	}, "MatMul Add"},
	{"convolution, normalisation, activation", []int{1, 2, 5, 5}, func(b *graph.Builder, x graph.Value, rng *rand.Rand) graph.Value {
		c := b.Op("Conv", x, b.Floats("w", gaussian(rng, 3*2*9).F32(), 3, 2, 3, 3), b.Floats("b", gaussian(rng, 3).F32()))
		n := b.Op("BatchNormalization", c, b.Floats("s", []float32{1, 2, -1}), b.Floats("t", []float32{0, 1, 2}), b.Floats("m", []float32{.1, .2, .3}), b.Floats("v", []float32{1, 2, .5}))
		return b.Op("Relu", b.Op("Add", b.Op("Mul", n, b.Scalar("two", 2)), b.Floats("u", []float32{1, 0, 3}, 1, 3, 1, 1)))
	}, "FusedConv"},
	{"learnable activations", []int{1, 2, 5, 5}, func(b *graph.Builder, x graph.Value, rng *rand.Rand) graph.Value {
		line := func(x graph.Value) graph.Value { // of a hard swish
			return b.Op("Add", b.Op("Mul", b.Floats("s", []float32{.7}), b.Op("HardSwish", x)), b.Floats("t", []float32{-.3}))
		}
		pads := []graph.Attr{graph.IntsAttr("pads", 1, 1, 1, 1)}
		y := line(b.OpWith("Conv", pads, x, b.Floats("w", gaussian(rng, 3*2*9).F32(), 3, 2, 3, 3)))
		y = line(b.OpWith("Conv", pads, y, b.Floats("w", gaussian(rng, 3*3*9).F32(), 3, 3, 3, 3)))
		y = b.Op("Conv", y, b.Floats("w", gaussian(rng, 4*3).F32(), 4, 3, 1, 1), b.Floats("b", gaussian(rng, 4).F32()))
		return b.Op("Mul", y, b.Floats("u", gaussian(rng, 4).F32(), 4, 1, 1))
	}, "FusedConv FusedConv Conv"},
	{"a product before pads, and a sum", []int{1, 2, 5, 5}, func(b *graph.Builder, x graph.Value, rng *rand.Rand) graph.Value {
		y := b.Op("Add", b.Op("Mul", x, b.Scalar("s", 3)), b.Scalar("t", -1))
		y = b.Op("Mul", y, b.Scalar("u", -.5))
		return b.OpWith("Conv", []graph.Attr{graph.StringAttr("auto_pad", "SAME_UPPER")}, y, b.Floats("w", gaussian(rng, 3*2*9).F32(), 3, 2, 3, 3))
	}, "Mul Add Conv"},
	{"residual gate", []int{2, 3, 4, 5}, func(b *graph.Builder, x graph.Value, _ *rand.Rand) graph.Value {
		g := b.Op("HardSigmoid", b.Op("GlobalAveragePool", x))
		return b.Op("Add", x, b.Op("Mul", x, g))
	}, "GlobalAveragePool HardSigmoid Add Mul"},
	{"transposed convolution of groups, normalisation, activation", []int{1, 4, 3, 3}, func(b *graph.Builder, x graph.Value, rng *rand.Rand) graph.Value {
		attrs := []graph.Attr{graph.IntAttr("group", 2), graph.IntsAttr("strides", 2, 2)}
		c := b.OpWith("ConvTranspose", attrs, x, b.Floats("w", gaussian(rng, 4*3*4).F32(), 4, 3, 2, 2))
		n := b.Op("Add", c, b.Floats("u", gaussian(rng, 6).F32(), 1, 6, 1, 1))
		n = b.Op("BatchNormalization", n, b.Floats("s", gaussian(rng, 6).F32()), b.Floats("t", gaussian(rng, 6).F32()), b.Floats("m", gaussian(rng, 6).F32()), b.Floats("v", []float32{1, 2, .5, 3, 1, 2}))
		return b.Op("Relu", n)
	}, "FusedConvTranspose"},
	{"residual", []int{1, 2, 5, 5}, func(b *graph.Builder, x graph.Value, rng *rand.Rand) graph.Value {
		c := b.OpWith("Conv", []graph.Attr{graph.IntsAttr("pads", 1, 1, 1, 1)}, x, b.Floats("w", gaussian(rng, 2*2*9).F32(), 2, 2, 3, 3))
		return b.Op("Relu", b.Op("Add", c, x))
	}, "FusedConv"},
	{"attention of heads", []int{2, 5, 6}, func(b *graph.Builder, x graph.Value, rng *rand.Rand) graph.Value {
		return attentionOf(b, x, rng, func(q, k graph.Value) graph.Value {
			s := b.Op("Mul", b.Op("MatMul", b.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 2, 1, 3)}, q), b.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 2, 3, 1)}, k)), b.Scalar("scale", .7))
			return b.Op("Add", s, b.Floats("mask", gaussian(rng, 10).F32(), 2, 1, 1, 5))
		})
	}, "Dense Reshape Dense Reshape Dense Reshape HeadAttention Reshape"},
	{"attention of scaled operands", []int{2, 5, 6}, func(b *graph.Builder, x graph.Value, rng *rand.Rand) graph.Value {
		return attentionOf(b, x, rng, func(q, k graph.Value) graph.Value {
			turned := b.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 2, 1, 3)}, k)
			flat := b.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 2, 1)}, b.Op("Reshape", turned, b.Ints("flat", []int64{-1, 5, 2}, 3)))
			kt := b.Op("Mul", b.Op("Reshape", flat, b.Ints("four", []int64{2, 3, 2, 5}, 4)), b.Scalar("scale", .7))
			return b.Op("MatMul", b.Op("Div", b.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 2, 1, 3)}, q), b.Scalar("by", 2)), kt)
		})
	}, "Dense Reshape Dense Reshape Dense Reshape HeadAttention Reshape"},
	{"weights of bytes", []int{2, 3, 7}, func(b *graph.Builder, x graph.Value, rng *rand.Rand) graph.Value {
		w := tensor.New(tensor.Int8, 7, 20)
		for i := range w.Bytes() {
			w.Bytes()[i] = byte(rng.Uint32())
		}
		q := b.Node("", "DynamicQuantizeLinear", []graph.Value{x}, 3)
		sums := b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, b.Op("MatMulInteger", q[0], b.Init("w", w), q[2], b.Init("zero", tensor.FromSlice(tensor.Int8, []int8{3}))))
		y := b.Op("Mul", sums, b.Op("Mul", q[1], b.Floats("scale", gaussian(rng, 20).F32())))
		return b.Op("Relu", b.Op("Add", b.Floats("b", gaussian(rng, 20).F32()), y))
	}, "DynamicQuantizeLinear Mul QuantDense"},
	{"a value that others use", []int{2, 3}, func(b *graph.Builder, x graph.Value, _ *rand.Rand) graph.Value {
		s := b.Op("Sigmoid", x)
		return b.Op("Add", b.Op("Mul", s, x), s)
	}, "Sigmoid Mul Add"},
}

// Each pattern becomes the fused operators, and computes what it did before.
func TestFusing(t *testing.T) {
	for _, c := range patterns {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			b := graph.NewBuilder("g")
			x := b.Input("x", tensor.TypeOf(tensor.Float32, c.shape...))
			y := c.build(b, x, rng)
			m := b.Model()
			m.Graph.Outputs = []graph.Port{{Name: y}}
			fused, err := Compile(m, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range fused.steps {
				names = append(names, s.operator)
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("it became %s, want %s", got, c.want)
			}
			for _, n := range m.Graph.Nodes { // every value is an output: nothing can be fused
				m.Graph.Outputs = append(m.Graph.Outputs, graph.Port{Name: n.Outputs[0]})
			}
			plain, err := Compile(m, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(plain.steps) != len(m.Graph.Nodes) {
				t.Fatalf("%d steps for %d nodes", len(plain.steps), len(m.Graph.Nodes))
			}
			in := []*tensor.Tensor{gaussian(rng, c.shape...)}
			got, err := fused.Run(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			want, err := plain.Run(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			if why := op.Compare(got[0], want[0], 1e-5, 1e-6); why != "" {
				t.Error(why)
			}
		})
	}
}
