package op

import (
	"math"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestLinearAttentionBack: the way back of linear attention is the same on any number of goroutines, bit for bit, and allocates nothing (productsOf).
func TestLinearAttentionBack(t *testing.T) {
	draw := func(seed int, shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.F32() {
			x.F32()[i] = float32(math.Sin(float64(seed) * float64(i+1)))
		}
		return x
	}
	attrs := []graph.Attr{graph.IntAttr("q_num_heads", 4), graph.IntAttr("kv_num_heads", 2), graph.StringAttr("update_rule", "gated_delta")}
	args := in(draw(1, 2, 30, 64), draw(2, 2, 30, 32), draw(3, 2, 30, 24), draw(7, 2, 2, 16, 12), draw(4, 2, 30, 2), draw(5, 2, 30, 1), draw(6, 2, 30, 48), nil)
	s := Lookup(Private, "LinearAttentionGrad", 1)
	want := productsOf(t, s, attrs, args, 6, 1)
	for threads := 2; threads < 4; threads++ {
		for i, g := range productsOf(t, s, attrs, args, 6, threads) {
			if !slices.Equal(g.Bytes(), want[i].Bytes()) {
				t.Errorf("output %d on %d goroutines is another", i, threads)
			}
		}
	}
}
