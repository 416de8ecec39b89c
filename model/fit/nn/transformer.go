package nn

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// TransformerEncoder is layers of self-attention and feed-forward nets over sequences, (rows, steps, features) (Vaswani et al. 2017).
type TransformerEncoder struct{ Transformer }

// TransformerDecoder is the same with causal attention and, where it is given a Memory, attention to that.
type TransformerDecoder struct {
	Transformer
	Memory, MemoryMask graph.Value `json:"-"` // (rows, steps, features), of an encoder in the same graph; bool (rows, steps), or absent
}

// Transformer is what both have in common.
type Transformer struct {
	NumLayers      int     `json:"num_layers,omitempty"`      // 0 means 1
	NumHeads       int     `json:"nhead"`                     // must divide the features
	DimFeedforward int     `json:"dim_feedforward,omitempty"` // 0 means four times the features
	Activation     string  `json:"activation,omitempty"`      // "" means relu, as in PyTorch
	Dropout        float64 `json:"dropout,omitempty"`         // 0 means none
	NormFirst      bool    `json:"norm_first,omitempty"`      // normalise before each part, not after (Xiong et al. 2020)
	Rotary         bool    `json:"rotary,omitempty"`
}

// Append implements Layer.
func (l TransformerEncoder) Append(s *Scope, x graph.Value) (graph.Value, error) {
	return l.stack(s, x, false, "", "")
}

// Append implements Layer.
func (l TransformerDecoder) Append(s *Scope, x graph.Value) (graph.Value, error) {
	return l.stack(s, x, true, l.Memory, l.MemoryMask)
}

func (l Transformer) stack(s *Scope, x graph.Value, causal bool, memory, mask graph.Value) (graph.Value, error) {
	if l.NumLayers == 0 {
		l.NumLayers = 1
	}
	if l.Activation == "" {
		l.Activation = "relu"
	}
	if err := positive("num_layers", l.NumLayers, "nhead", l.NumHeads); err != nil {
		return "", err
	}
	d, err := s.Dims(x, 3, "a transformer")
	if err != nil {
		return "", err
	}
	if err := known(d[2], "the number of features"); err != nil {
		return "", err
	}
	if l.DimFeedforward == 0 {
		l.DimFeedforward = 4 * d[2]
	}
	if d[2]%l.NumHeads != 0 {
		return "", fault.New(fault.Invalid, "nhead must divide the features, "+strconv.Itoa(d[2])).At("nhead")
	}
	for i := range l.NumLayers {
		if x, err = l.layer(s.In(strconv.Itoa(i)), x, causal, memory, mask); err != nil {
			return "", err
		}
	}
	return x, nil
}

// layer appends one layer: its parts are added to what they are given.
func (l Transformer) layer(s *Scope, x graph.Value, causal bool, memory, mask graph.Value) (graph.Value, error) {
	attention := MultiHeadAttention{NumHeads: l.NumHeads, Causal: causal, Rotary: l.Rotary, Dropout: l.Dropout}
	parts := []func(s *Scope, x graph.Value) (graph.Value, error){attention.Append}
	names := []string{"self_attn", "linear"}
	if memory != "" {
		cross := MultiHeadAttention{NumHeads: l.NumHeads, Dropout: l.Dropout}
		parts = append(parts, func(s *Scope, x graph.Value) (graph.Value, error) { return cross.Attend(s, x, memory, mask) })
		names = []string{"self_attn", "multihead_attn", "linear"}
	}
	parts = append(parts, l.feedForward)
	for i, part := range parts {
		norm, inner := s.In("norm"+strconv.Itoa(i+1)), s.In(names[i])
		y := x
		if l.NormFirst {
			var err error
			if y, err = (LayerNorm{}).Append(norm, y); err != nil {
				return "", err
			}
		}
		y, err := part(inner, y)
		if err != nil {
			return "", err
		}
		if y, err = dropout(inner, y, l.Dropout); err != nil {
			return "", err
		}
		if x = s.Op("Add", x, y); !l.NormFirst {
			if x, err = (LayerNorm{}).Append(norm, x); err != nil {
				return "", err
			}
		}
	}
	return x, nil
}

func (l Transformer) feedForward(s *Scope, x graph.Value) (graph.Value, error) {
	width, err := s.Dims(x, 3, "a transformer")
	if err != nil {
		return "", err
	}
	h, err := Dense{OutFeatures: l.DimFeedforward, Activation: l.Activation}.Append(s.In("1"), x)
	if err != nil {
		return "", err
	}
	if h, err = dropout(s, h, l.Dropout); err != nil {
		return "", err
	}
	return Dense{OutFeatures: width[2]}.Append(s.In("2"), h)
}

// Residual adds what its layers make of their input to the input (He et al. 2016). Where the shapes differ, Shortcut brings the input into the other.
type Residual struct {
	Layers     []Layer
	Shortcut   []Layer
	Activation string // of the sum
}

// Append implements Layer.
func (l Residual) Append(s *Scope, x graph.Value) (graph.Value, error) {
	y, err := Sequential{l.Layers}.Append(s.In("body"), x)
	if err != nil {
		return "", err
	}
	if x, err = (Sequential{l.Shortcut}).Append(s.In("shortcut"), x); err != nil {
		return "", err
	}
	from, err := s.Type(x)
	if err != nil {
		return "", err
	}
	to, err := s.Type(y)
	if err != nil {
		return "", err
	}
	if from.String() != to.String() {
		return "", fault.New(fault.Invalid, "the layers make "+to.String()+" of "+from.String()+": these cannot be added").At("layers").Try("give a shortcut, such as a Conv2D with kernel_size 1")
	}
	return Activation{Name: l.Activation}.Append(s, s.Op("Add", y, x))
}
