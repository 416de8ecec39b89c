package graph

import "github.com/jarvis-ml/jarvis/model/tensor"

// Kind tells tensors from the containers of ONNX.
type Kind uint8

// The kinds of value of ONNX.
const (
	TensorKind Kind = iota
	SequenceKind
	MapKind
	OptionalKind
)

// ValueType is the type of a value as a file declares it: a tensor, or a container of Elem (a map's key type is Tensor.DType).
type ValueType struct {
	Kind   Kind
	Tensor tensor.Type
	Elem   *ValueType
}

// TensorOf makes the ValueType of a tensor.
func TensorOf(t tensor.Type) ValueType { return ValueType{Tensor: t} }

// Type is the type as kernels see it: a container is a tensor.Tensor too.
func (v ValueType) Type() tensor.Type {
	t := tensor.Type{Unranked: true}
	switch v.Kind {
	case TensorKind:
		return v.Tensor
	case SequenceKind:
		t.DType = tensor.Sequence
	case OptionalKind:
		t.DType = tensor.Optional
	case MapKind:
		t.DType, t.Key = tensor.Map, v.Tensor.DType
	}
	if v.Elem != nil {
		elem := v.Elem.Type()
		t.Elem = &elem
	}
	return t
}

// ValueOf is the inverse of Type.
func ValueOf(t tensor.Type) ValueType {
	var v ValueType
	switch t.DType {
	case tensor.Sequence:
		v.Kind = SequenceKind
	case tensor.Optional:
		v.Kind = OptionalKind
	case tensor.Map:
		v.Kind, v.Tensor.DType = MapKind, t.Key
	default:
		return TensorOf(t)
	}
	if t.Elem != nil {
		elem := ValueOf(*t.Elem)
		v.Elem = &elem
	}
	return v
}
