package nn_test

import (
	"context"
	"fmt"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// A network learns the exclusive or of two numbers.
func ExampleMLP() {
	ctx := context.Background()
	d := fit.Data{Task: fit.Classification, Classes: 2, Rows: 400, Cols: 2}
	for i := range d.Rows {
		d.X = append(d.X, float32(i&1), float32(i>>1&1))
		d.Class = append(d.Class, int32(i&1^i>>1&1))
	}
	b := graph.NewBuilder("xor")
	x := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
	y, err := nn.MLP{HiddenLayerSizes: []int{16}, LearningRateInit: .01}.Fit(ctx, d, b, x, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	b.Output("probabilities", y, tensor.Rows(tensor.Float32, 2))

	p, err := exec.Compile(b.Model(), exec.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := p.Run(ctx, []*tensor.Tensor{tensor.Floats([]float32{0, 0, 0, 1}, 2, 2)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.0f\n", out[0].F32())
	// Output: [1 0 0 1]
}
