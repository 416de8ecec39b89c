package nn_test

import (
	"context"
	"fmt"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
	"github.com/jarvis-ml/jarvis/model/fit/train"
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

// A net of layers learns which half of a sequence is the larger.
func ExampleBuild() {
	net, summary, err := nn.Build(tensor.TypeOf(tensor.Float32, tensor.Free, 8, 1), []nn.Layer{
		nn.GRU{HiddenSize: 8},
		nn.Dense{OutFeatures: 2},
	}, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	const rows = 200
	x, y := tensor.New(tensor.Float32, rows, 8, 1), tensor.New(tensor.Int64, rows)
	for i := range rows {
		for k := range 8 {
			x.F32()[i*8+k] = float32((i*7+k*k*3)%11)/11 + float32(i%2*(k/4))
		}
		y.I64()[i] = int64(i % 2)
	}
	data := &train.Memory{In: []*tensor.Tensor{x}, Target: y}
	out, err := train.Run(context.Background(), net, data, nil, train.Config{Epochs: 10, Optimizer: optim.Config{LR: .02}}, train.Hooks{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(summary)
	fmt.Println("learned:", out.Loss < .1)
	// Output:
	// layer  output         params  FLOPs
	// GRU    float32(?, 8)     264  3,456
	// Dense  float32(?, 2)      18     32
	// all                      282  3,488
	// training on 32 rows at a time holds about 1 MB
	// learned: true
}
