package nn

import (
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// MaxPool takes the largest element of windows over all dimensions behind the channels.
type MaxPool Pool

// AvgPool takes the mean of such windows.
type AvgPool Pool

// Pool is what both have in common.
type Pool struct {
	KernelSize int `json:"kernel_size,omitempty"` // 0 means 2
	Stride     int `json:"stride,omitempty"`      // 0 means the kernel's size
	Padding    int `json:"padding,omitempty"`
}

// Append implements Layer.
func (l MaxPool) Append(s *Scope, x graph.Value) (graph.Value, error) {
	return Pool(l).append(s, x, "MaxPool")
}

// Append implements Layer.
func (l AvgPool) Append(s *Scope, x graph.Value) (graph.Value, error) {
	return Pool(l).append(s, x, "AveragePool", graph.IntAttr("count_include_pad", 1))
}

func (l Pool) append(s *Scope, x graph.Value, op string, attrs ...graph.Attr) (graph.Value, error) {
	if l.KernelSize == 0 {
		l.KernelSize = 2
	}
	if l.Stride == 0 {
		l.Stride = l.KernelSize
	}
	if err := positive("kernel_size", l.KernelSize, "stride", l.Stride); err != nil {
		return "", err
	}
	if l.Padding < 0 || l.Padding > l.KernelSize/2 {
		return "", fault.New(fault.Invalid, "padding must be at least 0 and at most half the kernel's size").At("padding")
	}
	t, err := s.Type(x)
	if err != nil {
		return "", err
	}
	if t.Unranked || len(t.Dims) < 3 {
		return "", fault.New(fault.Invalid, "pooling wants (rows, channels, …), not "+t.String())
	}
	if s.Mask != "" && len(t.Dims) == 3 {
		return "", fault.New(fault.Invalid, "windows over sequences of different lengths would hold padding").Try("use a conv1d with a stride, or sequence_pool")
	}
	rank := len(t.Dims) - 2
	return s.OpWith(op, append(attrs, graph.IntsAttr("kernel_shape", each(rank, l.KernelSize)...), graph.IntsAttr("strides", each(rank, l.Stride)...),
		graph.IntsAttr("pads", each(2*rank, l.Padding)...)), x), nil
}

// GlobalPool takes the mean (or the largest) of all that lies behind the channels: (rows, channels, …) becomes (rows, channels).
type GlobalPool struct {
	Max bool `json:"max,omitempty"`
}

// Append implements Layer.
func (l GlobalPool) Append(s *Scope, x graph.Value) (graph.Value, error) {
	if t, err := s.Type(x); err == nil && s.Mask != "" && len(t.Dims) == 3 {
		return "", fault.New(fault.Invalid, "the whole of a sequence would hold padding").Try("use sequence_pool, which takes (rows, steps, features)")
	}
	op := "GlobalAveragePool"
	if l.Max {
		op = "GlobalMaxPool"
	}
	return Flatten{}.Append(s, s.Op(op, x))
}

// SequencePool makes one vector of a sequence: (rows, steps, features) becomes (rows, features). Steps that are padding do not count.
type SequencePool struct {
	Mode string `json:"mode,omitempty"` // "mean" (default), "max", "first" or "last"
}

// Append implements Layer.
func (l SequencePool) Append(s *Scope, x graph.Value) (graph.Value, error) {
	if _, err := s.Dims(x, 3, "SequencePool"); err != nil {
		return "", err
	}
	steps := []graph.Attr{graph.IntsAttr("axes", 1), graph.IntAttr("keepdims", 0)}
	switch l.Mode {
	case "", "mean":
		if s.Mask == "" {
			return s.OpWith("ReduceMean", steps, x), nil
		}
		there := s.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, s.Op("Unsqueeze", s.Mask, s.Ints("last", []int64{2})))
		one := s.Ints("steps", []int64{1})
		sum := s.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, s.Op("Mul", x, there), one)
		count := s.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, there, one)
		return s.Op("Div", sum, s.Op("Max", count, s.Scalar("one", 1))), nil
	case "max":
		if s.Mask != "" {
			x = s.Op("Where", s.Op("Unsqueeze", s.Mask, s.Ints("last", []int64{2})), x, s.Scalar("least", -1e9))
		}
		return s.OpWith("ReduceMax", steps, x), nil
	case "first":
		return s.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 1)}, x, s.Init("first", scalarInt(0))), nil
	case "last":
		if s.Mask != "" {
			return "", fault.New(fault.Invalid, "the last step may be padding").At("mode").Try("use mean or max, or a recurrent layer, which ends where the padding begins")
		}
		return s.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 1)}, x, s.Init("last", scalarInt(-1))), nil
	}
	return "", fault.New(fault.Invalid, "mode must be mean, max, first or last").At("mode")
}

func scalarInt(v int64) *tensor.Tensor {
	t := tensor.New(tensor.Int64)
	t.I64()[0] = v
	return t
}
