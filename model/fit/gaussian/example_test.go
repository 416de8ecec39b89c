package gaussian_test

import (
	"context"
	"fmt"
	"math"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/gaussian"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Twenty points of a sine are learned, and the graph answers between two of them.
func ExampleProcess() {
	ctx := context.Background()
	d := fit.Data{Task: fit.Regression, Rows: 20, Cols: 1}
	for i := range d.Rows {
		x := float64(i) / 3
		d.X, d.Y = append(d.X, float32(x)), append(d.Y, float32(math.Sin(x)))
	}
	b := graph.NewBuilder("wave")
	x := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
	y, err := gaussian.Process{}.Fit(ctx, d, b, x, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	b.Output("prediction", y, tensor.Rows(tensor.Float32, 1))

	p, err := exec.Compile(b.Model(), exec.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := p.Run(ctx, []*tensor.Tensor{tensor.Floats([]float32{math.Pi / 2}, 1, 1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f\n", out[0].F32())
	// Output: [1.00]
}
