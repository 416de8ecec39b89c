//go:build !lean

package op

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestConvGradPaths holds the ways back for float32 to the plain ones, which float64 takes: few channels and many, strides, groups, all ranks; the
// results are the same, bit for bit, on one goroutine and on three.
func TestConvGradPaths(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		x, w                    []int
		stride, dilation, group int64
	}{
		{[]int{3, 1, 28, 27}, []int{6, 1, 5, 5}, 1, 1, 1},
		{[]int{5, 6, 12, 12}, []int{16, 6, 5, 5}, 1, 1, 1},
		{[]int{2, 3, 17, 18}, []int{20, 3, 3, 3}, 2, 1, 1},
		{[]int{2, 20, 18, 17}, []int{24, 20, 3, 3}, 1, 1, 1},
		{[]int{9, 32, 4, 4}, []int{40, 32, 3, 3}, 1, 1, 1},
		{[]int{9, 33, 8, 8}, []int{17, 33, 3, 3}, 2, 1, 1},
		{[]int{3, 24, 9, 9}, []int{40, 24, 1, 1}, 2, 1, 1},
		{[]int{3, 24, 9, 8}, []int{40, 24, 1, 1}, 1, 1, 1},
		{[]int{2, 36, 9, 10}, []int{40, 18, 3, 2}, 3, 2, 2},
		{[]int{2, 6, 11, 12}, []int{6, 1, 3, 3}, 1, 1, 6},
		{[]int{2, 6, 11, 12}, []int{12, 1, 3, 3}, 2, 1, 6},
		{[]int{2, 2, 5, 9, 8}, []int{3, 2, 2, 3, 3}, 2, 1, 1},
		{[]int{40, 20, 8, 8}, []int{26, 20, 3, 3}, 1, 1, 1},
		{[]int{90, 17, 4, 5}, []int{50, 17, 3, 3}, 1, 1, 1},
		{[]int{5, 34, 21, 19}, []int{36, 17, 3, 3}, 1, 1, 2},
		{[]int{2, 16, 70}, []int{30, 16, 5}, 2, 3, 1},
	} {
		for _, op := range []string{"ConvGrad", "ConvTransposeGrad"} {
			rank := len(c.x) - 2
			attrs := []graph.Attr{
				graph.IntsAttr("strides", []int64{c.stride, c.stride, c.stride}[:rank]...), graph.IntsAttr("dilations", []int64{c.dilation, c.dilation, c.dilation}[:rank]...),
				graph.IntAttr("group", c.group), graph.IntsAttr("pads", []int64{1, 1, 0, 0, 1, 1}[:2*rank]...),
			}
			n := &graph.Node{Op: "Conv", Attrs: attrs}
			win, _, err := convWindow(n)
			if err != nil {
				t.Fatal(err)
			}
			v, err := win.fit(c.x[2:], c.w[2:])
			if err != nil {
				t.Fatal(err)
			}
			y := v.shape([]int{c.x[0], c.w[0]})
			dy, x := y, c.x
			if op == "ConvTransposeGrad" {
				dy, x = transposedShape(t, attrs, y, c.w), y
			}
			wide := []*tensor.Tensor{convRandom(r, dy...), convRandom(r, x...), convRandom(r, c.w...)}
			var narrow []*tensor.Tensor
			for _, w := range wide {
				n := tensor.New(tensor.Float32, w.Shape()...)
				if err := castInto(n, w); err != nil {
					t.Fatal(err)
				}
				narrow = append(narrow, n)
			}
			want, got, again := runAll(t, op, 1, attrs, wide), runAll(t, op, 1, attrs, narrow), runAll(t, op, 3, attrs, narrow)
			for i := range want {
				back := tensor.New(tensor.Float64, got[i].Shape()...)
				if err := castInto(back, got[i]); err != nil {
					t.Fatal(err)
				}
				if diff := Compare(back, want[i], 1e-3, 1e-4); diff != "" {
					t.Errorf("%s %v by %v, gradient %d: %s", op, c.x, c.w, i, diff)
				}
				if diff := Compare(again[i], got[i], 0, 0); diff != "" {
					t.Errorf("%s %v by %v, gradient %d on three goroutines: %s", op, c.x, c.w, i, diff)
				}
			}
		}
	}
}

// transposedShape is the shape that a transposed convolution makes of one of the shape x.
func transposedShape(t *testing.T, attrs []graph.Attr, x, w []int) []int {
	t.Helper()
	tr, group, err := transposedOf(&graph.Node{Op: "ConvTranspose", Attrs: attrs})
	if err != nil {
		t.Fatal(err)
	}
	v, err := tr.fit(x, w)
	if err != nil {
		t.Fatal(err)
	}
	return v.shape([]int{x[0], w[1] * group})
}

// runAll runs a private operator with three outputs.
func runAll(t *testing.T, op string, threads int, attrs []graph.Attr, in []*tensor.Tensor) []*tensor.Tensor {
	t.Helper()
	site := &Site{Opset: 1, Threads: threads, Constant: make([]*tensor.Tensor, len(in))}
	for _, x := range in {
		site.Types = append(site.Types, x.Type())
	}
	s := Lookup(Private, op, 1)
	k, err := s.Compile(&graph.Node{Domain: Private, Op: op, Attrs: attrs, Outputs: []graph.Value{"a", "b", "c"}}, site)
	if err != nil {
		t.Fatal(err)
	}
	out := []*tensor.Tensor{new(tensor.Tensor), new(tensor.Tensor), new(tensor.Tensor)}
	for range 2 { // the second in memory that the first has used
		if err := k(context.Background(), in, out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
