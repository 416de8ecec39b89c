package op

import (
	"context"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestGatherGradIsTheSame: the gradient of an embedding has the same bits however many goroutines add it up, where rows repeat, whatever their width.
func TestGatherGradIsTheSame(t *testing.T) {
	for _, width := range []int{1, 9, 100, 300} {
		const rows = 50
		count := 1 + 2*cheapGrain/width
		idx := tensor.New(tensor.Int64, 2, count)
		for i := range idx.I64() {
			idx.I64()[i] = int64(i*i%7*7%rows) - rows*int64(i%2) // some rows often, some from the end
		}
		x, dy := tensor.New(tensor.Float32, 2, rows, width), tensor.New(tensor.Float32, 2, 2, count, width)
		for i := range dy.F32() {
			dy.F32()[i] = float32(i%1013)/7 - 50
		}
		want := make([]float32, x.Len())
		for o := range 2 {
			for i, at := range idx.I64() {
				for k := range width {
					want[(o*rows+int(at+rows)%rows)*width+k] += dy.F32()[(o*idx.Len()+i)*width+k]
				}
			}
		}
		c := &Case{Attrs: []graph.Attr{graph.IntAttr("axis", 1)}, In: in(dy, x, idx)}
		s := Lookup(Private, "GatherGrad", 1)
		for _, threads := range []int{1, 2, 3} {
			site := siteOf(s, c, "types")
			site.Threads = threads
			kernel, err := s.Compile(s.Node(c), site)
			if err != nil {
				t.Fatal(err)
			}
			out := in(new(tensor.Tensor))
			if err := kernel(context.Background(), c.In, out); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(out[0].F32(), want) {
				t.Errorf("width %d, %d threads: other sums", width, threads)
			}
		}
	}
}
