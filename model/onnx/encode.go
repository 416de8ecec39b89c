package onnx

import (
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// maxFile is the size that protobuf readers accept.
const maxFile = 2<<30 - 1

// Encode writes a model as an ONNX file (ModelProto). Equal models give equal bytes: maps are written in the order of
// their keys. Numeric tensors become raw_data.
//
// Errors: fault.Invalid for a model that no file can hold (no graph, a nil tensor, an attribute of unknown kind), Field
// being the path; fault.TooLarge beyond 2 GiB.
func Encode(m *graph.Model) ([]byte, error) {
	if m == nil || m.Graph == nil {
		return nil, fault.New(fault.Invalid, "a model without a graph cannot be written")
	}
	size := weight(m.Graph)
	if size > maxFile {
		return nil, tooLarge(size)
	}
	w := &writer{buf: make([]byte, 0, size+size/16+4096)}
	if err := w.model(m); err != nil {
		return nil, err
	}
	if len(w.buf) > maxFile {
		return nil, tooLarge(len(w.buf))
	}
	return w.buf, nil
}

func tooLarge(size int) error {
	return fault.New(fault.TooLarge, "the model takes "+strconv.Itoa(size)+" bytes, an ONNX file holds at most 2 GiB")
}

// weight is the size of the initializers of g in bytes.
func weight(g *graph.Graph) int {
	n := 0
	for _, t := range g.Initializers {
		if t != nil {
			n += len(t.Bytes()) + 64
		}
	}
	return n
}

func (w *writer) model(m *graph.Model) error {
	w.intIf(1, m.IRVersion)
	w.textIf(2, m.Producer)
	w.textIf(3, m.ProducerVersion)
	w.textIf(4, m.Domain)
	w.intIf(5, m.Version)
	w.textIf(6, m.Doc)
	if err := w.message(7, func() error { return w.graph(m.Graph) }); err != nil {
		return asInvalid(at("graph", err))
	}
	if err := w.opsets(8, m.Opsets); err != nil {
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(m.Metadata)) {
		err := w.message(14, func() error { w.text(1, k); w.text(2, m.Metadata[k]); return nil })
		if err != nil {
			return err
		}
	}
	for i, fn := range m.Functions {
		if err := w.message(25, func() error { return w.function(fn) }); err != nil {
			return asInvalid(atIndex("functions", i, err))
		}
	}
	return nil
}

// asInvalid gives errors of the writer their code: it is the caller's model, not a file, that is wrong.
func asInvalid(err error) error {
	if e := (*fault.Error)(nil); errors.As(err, &e) && e.Code == fault.BadModel {
		c := *e
		c.Code = fault.Invalid
		return &c
	}
	return err
}

func (w *writer) opsets(num int, opsets map[string]int64) error {
	for _, domain := range slices.Sorted(maps.Keys(opsets)) {
		err := w.message(num, func() error { w.text(1, domain); w.int(2, opsets[domain]); return nil })
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) graph(g *graph.Graph) error {
	if g == nil {
		return broken("is nil")
	}
	for i, n := range g.Nodes {
		if err := w.message(1, func() error { return w.node(n) }); err != nil {
			return atIndex("node", i, err)
		}
	}
	w.textIf(2, g.Name)
	for _, name := range g.InitializerNames() {
		if err := w.message(5, func() error { return w.tensor(string(name), g.Initializers[name]) }); err != nil {
			return at("initializer["+string(name)+"]", err)
		}
	}
	w.textIf(10, g.Doc)
	if err := w.ports(11, g.Inputs); err != nil {
		return at("input", err)
	}
	if err := w.ports(12, g.Outputs); err != nil {
		return at("output", err)
	}
	infos := make([]graph.Port, 0, len(g.ValueInfo))
	for _, name := range slices.Sorted(maps.Keys(g.ValueInfo)) {
		infos = append(infos, graph.Port{Name: name, Type: g.ValueInfo[name]})
	}
	return at("value_info", w.ports(13, infos))
}

func (w *writer) ports(num int, ports []graph.Port) error {
	for _, p := range ports {
		err := w.message(num, func() error {
			w.text(1, string(p.Name))
			if p.Type.Kind == graph.TensorKind && p.Type.Elem == nil && p.Type.Tensor.DType == 0 && !p.Type.Tensor.Unranked && len(p.Type.Tensor.Dims) == 0 {
				return nil // nothing is known
			}
			return w.message(2, func() error { return w.valueType(p.Type) })
		})
		if err != nil {
			return at(string(p.Name), err)
		}
	}
	return nil
}

func (w *writer) node(n *graph.Node) error {
	if n == nil {
		return broken("is nil")
	}
	if n.Op == "" {
		return broken("a node without an operator").At("op_type")
	}
	w.values(1, n.Inputs)
	w.values(2, n.Outputs)
	w.textIf(3, n.Name)
	w.text(4, n.Op)
	for i := range n.Attrs {
		if err := w.message(5, func() error { return w.attr(&n.Attrs[i]) }); err != nil {
			return at("attribute["+n.Attrs[i].Name+"]", err)
		}
	}
	w.textIf(6, n.Doc)
	w.textIf(7, n.Domain)
	return nil
}

func (w *writer) values(num int, values []graph.Value) {
	for _, v := range values {
		w.text(num, string(v))
	}
}

func (w *writer) function(fn *graph.Function) error {
	if fn == nil || fn.Name == "" {
		return broken("a function without a name")
	}
	w.text(1, fn.Name)
	w.values(4, fn.Inputs)
	w.values(5, fn.Outputs)
	for _, name := range fn.Attributes {
		w.text(6, name)
	}
	for i, n := range fn.Nodes {
		if err := w.message(7, func() error { return w.node(n) }); err != nil {
			return atIndex("node", i, err)
		}
	}
	if err := w.opsets(9, fn.Opsets); err != nil {
		return err
	}
	w.textIf(10, fn.Domain)
	for i := range fn.Defaults {
		if err := w.message(11, func() error { return w.attr(&fn.Defaults[i]) }); err != nil {
			return atIndex("attribute_proto", i, err)
		}
	}
	return nil
}

func (w *writer) attr(a *graph.Attr) error {
	if a.Name == "" {
		return broken("an attribute without a name")
	}
	w.text(1, a.Name)
	if a.Ref == "" {
		if err := w.attrValue(a); err != nil {
			return err
		}
	} else {
		w.text(21, a.Ref)
	}
	w.intIf(20, int64(a.Kind))
	return nil
}

func (w *writer) attrValue(a *graph.Attr) error {
	if l, ok := a.List.(*list); ok && l.kind() == a.Kind { // as it was read
		w.buf = append(w.buf, l.raw...)
		return nil
	}
	if a.List != nil {
		whole := *a
		whole.Unpack()
		a = &whole
	}
	switch a.Kind {
	case graph.AttrFloat:
		w.float(2, a.Float)
	case graph.AttrInt:
		w.int(3, a.Int)
	case graph.AttrString:
		w.text(4, a.Str)
	case graph.AttrTensor:
		return w.message(5, func() error { return w.tensor("", a.Tensor) })
	case graph.AttrGraph:
		return w.message(6, func() error { return w.graph(a.Graph) })
	case graph.AttrFloats:
		for _, v := range a.Floats {
			w.float(7, v)
		}
	case graph.AttrInts:
		for _, v := range a.Ints {
			w.int(8, v)
		}
	case graph.AttrStrings:
		for _, v := range a.Strs {
			w.text(9, v)
		}
	case graph.AttrTensors:
		return w.list(10, len(a.Tensors), func(i int) error { return w.tensor("", a.Tensors[i]) })
	case graph.AttrGraphs:
		return w.list(11, len(a.Graphs), func(i int) error { return w.graph(a.Graphs[i]) })
	case graph.AttrType:
		return w.message(14, func() error { return w.typeOrNil(a.Type) })
	case graph.AttrTypes:
		return w.list(15, len(a.Types), func(i int) error { return w.typeOrNil(a.Types[i]) })
	case graph.AttrSparse:
		return w.message(22, func() error { return w.sparse(a.Sparse) })
	default:
		return broken("unknown attribute kind " + strconv.Itoa(int(a.Kind)))
	}
	return nil
}

// list writes n messages of one repeated field.
func (w *writer) list(num, n int, body func(i int) error) error {
	for i := range n {
		if err := w.message(num, func() error { return body(i) }); err != nil {
			return atIndex("", i, err)
		}
	}
	return nil
}

func (w *writer) typeOrNil(t *graph.ValueType) error {
	if t == nil {
		return broken("a type that is nil")
	}
	return w.valueType(*t)
}

// valueType writes the fields of a TypeProto.
func (w *writer) valueType(t graph.ValueType) error {
	if t.Kind == graph.TensorKind {
		return w.message(1, func() error { return w.tensorType(t.Tensor) })
	}
	if t.Elem == nil {
		return broken("a container without an element type")
	}
	num, ok := map[graph.Kind]int{graph.SequenceKind: 4, graph.MapKind: 5, graph.OptionalKind: 9}[t.Kind]
	if !ok {
		return broken("unknown kind of type " + strconv.Itoa(int(t.Kind)))
	}
	return w.message(num, func() error {
		if t.Kind == graph.MapKind {
			w.int(1, int64(t.Tensor.DType))
			return w.message(2, func() error { return w.valueType(*t.Elem) })
		}
		return w.message(1, func() error { return w.valueType(*t.Elem) })
	})
}

// tensorType writes the fields of a TypeProto.Tensor. Without a shape field the rank is unknown.
func (w *writer) tensorType(t tensor.Type) error {
	w.intIf(1, int64(t.DType))
	if t.Unranked {
		return nil
	}
	return w.message(2, func() error {
		for _, d := range t.Dims {
			err := w.message(1, func() error {
				switch {
				case d.Size >= 0:
					w.int(1, int64(d.Size))
				case d.Name != "":
					w.text(2, d.Name)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// EncodeTensor writes a tensor under a name as a TensorProto, as the ONNX backend tests keep their inputs and outputs.
func EncodeTensor(name string, t *tensor.Tensor) []byte {
	w := &writer{buf: make([]byte, 0, len(t.Bytes())+len(name)+64)}
	if err := w.tensor(name, t); err != nil {
		return nil // only for the zero Tensor, which has no type
	}
	return w.buf
}

// tensor writes the fields of a TensorProto.
func (w *writer) tensor(name string, t *tensor.Tensor) error {
	if t == nil || !t.DType().Known() {
		return broken("a tensor without a type")
	}
	for _, n := range t.Shape() {
		w.int(1, int64(n))
	}
	w.int(2, int64(t.DType()))
	if t.DType() == tensor.String {
		for _, s := range t.Str() {
			w.text(stringData, s)
		}
	}
	w.textIf(8, name)
	switch bits := t.DType().Bits(); {
	case bits >= 8:
		w.bytes(rawData, t.Bytes())
	case bits > 0:
		w.bytes(rawData, pack(t.Bytes(), t.DType()))
	}
	return nil
}

// sparse writes the fields of a SparseTensorProto.
func (w *writer) sparse(s *graph.Sparse) error {
	if s == nil {
		return broken("a sparse tensor that is nil")
	}
	if err := w.message(1, func() error { return w.tensor("", s.Values) }); err != nil {
		return at("values", err)
	}
	if err := w.message(2, func() error { return w.tensor("", s.Indices) }); err != nil {
		return at("indices", err)
	}
	for _, n := range s.Dims {
		w.int(3, int64(n))
	}
	return nil
}
