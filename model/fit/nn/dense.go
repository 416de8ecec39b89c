package nn

import (
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Dense is x·W + b over the last dimension (PyTorch: Linear).
type Dense struct {
	OutFeatures int    `json:"out_features"`
	Activation  string `json:"activation,omitempty"` // see Activation; "" means none
	NoBias      bool   `json:"no_bias,omitempty"`
}

// Append implements Layer.
func (l Dense) Append(s *Scope, x graph.Value) (graph.Value, error) {
	if err := positive("out_features", l.OutFeatures); err != nil {
		return "", err
	}
	t, err := s.Type(x)
	if err != nil {
		return "", err
	}
	if t.Unranked || len(t.Dims) < 2 {
		return "", fault.New(fault.Invalid, "Dense wants an input of two dimensions or more, the rows counted, not "+t.String())
	}
	in := t.Dims[len(t.Dims)-1].Size
	if err := known(in, "the last dimension of Dense's input"); err != nil {
		return "", err
	}
	y, err := linear(s, x, in, l.OutFeatures, "weight", "bias", !l.NoBias)
	if err != nil {
		return "", err
	}
	return Activation{Name: l.Activation}.Append(s, y)
}

// linear appends x·W + b.
func linear(s *Scope, x graph.Value, in, out int, weight, bias string, biased bool) (graph.Value, error) {
	w, err := s.Param(weight, byFan(in), in, out)
	if err != nil {
		return "", err
	}
	y := s.Op("MatMul", x, w)
	if !biased {
		return y, nil
	}
	b, err := s.Param(bias, byFan(in), out)
	if err != nil {
		return "", err
	}
	return s.Op("Add", y, b), nil
}

// Embedding gives each number of a sequence, int64 (rows, steps) or (rows), its vector (PyTorch: Embedding).
type Embedding struct {
	NumEmbeddings int  `json:"num_embeddings"`
	EmbeddingDim  int  `json:"embedding_dim"`
	Padding       bool `json:"padding,omitempty"` // 0 stands for no token: layers behind leave those steps out
}

// Append implements Layer.
func (l Embedding) Append(s *Scope, x graph.Value) (graph.Value, error) {
	if err := positive("num_embeddings", l.NumEmbeddings, "embedding_dim", l.EmbeddingDim); err != nil {
		return "", err
	}
	w, err := s.Param("weight", normal(1), l.NumEmbeddings, l.EmbeddingDim)
	if err != nil {
		return "", err
	}
	if l.Padding {
		s.Mask = s.Op("Greater", x, s.Ints(s.path+".padding", []int64{0}, 1))
	}
	return s.Op("Gather", w, x), nil
}

// Dropout sets elements to 0 with the probability P while training, and scales the others up (Srivastava et al. 2014).
type Dropout struct {
	P float64 `json:"p,omitempty"` // 0 means 0.5
}

// Append implements Layer.
func (l Dropout) Append(s *Scope, x graph.Value) (graph.Value, error) {
	if l.P == 0 {
		l.P = .5
	}
	return dropout(s, x, l.P)
}

// dropout appends a Dropout where there is something to drop.
func dropout(s *Scope, x graph.Value, p float64) (graph.Value, error) {
	if !(p >= 0 && p < 1) {
		return "", fault.New(fault.Invalid, "the probability of dropout must be at least 0 and below 1").At("p")
	}
	if p == 0 {
		return x, nil
	}
	return s.Op("Dropout", x, s.Scalar(s.path+".p", float32(p))), nil
}

// Flatten makes each row one vector.
type Flatten struct{}

// Append implements Layer.
func (Flatten) Append(s *Scope, x graph.Value) (graph.Value, error) {
	return s.OpWith("Flatten", []graph.Attr{graph.IntAttr("axis", 1)}, x), nil
}

// Reshape gives each row another shape.
type Reshape struct {
	Shape []int `json:"shape"` // without the rows; one may be -1
}

// Append implements Layer.
func (l Reshape) Append(s *Scope, x graph.Value) (graph.Value, error) {
	to := []int64{0}
	for _, d := range l.Shape {
		if d < -1 || d == 0 {
			return "", fault.New(fault.Invalid, "a size below 1").At("shape")
		}
		to = append(to, int64(d))
	}
	return s.Op("Reshape", x, s.Ints(s.path+".shape", to)), nil
}
