package onnx

import (
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// DecodeValue reads a serialized value of a kind: TensorProto, SequenceProto, OptionalProto or MapProto (onnx-data.proto), as the ONNX
// backend tests keep their inputs and outputs. Errors are Decode's.
func DecodeValue(b []byte, kind graph.Kind) (*tensor.Tensor, error) {
	d, err := newDecoder(b, Limits{})
	if err != nil {
		return nil, err
	}
	return d.instance(b, kind)
}

func (d *decoder) instance(b []byte, kind graph.Kind) (*tensor.Tensor, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	switch kind {
	case graph.SequenceKind:
		list, err := d.elementsOf(b, func(num uint64) (graph.Kind, bool) { return kindIn(num, 3) })
		if err != nil {
			return nil, err
		}
		return tensor.SequenceOf(list...), nil
	case graph.OptionalKind:
		list, err := d.elementsOf(b, func(num uint64) (graph.Kind, bool) { return kindIn(num, 3) })
		switch {
		case err != nil:
			return nil, err
		case len(list) == 0:
			return tensor.OptionalOf(nil), nil
		}
		return tensor.OptionalOf(list[len(list)-1]), nil
	case graph.MapKind:
		return d.mapValue(b)
	}
	t, _, err := d.tensor(field{wire: wireBytes, b: b})
	return t, err
}

// kindIn tells what field num of SequenceProto or OptionalProto holds: from first on a tensor, a sparse tensor, a sequence, a map, an optional.
func kindIn(num, first uint64) (graph.Kind, bool) {
	switch num - first {
	case 0:
		return graph.TensorKind, true
	case 2:
		return graph.SequenceKind, true
	case 3:
		return graph.MapKind, true
	case 4:
		return graph.OptionalKind, true
	}
	return 0, false
}

func (d *decoder) elementsOf(b []byte, kindOf func(num uint64) (graph.Kind, bool)) (list []*tensor.Tensor, err error) {
	err = each(b, func(f field) error {
		kind, ok := kindOf(f.num)
		if !ok {
			if f.num == 4 {
				return fault.New(fault.Unsupported, "sparse tensors in a container are not supported")
			}
			return nil
		}
		inner, err := f.message("value")
		if err != nil {
			return err
		}
		t, err := d.instance(inner, kind)
		list = append(list, t)
		return err
	})
	return list, err
}

// mapValue reads a MapProto: key_type = 2, keys = 3, string_keys = 4, values = 5.
func (d *decoder) mapValue(b []byte) (*tensor.Tensor, error) {
	var numbers []int64
	var texts []string
	var values *tensor.Tensor
	err := each(b, func(f field) error {
		switch f.num {
		case 3:
			return f.numbers("keys", wireVarint, func(v uint64) { numbers = append(numbers, int64(v)) })
		case 4:
			s, err := f.message("string_keys")
			texts = append(texts, string(s))
			return err
		case 5:
			inner, err := f.message("values")
			if err != nil {
				return err
			}
			values, err = d.instance(inner, graph.SequenceKind)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if values == nil || len(values.List()) != max(len(numbers), len(texts)) {
		return nil, broken("a map whose keys and values are not of one number")
	}
	keys := tensor.Ints(numbers)
	if texts != nil {
		keys = tensor.Strings(texts)
	}
	return tensor.MapOf(keys, vector(values)), nil
}

// vector joins a sequence of scalars of one type; anything else stays a sequence.
func vector(list *tensor.Tensor) *tensor.Tensor {
	elements := list.List()
	if len(elements) == 0 {
		return list
	}
	d := elements[0].DType()
	for _, e := range elements {
		if e.DType() != d || e.Rank() > 0 || d.Container() {
			return list
		}
	}
	joined := tensor.New(d, len(elements))
	for i, e := range elements {
		copy(joined.Bytes()[i*d.Size():], e.Bytes())
		copy(joined.Str()[min(i, len(joined.Str())):], e.Str())
	}
	return joined
}
