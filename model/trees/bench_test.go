package trees_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model/trees"
)

// BenchmarkExplain explains 1024 rows by 100 full trees of depth 6.
func BenchmarkExplain(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	e := &trees.Ensemble{Features: 30, Outputs: 1, Base: []float64{0}}
	for range 100 {
		t := trees.Tree{}
		full(r, &t, 6, 1e4)
		e.Trees = append(e.Trees, t)
	}
	x := make([]float32, 1024*30)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	s, err := trees.NewExplainer(e)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Explain(context.Background(), x, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func full(r *rand.Rand, t *trees.Tree, depth int, cover float64) int32 {
	at := int32(len(t.Nodes))
	t.Nodes = append(t.Nodes, trees.Node{Cover: cover, Value: r.NormFloat64()})
	if depth == 0 {
		return at
	}
	n := t.Nodes[at]
	n.Feature, n.Cut, n.Value = int32(r.IntN(30)), float32(r.NormFloat64()), 0
	share := .2 + .6*r.Float64()
	n.Left = full(r, t, depth-1, cover*share)
	n.Right = full(r, t, depth-1, cover*(1-share))
	t.Nodes[at] = n
	return at
}
