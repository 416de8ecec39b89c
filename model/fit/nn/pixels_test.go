package nn_test

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestPixels holds the layer to its formula, and trains a net on bytes: one class is lit on the left, the other on the right.
func TestPixels(t *testing.T) {
	in := tensor.TypeOf(tensor.Uint8, tensor.Free, 2, 3, 3)
	n, _, err := nn.Build(in, []nn.Layer{nn.Pixels{Mean: []float64{.5, .25, .1}, Std: []float64{.2}}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := model.FromGraph(&graph.Model{IRVersion: graph.IRVersion, Opsets: map[string]int64{"": graph.OpsetVersion}, Graph: n.Graph})
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(tensor.Uint8, 1, 2, 3, 3)
	for i := range x.Bytes() {
		x.Bytes()[i] = byte(i * 14)
	}
	out, err := p.Run(context.Background(), map[string]*tensor.Tensor{string(n.Graph.Inputs[0].Name): x})
	if err != nil {
		t.Fatal(err)
	}
	for _, y := range out {
		for i, v := range y.F32() {
			c, at := i/6, i%6
			want := (float64(x.Bytes()[3*at+c])/255 - []float64{.5, .25, .1}[c]) / .2
			if math.Abs(float64(v)-want) > 1e-6 {
				t.Fatalf("channel %d, pixel %d: %v, want %v", c, at, v, want)
			}
		}
	}

	var layers nn.Layers
	if err := json.Unmarshal([]byte(`[{"type": "pixels", "mean": [0.5], "std": [0.25]}, {"type": "conv2d", "out_channels": 4, "padding": 1, "activation": "relu"}, {"type": "flatten"}, {"type": "dense", "out_features": 2}]`), &layers); err != nil {
		t.Fatal(err)
	}
	if n, _, err = nn.Build(tensor.TypeOf(tensor.Uint8, tensor.Free, 4, 4, 1), layers, 1); err != nil {
		t.Fatal(err)
	}
	data, random := &train.Memory{In: []*tensor.Tensor{tensor.New(tensor.Uint8, 64, 4, 4, 1)}, Target: tensor.New(tensor.Int64, 64)}, rand.New(rand.NewPCG(1, 2))
	for i := range data.In[0].Bytes() {
		row, col := i/16, i%4
		data.In[0].Bytes()[i] = byte(random.IntN(100))
		if data.Target.I64()[row] = int64(row % 2); col/2 == row%2 {
			data.In[0].Bytes()[i] += 100
		}
	}
	fitted, err := train.Run(context.Background(), n, data, nil, train.Config{Optimizer: optim.Config{LR: .01}, Epochs: 20, BatchSize: 16, Threads: 1}, train.Hooks{})
	if err != nil || fitted.Loss > .2 {
		t.Errorf("loss %v: %v", fitted, err)
	}
}
