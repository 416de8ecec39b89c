package op

import (
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Check compares a node with its Spec: attributes and the number of inputs and outputs.
// Errors: fault.Unsupported for an unknown attribute, fault.BadModel for a wrong count or a repeated attribute.
func (s *Spec) Check(n *graph.Node) error {
	for i := range n.Attrs {
		a := &n.Attrs[i]
		if a.Ref != "" {
			return fault.New(fault.BadModel, n.Op+": attribute "+a.Name+" refers to a function's attribute outside of one")
		}
		if !slices.Contains(s.Attrs, a.Name) {
			return fault.New(fault.Unsupported, n.Op+": attribute "+a.Name+" is not known from opset "+strconv.FormatInt(s.Since, 10)+" on")
		}
		if n.Attr(a.Name) != a {
			return fault.New(fault.BadModel, n.Op+": attribute "+a.Name+" stands twice")
		}
	}
	if len(n.Inputs) > s.In.Max || len(n.Inputs) < s.In.Min {
		return fault.New(fault.BadModel, n.Op+": wrong number of inputs: "+strconv.Itoa(len(n.Inputs)))
	}
	if len(n.Outputs) > s.Out.Max || len(n.Outputs) < s.Out.Min {
		return fault.New(fault.BadModel, n.Op+": wrong number of outputs: "+strconv.Itoa(len(n.Outputs)))
	}
	present := s.In.Min
	if s.In.Max == Many && !slices.Contains(s.Attrs, "body") { // a list of operands; what a loop takes may have gaps
		present = len(n.Inputs)
	}
	for i, v := range n.Inputs[:present] {
		if v == "" {
			return fault.New(fault.BadModel, n.Op+": input "+strconv.Itoa(i)+" must be present")
		}
	}
	return nil
}

// kind tells whether an attribute that is present has the kind that the operator wants; a helper of Compile functions.
func kind(n *graph.Node, name string, k graph.AttrKind) error {
	if a := n.Attr(name); a != nil && a.Kind != k {
		return fault.New(fault.BadModel, n.Op+": attribute "+name+" has the wrong kind")
	}
	return nil
}

// kinds checks several attributes at once.
func kinds(n *graph.Node, k graph.AttrKind, names ...string) error {
	for _, name := range names {
		if err := kind(n, name, k); err != nil {
			return err
		}
	}
	return nil
}

// refuse makes the error for a type that an operator does not take here.
func refuse(n *graph.Node, d tensor.DType) error {
	return fault.New(fault.Unsupported, n.Op+" of "+d.String()+" is not built")
}

// refuseAttr makes the error for the value of an attribute that is not built.
func refuseAttr(n *graph.Node, name, value string) error {
	return fault.New(fault.Unsupported, n.Op+": attribute "+name+"="+value+" is not built")
}

// bad makes the error for a node that contradicts itself or its inputs' types.
func bad(n *graph.Node, msg string) error { return fault.New(fault.BadModel, n.Op+": "+msg) }

// misfit makes the error for tensors whose shapes or values do not go together; op is the operator's name.
func misfit(op, msg string) error { return fault.New(fault.Invalid, op+": "+msg) }

// oneOf refuses every type but those given.
func oneOf(n *graph.Node, t tensor.Type, ok ...tensor.DType) error {
	if slices.Contains(ok, t.DType) {
		return nil
	}
	return refuse(n, t.DType)
}

// Groups of element types that operators name.
var (
	floats   = []tensor.DType{tensor.Float32, tensor.Float64}
	signed   = []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int32, tensor.Int64}
	anyDType = []tensor.DType{
		tensor.Float32, tensor.Uint8, tensor.Int8, tensor.Uint16, tensor.Int16, tensor.Int32, tensor.Int64, tensor.String,
		tensor.Bool, tensor.Float16, tensor.Float64, tensor.Uint32, tensor.Uint64, tensor.Complex64, tensor.Complex128, tensor.BFloat16,
		tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ, tensor.Float8E8M0, tensor.Float4E2M1,
		tensor.Uint4, tensor.Int4, tensor.Uint2, tensor.Int2,
	}
)

// unranked is the type of a value of which only the element type is known.
func unranked(d tensor.DType) tensor.Type { return tensor.Type{DType: d, Unranked: true} }

// free is a dimension that is not known.
var free = tensor.Dim{Size: tensor.Free}

// fixed returns the sizes of a type whose every dimension is known.
func fixed(t tensor.Type) ([]int, bool) {
	if t.Unranked {
		return nil, false
	}
	sizes := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		if d.Size == tensor.Free {
			return nil, false
		}
		sizes[i] = d.Size
	}
	return sizes, true
}

// axisOf brings an axis into [0, rank): ONNX counts negative ones from the end.
func axisOf(op string, axis int64, rank int) (int, error) {
	if axis < -int64(rank) || axis >= int64(rank) {
		return 0, misfit(op, "axis "+strconv.FormatInt(axis, 10)+" of a tensor of rank "+strconv.Itoa(rank))
	}
	if axis < 0 {
		axis += int64(rank)
	}
	return int(axis), nil
}

// like is the Infer of operators whose output has the type of input 0.
func like(ok ...tensor.DType) func(n *graph.Node, site *Site) ([]tensor.Type, error) {
	return func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		if err := oneOf(n, site.Types[0], ok...); err != nil {
			return nil, err
		}
		return []tensor.Type{site.Types[0]}, nil
	}
}

// sameDType checks that all present inputs from first on have one element type.
func sameDType(n *graph.Node, site *Site, first int) error {
	for _, t := range site.Types[min(first, len(site.Types)):] {
		if t.DType != tensor.Undefined && t.DType != site.Types[first].DType {
			return bad(n, "inputs of different types: "+site.Types[first].DType.String()+" and "+t.DType.String())
		}
	}
	return nil
}

// shapeText gives "(2, 3)" for messages.
func shapeText(shape []int) string {
	return tensor.TypeOf(tensor.Undefined, shape...).String()[len("undefined"):]
}
