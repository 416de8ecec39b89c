package bayes_test

import (
	"context"
	"fmt"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/bayes"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Counts of two words in four texts are learned; a text that has the second word only is of class 1.
func ExampleMultinomial() {
	ctx := context.Background()
	d := fit.Data{Task: fit.Classification, Rows: 4, Cols: 2, X: []float32{3, 0, 2, 1, 0, 2, 1, 3}, Class: []int32{0, 0, 1, 1}, Classes: 2}
	b := graph.NewBuilder("words")
	x := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
	y, err := bayes.Multinomial{}.Fit(ctx, d, b, x, nil)
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
	out, err := p.Run(ctx, []*tensor.Tensor{tensor.Floats([]float32{0, 2}, 1, 2)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f\n", out[0].F32())
	// Output: [0.10 0.90]
}
