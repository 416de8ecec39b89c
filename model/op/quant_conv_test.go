package op

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// drawBytes draws elements of a type, many from its ends.
func drawBytes(rng *rand.Rand, d tensor.DType, shape ...int) *tensor.Tensor {
	t := tensor.New(d, shape...)
	for i := range t.Bytes() {
		t.Bytes()[i] = []byte{0, 127, 128, 255, byte(rng.IntN(256)), byte(rng.IntN(256))}[rng.IntN(6)]
	}
	return t
}

// TestQuantConv holds convolutions of bytes to sums one by one: every way to compute them, and borders that are x's zero point.
func TestQuantConv(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	ints := func(name string, v ...int64) graph.Attr { return graph.IntsAttr(name, v...) }
	for _, c := range []struct {
		name  string
		x, w  []int
		group int
		attrs []graph.Attr
	}{
		{"3x3", []int{2, 5, 9, 11}, []int{7, 5, 3, 3}, 1, []graph.Attr{ints("pads", 1, 1, 1, 1)}},
		{"wide", []int{1, 40, 6, 37}, []int{18, 40, 3, 3}, 1, []graph.Attr{ints("pads", 2, 0, 1, 1)}},
		{"stride", []int{1, 3, 21, 20}, []int{9, 3, 7, 7}, 1, []graph.Attr{ints("pads", 3, 3, 3, 3), ints("strides", 2, 2)}},
		{"stride 3", []int{1, 6, 12, 23}, []int{9, 6, 3, 2}, 1, []graph.Attr{ints("strides", 1, 3), ints("dilations", 2, 4)}},
		{"1x1", []int{2, 33, 5, 5}, []int{6, 33, 1, 1}, 1, nil},
		{"1x1 stride", []int{1, 33, 6, 9}, []int{6, 33, 1, 1}, 1, []graph.Attr{ints("strides", 2, 2)}},
		{"groups", []int{2, 6, 7, 7}, []int{9, 2, 3, 3}, 3, []graph.Attr{graph.StringAttr("auto_pad", "SAME_UPPER")}},
		{"depthwise", []int{2, 6, 9, 18}, []int{6, 1, 3, 3}, 6, []graph.Attr{ints("pads", 1, 1, 1, 1), ints("strides", 2, 2)}},
		{"depthwise, many terms", []int{1, 2, 30, 30}, []int{2, 1, 17, 17}, 2, nil},
		{"line", []int{3, 4, 50}, []int{5, 4, 5}, 1, []graph.Attr{ints("pads", 4, 0)}},
		{"cube", []int{1, 3, 4, 5, 6}, []int{4, 3, 2, 3, 2}, 1, []graph.Attr{ints("pads", 1, 1, 0, 0, 1, 1)}},
		{"far", []int{1, 2, 3, 3}, []int{2, 2, 2, 2}, 1, []graph.Attr{ints("pads", 500, 500, 500, 500), ints("dilations", 1000, 1000)}},
	} {
		for kind := range 4 {
			dx, dw := []tensor.DType{tensor.Uint8, tensor.Int8}[kind%2], []tensor.DType{tensor.Uint8, tensor.Int8}[kind/2]
			x, w := drawBytes(rng, dx, c.x...), drawBytes(rng, dw, c.w...)
			xzero, wzero := drawBytes(rng, dx), drawBytes(rng, dw, c.w[0])
			attrs := append(c.attrs, graph.IntAttr("group", int64(c.group)))
			bias := make([]int32, c.w[0])
			scale := make([]float32, c.w[0])
			for m := range bias {
				bias[m], scale[m] = int32(rng.IntN(20000)-10000), .01+rng.Float32()/100
			}
			want, shape := sumsOfConv(t, x, xzero, w, wzero, attrs, c.group)
			for _, threads := range []int{1, 3} {
				got := runOp(t, "ConvInteger", threads, attrs, x, w, xzero, wzero)
				for i, v := range tensor.Data[int32](got) {
					if v != want[i] {
						t.Fatalf("%s, %v by %v, %d threads: element %d is %d, want %d", c.name, dx, dw, threads, i, v, want[i])
					}
				}
				yzero := drawBytes(rng, dx)
				rounded := runOp(t, "QLinearConv", threads, attrs, x, f32s(nil, .5), xzero, w, f32v(scale...), wzero, f32s(nil, 40), yzero, i32v(bias...))
				lo, hi, _ := quantRange(dx)
				plane := 1
				for _, d := range shape[2:] {
					plane *= d
				}
				for i, sum := range want {
					m := i / plane % c.w[0]
					v := float32(math.RoundToEven(float64(float32(sum+bias[m])*(.5*scale[m]/40)))) + byteAt(yzero, 0)
					if v = max(float32(lo), min(float32(hi), v)); v != byteAt(rounded, i) {
						t.Fatalf("%s, %v by %v, %d threads: element %d is %v, want %v", c.name, dx, dw, threads, i, byteAt(rounded, i), v)
					}
				}
			}
		}
	}
}

// sumsOfConv convolves in float64, which is exact here.
func sumsOfConv(t *testing.T, x, xzero, w, wzero *tensor.Tensor, attrs []graph.Attr, group int) (sums []int32, shape []int) {
	wide := func(b *tensor.Tensor, zero func(i int) float32) *tensor.Tensor {
		f := tensor.New(tensor.Float64, b.Shape()...)
		for i := range f.Len() {
			tensor.Data[float64](f)[i] = float64(byteAt(b, i) - zero(i))
		}
		return f
	}
	per := w.Len() / w.Shape()[0]
	y := runOp(t, "Conv", 1, attrs, wide(x, func(int) float32 { return byteAt(xzero, 0) }), wide(w, func(i int) float32 { return byteAt(wzero, i/per) }))
	for _, v := range tensor.Data[float64](y) {
		sums = append(sums, int32(v))
	}
	return sums, y.Shape()
}
