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
		return []nn.Layer{nn.Steps{Mean: in.Mean, Scale: in.Scale}}, s.alongSteps(64, in.width), s.only(RNN, "sequences", CNN, RNN, Transformer)
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
		nn.Dense{OutFeatures: units, Activation: "relu"}, nn.Dropout{P: .1},
		nn.Dense{OutFeatures: units / 2, Activation: "relu"}, nn.Dropout{P: .1},
	}
}

// alongSteps are nets for vectors one after another, (rows, steps, features), of so many units.
func (s Spec) alongSteps(units, features int) []nn.Layer {
	switch s.Type {
	case CNN:
		return []nn.Layer{
			nn.Transpose{},
			nn.Conv1D{OutChannels: units, KernelSize: 7, Same: true}, nn.BatchNorm{}, nn.Activation{Name: "relu"},
			nn.Conv1D{OutChannels: 2 * units, KernelSize: 5, Same: true}, nn.BatchNorm{}, nn.Activation{Name: "relu"},
			nn.Conv1D{OutChannels: units, KernelSize: 3, Same: true}, nn.BatchNorm{}, nn.Activation{Name: "relu"},
			nn.Transpose{}, nn.SequencePool{},
		}
	case Transformer:
		return []nn.Layer{
			nn.Dense{OutFeatures: units}, nn.LayerNorm{},
			nn.TransformerEncoder{Transformer: nn.Transformer{NumLayers: 2, NumHeads: 4, DimFeedforward: 4 * units, Activation: "gelu", Dropout: .1, NormFirst: true, Rotary: true}},
			nn.LayerNorm{}, nn.SequencePool{}, nn.Dropout{P: .1},
		}
	}
	return []nn.Layer{
		nn.LSTM{HiddenSize: units, Bidirectional: true, ReturnSequences: true},
		nn.SequencePool{Mode: "max"}, nn.Dropout{P: .2},
	}
}
