//go:build !lean

package op

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// winogradCase compiles a FusedConv of 3×3 taps with constant weights.
func winogradCase(t *testing.T, threads int, group int64, pads [4]int64, act string, in []*tensor.Tensor) Kernel {
	t.Helper()
	attrs := []graph.Attr{graph.IntsAttr("pads", pads[:]...), graph.IntAttr("group", group), graph.StringAttr("activation", act)}
	n := &graph.Node{Domain: microsoft, Op: "FusedConv", Attrs: attrs, Inputs: []graph.Value{"x", "w", "b", "z"}[:len(in)], Outputs: []graph.Value{"y"}}
	site := &Site{Opset: 1, Threads: threads}
	for i, x := range in {
		site.Types, site.Constant = append(site.Types, x.Type()), append(site.Constant, nil)
		if i == 1 {
			site.Constant[i] = x
		}
	}
	kernel, err := Lookup(microsoft, "FusedConv", 1).Compile(n, site)
	if err != nil {
		t.Fatal(err)
	}
	return kernel
}

func winogradRunOf(t *testing.T, kernel Kernel, in []*tensor.Tensor) *tensor.Tensor {
	t.Helper()
	out := []*tensor.Tensor{new(tensor.Tensor)}
	if err := kernel(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// narrowed is float32 of a float64 tensor.
func narrowed(t *testing.T, w *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	n := tensor.New(tensor.Float32, w.Shape()...)
	if err := castInto(n, w); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestConvWinograd holds convolutions with fewer multiplications to the definition in float64: odd and even sizes, pads on each side, groups, images,
// residuals, activations in the kernel and after it, with bands for each goroutine and with goroutines in one band.
func TestConvWinograd(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	acts := []string{"", "Relu", "LeakyRelu", "HardSwish", "Tanh", "Clip"}
	for i := range 60 {
		group, batch, threads := 1+r.IntN(2), 1+r.IntN(2), 1+r.IntN(3)
		cg, mg := winogradChannels+r.IntN(9), winogradChannels+r.IntN(40)
		high, wide := 2+r.IntN(16), 2+r.IntN(40)
		switch i % 6 {
		case 0: // many bands
			high, cg = 20+r.IntN(90), 60
		case 1: // rows that are cut
			wide, cg = 250+r.IntN(400), 75
		}
		var pads [4]int64
		for j := range pads {
			pads[j] = int64(r.IntN(3))
			if i%3 == 0 {
				pads[j] = 1
			}
		}
		out := []int{high + int(pads[0]+pads[2]) - 2, wide + int(pads[1]+pads[3]) - 2}
		if min(out[0], out[1]) < 1 {
			continue
		}
		in := []*tensor.Tensor{convRandom(r, batch, cg*group, high, wide), convRandom(r, mg*group, cg, 3, 3), convRandom(r, mg*group), convRandom(r, batch, mg*group, out[0], out[1])}
		in = in[:2+i%3]
		small := make([]*tensor.Tensor, len(in))
		for j, x := range in {
			small[j] = narrowed(t, x)
		}
		act := acts[r.IntN(len(acts))]
		got := winogradRunOf(t, winogradCase(t, threads, int64(group), pads, act, small), small)
		want := narrowed(t, winogradRunOf(t, winogradCase(t, 1, int64(group), pads, act, in), in))
		if diff := Compare(got, want, 1e-4, 1e-4); diff != "" {
			t.Fatalf("%d: %d·(%d, %d, %d) by %d in %d groups, pads %v, %s: %s", i, batch, cg*group, high, wide, mg*group, group, pads, act, diff)
		}
	}
}

// TestConvWinogradWild: what is not finite, or large, reaches those outputs alone that see it, as everywhere else, and the run after it is as before.
func TestConvWinogradWild(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	in := []*tensor.Tensor{narrowed(t, convRandom(r, 1, 16, 12, 12)), narrowed(t, convRandom(r, 20, 16, 3, 3))}
	kernel := winogradCase(t, 2, 1, [4]int64{1, 1, 1, 1}, "", in)
	for _, wild := range []float32{float32(math.Inf(1)), float32(math.NaN()), 1e38, 1} {
		in[0].F32()[5*12+6] = wild
		y := winogradRunOf(t, kernel, in).F32()
		for i, v := range y {
			sees := i/12%12 >= 4 && i/12%12 <= 6 && i%12 >= 5 && i%12 <= 7
			if wildly := !(v < 1e6 && v > -1e6); wildly != (sees && wild != 1) {
				t.Fatalf("%v: element %d is %v", wild, i, v)
			}
		}
	}
}

// TestConvWinogradError: errors beside the definition in float64 are not larger than those of the sum of products.
func TestConvWinogradError(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, c := range []struct{ size, channels int }{{28, 32}, {14, 128}, {7, 256}} {
		wide := []*tensor.Tensor{convRandom(r, 1, c.channels, c.size, c.size), convRandom(r, 32, c.channels, 3, 3)}
		in := []*tensor.Tensor{narrowed(t, wide[0]), narrowed(t, wide[1])}
		pads := [4]int64{1, 1, 1, 1}
		want := winogradRunOf(t, winogradCase(t, 1, 1, pads, "", wide), wide)
		few := winogradRunOf(t, winogradCase(t, 1, 1, pads, "", in), in)
		sums := convRun(t, []graph.Attr{graph.IntsAttr("pads", pads[:]...)}, in) // weights that are not constant
		var worst [2]float64
		most := 0.
		for i, w := range tensor.Data[float64](want) {
			for j, y := range []*tensor.Tensor{few, sums} {
				d := float64(y.F32()[i]) - w
				most = max(most, math.Abs(w))
				worst[j] = max(worst[j], math.Abs(d))
			}
		}
		t.Logf("%d channels of %d×%d: worst error %.2g, of sums %.2g, beside numbers up to %.2g", c.channels, c.size, c.size, worst[0], worst[1], most)
		if worst[0] > 1e-6*most {
			t.Errorf("%d channels: error %v beside numbers up to %v", c.channels, worst[0], most)
		}
	}
}
