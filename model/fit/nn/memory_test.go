package nn_test

import (
	"context"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestMemory: what a summary says of the memory of training is what a step and an optimiser hold, to 15 %.
func TestMemory(t *testing.T) {
	conv := func(channels int) nn.Layer {
		return nn.Residual{Layers: []nn.Layer{nn.Conv2D{OutChannels: channels, Padding: 1}, nn.BatchNorm{}, nn.Activation{Name: "relu"}, nn.Conv2D{OutChannels: channels, Padding: 1}}}
	}
	for name, c := range map[string]struct {
		in     []int
		rows   int
		layers []nn.Layer
	}{
		"mlp":         {[]int{100}, 64, []nn.Layer{nn.Dense{OutFeatures: 256, Activation: "relu"}, nn.Dropout{P: .1}, nn.Dense{OutFeatures: 128, Activation: "relu"}, nn.Dense{OutFeatures: 10}}},
		"cnn":         {[]int{8, 16, 16}, 32, []nn.Layer{conv(8), conv(8), nn.MaxPool{}, nn.Conv2D{OutChannels: 16, Activation: "relu"}, nn.GlobalPool{}, nn.Dense{OutFeatures: 10}}},
		"lstm":        {[]int{32, 16}, 32, []nn.Layer{nn.LSTM{HiddenSize: 32, NumLayers: 2}, nn.Dense{OutFeatures: 10}}},
		"gru":         {[]int{32, 16}, 32, []nn.Layer{nn.GRU{HiddenSize: 32, NumLayers: 2}, nn.Dense{OutFeatures: 10}}},
		"transformer": {[]int{32, 64}, 16, []nn.Layer{nn.TransformerEncoder{Transformer: nn.Transformer{NumLayers: 3, NumHeads: 4, DimFeedforward: 256, Activation: "gelu"}}, nn.SequencePool{}, nn.Dense{OutFeatures: 10}}},
	} {
		t.Run(name, func(t *testing.T) {
			n, summary, err := nn.Build(tensor.TypeOf(tensor.Float32, append([]int{tensor.Free}, c.in...)...), c.layers, 1)
			if err != nil {
				t.Fatal(err)
			}
			s, err := train.NewStep(n, train.Objective{Loss: train.CrossEntropy}, 1)
			if err != nil {
				t.Fatal(err)
			}
			b := train.NewBatch(1)
			b.In[0].Reset(tensor.Float32, append([]int{c.rows}, c.in...)...)
			b.Target.Reset(tensor.Int64, c.rows)
			if _, err := s.Run(context.Background(), b, 1, 1); err != nil {
				t.Fatal(err)
			}
			held := s.Held()
			for _, w := range n.Weights() {
				held += 3 * 4 * int64(w.Len()) // and two moments
			}
			said, err := summary.Memory(c.rows)
			if err != nil || float64(said) > 1.15*float64(held) || float64(said) < float64(held)/1.15 {
				t.Errorf("%d bytes are held, the summary says %d (%v)", held, said, err)
			}
		})
	}
}
