package job_test

import (
	"context"
	"fmt"

	"github.com/jarvis-ml/jarvis/pipeline/job"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/source"
)

func ExampleTrain() {
	ctx := context.Background()
	penguins, err := source.Open(ctx, "../../testdata/penguins/penguins.csv", source.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, err := source.ReadAll(ctx, penguins)
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := job.Train(ctx, rows, job.Spec{Target: "species", Model: "linear"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s by %s, accuracy %.2f\n", out.Card.Signature.Task, out.Card.Provenance.Estimator, out.Card.Metrics.Holdout["accuracy"])

	m, err := predict.Open(out.Artifact) // the bytes of the ONNX file
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := m.Table(ctx, rows.Slice(0, 1))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Labels[0])
	// Output:
	// classification by linear, accuracy 1.00
	// Adelie
}
