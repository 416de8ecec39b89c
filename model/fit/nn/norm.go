package nn

import (
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// BatchNorm normalises each channel over the batch while it trains, and by running statistics when it predicts (Ioffe and Szegedy 2015).
type BatchNorm struct {
	Eps      float64 `json:"eps,omitempty"`      // 0 means 1e-5
	Momentum float64 `json:"momentum,omitempty"` // share of a batch in the running statistics, as PyTorch counts it; 0 means 0.1
}

// Append implements Layer.
func (l BatchNorm) Append(s *Scope, x graph.Value) (graph.Value, error) {
	or(&l.Momentum, .1)
	if !(l.Momentum > 0 && l.Momentum <= 1) {
		return "", fault.New(fault.Invalid, "momentum must be above 0 and at most 1").At("momentum")
	}
	eps, err := epsilon(l.Eps)
	if err != nil {
		return "", err
	}
	n, _, err := channels(s, x, "BatchNorm", 2)
	if err != nil {
		return "", err
	}
	scale, bias, err := affine(s, n)
	if err != nil {
		return "", err
	}
	mean, variance := s.Fixed("running_mean", make([]float32, n)), s.Fixed("running_var", ones(n))
	return s.OpWith("BatchNormalization", []graph.Attr{eps, graph.FloatAttr("momentum", float32(1-l.Momentum))}, x, scale, bias, mean, variance), nil
}

// LayerNorm normalises each vector along the last dimension (Ba et al. 2016).
type LayerNorm struct {
	Eps float64 `json:"eps,omitempty"` // 0 means 1e-5
}

// Append implements Layer.
func (l LayerNorm) Append(s *Scope, x graph.Value) (graph.Value, error) {
	eps, n, err := lastAxis(s, x, l.Eps)
	if err != nil {
		return "", err
	}
	scale, bias, err := affine(s, n)
	if err != nil {
		return "", err
	}
	return s.OpWith("LayerNormalization", []graph.Attr{graph.IntAttr("axis", -1), eps}, x, scale, bias), nil
}

// RMSNorm divides each vector along the last dimension by its root mean square (Zhang and Sennrich 2019).
type RMSNorm struct {
	Eps float64 `json:"eps,omitempty"` // 0 means 1e-5
}

// Append implements Layer.
func (l RMSNorm) Append(s *Scope, x graph.Value) (graph.Value, error) {
	eps, n, err := lastAxis(s, x, l.Eps)
	if err != nil {
		return "", err
	}
	scale, err := s.Param("weight", constant(1), n)
	if err != nil {
		return "", err
	}
	square := s.OpWith("ReduceMean", []graph.Attr{graph.IntsAttr("axes", -1)}, s.Op("Mul", x, x))
	root := s.Op("Sqrt", s.Op("Add", square, s.Scalar("eps", eps.Float)))
	return s.Op("Mul", s.Op("Div", x, root), scale), nil
}

// GroupNorm normalises groups of channels (Wu and He 2018).
type GroupNorm struct {
	NumGroups int     `json:"num_groups"`
	Eps       float64 `json:"eps,omitempty"` // 0 means 1e-5
}

// Append implements Layer. The operator GroupNormalization is of opset 18: here groups are instances.
func (l GroupNorm) Append(s *Scope, x graph.Value) (graph.Value, error) {
	eps, err := epsilon(l.Eps)
	if err != nil {
		return "", err
	}
	n, rank, err := channels(s, x, "GroupNorm", 3)
	if err != nil {
		return "", err
	}
	if l.NumGroups < 1 || n%l.NumGroups != 0 {
		return "", fault.New(fault.Invalid, "num_groups must divide the channels").At("num_groups")
	}
	grouped := s.Op("Reshape", x, s.Ints("groups", []int64{0, int64(l.NumGroups), -1}))
	flat := s.OpWith("InstanceNormalization", []graph.Attr{eps}, grouped, s.Fixed("one", ones(l.NumGroups)), s.Fixed("zero", make([]float32, l.NumGroups)))
	back := s.Op("Reshape", flat, s.Op("Shape", x))
	shape := []int{n}
	for range rank - 2 {
		shape = append(shape, 1)
	}
	scale, err := s.Param("weight", constant(1), shape...)
	if err != nil {
		return "", err
	}
	bias, err := s.Param("bias", constant(0), shape...)
	return s.Op("Add", s.Op("Mul", back, scale), bias), err
}

// channels counts those of an input, (rows, channels, …), of so many dimensions at least.
func channels(s *Scope, x graph.Value, what string, least int) (n, rank int, err error) {
	t, err := s.Type(x)
	if err != nil {
		return 0, 0, err
	}
	if t.Unranked || len(t.Dims) < least {
		return 0, 0, fault.New(fault.Invalid, what+" wants (rows, channels, …), not "+t.String())
	}
	n = t.Dims[1].Size
	return n, len(t.Dims), known(n, "the number of channels")
}

func epsilon(v float64) (graph.Attr, error) {
	or(&v, 1e-5)
	if !(v > 0 && v < 1) {
		return graph.Attr{}, fault.New(fault.Invalid, "eps must be above 0 and below 1").At("eps")
	}
	return graph.FloatAttr("epsilon", float32(v)), nil
}

// lastAxis is the length of the last dimension.
func lastAxis(s *Scope, x graph.Value, v float64) (eps graph.Attr, n int, err error) {
	if eps, err = epsilon(v); err != nil {
		return eps, 0, err
	}
	t, err := s.Type(x)
	if err != nil {
		return eps, 0, err
	}
	if t.Unranked || len(t.Dims) < 2 {
		return eps, 0, fault.New(fault.Invalid, "a norm wants an input of two dimensions or more, not "+t.String())
	}
	n = t.Dims[len(t.Dims)-1].Size
	return eps, n, known(n, "the last dimension")
}

// affine adds a scale and a bias for each of n.
func affine(s *Scope, n int) (scale, bias graph.Value, err error) {
	if scale, err = s.Param("weight", constant(1), n); err != nil {
		return "", "", err
	}
	bias, err = s.Param("bias", constant(0), n)
	return scale, bias, err
}

func ones(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = 1
	}
	return v
}
