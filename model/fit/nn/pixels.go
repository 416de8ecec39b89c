package nn

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Pixels makes numbers of pictures: uint8 (rows, height, width, channels), as pictures are kept, becomes float32 (rows, channels, height, width), as
// convolutions want it, (x/255 - Mean)/Std (torchvision: ToTensor and Normalize).
type Pixels struct {
	Mean []float64 `json:"mean,omitempty"` // of each channel, or one for all, where 0 is black and 1 the most; none means 0
	Std  []float64 `json:"std,omitempty"`  // likewise; none means 1
}

// Append implements Layer.
func (l Pixels) Append(s *Scope, x graph.Value) (graph.Value, error) {
	sizes, err := s.Dims(x, 4, "Pixels")
	if err != nil {
		return "", err
	}
	t, err := s.Type(x)
	if err != nil {
		return "", err
	}
	if t.DType != tensor.Uint8 {
		return "", fault.New(fault.Invalid, "Pixels wants bytes (rows, height, width, channels), not "+t.String())
	}
	channels := sizes[3]
	if err := known(channels, "the channels of Pixels' input"); err != nil {
		return "", err
	}
	scale, shift := make([]float32, channels), make([]float32, channels)
	for c := range channels {
		mean, err := ofChannel(l.Mean, c, channels, 0, "mean")
		if err != nil {
			return "", err
		}
		std, err := ofChannel(l.Std, c, channels, 1, "std")
		if err != nil {
			return "", err
		}
		if std <= 0 {
			return "", fault.New(fault.Invalid, "a deviation must be above 0").At("std")
		}
		scale[c], shift[c] = float32(1/(255*std)), float32(-mean/std)
	}
	y := s.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 3, 1, 2)}, x)
	y = s.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, y)
	return s.Op("Add", s.Op("Mul", y, s.Fixed("scale", scale, channels, 1, 1)), s.Fixed("shift", shift, channels, 1, 1)), nil
}

// ofChannel picks one of the numbers for channels.
func ofChannel(v []float64, c, channels int, none float64, field string) (float64, error) {
	switch len(v) {
	case 0:
		return none, nil
	case 1:
		c = 0
	case channels:
	default:
		return 0, fault.New(fault.Invalid, "one number is wanted, or one for each channel of the pictures").At(field)
	}
	if math.IsNaN(v[c]) || math.IsInf(v[c], 0) {
		return 0, fault.New(fault.Invalid, "must be finite").At(field)
	}
	return v[c], nil
}
