package dependence_test

import (
	"context"
	"fmt"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/dependence"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// How a prediction, here the square of a size, depends on the size.
func Example() {
	b := graph.NewBuilder("square")
	size := b.Input("size", tensor.Rows(tensor.Float32, 1))
	b.Output("y", b.Op("Mul", size, size), tensor.Rows(tensor.Float32, 1))
	p, err := model.FromGraph(b.Model())
	if err != nil {
		panic(err)
	}
	rows := map[string]*tensor.Tensor{"size": tensor.Floats([]float32{1, 2, 2, 3}, 4, 1)}
	r, err := dependence.Compute(context.Background(), p, rows, dependence.Options{Features: []dependence.Feature{{Input: "size"}}})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Grids[0].F32(), r.Average)
	// Output: [1 2 3] [1 4 9]
}
