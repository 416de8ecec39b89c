// Model trains the model that the cold starts are measured with: the price of a diamond, from the raw columns, by boosted
// trees. The same arguments give the same bytes.
//
//	go run ./test/bench/lambda/model -trees 650 -out model.onnx testdata/diamonds/diamonds.parquet
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/boost"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/feature"
	"github.com/jarvis-ml/jarvis/pipeline/source"
)

const target, output = "price", "prediction"

func main() {
	trees := flag.Int("trees", 650, "rounds of boosting")
	depth := flag.Int("depth", 7, "splits above a leaf")
	out := flag.String("out", "model.onnx", "where to write")
	flag.Parse()
	file, err := train(context.Background(), flag.Arg(0), boost.Boost{NEstimators: *trees, MaxDepth: *depth, LearningRate: .05})
	if err == nil {
		err = os.WriteFile(*out, file, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "%s: %d trees, %.2f MB\n", *out, *trees, float64(len(file))/1e6)
}

func train(ctx context.Context, data string, learner boost.Boost) ([]byte, error) {
	src, err := source.Open(ctx, data, source.Options{})
	if err != nil {
		return nil, err
	}
	t, err := source.ReadAll(ctx, src)
	if err != nil {
		return nil, err
	}
	plan, err := feature.Fit(t, check.Profile(t, check.Options{Target: target}), target, feature.Options{})
	if err != nil {
		return nil, err
	}
	x, err := plan.Transform(ctx, t) // (rows, width)
	if err != nil {
		return nil, err
	}
	y := make([]float32, t.Rows)
	for i, price := range t.Column(target).Numbers {
		y[i] = float32(price)
	}
	b := graph.NewBuilder("diamonds")
	b.Reserve(output)
	features, err := plan.Append(b)
	if err != nil {
		return nil, err
	}
	price, err := learner.Fit(ctx, fit.Data{Task: fit.Regression, Rows: t.Rows, Cols: plan.Width(), X: x, Y: y, Names: plan.Names}, b, features, nil)
	if err != nil {
		return nil, err
	}
	b.Output(output, price, tensor.Rows(tensor.Float32, 1))
	m := b.Model()
	c := card.Card{Signature: card.Signature{Task: string(fit.Regression), Target: target, Inputs: plan.Inputs}}
	if m.Metadata, err = c.Encode(); err != nil {
		return nil, err
	}
	return onnx.Encode(m)
}
