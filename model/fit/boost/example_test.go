package boost_test

import (
	"context"
	"fmt"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/boost"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Class 1 is what lies between 3 and 6: trees learn it, a line would not.
func ExampleBoost() {
	ctx := context.Background()
	d := fit.Data{Task: fit.Classification, Classes: 2, Rows: 100, Cols: 1}
	for i := range d.Rows {
		v, k := float32(i)/10, int32(0)
		if v > 3 && v < 6 {
			k = 1
		}
		d.X, d.Class = append(d.X, v), append(d.Class, k)
	}
	b := graph.NewBuilder("between")
	x := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
	y, err := boost.Boost{NEstimators: 20}.Fit(ctx, d, b, x, nil)
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
	out, err := p.Run(ctx, []*tensor.Tensor{tensor.Floats([]float32{1, 5, 8}, 3, 1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.1f\n", out[0].F32())
	// Output: [1.0 0.0 0.0 1.0 1.0 0.0]
}
