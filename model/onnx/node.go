package onnx

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// node reads a NodeProto.
func (d *decoder) node(f field) (*graph.Node, error) {
	b, err := f.message("")
	if err != nil {
		return nil, err
	}
	if d.nodes++; d.nodes > d.limits.MaxNodes {
		return nil, fault.New(fault.TooLarge, "more than "+strconv.Itoa(d.limits.MaxNodes)+" nodes")
	}
	if err := d.item(); err != nil {
		return nil, err
	}
	n := new(graph.Node)
	if k := count(b, 5); k > 0 {
		n.Attrs = make([]graph.Attr, 0, min(k, d.items+1))
	}
	err = each(b, func(f field) error {
		switch f.num {
		case 1:
			return d.value("input", f, &n.Inputs)
		case 2:
			return d.value("output", f, &n.Outputs)
		case 3:
			return f.text("name", &n.Name)
		case 4:
			b, err := f.message("op_type")
			n.Op = d.name(b)
			return err
		case 5:
			a, err := d.attr(f)
			if err != nil {
				return atIndex("attribute", len(n.Attrs), err)
			}
			n.Attrs = append(n.Attrs, a)
		case 6:
			return f.text("doc_string", &n.Doc)
		case 7:
			b, err := f.message("domain")
			n.Domain = shortDomain(d.name(b))
			return err
		case 8:
			return refuseOverload(f)
		}
		return nil
	})
	if err == nil && n.Op == "" {
		err = broken("a node without an operator").At("op_type")
	}
	if n.Domain != graph.ML { // only its operators have lists that are worth it
		for i := range n.Attrs {
			unlist(&n.Attrs[i])
		}
	}
	return n, err
}

// attr reads an AttributeProto.
func (d *decoder) attr(f field) (graph.Attr, error) {
	b, err := f.message("")
	if err != nil {
		return graph.Attr{}, err
	}
	if err := d.item(); err != nil {
		return graph.Attr{}, err
	}
	var a graph.Attr
	var kind int64
	seen := graph.AttrKind(0) // kind of the value that is there, for files that do not say the type
	for len(b) > 0 {
		rest, k := run(b, &a)
		if len(rest) < len(b) {
			b, seen = rest, k
			continue
		}
		f, n, err := next(b)
		if err != nil {
			return a, err
		}
		if k, err = d.attrField(f, &a, &kind); err != nil {
			return a, err
		}
		if k != 0 {
			seen = k
		}
		b = b[n:]
	}
	if a.Name == "" {
		return a, broken("an attribute without a name")
	}
	return a, settleKind(&a, kind, seen)
}

// attrField reads one field of an AttributeProto, and tells the kind of value that it holds; 0 for none.
func (d *decoder) attrField(f field, a *graph.Attr, kind *int64) (graph.AttrKind, error) {
	switch f.num {
	case 1:
		b, err := f.message("name")
		a.Name = d.name(b)
		return 0, err
	case 20:
		return 0, f.int("type", kind)
	case 21:
		return 0, f.text("ref_attr_name", &a.Ref)
	case 2:
		return graph.AttrFloat, f.float("f", &a.Float)
	case 3:
		return graph.AttrInt, f.int("i", &a.Int)
	case 4:
		return graph.AttrString, f.text("s", &a.Str)
	case 5:
		t, _, err := d.tensor(f)
		a.Tensor = t
		return graph.AttrTensor, at("t", err)
	case 6:
		g, err := d.graph(f)
		a.Graph = g
		return graph.AttrGraph, at("g", err)
	case 7:
		unlist(a)
		return graph.AttrFloats, f.floats("floats", &a.Floats)
	case 8:
		unlist(a)
		return graph.AttrInts, f.ints("ints", &a.Ints)
	case 9:
		unlist(a)
		b, err := f.message("strings")
		a.Strs = append(a.Strs, d.name(b))
		return graph.AttrStrings, err
	case 10:
		t, _, err := d.tensor(f)
		a.Tensors = append(a.Tensors, t)
		return graph.AttrTensors, atIndex("tensors", len(a.Tensors)-1, err)
	case 11:
		g, err := d.graph(f)
		a.Graphs = append(a.Graphs, g)
		return graph.AttrGraphs, atIndex("graphs", len(a.Graphs)-1, err)
	case 14:
		t, err := d.valueType(f)
		a.Type = &t
		return graph.AttrType, at("tp", err)
	case 15:
		t, err := d.valueType(f)
		a.Types = append(a.Types, &t)
		return graph.AttrTypes, atIndex("type_protos", len(a.Types)-1, err)
	case 22:
		s, _, err := d.sparse(f)
		a.Sparse = s
		return graph.AttrSparse, at("sparse_tensor", err)
	case 23:
		return 0, fault.New(fault.Unsupported, "a list of sparse tensors as attribute is not supported").At("sparse_tensors")
	}
	return 0, nil
}

// settleKind sets the kind of a from the type that the file says, or, in files of the first IR version, from the value
// that is there. A type without its value is an error where no zero value stands for it.
func settleKind(a *graph.Attr, kind int64, seen graph.AttrKind) error {
	switch {
	case kind == 0 && seen == 0 && a.Ref == "":
		return broken("the attribute " + strconv.Quote(a.Name) + " has neither type nor value")
	case kind == 0:
		a.Kind = seen
	case kind < 0 || kind > 14:
		return broken("the attribute " + strconv.Quote(a.Name) + " has the unknown type " + strconv.FormatInt(kind, 10))
	case kind == 12:
		return fault.New(fault.Unsupported, "a list of sparse tensors as attribute is not supported")
	default:
		a.Kind = graph.AttrKind(kind)
	}
	if l, ok := a.List.(*list); ok && (l.kind() != a.Kind || a.Ref != "") {
		unlist(a)
	}
	if a.Ref != "" {
		return nil
	}
	if seen != 0 && seen != a.Kind {
		return broken("the attribute " + strconv.Quote(a.Name) + " has a value of another type than it says")
	}
	missing := a.Kind == graph.AttrTensor && a.Tensor == nil || a.Kind == graph.AttrGraph && a.Graph == nil ||
		a.Kind == graph.AttrType && a.Type == nil || a.Kind == graph.AttrSparse && a.Sparse == nil
	if missing {
		return broken("the attribute " + strconv.Quote(a.Name) + " has no value")
	}
	return nil
}
