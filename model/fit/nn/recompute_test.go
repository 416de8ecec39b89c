package nn_test

import (
	"context"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestRecompute: every layer learns the same weights, bit for bit, when the way forward is computed again.
func TestRecompute(t *testing.T) {
	for name := range nets {
		t.Run(name, func(t *testing.T) {
			var learned [2][]float32
			for i := range learned {
				n, _, data := net(t, name, 48)
				c := train.Config{Epochs: 2, BatchSize: 16, Threads: 1, Recompute: i > 0}
				if _, err := train.Run(context.Background(), n, data, nil, c, train.Hooks{}); err != nil {
					t.Fatal(err)
				}
				for _, w := range n.Weights() {
					learned[i] = append(learned[i], w.F32()...)
				}
			}
			if !slices.Equal(learned[0], learned[1]) {
				t.Error("other weights")
			}
		})
	}
}

// TestRecomputeHolds: deep nets hold much less, and their gradients are the same.
func TestRecomputeHolds(t *testing.T) {
	block := nn.Residual{Layers: []nn.Layer{nn.Conv2D{OutChannels: 8, Padding: 1}, nn.BatchNorm{}, nn.Activation{Name: "relu"}, nn.Dropout{P: .1}}}
	for name, c := range map[string]struct {
		in     []int
		layers []nn.Layer
		part   float64 // of the memory that may be held
	}{
		"residual":    {[]int{8, 8, 8}, []nn.Layer{block, block, block, block, block, block, block, block, nn.Flatten{}, nn.Dense{OutFeatures: 3}}, .5},
		"transformer": {[]int{12, 16}, []nn.Layer{nn.TransformerEncoder{Transformer: nn.Transformer{NumLayers: 8, NumHeads: 2, DimFeedforward: 64, Dropout: .1}}, nn.SequencePool{}, nn.Dense{OutFeatures: 3}}, .5},
		"lstm":        {[]int{12, 16}, []nn.Layer{nn.LSTM{HiddenSize: 16, NumLayers: 8, Dropout: .1}, nn.Dense{OutFeatures: 3}}, .7},
		"gru":         {[]int{12, 16}, []nn.Layer{nn.GRU{HiddenSize: 16, NumLayers: 8}, nn.Dense{OutFeatures: 3}}, .7},
	} {
		t.Run(name, func(t *testing.T) {
			const rows = 32
			b := train.NewBatch(1)
			b.In[0].Reset(tensor.Float32, append([]int{rows}, c.in...)...)
			for i := range b.In[0].F32() {
				b.In[0].F32()[i] = float32(i%17)/8 - 1
			}
			b.Target.Reset(tensor.Int64, rows)
			var held [2]int64
			var gradients [2][][]float32
			for i := range held {
				n, _, err := nn.Build(tensor.TypeOf(tensor.Float32, append([]int{tensor.Free}, c.in...)...), c.layers, 1)
				if err != nil {
					t.Fatal(err)
				}
				s, err := train.NewStep(n, train.Objective{Loss: train.CrossEntropy, Recompute: i > 0}, 1)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Run(context.Background(), b, 1, 1); err != nil {
					t.Fatal(err)
				}
				held[i] = s.Held()
				for _, p := range s.Params {
					gradients[i] = append(gradients[i], p.Gradient)
				}
			}
			if float64(held[1]) > c.part*float64(held[0]) {
				t.Errorf("%d bytes are held, of %d", held[1], held[0])
			}
			for k := range gradients[0] {
				if !slices.Equal(gradients[0][k], gradients[1][k]) {
					t.Errorf("gradient %d differs", k)
				}
			}
			t.Log(held)
		})
	}
}
