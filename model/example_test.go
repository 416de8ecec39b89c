package model_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Load a scikit-learn pipeline that skl2onnx exported, and ask it about one penguin.
func ExampleLoad() {
	file, err := os.ReadFile("testdata/logistic.onnx")
	if err != nil {
		panic(err)
	}
	program, err := model.Load(file)
	if err != nil {
		panic(err)
	}
	out, err := program.Run(context.Background(), map[string]*tensor.Tensor{
		"bill_length_mm":    tensor.Floats([]float32{39.1}, 1, 1),
		"bill_depth_mm":     tensor.Floats([]float32{18.7}, 1, 1),
		"flipper_length_mm": tensor.Floats([]float32{181}, 1, 1),
		"body_mass_g":       tensor.Floats([]float32{3750}, 1, 1),
		"island":            tensor.Strings([]string{"Torgersen"}, 1, 1),
		"sex":               tensor.Strings([]string{"male"}, 1, 1),
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(out["label"].Str(), out["probabilities"].Shape())
	// Output: [Adelie] [1 3]
}

// Build a model in memory: y = x·w with x (rows, 2), w (2, 1).
func ExampleFromGraph() {
	b := graph.NewBuilder("double")
	x := b.Input("x", tensor.Rows(tensor.Float32, 2))
	b.Output("y", b.Op("MatMul", x, b.Floats("w", []float32{2, 10}, 2, 1)), tensor.Rows(tensor.Float32, 1))
	program, err := model.FromGraph(b.Model())
	if err != nil {
		panic(err)
	}
	out, err := program.Run(context.Background(), map[string]*tensor.Tensor{"x": tensor.Floats([]float32{1, 2, 3, 4}, 2, 2)})
	if err != nil {
		panic(err)
	}
	fmt.Println(out["y"].F32())
	// Output: [22 46]
}

// Errors tell which input is wrong and what the model wants.
func ExampleProgram_Run_errors() {
	b := graph.NewBuilder("identity")
	b.Output("y", b.Op("Identity", b.Input("x", tensor.Rows(tensor.Float32, 2))), tensor.Rows(tensor.Float32, 2))
	program, err := model.FromGraph(b.Model())
	if err != nil {
		panic(err)
	}
	_, err = program.Run(context.Background(), map[string]*tensor.Tensor{"x": tensor.Ints([]int64{1, 2, 3}, 1, 3)})
	var wrong *fault.Error
	if errors.As(err, &wrong) {
		fmt.Println(wrong.Code, "·", wrong)
	}
	// Output: invalid · x: got int64(1, 3), want float32(rows, 2)
}

func ExampleInspect() {
	file, err := os.ReadFile("testdata/logistic.onnx")
	if err != nil {
		panic(err)
	}
	d, err := model.Inspect(file)
	if err != nil {
		panic(err)
	}
	fmt.Println(d.Producer, d.Opsets["ai.onnx.ml"], d.Inputs[0], d.Runs)
	// Output: skl2onnx 1.20.0 1 {bill_length_mm tensor float32 [? 1]} true
}
