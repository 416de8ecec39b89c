package nn

import (
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Conv1D slides kernels along sequences, (rows, channels, length).
type Conv1D Conv

// Conv2D slides kernels over pictures, (rows, channels, height, width).
type Conv2D Conv

// ConvTranspose1D goes the other way, from small to large (PyTorch: ConvTranspose1d).
type ConvTranspose1D Conv

// ConvTranspose2D does so with pictures (PyTorch: ConvTranspose2d).
type ConvTranspose2D Conv

// DepthwiseConv2D has a kernel of its own for each channel; OutChannels 0 means as many as come in, otherwise a multiple of them.
type DepthwiseConv2D Conv

// Conv is what convolutions have in common.
type Conv struct {
	OutChannels   int    `json:"out_channels"`
	KernelSize    int    `json:"kernel_size,omitempty"` // along each dimension; 0 means 3
	Stride        int    `json:"stride,omitempty"`      // 0 means 1
	Padding       int    `json:"padding,omitempty"`     // zeros around
	Same          bool   `json:"same,omitempty"`        // instead of padding: as many outputs as inputs, over the stride
	Dilation      int    `json:"dilation,omitempty"`    // 0 means 1
	Groups        int    `json:"groups,omitempty"`      // 0 means 1
	OutputPadding int    `json:"output_padding,omitempty"`
	NoBias        bool   `json:"no_bias,omitempty"`
	Activation    string `json:"activation,omitempty"`
}

// Append implements Layer. Steps that are padding count as zeros, so that a sequence's answer does not depend on how long the others of its batch are.
func (l Conv1D) Append(s *Scope, x graph.Value) (graph.Value, error) {
	if s.Mask == "" {
		return Conv(l).append(s, x, 1, false)
	}
	stride := max(1, l.Stride)
	kernel := l.KernelSize
	if kernel == 0 {
		kernel = 3
	}
	centred := stride == 1
	if !l.Same {
		centred = 2*l.Padding == max(1, l.Dilation)*(kernel-1)
	}
	if !centred {
		return "", fault.New(fault.Invalid, "over sequences of different lengths the kernel must be centred, or what ends where would follow from the batch").At("padding").
			Try("use same with a stride of 1, or an odd kernel_size with padding = dilation·(kernel_size-1)/2")
	}
	x = s.Op("Where", s.Op("Unsqueeze", s.Mask, s.Ints("channels", []int64{1})), x, s.Scalar("padding", 0))
	if stride > 1 { // step i of the output stands at step stride·i
		s.Mask = s.Op("Slice", s.Mask, s.Ints("from", []int64{0}), s.Ints("to", []int64{math.MaxInt64}), s.Ints("axis", []int64{1}), s.Ints("stride", []int64{int64(stride)}))
	}
	return Conv(l).append(s, x, 1, false)
}

// Append implements Layer.
func (l Conv2D) Append(s *Scope, x graph.Value) (graph.Value, error) {
	return Conv(l).append(s, x, 2, false)
}

// Append implements Layer.
func (l ConvTranspose1D) Append(s *Scope, x graph.Value) (graph.Value, error) {
	return Conv(l).append(s, x, 1, true)
}

// Append implements Layer.
func (l ConvTranspose2D) Append(s *Scope, x graph.Value) (graph.Value, error) {
	return Conv(l).append(s, x, 2, true)
}

// Append implements Layer.
func (l DepthwiseConv2D) Append(s *Scope, x graph.Value) (graph.Value, error) {
	d, err := s.Dims(x, 4, "DepthwiseConv2D")
	if err != nil {
		return "", err
	}
	if l.OutChannels == 0 {
		l.OutChannels = d[1]
	}
	l.Groups = d[1]
	return Conv(l).append(s, x, 2, false)
}

func (l Conv) append(s *Scope, x graph.Value, rank int, transposed bool) (graph.Value, error) {
	for _, f := range []*int{&l.Stride, &l.Dilation, &l.Groups} {
		if *f == 0 {
			*f = 1
		}
	}
	if l.KernelSize == 0 {
		l.KernelSize = 3
	}
	if err := positive("out_channels", l.OutChannels, "kernel_size", l.KernelSize, "stride", l.Stride, "dilation", l.Dilation, "groups", l.Groups); err != nil {
		return "", err
	}
	if l.Padding < 0 || l.OutputPadding < 0 || l.OutputPadding > 0 && !transposed {
		return "", fault.New(fault.Invalid, "padding must not be below 0, and output_padding is for transposed convolutions").At("padding")
	}
	d, err := s.Dims(x, 2+rank, "a convolution over "+strconv.Itoa(rank)+" dimensions")
	if err != nil {
		return "", err
	}
	if err := known(d[1], "the number of channels"); err != nil {
		return "", err
	}
	if d[1]%l.Groups != 0 || l.OutChannels%l.Groups != 0 {
		return "", fault.New(fault.Invalid, "groups must divide the channels that come in, "+strconv.Itoa(d[1])+", and those that go out").At("groups")
	}
	shape, window := []int{l.OutChannels, d[1] / l.Groups}, 1
	if transposed {
		shape = []int{d[1], l.OutChannels / l.Groups}
	}
	for range rank {
		shape = append(shape, l.KernelSize)
		window *= l.KernelSize
	}
	fan := shape[1] * window // as PyTorch counts it, for transposed ones too
	in := make([]graph.Value, 2, 3)
	in[0] = x
	if in[1], err = s.Param("weight", byFan(fan), shape...); err != nil {
		return "", err
	}
	if !l.NoBias {
		bias, err := s.Param("bias", byFan(fan), l.OutChannels)
		if err != nil {
			return "", err
		}
		in = append(in, bias)
	}
	op := "Conv"
	if transposed {
		op = "ConvTranspose"
	}
	return Activation{Name: l.Activation}.Append(s, s.OpWith(op, l.attrs(rank, transposed), in...))
}

func (l Conv) attrs(rank int, transposed bool) []graph.Attr {
	attrs := []graph.Attr{
		graph.IntsAttr("kernel_shape", each(rank, l.KernelSize)...), graph.IntsAttr("strides", each(rank, l.Stride)...),
		graph.IntsAttr("dilations", each(rank, l.Dilation)...), graph.IntAttr("group", int64(l.Groups)),
	}
	if l.Same {
		attrs = append(attrs, graph.StringAttr("auto_pad", "SAME_UPPER"))
	} else {
		attrs = append(attrs, graph.IntsAttr("pads", each(2*rank, l.Padding)...))
	}
	if transposed && l.OutputPadding > 0 {
		attrs = append(attrs, graph.IntsAttr("output_padding", each(rank, l.OutputPadding)...))
	}
	return attrs
}

// each is n times v.
func each(n, v int) []int64 {
	list := make([]int64, n)
	for i := range list {
		list[i] = int64(v)
	}
	return list
}
