//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// spatial is the most dimensions that a kernel slides over; fewer stand last, after dimensions of length 1.
const spatial = 3

// windowMax bounds every attribute of a window, so that shape arithmetic cannot overflow.
const windowMax = 1 << 24

// window holds the attributes of convolutions and pools: how a kernel slides over the dimensions after batch and channel.
type window struct {
	op                              string
	kernel, strides, dilations, pad []int64 // nil where the default holds; pad are all beginnings, then all ends
	auto                            string  // "", SAME_UPPER, SAME_LOWER or VALID
	ceil                            bool
}

// view is a window laid over an input of known size: how output o and tap k of a dimension meet the input at o·stride + k·dilation - before.
type view struct {
	rank                                             int
	in, out, kernel, stride, dilation, before, after [spatial]int
}

// windowOf reads the attributes of a node.
func windowOf(n *graph.Node) (w window, err error) {
	if err := kinds(n, graph.AttrInts, "kernel_shape", "strides", "dilations", "pads"); err != nil {
		return w, err
	}
	if err := kind(n, "auto_pad", graph.AttrString); err != nil {
		return w, err
	}
	if err := kind(n, "ceil_mode", graph.AttrInt); err != nil {
		return w, err
	}
	w = window{n.Op, n.Ints("kernel_shape"), n.Ints("strides"), n.Ints("dilations"), n.Ints("pads"), n.Str("auto_pad", ""), n.Int("ceil_mode", 0) != 0}
	switch w.auto {
	case "NOTSET":
		w.auto = ""
	case "", "SAME_UPPER", "SAME_LOWER", "VALID":
	default:
		return w, bad(n, "auto_pad "+w.auto)
	}
	if w.auto != "" {
		w.pad = nil // as onnxruntime has it
	}
	rank := -1
	for i, list := range [][]int64{w.kernel, w.strides, w.dilations, w.pad} {
		least, size := int64(1), len(list)
		if i == 3 {
			least = 0
			if size%2 != 0 {
				return w, bad(n, "an odd number of pads")
			}
			size /= 2
		}
		for _, v := range list {
			if v < least || v >= windowMax {
				return w, bad(n, "kernel_shape, strides, dilations or pads hold "+itoa(v))
			}
		}
		if len(list) == 0 {
			continue
		}
		if rank >= 0 && rank != size {
			return w, bad(n, "kernel_shape, strides, dilations and pads of different lengths")
		}
		rank = size
	}
	return w, nil
}

// at is element i of an attribute, or what it defaults to.
func (w *window) at(list []int64, i, def int) int {
	if i < len(list) {
		return int(list[i])
	}
	return def
}

// check refuses a window of another rank than the tensor's spatial dimensions.
func (w *window) check(rank int) error {
	if rank < 1 {
		return misfit(w.op, "an input without spatial dimensions")
	}
	if rank > spatial {
		return misfit(w.op, "more than 3 spatial dimensions")
	}
	for _, n := range []int{len(w.kernel), len(w.strides), len(w.dilations), len(w.pad) / 2} {
		if n != 0 && n != rank {
			return misfit(w.op, "attributes for "+itoa(int64(n))+" spatial dimensions, an input of "+itoa(int64(rank)))
		}
	}
	return nil
}

// span gives the output length of dimension i and the pads around an input of length in under a kernel of k taps.
func (w *window) span(i, in, k int) (out, before, after int, err error) {
	stride, reach := w.at(w.strides, i, 1), (k-1)*w.at(w.dilations, i, 1)+1
	if k > windowMax || reach > math.MaxInt32 {
		return 0, 0, 0, misfit(w.op, "a kernel of that reach")
	}
	switch w.auto {
	case "SAME_UPPER", "SAME_LOWER":
		out = (in + stride - 1) / stride
		total := max(0, (out-1)*stride+reach-in)
		before = total / 2
		if w.auto == "SAME_LOWER" {
			before = total - before
		}
		return out, before, total - before, nil
	case "":
		before, after = w.at(w.pad, i, 0), w.at(w.pad, len(w.pad)/2+i, 0)
	}
	room := in + before + after - reach
	if room < 0 {
		return 0, 0, 0, misfit(w.op, "a kernel that reaches over "+itoa(int64(reach))+" of "+itoa(int64(in+before+after)))
	}
	out = room/stride + 1
	if w.ceil && w.auto == "" {
		if room%stride != 0 {
			out++
		}
		if out > 1 && (out-1)*stride >= in+before { // no window begins after the input
			out--
		}
	}
	return out, before, after, nil
}

// fit lays the window over the spatial dimensions of an input; kernel is that of the weights, nil for pools.
func (w *window) fit(shape, kernel []int) (v view, err error) {
	if err := w.check(len(shape)); err != nil {
		return v, err
	}
	v.rank = len(shape)
	skip := spatial - v.rank
	for d := range spatial {
		v.in[d], v.out[d], v.kernel[d], v.stride[d], v.dilation[d] = 1, 1, 1, 1, 1
	}
	for i, in := range shape {
		k := 0
		if kernel != nil {
			k = kernel[i]
		}
		if given := w.at(w.kernel, i, k); kernel == nil {
			k = given
		} else if given != k {
			return v, misfit(w.op, "kernel_shape is not that of the weights")
		}
		if k < 1 {
			return v, misfit(w.op, "a kernel of length 0")
		}
		d := skip + i
		v.in[d], v.kernel[d], v.stride[d], v.dilation[d] = in, k, w.at(w.strides, i, 1), w.at(w.dilations, i, 1)
		if v.out[d], v.before[d], v.after[d], err = w.span(i, in, k); err != nil {
			return v, err
		}
	}
	return v, nil
}

// infer gives the spatial dimensions of the output, as far as those of the input and the kernel are known.
func (w *window) infer(in, kernel []tensor.Dim) ([]tensor.Dim, error) {
	if err := w.check(len(in)); err != nil {
		return nil, err
	}
	out := make([]tensor.Dim, len(in))
	for i := range out {
		out[i] = free
		k := w.at(w.kernel, i, 0)
		if k == 0 && kernel != nil {
			k = kernel[i].Size
		}
		if in[i].Size == tensor.Free || k < 1 {
			continue
		}
		size, _, _, err := w.span(i, in[i].Size, k)
		if err != nil {
			return nil, err
		}
		out[i].Size = size
	}
	return out, nil
}

// shape appends the output's spatial lengths to dst.
func (v *view) shape(dst []int) []int { return append(dst, v.out[spatial-v.rank:]...) }

func volume(d [spatial]int) int { return d[0] * d[1] * d[2] }

// taps gives the taps of dimension d that meet the input at output o: k in [lo, hi); from is where tap 0 lies.
func (v *view) taps(d, o int) (lo, hi, from int) {
	from = o*v.stride[d] - v.before[d]
	lo, hi = tapRange(from, v.dilation[d], v.kernel[d], 0, v.in[d])
	return lo, hi, from
}

// tapRange gives the k in [0, n) for which first <= from + k·step < last.
func tapRange(from, step, n, first, last int) (lo, hi int) {
	if from < first {
		lo = (first - from + step - 1) / step
	}
	if from < last {
		hi = min(n, (last-from+step-1)/step)
	}
	return min(lo, hi), hi
}

// inner gives the outputs [lo, hi) of dimension d at which tap k meets the input.
func (v *view) inner(d, k int) (lo, hi int) {
	return tapRange(k*v.dilation[d]-v.before[d], v.stride[d], v.out[d], 0, v.in[d])
}
