package nn_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestWrongLayers: what cannot be made is told by the layer's place and the hyper-parameter, and what to do.
func TestWrongLayers(t *testing.T) {
	picture, sequence := tensor.TypeOf(tensor.Float32, tensor.Free, 3, 8, 8), tensor.TypeOf(tensor.Float32, tensor.Free, 5, 6)
	bytes := tensor.TypeOf(tensor.Uint8, tensor.Free, 8, 8, 3)
	for text, want := range map[string]struct {
		in    tensor.Type
		field string
		says  string
	}{
		`{}`:                              {picture, "layers", "list"},
		`[{"type": "dens"}]`:              {picture, "layers.0.type", "no layer"},
		`[{"out_features": 3}]`:           {picture, "layers.0.type", "no layer"},
		`[{"type": "dense", "units": 3}]`: {picture, "layers.0", "units"},
		`[{"type": "flatten"}, {"type": "dense"}]`:                                                                   {picture, "layers.1.out_features", "above 0"},
		`[{"type": "flatten"}, {"type": "conv2d", "out_channels": 4}]`:                                               {picture, "layers.1", "4 dimensions"},
		`[{"type": "conv2d", "out_channels": 4, "groups": 2}]`:                                                       {picture, "layers.0.groups", "divide"},
		`[{"type": "conv2d", "out_channels": 4, "kernel_size": 20}]`:                                                 {picture, "", "reaches over"},
		`[{"type": "conv2d", "out_channels": 4, "activation": "reluu"}]`:                                             {picture, "layers.0.activation", "no activation"},
		`[{"type": "multi_head_attention", "num_heads": 4}]`:                                                         {sequence, "layers.0.num_heads", "divide"},
		`[{"type": "transformer_encoder", "nhead": 4}]`:                                                              {sequence, "layers.0.nhead", "divide"},
		`[{"type": "lstm", "hidden_size": 0}]`:                                                                       {sequence, "layers.0.hidden_size", "above 0"},
		`[{"type": "pixels"}]`:                                                                                       {picture, "layers.0", "wants bytes"},
		`[{"type": "pixels", "mean": [0.5, 0.5]}]`:                                                                   {bytes, "layers.0.mean", "each channel"},
		`[{"type": "pixels", "std": [0]}]`:                                                                           {bytes, "layers.0.std", "above 0"},
		`[{"type": "dropout", "p": 1.5}]`:                                                                            {sequence, "layers.0.p", "below 1"},
		`[{"type": "sequential", "layers": [{"type": "group_norm", "num_groups": 2}]}]`:                              {picture, "layers.0.0.num_groups", "divide"},
		`[{"type": "residual", "layers": [{"type": "conv2d", "out_channels": 4}]}]`:                                  {picture, "layers.0.layers", "cannot be added"},
		`[{"type": "residual", "layers": [{"type": "nothing"}]}]`:                                                    {picture, "layers.0.0.type", "no layer"},
		`[{"type": "flatten"}, {"type": "dense", "out_features": 1000000}, {"type": "dense", "out_features": 1000}]`: {picture, "", "weights"},
	} {
		var layers nn.Layers
		err := json.Unmarshal([]byte(text), &layers)
		if err == nil {
			_, _, err = nn.Build(want.in, layers, 1)
		}
		var f *fault.Error
		if !errors.As(err, &f) || f.Field != want.field && want.field != "" || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: %v, field %q", text, err, field(f))
		}
	}
}

func field(f *fault.Error) string {
	if f == nil {
		return ""
	}
	return f.Field
}

// TestSummary counts what a person can count: a small convolutional net.
func TestSummary(t *testing.T) {
	n, s, err := nn.Build(tensor.TypeOf(tensor.Float32, tensor.Free, 1, 8, 8), []nn.Layer{
		nn.Conv2D{OutChannels: 4, KernelSize: 3, Activation: "relu"}, nn.Flatten{}, nn.Dense{OutFeatures: 10},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	const params, flops = 4*9 + 4 + 144*10 + 10, 2*4*36*9 + 2*144*10
	if s.Params() != params || s.FLOPs() != flops || len(n.Params) != 4 {
		t.Errorf("%d weights, %d FLOPs", s.Params(), s.FLOPs())
	}
	const want = `layer    output               params  FLOPs
Conv2D   float32(?, 4, 6, 6)      40  2,592
Flatten  float32(?, 144)           0      0
Dense    float32(?, 10)        1,450  2,880
all                            1,490  5,472
training on 32 rows at a time holds about 1 MB
`
	if got := s.String(); got != want {
		t.Errorf("got\n%s", got)
	}
}
