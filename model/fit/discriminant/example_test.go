package discriminant_test

import (
	"context"
	"fmt"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/discriminant"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Two classes lie around 1 and around 5, so 3 is in the middle between them.
func ExampleLinear() {
	ctx := context.Background()
	d := fit.Data{Task: fit.Classification, Rows: 6, Cols: 1, X: []float32{0, 1, 2, 4, 5, 6}, Class: []int32{0, 0, 0, 1, 1, 1}, Classes: 2}
	b := graph.NewBuilder("sides")
	x := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
	y, err := discriminant.Linear{}.Fit(ctx, d, b, x, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	b.Output("probability", y, tensor.Rows(tensor.Float32, d.Classes))

	p, err := exec.Compile(b.Model(), exec.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := p.Run(ctx, []*tensor.Tensor{tensor.Floats([]float32{3, 3.5}, 2, 1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f\n", out[0].F32())
	// Output: [0.50 0.50 0.05 0.95]
}
