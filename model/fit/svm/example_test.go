package svm_test

import (
	"context"
	"fmt"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/svm"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Four points on y = 10x are learned.
func ExampleSVM() {
	ctx := context.Background()
	d := fit.Data{Task: fit.Regression, Rows: 4, Cols: 1, X: []float32{1, 2, 3, 4}, Y: []float32{10, 20, 30, 40}}
	b := graph.NewBuilder("line")
	x := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
	y, err := svm.SVM{Kernel: "linear", C: 100, Epsilon: -1}.Fit(ctx, d, b, x, nil)
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
	out, err := p.Run(ctx, []*tensor.Tensor{tensor.Floats([]float32{2.2}, 1, 1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.1f\n", out[0].F32())
	// Output: [22.0]
}
