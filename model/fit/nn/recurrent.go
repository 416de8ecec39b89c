package nn

import (
	"math/rand/v2"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// RNN is a plain recurrent net (Elman 1990), with tanh.
type RNN Recurrent

// GRU has gates (Cho et al. 2014).
type GRU Recurrent

// LSTM has gates and a memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000).
type LSTM Recurrent

// Recurrent is what the three have in common. They go through sequences, (rows, steps, features), and give the last state of each direction,
// (rows, hidden_size), or with ReturnSequences all, (rows, steps, hidden_size); with Bidirectional twice as many features. Padding at the end of a
// sequence is left out.
type Recurrent struct {
	HiddenSize      int     `json:"hidden_size"`
	NumLayers       int     `json:"num_layers,omitempty"` // one above the other; 0 means 1
	Bidirectional   bool    `json:"bidirectional,omitempty"`
	ReturnSequences bool    `json:"return_sequences,omitempty"`
	Dropout         float64 `json:"dropout,omitempty"` // between layers
}

// Append implements Layer.
func (l RNN) Append(s *Scope, x graph.Value) (graph.Value, error) {
	return Recurrent(l).append(s, x, "RNN", 1)
}

// Append implements Layer.
func (l GRU) Append(s *Scope, x graph.Value) (graph.Value, error) {
	return Recurrent(l).append(s, x, "GRU", 3, graph.IntAttr("linear_before_reset", 1)) // as PyTorch and cuDNN have it
}

// Append implements Layer.
func (l LSTM) Append(s *Scope, x graph.Value) (graph.Value, error) {
	return Recurrent(l).append(s, x, "LSTM", 4)
}

func (l Recurrent) append(s *Scope, x graph.Value, op string, gates int, attrs ...graph.Attr) (graph.Value, error) {
	if l.NumLayers == 0 {
		l.NumLayers = 1
	}
	if err := positive("hidden_size", l.HiddenSize, "num_layers", l.NumLayers); err != nil {
		return "", err
	}
	d, err := s.Dims(x, 3, op)
	if err != nil {
		return "", err
	}
	if err := known(d[2], "the number of features"); err != nil {
		return "", err
	}
	directions, direction := 1, "forward"
	if l.Bidirectional {
		directions, direction = 2, "bidirectional"
	}
	attrs = append(attrs, graph.IntAttr("hidden_size", int64(l.HiddenSize)), graph.StringAttr("direction", direction))
	lengths := graph.Value("")
	if s.Mask != "" {
		count := s.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Int32))}, s.Mask)
		lengths = s.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, count, s.Ints("steps", []int64{1}))
	}
	x = s.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 1, 0, 2)}, x) // (steps, rows, features)
	features := d[2]
	for layer := range l.NumLayers {
		if layer > 0 {
			if x, err = dropout(s, x, l.Dropout); err != nil {
				return "", err
			}
		}
		weights, err := l.weights(s, directions, gates, features)
		if err != nil {
			return "", err
		}
		last := layer == l.NumLayers-1
		out := s.Node("", op, append([]graph.Value{x}, append(weights, lengths)...), 2, attrs...)
		features = directions * l.HiddenSize
		if last && !l.ReturnSequences { // (directions, rows, hidden) to (rows, directions·hidden)
			y := s.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 1, 0, 2)}, out[1])
			return s.Op("Reshape", y, s.Ints("last", []int64{-1, int64(features)})), nil
		}
		// (steps, directions, rows, hidden) to (steps, rows, directions·hidden)
		y := s.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 2, 1, 3)}, out[0])
		x = s.Op("Reshape", y, s.Ints("all", []int64{0, 0, int64(features)}))
	}
	return s.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 1, 0, 2)}, x), nil
}

// weights are W (directions, gates·hidden, features), R (directions, gates·hidden, hidden) and B (directions, 2·gates·hidden), drawn as PyTorch draws them:
// evenly within 1/√hidden.
func (l Recurrent) weights(s *Scope, directions, gates, features int) ([]graph.Value, error) {
	draw := byFan(l.HiddenSize)
	w, err := s.Param("weight_ih", draw, directions, gates*l.HiddenSize, features)
	if err != nil {
		return nil, err
	}
	r, err := s.Param("weight_hh", draw, directions, gates*l.HiddenSize, l.HiddenSize)
	if err != nil {
		return nil, err
	}
	b, err := s.Param("bias", func(g *rand.Rand) float64 { return draw(g) }, directions, 2*gates*l.HiddenSize)
	return []graph.Value{w, r, b}, err
}
