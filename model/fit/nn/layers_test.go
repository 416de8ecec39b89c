package nn_test

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// nets are small ones of every layer: what goes in, without the rows, and the layers. They end in three logits.
var nets = map[string]struct {
	in     []int
	tokens int // of sequences of numbers below this; 0: real numbers
	layers string
	codes  int  // of the last features: how many are categories below 5
	ragged bool // sequences end before the last step: NaN
}{
	"dense":       {in: []int{6}, layers: `[{"type": "dense", "out_features": 8, "activation": "relu"}, {"type": "dropout", "p": 0.2}, {"type": "dense", "out_features": 3}]`},
	"conv1d":      {in: []int{2, 10}, layers: `[{"type": "conv1d", "out_channels": 4, "same": true, "activation": "gelu"}, {"type": "avg_pool"}, {"type": "flatten"}, {"type": "dense", "out_features": 3}]`},
	"conv2d":      {in: []int{1, 8, 8}, layers: `[{"type": "conv2d", "out_channels": 4, "padding": 1, "activation": "relu"}, {"type": "max_pool"}, {"type": "depthwise_conv2d", "padding": 1}, {"type": "batch_norm"}, {"type": "activation", "name": "silu"}, {"type": "global_pool"}, {"type": "dense", "out_features": 3}]`},
	"transposed":  {in: []int{2, 4, 4}, layers: `[{"type": "conv_transpose2d", "out_channels": 3, "stride": 2, "padding": 1, "output_padding": 1}, {"type": "group_norm", "num_groups": 3}, {"type": "flatten"}, {"type": "dense", "out_features": 3}]`},
	"transposed1": {in: []int{2, 6}, layers: `[{"type": "conv_transpose1d", "out_channels": 3, "activation": "elu"}, {"type": "global_pool", "max": true}, {"type": "dense", "out_features": 3}]`},
	"residual":    {in: []int{2, 6, 6}, layers: `[{"type": "residual", "activation": "relu", "layers": [{"type": "conv2d", "out_channels": 4, "padding": 1, "stride": 2}, {"type": "batch_norm"}], "shortcut": [{"type": "conv2d", "out_channels": 4, "kernel_size": 1, "stride": 2}]}, {"type": "flatten"}, {"type": "dense", "out_features": 3}]`},
	"rnn":         {in: []int{5, 3}, layers: `[{"type": "rnn", "hidden_size": 8}, {"type": "dense", "out_features": 3}]`},
	"gru":         {in: []int{5, 3}, layers: `[{"type": "gru", "hidden_size": 6, "num_layers": 2, "return_sequences": true, "dropout": 0.1}, {"type": "sequence_pool", "mode": "last"}, {"type": "dense", "out_features": 3}]`},
	"lstm":        {in: []int{7}, tokens: 20, layers: `[{"type": "embedding", "num_embeddings": 20, "embedding_dim": 5, "padding": true}, {"type": "lstm", "hidden_size": 6, "bidirectional": true}, {"type": "layer_norm"}, {"type": "dense", "out_features": 3}]`},
	"encoder":     {in: []int{7}, tokens: 20, layers: `[{"type": "embedding", "num_embeddings": 20, "embedding_dim": 8, "padding": true}, {"type": "positions"}, {"type": "transformer_encoder", "nhead": 2, "num_layers": 2, "dim_feedforward": 16, "activation": "gelu", "norm_first": true, "dropout": 0.1}, {"type": "sequence_pool"}, {"type": "dense", "out_features": 3}]`},
	"decoder":     {in: []int{7}, tokens: 20, layers: `[{"type": "embedding", "num_embeddings": 20, "embedding_dim": 8}, {"type": "positions", "learned": true, "max_len": 9}, {"type": "transformer_decoder", "nhead": 2, "rotary": true}, {"type": "rms_norm"}, {"type": "sequence_pool", "mode": "max"}, {"type": "dense", "out_features": 3}]`},
	"attention":   {in: []int{4, 6}, layers: `[{"type": "multi_head_attention", "num_heads": 3}, {"type": "sequence_pool", "mode": "first"}, {"type": "dense", "out_features": 3}]`},
	"columns":     {in: []int{5}, codes: 2, layers: `[{"type": "columns", "num_embeddings": [5, 6], "embedding_dim": [3, 0]}, {"type": "dense", "out_features": 8, "activation": "relu"}, {"type": "dense", "out_features": 3}]`},
	"steps":       {in: []int{7, 2}, ragged: true, layers: `[{"type": "steps", "mean": [0.1, -0.1], "scale": [1.5, 0.5]}, {"type": "transpose"}, {"type": "conv1d", "out_channels": 32, "kernel_size": 3, "padding": 1, "stride": 2, "activation": "relu"}, {"type": "transpose"}, {"type": "sequence_pool", "mode": "max"}, {"type": "dense", "out_features": 3}]`},
	"reshape":     {in: []int{12}, layers: `[{"type": "reshape", "shape": [3, 2, 2]}, {"type": "sequential", "layers": [{"type": "activation", "name": "prelu"}, {"type": "flatten"}]}, {"type": "dense", "out_features": 3, "no_bias": true}]`},
}

// net makes one of nets, with rows of random numbers that three classes can be told by.
func net(t *testing.T, name string, rows int) (*train.Net, *nn.Summary, *train.Memory) {
	t.Helper()
	c := nets[name]
	var layers nn.Layers
	if err := json.Unmarshal([]byte(c.layers), &layers); err != nil {
		t.Fatal(err)
	}
	kind := tensor.Float32
	if c.tokens > 0 {
		kind = tensor.Int64
	}
	in := tensor.TypeOf(kind, append([]int{tensor.Free}, c.in...)...)
	n, summary, err := nn.Build(in, layers, 3)
	if err != nil {
		t.Fatal(err)
	}
	x, y := tensor.New(kind, append([]int{rows}, c.in...)...), tensor.New(tensor.Int64, rows)
	random := rand.New(rand.NewPCG(1, 2))
	each := x.Len() / rows
	for r := range rows {
		class := random.IntN(3)
		y.I64()[r] = int64(class)
		for i := range each {
			if c.tokens > 0 {
				x.I64()[r*each+i] = int64(1 + class*6 + random.IntN(7))
				if i > 4 && r%2 == 0 {
					x.I64()[r*each+i] = 0
				}
			} else {
				x.F32()[r*each+i] = float32(random.NormFloat64() + float64(class-1)*math.Sin(float64(i)+1))
			}
			if i >= each-c.codes {
				x.F32()[r*each+i] = float32((class + random.IntN(2)) % 5)
			}
			if c.ragged && i/c.in[1] > 3+r%4 {
				x.F32()[r*each+i] = float32(math.NaN())
			}
		}
	}
	return n, summary, &train.Memory{In: []*tensor.Tensor{x}, Target: y}
}

// TestLayersLearn: a small net of every layer learns what is easy.
func TestLayersLearn(t *testing.T) {
	for name := range nets {
		t.Run(name, func(t *testing.T) {
			n, summary, data := net(t, name, 96)
			out, err := train.Run(context.Background(), n, data, nil, train.Config{Optimizer: optim.Config{LR: .01}, Epochs: 15, BatchSize: 16, Threads: 1}, train.Hooks{})
			if err != nil {
				t.Fatal(err)
			}
			if out.Loss > .9 {
				t.Errorf("loss %v after %d epochs\n%v", out.Loss, out.Epochs, summary)
			}
		})
	}
}
