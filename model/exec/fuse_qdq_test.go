//go:build !lean

package exec

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// qdq writes graphs as quantisers do.
type qdq struct {
	*graph.Builder
	rng *rand.Rand
}

// through rounds v to bytes and back.
func (b *qdq) through(v graph.Value, scale float32, zero *tensor.Tensor) graph.Value {
	s, z := b.Scalar("s", scale), b.Init("z", zero)
	return b.Op("DequantizeLinear", b.Op("QuantizeLinear", v, s, z), s, z)
}

// weights are constant bytes, made real with a scale for all or for each place of an axis.
func (b *qdq) weights(d tensor.DType, axis, scales int, shape ...int) graph.Value {
	w, zero, scale := tensor.New(d, shape...), tensor.New(d, scales), make([]float32, scales)
	for i := range w.Bytes() {
		w.Bytes()[i] = byte(b.rng.Uint32())
	}
	for i := range scale {
		scale[i] = .001 + b.rng.Float32()/500
		zero.Bytes()[i] = byte(b.rng.IntN(100))
	}
	return b.OpWith("DequantizeLinear", []graph.Attr{graph.IntAttr("axis", int64(axis))}, b.Init("w", w), b.Floats("ws", scale), b.Init("wz", zero))
}

func u8(v uint8) *tensor.Tensor { return tensor.FromSlice(tensor.Uint8, []uint8{v}) }
func i8(v int8) *tensor.Tensor  { return tensor.FromSlice(tensor.Int8, []int8{v}) }

// TestFusingQuantized: operators between bytes become operators on bytes, and their results stay within one step of the plain graph's, and within
// rounding where they are exact.
func TestFusingQuantized(t *testing.T) {
	for _, c := range []struct {
		name  string
		shape []int
		step  float64 // between two results
		build func(b *qdq, x graph.Value) graph.Value
		want  string
	}{
		{"convolution", []int{1, 3, 6, 6}, .05, func(b *qdq, x graph.Value) graph.Value {
			y := b.OpWith("Conv", []graph.Attr{graph.IntsAttr("pads", 1, 1, 1, 1)}, b.through(x, .02, u8(100)), b.weights(tensor.Int8, 0, 5, 5, 3, 3, 3), b.Floats("b", []float32{1, -1, 0, .3, 2}))
			return b.through(b.Op("Relu", y), .05, i8(-20))
		}, "QuantizeLinear QuantConv DequantizeLinear"},
		{"dense layers", []int{4, 7}, .03, func(b *qdq, x graph.Value) graph.Value {
			h := b.OpWith("Gemm", []graph.Attr{graph.IntAttr("transB", 1)}, b.through(x, .02, i8(3)), b.weights(tensor.Int8, 0, 6, 6, 7), b.Floats("b", []float32{1, 2, 3, -1, -2, -3}))
			y := b.Op("Add", b.Op("MatMul", b.through(h, .04, i8(0)), b.weights(tensor.Uint8, 1, 1, 6, 3)), b.Floats("c", []float32{.1, .2, .3}))
			return b.through(y, .03, u8(128))
		}, "QuantizeLinear QuantMatMul QuantMatMul DequantizeLinear"},
		{"a product whose result stays real", []int{4, 7}, 1e-5, func(b *qdq, x graph.Value) graph.Value {
			return b.Op("Relu", b.Op("Add", b.Op("MatMul", b.through(x, .02, u8(9)), b.weights(tensor.Int8, -1, 6, 7, 6)), b.Floats("b", []float32{1, 2, 3, -1, -2, -3})))
		}, "QuantizeLinear QuantDense"},
		{"two products of what is made", []int{2, 4, 4}, .3, func(b *qdq, x graph.Value) graph.Value {
			q := b.through(x, .02, u8(99))
			return b.through(b.Op("MatMul", q, q), .3, u8(7))
		}, "QuantizeLinear QuantMatMul DequantizeLinear"},
		{"sum and what moves", []int{1, 4, 5, 5}, 1e-7, func(b *qdq, x graph.Value) graph.Value {
			q := b.through(x, .02, u8(128))
			y := b.through(b.Op("Relu", b.Op("Add", q, b.through(b.Op("Neg", x), .03, i8(4)))), .05, u8(0))
			z := b.through(b.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 2, 3, 1)}, b.through(b.Op("Relu", y), .05, u8(0))), .05, u8(0))
			return b.through(b.OpWith("MaxPool", []graph.Attr{graph.IntsAttr("kernel_shape", 2, 2)}, z), .05, u8(0))
		}, "QuantizeLinear Neg QuantizeLinear QuantAdd Identity Transpose MaxPool DequantizeLinear"},
		{"another scale after a move", []int{2, 3}, 1e-7, func(b *qdq, x graph.Value) graph.Value {
			return b.through(b.OpWith("Transpose", nil, b.through(x, .02, u8(128))), .03, u8(128))
		}, "QuantizeLinear DequantizeLinear Transpose QuantizeLinear DequantizeLinear"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &qdq{graph.NewBuilder("g"), rand.New(rand.NewPCG(1, 2))}
			x := b.Input("x", tensor.TypeOf(tensor.Float32, c.shape...))
			y := c.build(b, x)
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
			in := []*tensor.Tensor{gaussian(b.rng, c.shape...)}
			got, err := fused.Run(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			want, err := plain.Run(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			others, all := 0, want[0].F32()
			for i, w := range all {
				d := math.Abs(float64(got[0].F32()[i] - w))
				if d > 1.001*c.step {
					t.Fatalf("element %d is %v, want %v", i, got[0].F32()[i], w)
				}
				if d > c.step/2 {
					others++
				}
			}
			if others > len(all)/20 && c.step > 1e-4 {
				t.Errorf("%d of %d elements are rounded otherwise", others, len(all))
			}
		})
	}
}
