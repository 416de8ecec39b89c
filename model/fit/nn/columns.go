package nn

import (
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Columns takes in the features of a table, float32 (rows, features), of which the last ones are codes of categories, 0 … NumEmbeddings-1: a vector that is
// learned takes the place of each code (Guo and Berkhahn 2016), so that a column of thousands of categories is a few features.
type Columns struct {
	NumEmbeddings []int `json:"num_embeddings"`          // of each column of codes
	EmbeddingDim  []int `json:"embedding_dim,omitempty"` // of each; none or 0 means 1.6·n^0.56, at most 50
}

// Append implements Layer.
func (l Columns) Append(s *Scope, x graph.Value) (graph.Value, error) {
	dims, err := s.Dims(x, 2, "Columns")
	if err != nil {
		return "", err
	}
	numbers := dims[1] - len(l.NumEmbeddings)
	if numbers < 0 || l.EmbeddingDim != nil && len(l.EmbeddingDim) != len(l.NumEmbeddings) {
		return "", fault.New(fault.Invalid, "one number for each column of codes is wanted").At("num_embeddings")
	}
	slice := func(from, to int) graph.Value {
		return s.Op("Slice", x, s.Ints("from", []int64{int64(from)}), s.Ints("to", []int64{int64(to)}), s.Ints("axis", []int64{1}))
	}
	var parts []graph.Value
	if numbers > 0 {
		parts = append(parts, slice(0, numbers))
	}
	for i, n := range l.NumEmbeddings {
		if n < 1 {
			return "", fault.New(fault.Invalid, "a column of codes has one category at least").At("num_embeddings")
		}
		width := 0
		if l.EmbeddingDim != nil {
			width = l.EmbeddingDim[i]
		}
		if width <= 0 {
			width = min(50, int(math.Round(1.6*math.Pow(float64(n), .56))))
		}
		code := s.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Int64))}, s.Op("Squeeze", slice(numbers+i, numbers+i+1), s.Ints("axis", []int64{1})))
		w, err := s.Param("weight"+strconv.Itoa(i), normal(.1), n, width)
		if err != nil {
			return "", err
		}
		parts = append(parts, s.Op("Gather", w, code)) // (rows, width)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return s.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 1)}, parts...), nil
}
