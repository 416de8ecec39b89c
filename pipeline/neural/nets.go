package neural

import (
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/nn"
)

// net is the layers of a net without the last one: what was given, behind the layer that takes the input in; or what suits the input.
func (s Spec) net(in Input, d Data) ([]nn.Layer, error) {
	given, err := s.layers()
	if err != nil {
		return nil, err
	}
	first, own, err := s.suited(in, d)
	if err != nil {
		return nil, err
	}
	if given == nil {
		given = own
	}
	return append(first, given...), nil
}

// suited is the layer that takes an input in, if it needs one, and a net of the asked type that suits it.
func (s Spec) suited(in Input, d Data) (first, net []nn.Layer, err error) {
	switch in := in.(type) {
	case *Features:
		if len(in.Plan.Codes) > 0 {
			first = []nn.Layer{nn.Columns{NumEmbeddings: in.Plan.Codes}}
		}
		return first, dense(d.Table.Rows), s.only(MLP, "a table of numbers and categories", MLP)
	case *Sequences:
		return []nn.Layer{nn.Steps{Mean: in.Mean, Scale: in.Scale}}, s.alongSteps(64), s.only(RNN, "sequences", CNN, RNN, Transformer)
	case *Texts:
		embed := nn.Embedding{NumEmbeddings: in.Tokenizer.Size(), EmbeddingDim: 64, Padding: true}
		return []nn.Layer{embed}, s.alongSteps(64), s.only(RNN, "texts", CNN, RNN, Transformer)
	case *Images:
		mean, std := in.Moments()
		return []nn.Layer{nn.Pixels{Mean: mean, Std: std}}, pictures(in.Size()), s.only(CNN, "images", CNN)
	}
	return nil, nil, fault.New(fault.Internal, "an input of an unknown kind")
}

// only refuses a type that has no net for the input.
func (s Spec) only(suited, what string, types ...string) error {
	if s.Type == "" {
		return nil
	}
	for _, t := range types {
		if t == s.Type {
			return nil
		}
	}
	return fault.New(fault.Invalid, "there is no "+s.Type+" for "+what).At("model.type").Try("use " + suited + ", or give layers")
}

// dense are two hidden layers, larger where there are rows to fill them.
func dense(rows int) []nn.Layer {
	units := 64
	for units < 512 && rows > 200*units {
		units *= 2
	}
	return []nn.Layer{
		nn.Dense{OutFeatures: units, Activation: "relu"},
		nn.Dropout{P: .1},
		nn.Dense{OutFeatures: units / 2, Activation: "relu"},
		nn.Dropout{P: .1},
	}
}

// pictures are stages of convolutions, each at half the size of the one before with twice the channels, until little more than 7×7 is left: plain ones for small
// pictures, with short cuts (He et al. 2016) for larger ones.
func pictures(size int) (net []nn.Layer) {
	channels := 32
	if size > 64 {
		net = append(net, nn.Conv2D{OutChannels: channels, KernelSize: 5, Stride: 2, Padding: 2, NoBias: true}, nn.BatchNorm{}, nn.Activation{Name: "relu"}, nn.MaxPool{})
		size /= 4
	}
	deep := size > 40
	for first := true; first || size > 7; first = false {
		net = append(net, block(channels)...)
		if deep {
			net = append(net, nn.Residual{Layers: block(channels), Activation: "relu"})
		} else {
			net = append(net, block(channels)...)
		}
		if size < 4 {
			break
		}
		net = append(net, nn.MaxPool{})
		size, channels = size/2, min(256, 2*channels)
	}
	net = append(net, block(channels)...)
	return append(net, nn.GlobalPool{}, nn.Dropout{P: .2})
}

// block is a convolution of 3×3.
func block(channels int) []nn.Layer {
	return []nn.Layer{nn.Conv2D{OutChannels: channels, KernelSize: 3, Padding: 1, NoBias: true}, nn.BatchNorm{}, nn.Activation{Name: "relu"}}
}

// alongSteps are nets for vectors one after another, (rows, steps, features), of so many units.
func (s Spec) alongSteps(units int) []nn.Layer {
	switch s.Type {
	case CNN:
		return []nn.Layer{
			nn.Transpose{},
			nn.Conv1D{OutChannels: units, KernelSize: 7, Same: true},
			nn.BatchNorm{},
			nn.Activation{Name: "relu"},
			nn.Conv1D{OutChannels: 2 * units, KernelSize: 5, Same: true},
			nn.BatchNorm{},
			nn.Activation{Name: "relu"},
			nn.Conv1D{OutChannels: units, KernelSize: 3, Same: true},
			nn.BatchNorm{},
			nn.Activation{Name: "relu"},
			nn.Transpose{},
			nn.SequencePool{},
		}
	case Transformer:
		return []nn.Layer{
			nn.Dense{OutFeatures: units},
			nn.LayerNorm{},
			nn.TransformerEncoder{Transformer: nn.Transformer{NumLayers: 2, NumHeads: 4, DimFeedforward: 4 * units, Activation: "gelu", Dropout: .1, NormFirst: true, Rotary: true}},
			nn.LayerNorm{},
			nn.SequencePool{},
			nn.Dropout{P: .1},
		}
	}
	return []nn.Layer{
		nn.LSTM{HiddenSize: units, Bidirectional: true, ReturnSequences: true},
		nn.SequencePool{Mode: "max"},
		nn.Dropout{P: .2},
	}
}
