package opset

import (
	"math"
	"slices"
	"strings"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// rewrite gives n, of the version from of ai.onnx, the form of the version r.to. It returns n, another node that is appended already, or nil where
// there is no equivalent. https://onnx.ai/onnx/operators has what changed in each version.
func (r *raising) rewrite(n *graph.Node, from int64) *graph.Node {
	before := func(version int64) bool { return from < version && version <= r.to[""] }
	if strings.HasPrefix(n.Op, "Reduce") {
		if n.Op == "ReduceSum" && before(13) || n.Op != "ReduceSum" && before(18) {
			r.inputs(n, "axes")
		}
		return n
	}
	switch n.Op {
	case "Cast", "Selu", "PRelu": // types by name, other defaults, slopes along other dimensions
		if from < 7 {
			return nil
		}
	case "Concat":
		if from < 4 && n.Attr("axis") == nil {
			n.Attrs = append(n.Attrs, graph.IntAttr("axis", 1))
		}
	case "OneHot":
		if before(11) { // indices below 0 were off
			return nil
		}
	case "Clip":
		if before(11) {
			for name, bound := range map[string]float32{"min": -math.MaxFloat32, "max": math.MaxFloat32} {
				if n.Attr(name) == nil {
					n.Attrs = append(n.Attrs, graph.FloatAttr(name, bound))
				}
			}
			r.floats(n, "min", "max")
		}
	case "Slice":
		if before(10) {
			r.inputs(n, "starts", "ends", "axes")
		}
	case "Squeeze", "Unsqueeze":
		if before(13) {
			r.inputs(n, "axes")
		}
	case "Split":
		if before(13) {
			r.inputs(n, "split")
		}
		if before(18) && n.In(1) == "" {
			n.Attrs = append(n.Attrs, graph.IntAttr("num_outputs", int64(len(n.Outputs))))
		}
	case "TopK":
		if before(10) {
			k := take(n, "k")
			if k == nil {
				return nil
			}
			n.Inputs = append(n.Inputs, r.constant(tensor.Ints([]int64{k.Int}, 1)))
		}
	case "Pad":
		if from < 2 {
			return nil
		}
		if before(11) {
			r.inputs(n, "pads")
			r.floats(n, "value")
		}
	case "Dropout":
		if from < 7 || from < 10 && len(n.Outputs) > 1 { // whose mask held numbers
			return nil
		}
		if before(12) {
			ratio := float32(.5)
			if a := take(n, "ratio"); a != nil {
				ratio = a.Float
			}
			n.Inputs = append(n.Inputs, r.constant(number(ratio)))
		}
	case "BatchNormalization":
		return normalization(n, from)
	case "Softmax", "LogSoftmax", "Hardmax":
		if before(13) {
			return r.softmax(n)
		}
	case "Upsample", "Resize":
		return r.resize(n, from)
	case "RoiAlign":
		if before(16) {
			n.Attrs = append(n.Attrs, graph.StringAttr("coordinate_transformation_mode", "output_half_pixel"))
		}
	case "GridSample":
		if a := n.Attr("mode"); before(20) && a != nil {
			a.Str = map[string]string{"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest"}[a.Str]
		}
	case "DFT":
		if before(20) {
			axis := n.Int("axis", 1)
			take(n, "axis")
			for len(n.Inputs) < 2 {
				n.Inputs = append(n.Inputs, "")
			}
			n.Inputs = append(n.Inputs, r.constant(whole(axis)))
		}
	case "GroupNormalization":
		if before(21) { // scales were those of groups
			return nil
		}
	case "Scan":
		if before(9) {
			return nil
		}
	}
	return n
}

// take removes an attribute and returns it, nil where there is none.
func take(n *graph.Node, name string) *graph.Attr {
	for i, a := range n.Attrs {
		if a.Name == name {
			n.Attrs = slices.Delete(n.Attrs, i, i+1)
			return &a
		}
	}
	return nil
}

// inputs makes inputs of attributes that list integers.
func (r *raising) inputs(n *graph.Node, names ...string) {
	for _, name := range names {
		if v := n.Ints(name); take(n, name) != nil {
			n.Inputs = append(n.Inputs, r.constant(tensor.Ints(slices.Clone(v), len(v))))
		}
	}
}

// floats makes inputs of attributes that are numbers.
func (r *raising) floats(n *graph.Node, names ...string) {
	for _, name := range names {
		in := graph.Value("")
		if a := take(n, name); a != nil {
			in = r.like(number(a.Float), n.Inputs[0])
		}
		n.Inputs = append(n.Inputs, in)
	}
	for len(n.Inputs) > 0 && n.Inputs[len(n.Inputs)-1] == "" {
		n.Inputs = n.Inputs[:len(n.Inputs)-1]
	}
}

// like appends a Constant of the type of x.
func (r *raising) like(t *tensor.Tensor, x graph.Value) graph.Value {
	v := r.constant(t)
	if typ, err := r.types.Of(x); err != nil || typ.DType != t.DType() {
		v = r.made("CastLike", nil, v, x)
	}
	return v
}

// number is a float32 of rank 0.
func number(v float32) *tensor.Tensor {
	t := tensor.New(tensor.Float32)
	t.F32()[0] = v
	return t
}

// whole is an int64 of rank 0.
func whole(v int64) *tensor.Tensor {
	t := tensor.New(tensor.Int64)
	t.I64()[0] = v
	return t
}

// normalization is a BatchNormalization as it predicts: with the outputs and attributes of training, it has no equivalent.
func normalization(n *graph.Node, from int64) *graph.Node {
	if from >= 14 {
		return n
	}
	if from < 7 || n.Int("spatial", 1) != 1 || len(n.Outputs) > 1 {
		return nil
	}
	take(n, "spatial")
	return n
}

// softmax over all dimensions from axis on, as it was before opset 13: over one, if that is the last.
func (r *raising) softmax(n *graph.Node) *graph.Node {
	axis := n.Int("axis", 1)
	take(n, "axis")
	last := []graph.Attr{graph.IntAttr("axis", -1)}
	if axis == -1 {
		n.Attrs = append(n.Attrs, last...)
		return n
	}
	x := n.Inputs[0]
	flat := r.made("Flatten", []graph.Attr{graph.IntAttr("axis", axis)}, x)
	y := &graph.Node{Name: n.Name, Op: "Reshape", Inputs: []graph.Value{r.made(n.Op, last, flat), r.made("Shape", nil, x)}, Outputs: n.Outputs}
	r.nodes = append(r.nodes, y)
	return y
}

// resize of version 7 to 10 samples as those of version 11 and later do that are called asymmetric.
func (r *raising) resize(n *graph.Node, from int64) *graph.Node {
	if from >= 11 {
		return n
	}
	if n.Op == "Upsample" && from < 7 || n.In(0) == "" {
		return nil
	}
	if a := take(n, "scales"); a != nil {
		n.Inputs = append(n.Inputs, r.constant(tensor.Floats(slices.Clone(a.Floats), len(a.Floats))))
	}
	if len(n.Inputs) != 2 {
		return nil
	}
	n.Op, n.Inputs = "Resize", []graph.Value{n.Inputs[0], "", n.Inputs[1]}
	n.Attrs = append(n.Attrs, graph.StringAttr("coordinate_transformation_mode", "asymmetric"))
	if n.Str("mode", "nearest") == "nearest" {
		if !r.grows(n.Inputs[2]) { // what shrinks was rounded up
			return nil
		}
		n.Attrs = append(n.Attrs, graph.StringAttr("nearest_mode", "floor"))
	}
	return n
}

// grows reports whether scales are constant and none is below 1.
func (r *raising) grows(v graph.Value) bool {
	t := r.types.Constant(v)
	for _, n := range r.nodes {
		if a := n.Attr("value"); n.Op == "Constant" && n.Outputs[0] == v && a != nil {
			t = a.Tensor
		}
	}
	return t != nil && t.DType() == tensor.Float32 && !slices.ContainsFunc(t.F32(), func(x float32) bool { return x < 1 })
}
