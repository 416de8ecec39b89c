package neural

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/pipeline/token"
)

// Types of nets that suit themselves to the data.
const (
	MLP         = "mlp"         // dense layers on numbers, categories, truth values and dates
	CNN         = "cnn"         // convolutions over images, sequences or texts
	RNN         = "rnn"         // recurrent layers along sequences or texts
	Transformer = "transformer" // attention between the steps of sequences or texts
)

// Types lists them.
func Types() []string { return []string{MLP, CNN, RNN, Transformer} }

// Spec says what net is trained, and how. As JSON or YAML it is the `model` of a configuration; zero values mean the defaults of the type.
type Spec struct {
	Type   string          `json:"type,omitempty"`   // mlp, cnn, rnn or transformer; may be left out where layers are given
	Column string          `json:"column,omitempty"` // of the images, sequences or texts; "" means the one that there is
	Layers json.RawMessage `json:"layers,omitempty"` // as nn.Layers has them, without the last one, which gives the classes or the number
	train.Config
	ValidationFraction float64       `json:"validation_fraction,omitempty"` // share of the rows to train on by which training is watched; 0 means 0.1
	Image              ImageOptions  `json:"image,omitzero"`
	Sequence           Sequence      `json:"sequence,omitzero"`
	Text               token.Options `json:"text,omitzero"`
}

// Sequence says how sequences are read.
type Sequence struct {
	MaxLen int `json:"max_len,omitempty"` // steps of a sequence that are looked at, the first ones; 0: all, and more than 10,000 are refused
}

// Decode reads a Spec from JSON. Errors: fault.Invalid for a setting that there is not, with Field.
func Decode(text []byte) (Spec, error) {
	var s Spec
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		message := strings.TrimPrefix(err.Error(), "json: ")
		if name, unknown := strings.CutPrefix(message, "unknown field "); unknown {
			message = "there is no setting " + name
		}
		return s, fault.New(fault.Invalid, message).At("model").Try("'jarvis config schema' prints the settings of a net")
	}
	return s, s.check()
}

// check refuses what no data could make right.
func (s Spec) check() error {
	if s.Type != "" && !slices.Contains(Types(), s.Type) {
		return fault.New(fault.Invalid, "there is no net of the type "+strconv.Quote(s.Type)).At("model.type").Try("use " + strings.Join(Types(), ", ") + ", or give layers")
	}
	if !(s.ValidationFraction >= 0 && s.ValidationFraction < 1) {
		return fault.New(fault.Invalid, "validation_fraction is a share of the rows, from 0 to 1").At("model.validation_fraction")
	}
	if s.Seed != 0 {
		return fault.New(fault.Invalid, "the seed is that of the whole training, not of its net").At("model.seed").Try("use --seed, or train.seed in jarvis.yaml")
	}
	if s.Sequence.MaxLen < 0 {
		return fault.New(fault.Invalid, "max_len must be above 0").At("model.sequence.max_len")
	}
	_, err := s.layers()
	return err
}

// layers are those that were given, nil for none.
func (s Spec) layers() ([]nn.Layer, error) {
	if len(s.Layers) == 0 {
		return nil, nil
	}
	var layers nn.Layers
	if err := json.Unmarshal(s.Layers, &layers); err != nil {
		if f := (*fault.Error)(nil); errors.As(err, &f) {
			c := *f
			c.Field = "model." + f.Field
			return nil, &c
		}
		return nil, fault.New(fault.Invalid, err.Error()).At("model.layers")
	}
	return layers, nil
}
