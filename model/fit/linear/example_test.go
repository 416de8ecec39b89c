package linear_test

import (
	"context"
	"fmt"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/linear"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Four points on y = 2x + 1 are learned, and the graph answers for x = 10.
func ExampleRidge() {
	ctx := context.Background()
	d := fit.Data{Task: fit.Regression, Rows: 4, Cols: 1, X: []float32{1, 2, 3, 4}, Y: []float32{3, 5, 7, 9}}
	b := graph.NewBuilder("line")
	x := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
	y, err := linear.Ridge{Alpha: 1e-6}.Fit(ctx, d, b, x, nil)
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
	out, err := p.Run(ctx, []*tensor.Tensor{tensor.Floats([]float32{10}, 1, 1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f\n", out[0].F32())
	// Output: [21.00]
}

// A lasso leaves out what helps little: of two features the target follows the first.
func ExampleLasso() {
	ctx := context.Background()
	d := fit.Data{Task: fit.Regression, Rows: 4, Cols: 2, X: []float32{1, 5, 2, -5, 3, -5, 4, 5}, Y: []float32{3, 5, 7, 9.1}}
	b := graph.NewBuilder("sparse")
	x := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
	if _, err := (linear.Lasso{Alpha: .1}).Fit(ctx, d, b, x, nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f\n", b.Graph().Initializers["weight"].F32())
	// Output: [1.95 0.00]
}
