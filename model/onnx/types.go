package onnx

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// valueType reads a TypeProto. One without a value gives the zero ValueType: nothing is known.
func (d *decoder) valueType(f field) (graph.ValueType, error) {
	var t graph.ValueType
	b, err := f.message("")
	if err != nil {
		return t, err
	}
	if err := d.enter(); err != nil {
		return t, err
	}
	defer d.leave()
	err = each(b, func(f field) (err error) {
		switch f.num {
		case 1:
			t = graph.ValueType{}
			t.Tensor, err = d.tensorType(f)
			return at("tensor_type", err)
		case 4:
			t, err = d.container(f, graph.SequenceKind)
			return at("sequence_type", err)
		case 5:
			t, err = d.container(f, graph.MapKind)
			return at("map_type", err)
		case 9:
			t, err = d.container(f, graph.OptionalKind)
			return at("optional_type", err)
		case 8:
			return fault.New(fault.Unsupported, "values of sparse tensor type are not supported").At("sparse_tensor_type")
		}
		return nil
	})
	return t, err
}

// container reads TypeProto.Sequence, Optional (elem_type = 1) or Map (key_type = 1, value_type = 2).
func (d *decoder) container(f field, kind graph.Kind) (graph.ValueType, error) {
	t := graph.ValueType{Kind: kind, Elem: new(graph.ValueType)}
	b, err := f.message("")
	if err != nil {
		return t, err
	}
	err = each(b, func(f field) (err error) {
		switch {
		case f.num == 1 && kind == graph.MapKind:
			t.Tensor.DType, err = elemType("key_type", f)
			return err
		case f.num == 1:
			*t.Elem, err = d.valueType(f)
			return at("elem_type", err)
		case f.num == 2 && kind == graph.MapKind:
			*t.Elem, err = d.valueType(f)
			return at("value_type", err)
		}
		return nil
	})
	return t, err
}

// tensorType reads TypeProto.Tensor.
func (d *decoder) tensorType(f field) (tensor.Type, error) {
	t := tensor.Type{Unranked: true}
	b, err := f.message("")
	if err != nil {
		return t, err
	}
	err = each(b, func(f field) (err error) {
		switch f.num {
		case 1:
			t.DType, err = elemType("elem_type", f)
			return err
		case 2:
			b, err := f.message("shape")
			if err != nil {
				return err
			}
			t.Unranked = false
			t.Dims, err = d.dims(b, t.Dims)
			return at("shape", err)
		}
		return nil
	})
	return t, err
}

func elemType(name string, f field) (tensor.DType, error) {
	var n int64
	if err := f.int(name, &n); err != nil {
		return 0, err
	}
	if n < 0 || n > 255 {
		return 0, broken("no such element type: " + strconv.FormatInt(n, 10)).At(name)
	}
	return tensor.DType(n), nil
}

// dims reads a TensorShapeProto, appending to dims.
func (d *decoder) dims(b []byte, dims []tensor.Dim) ([]tensor.Dim, error) {
	err := each(b, func(f field) error {
		if f.num != 1 {
			return nil
		}
		if len(dims) == maxRank {
			return broken("more than " + strconv.Itoa(maxRank) + " dimensions")
		}
		b, err := f.message("dim")
		if err != nil {
			return err
		}
		dim := tensor.Dim{Size: tensor.Free}
		err = each(b, func(f field) error {
			switch f.num {
			case 1:
				var n int64
				if err := f.int("dim_value", &n); err != nil {
					return err
				}
				if n > d.limits.MaxTensorElements {
					return fault.New(fault.TooLarge, "a dimension of "+strconv.FormatInt(n, 10)).At("dim_value")
				}
				dim = tensor.Dim{Size: max(int(n), tensor.Free)} // some exporters write -1 for a free dimension
			case 2:
				b, err := f.message("dim_param")
				dim = tensor.Dim{Size: tensor.Free, Name: d.name(b)}
				return err
			}
			return nil
		})
		dims = append(dims, dim)
		return atIndex("dim", len(dims)-1, err)
	})
	return dims, err
}
