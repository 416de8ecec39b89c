//go:build !lean

package op

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestConvPaths holds the float32 path of Conv, with its panels and blocks, to the plain one, which float64 takes.
func TestConvPaths(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		x, w          []int
		stride, group int64
	}{
		{[]int{1, 3, 33, 30}, []int{8, 3, 3, 3}, 2, 1},
		{[]int{2, 32, 20, 19}, []int{20, 32, 3, 3}, 1, 1},
		{[]int{1, 300, 7, 7}, []int{13, 300, 1, 1}, 1, 1},
		{[]int{1, 64, 8, 8}, []int{16, 64, 1, 1}, 2, 1},
		{[]int{2, 8, 9, 9}, []int{12, 4, 5, 5}, 1, 2},
		{[]int{1, 6, 11, 12}, []int{6, 1, 3, 3}, 1, 6},
		{[]int{1, 2, 5, 9, 8}, []int{3, 2, 2, 3, 3}, 1, 1},
	} {
		wide := []*tensor.Tensor{convRandom(r, c.x...), convRandom(r, c.w...), convRandom(r, c.w[0])}
		var narrow []*tensor.Tensor
		for _, w := range wide {
			n := tensor.New(tensor.Float32, w.Shape()...)
			if err := castInto(n, w); err != nil {
				t.Fatal(err)
			}
			narrow = append(narrow, n)
		}
		strides := []int64{c.stride, c.stride, c.stride}[:len(c.x)-2]
		attrs := []graph.Attr{graph.IntsAttr("strides", strides...), graph.IntAttr("group", c.group), graph.StringAttr("auto_pad", "SAME_UPPER"), graph.StringAttr("activation", "Relu")}
		got, want := convRun(t, attrs, narrow), convRun(t, attrs, wide)
		back := tensor.New(tensor.Float64, got.Shape()...)
		if err := castInto(back, got); err != nil {
			t.Fatal(err)
		}
		if diff := Compare(back, want, 1e-4, 1e-4); diff != "" {
			t.Errorf("%v by %v: %s", c.x, c.w, diff)
		}
	}
}

func convRandom(r *rand.Rand, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float64, shape...)
	for i := range tensor.Data[float64](t) {
		tensor.Data[float64](t)[i] = float64(float32(r.NormFloat64()))
	}
	return t
}

func convRun(t *testing.T, attrs []graph.Attr, in []*tensor.Tensor) *tensor.Tensor {
	t.Helper()
	kernel := convCompiled(t, attrs, in)
	out := []*tensor.Tensor{new(tensor.Tensor)}
	if err := kernel(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	return out[0]
}

func convCompiled(t testing.TB, attrs []graph.Attr, in []*tensor.Tensor) Kernel {
	t.Helper()
	n := &graph.Node{Domain: microsoft, Op: "FusedConv", Attrs: attrs, Inputs: []graph.Value{"x", "w", "b"}, Outputs: []graph.Value{"y"}}
	site := &Site{Opset: 1, Threads: 2}
	for _, x := range in {
		site.Types, site.Constant = append(site.Types, x.Type()), append(site.Constant, nil)
	}
	kernel, err := Lookup(microsoft, "FusedConv", 1).Compile(n, site)
	if err != nil {
		t.Fatal(err)
	}
	return kernel
}

// BenchmarkConv runs the 3×3 layers of ResNet-18 (64 to 512 channels) and a depthwise layer, on two threads.
func BenchmarkConv(b *testing.B) {
	for _, c := range []struct {
		name          string
		size, channel int
		group         int64
	}{{"56x64", 56, 64, 1}, {"28x128", 28, 128, 1}, {"14x256", 14, 256, 1}, {"7x512", 7, 512, 1}, {"depthwise 56x72", 56, 72, 72}} {
		b.Run(c.name, func(b *testing.B) {
			in := []*tensor.Tensor{convRamp(1, c.channel, c.size, c.size), convRamp(c.channel, c.channel/int(c.group), 3, 3), convRamp(c.channel)}
			kernel := convCompiled(b, []graph.Attr{graph.IntsAttr("pads", 1, 1, 1, 1), graph.IntAttr("group", c.group)}, in)
			out := []*tensor.Tensor{new(tensor.Tensor)}
			b.ReportAllocs()
			for b.Loop() {
				if err := kernel(context.Background(), in, out); err != nil {
					b.Fatal(err)
				}
			}
			flops := 2 * float64(c.size*c.size*c.channel*9*in[1].Shape()[1])
			b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
