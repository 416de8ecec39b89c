package nn

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// layers are what a net can be said to be made of, by the name of its type in lower case with words apart.
var layers = map[string]func() Layer{
	"pixels": made[Pixels], "dense": made[Dense], "activation": made[Activation], "dropout": made[Dropout], "flatten": made[Flatten], "reshape": made[Reshape], "embedding": made[Embedding],
	"conv1d": made[Conv1D], "conv2d": made[Conv2D], "depthwise_conv2d": made[DepthwiseConv2D], "conv_transpose1d": made[ConvTranspose1D], "conv_transpose2d": made[ConvTranspose2D],
	"max_pool": made[MaxPool], "avg_pool": made[AvgPool], "global_pool": made[GlobalPool], "sequence_pool": made[SequencePool],
	"batch_norm": made[BatchNorm], "layer_norm": made[LayerNorm], "rms_norm": made[RMSNorm], "group_norm": made[GroupNorm],
	"rnn": made[RNN], "gru": made[GRU], "lstm": made[LSTM],
	"multi_head_attention": made[MultiHeadAttention], "positions": made[Positions], "transformer_encoder": made[TransformerEncoder], "transformer_decoder": made[TransformerDecoder],
	"residual": made[Residual], "sequential": made[Sequential], "columns": made[Columns], "steps": made[Steps], "transpose": made[Transpose],
}

// made is a new layer, behind a pointer so that it can be filled.
func made[L any]() Layer { return any(new(L)).(Layer) }

// Types are empty layers by the names that Layers has for them.
func Types() map[string]Layer {
	all := map[string]Layer{}
	for name, empty := range layers {
		all[name] = empty()
	}
	return all
}

// layerNames are the types that Layers takes, sorted.
func layerNames() []string {
	var names []string
	for name := range layers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Layers is a list of layers as JSON says it: [{"type": "conv2d", "out_channels": 32, "activation": "relu"}, …]. Every hyper-parameter must be one that the
// layer has.
type Layers []Layer

// UnmarshalJSON implements json.Unmarshaler. Errors: fault.Invalid with Field the layer.
func (l *Layers) UnmarshalJSON(text []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return fault.New(fault.Invalid, "layers must be a list").At("layers").Try(`such as [{"type": "dense", "out_features": 64, "activation": "relu"}]`)
	}
	*l = nil
	for i, part := range parts {
		layer, err := decode(part)
		if err != nil {
			f := fault.Error{Code: fault.Invalid, Message: err.Error()}
			if e := (*fault.Error)(nil); errors.As(err, &e) {
				f = *e
			}
			f.Field = strings.TrimSuffix("layers."+strconv.Itoa(i)+"."+strings.TrimPrefix(f.Field, "layers."), ".")
			return &f
		}
		*l = append(*l, layer)
	}
	return nil
}

// decode makes one layer.
func decode(text []byte) (Layer, error) {
	var fields map[string]json.RawMessage
	var name string
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fault.New(fault.Invalid, "a layer must be an object with a type")
	}
	if err := json.Unmarshal(fields["type"], &name); err != nil || layers[name] == nil {
		return nil, fault.New(fault.Invalid, "no layer of the type "+strconv.Quote(name)).At("type").Try("one of " + strings.Join(layerNames(), ", "))
	}
	delete(fields, "type")
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, fault.New(fault.Invalid, err.Error())
	}
	layer := layers[name]()
	d := json.NewDecoder(bytes.NewReader(rest))
	d.DisallowUnknownFields()
	if err := d.Decode(layer); err != nil {
		if f := (*fault.Error)(nil); errors.As(err, &f) {
			return nil, f
		}
		return nil, fault.New(fault.Invalid, name+": "+strings.TrimPrefix(err.Error(), "json: "))
	}
	return layer, nil
}

// UnmarshalJSON takes layers inside.
func (l *Sequential) UnmarshalJSON(text []byte) error {
	var v struct{ Layers Layers }
	err := strict(text, &v)
	l.Layers = v.Layers
	return err
}

// UnmarshalJSON takes layers inside.
func (l *Residual) UnmarshalJSON(text []byte) error {
	var v struct {
		Layers, Shortcut Layers
		Activation       string
	}
	err := strict(text, &v)
	l.Layers, l.Shortcut, l.Activation = v.Layers, v.Shortcut, v.Activation
	return err
}

func strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func typeName(l Layer) string { return reflect.TypeOf(l).String() }
