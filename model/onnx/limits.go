package onnx

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Limits bounds what Decode accepts. A field that is zero has its default.
type Limits struct {
	MaxBytes          int64 // length of the file; default 2 GiB, which is also protobuf's
	MaxTensorElements int64 // elements of one tensor, and length of one dimension; default 2^31
	MaxNodes          int   // nodes of all graphs and functions together; default 2^20
	MaxDepth          int   // graphs inside graphs, types inside types; default 64

	// External gives the bytes of a tensor that lie in another file, which must not change afterwards. nil: such a model is refused. It is
	// called with what the file says, so it must not be led out of the model's folder.
	External func(External) ([]byte, error)
}

// maxRank is the number of dimensions that a tensor or a type may have.
const maxRank = 64

func (l Limits) withDefaults() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = 2 << 30
	}
	if l.MaxTensorElements <= 0 {
		l.MaxTensorElements = 1 << 31
	}
	if l.MaxNodes <= 0 {
		l.MaxNodes = 1 << 20
	}
	if l.MaxDepth <= 0 {
		l.MaxDepth = 64
	}
	return l
}

// decoder carries the limits and what has been used of them.
type decoder struct {
	limits Limits
	nodes  int
	items  int // nodes, attributes, graphs, tensors, ports and types that may still be made
	depth  int
	names  map[string]string // one copy of each name
}

func newDecoder(file []byte, o Limits) (*decoder, error) {
	o = o.withDefaults()
	if int64(len(file)) > o.MaxBytes {
		return nil, fault.New(fault.TooLarge, "the model has "+strconv.Itoa(len(file))+" bytes, the limit is "+strconv.FormatInt(o.MaxBytes, 10))
	}
	// In a real file an item takes ten bytes and more. One for every four bytes stops a file of empty messages, two
	// bytes each, from becoming a hundred times as much memory.
	return &decoder{limits: o, items: 1024 + len(file)/4, names: map[string]string{}}, nil
}

// item takes one from the budget.
func (d *decoder) item() error {
	if d.items--; d.items < 0 {
		return fault.New(fault.BadModel, "more empty messages than a real model has")
	}
	return nil
}

// enter goes one level down; leave comes back.
func (d *decoder) enter() error {
	if d.depth++; d.depth > d.limits.MaxDepth {
		return fault.New(fault.BadModel, "nested deeper than "+strconv.Itoa(d.limits.MaxDepth)+" levels")
	}
	return d.item()
}

func (d *decoder) leave() { d.depth-- }

// name returns b as a string, the same memory for the same name.
func (d *decoder) name(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	s := string(b)
	d.names[s] = s
	return s
}
