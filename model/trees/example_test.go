package trees_test

import (
	"context"
	"fmt"

	"github.com/jarvis-ml/jarvis/model/trees"
)

// A tree of one split, as a learner would hand it over: its score, and what the feature had to do with it.
func Example() {
	e := &trees.Ensemble{Features: 2, Outputs: 1, Base: []float64{10}, Names: []string{"size", "colour"}, Trees: []trees.Tree{{Nodes: []trees.Node{
		{Feature: 0, Cut: 3, Left: 1, Right: 2, Gain: 8, Cover: 4},
		{Value: -1, Cover: 3},
		{Value: 3, Cover: 1},
	}}}}
	row := []float32{5, 0}
	s, err := trees.NewExplainer(e)
	if err != nil {
		panic(err)
	}
	parts, err := s.Explain(context.Background(), row, 1)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.1f = %.1f for the size, %.1f for the colour, and %.1f for any row\n", e.Scores(row)[0], parts[0], parts[1], parts[2])
	// Output: 13.0 = 3.0 for the size, 0.0 for the colour, and 10.0 for any row
}
