package onnx

import (
	"errors"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Decode reads an ONNX file (ModelProto). The tensors and the long attribute lists (graph.List) of the model share the
// memory of file, which must not change afterwards. The domain "ai.onnx" is given its short name "".
//
// Errors: fault.BadModel for a truncated, foreign or inconsistent file, Field being the path to what is wrong
// ("graph.node[3].attribute[1].t.raw_data"); fault.Unsupported for what a graph.Model cannot hold, external data
// included; fault.TooLarge beyond o.MaxBytes or o.MaxTensorElements.
func Decode(file []byte, o Limits) (*graph.Model, error) {
	d, err := newDecoder(file, o)
	if err != nil {
		return nil, err
	}
	m := &graph.Model{Opsets: map[string]int64{}, Metadata: map[string]string{}}
	if err := d.model(file, m); err != nil {
		if e := (*fault.Error)(nil); errors.As(err, &e) && e.Code == fault.BadModel && e.Hint == "" {
			return nil, e.Try("check that the file is an ONNX model and was copied completely")
		}
		return nil, err
	}
	return m, nil
}

func (d *decoder) model(b []byte, m *graph.Model) error {
	functions := 0
	err := each(b, func(f field) error {
		switch f.num {
		case 1:
			return f.int("ir_version", &m.IRVersion)
		case 2:
			return f.text("producer_name", &m.Producer)
		case 3:
			return f.text("producer_version", &m.ProducerVersion)
		case 4:
			return f.text("domain", &m.Domain)
		case 5:
			return f.int("model_version", &m.Version)
		case 6:
			return f.text("doc_string", &m.Doc)
		case 7:
			if m.Graph != nil {
				return broken("is there twice").At("graph")
			}
			g, err := d.graph(f)
			m.Graph = g
			return at("graph", err)
		case 8:
			return at("opset_import", opset(f, m.Opsets))
		case 14:
			return at("metadata_props", entry(f, m.Metadata))
		case 25:
			fn, err := d.function(f)
			m.Functions = append(m.Functions, fn)
			functions++
			return atIndex("functions", functions-1, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if m.Graph == nil {
		return broken("the file holds no graph")
	}
	if len(m.Opsets) == 0 {
		if m.IRVersion >= 3 {
			return broken("says no operator set").At("opset_import")
		}
		m.Opsets[""] = 1 // files older than IR version 3 had no opset_import
	}
	return nil
}

// opset reads an OperatorSetIdProto into to.
func opset(f field, to map[string]int64) error {
	b, err := f.message("")
	if err != nil {
		return err
	}
	var domain string
	var version int64
	err = each(b, func(f field) error {
		switch f.num {
		case 1:
			return f.text("domain", &domain)
		case 2:
			return f.int("version", &version)
		}
		return nil
	})
	if err != nil {
		return err
	}
	domain = shortDomain(domain)
	if old, ok := to[domain]; ok && old != version {
		return broken("two versions of the domain " + strconv.Quote(domain))
	}
	to[domain] = version
	return nil
}

// entry reads a StringStringEntryProto into to.
func entry(f field, to map[string]string) error {
	b, err := f.message("")
	if err != nil {
		return err
	}
	var key, value string
	err = each(b, func(f field) error {
		switch f.num {
		case 1:
			return f.text("key", &key)
		case 2:
			return f.text("value", &value)
		}
		return nil
	})
	if err == nil {
		to[key] = value
	}
	return err
}

func shortDomain(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

// graph reads a GraphProto.
func (d *decoder) graph(f field) (*graph.Graph, error) {
	b, err := f.message("")
	if err != nil {
		return nil, err
	}
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	g := graph.New("")
	g.Nodes = make([]*graph.Node, 0, min(count(b, 1), d.limits.MaxNodes-d.nodes))
	var sparse []*graph.Node // sparse initializers, as Constant nodes
	tensors, infos := 0, 0
	err = each(b, func(f field) error {
		switch f.num {
		case 1:
			n, err := d.node(f)
			g.Nodes = append(g.Nodes, n)
			return atIndex("node", len(g.Nodes)-1, err)
		case 2:
			return f.text("name", &g.Name)
		case 5:
			tensors++
			return atIndex("initializer", tensors-1, d.initializer(f, g))
		case 10:
			return f.text("doc_string", &g.Doc)
		case 11:
			p, err := d.port(f)
			g.Inputs = append(g.Inputs, p)
			return atIndex("input", len(g.Inputs)-1, err)
		case 12:
			p, err := d.port(f)
			g.Outputs = append(g.Outputs, p)
			return atIndex("output", len(g.Outputs)-1, err)
		case 13:
			p, err := d.port(f)
			g.ValueInfo[p.Name] = p.Type
			infos++
			return atIndex("value_info", infos-1, err)
		case 15:
			n, err := d.sparseInitializer(f)
			sparse = append(sparse, n)
			return atIndex("sparse_initializer", len(sparse)-1, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(sparse) > 0 {
		g.Nodes = append(sparse, g.Nodes...)
	}
	return g, uniquePorts(g)
}

// uniquePorts refuses inputs of one name and outputs of one name.
func uniquePorts(g *graph.Graph) error {
	for _, list := range []struct {
		name  string
		ports []graph.Port
	}{{"input", g.Inputs}, {"output", g.Outputs}} {
		seen := make(map[graph.Value]bool, len(list.ports))
		for i, p := range list.ports {
			if seen[p.Name] {
				return atIndex(list.name, i, broken(strconv.Quote(string(p.Name))+" is there twice"))
			}
			seen[p.Name] = true
		}
	}
	return nil
}

func (d *decoder) initializer(f field, g *graph.Graph) error {
	t, name, err := d.tensor(f)
	if err != nil {
		return err
	}
	if name == "" {
		return broken("an initializer without a name")
	}
	if _, ok := g.Initializers[graph.Value(name)]; ok {
		return broken("the initializer " + strconv.Quote(name) + " is there twice")
	}
	g.Initializers[graph.Value(name)] = t
	return nil
}

// sparseInitializer reads a SparseTensorProto, named by its values, into a Constant node: the dense tensor may be far
// larger than the file, so whether to make it is left to those who run the graph.
func (d *decoder) sparseInitializer(f field) (*graph.Node, error) {
	s, name, err := d.sparse(f)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, broken("a sparse initializer without a name")
	}
	attr := graph.Attr{Name: "sparse_value", Kind: graph.AttrSparse, Sparse: s}
	return &graph.Node{Op: "Constant", Outputs: []graph.Value{graph.Value(name)}, Attrs: []graph.Attr{attr}}, nil
}

// function reads a FunctionProto.
func (d *decoder) function(f field) (*graph.Function, error) {
	b, err := f.message("")
	if err != nil {
		return nil, err
	}
	if err := d.item(); err != nil {
		return nil, err
	}
	fn := &graph.Function{Opsets: map[string]int64{}}
	err = each(b, func(f field) error {
		switch f.num {
		case 1:
			return f.text("name", &fn.Name)
		case 4:
			return d.value("input", f, &fn.Inputs)
		case 5:
			return d.value("output", f, &fn.Outputs)
		case 6:
			var s string
			err := f.text("attribute", &s)
			fn.Attributes = append(fn.Attributes, s)
			return err
		case 7:
			n, err := d.node(f)
			fn.Nodes = append(fn.Nodes, n)
			return atIndex("node", len(fn.Nodes)-1, err)
		case 9:
			return at("opset_import", opset(f, fn.Opsets))
		case 10:
			err := f.text("domain", &fn.Domain)
			fn.Domain = shortDomain(fn.Domain)
			return err
		case 11:
			a, err := d.attr(f)
			unlist(&a)
			fn.Defaults = append(fn.Defaults, a)
			return atIndex("attribute_proto", len(fn.Defaults)-1, err)
		case 13:
			return refuseOverload(f)
		}
		return nil
	})
	if err == nil && fn.Name == "" {
		err = broken("a function without a name")
	}
	return fn, err
}

// refuseOverload refuses a non-empty overload: with it, domain and name no longer tell functions apart.
func refuseOverload(f field) error {
	var s string
	if err := f.text("overload", &s); err != nil || s == "" {
		return err
	}
	return fault.New(fault.Unsupported, "overloaded functions are not supported: "+strconv.Quote(s)).At("overload")
}

// value appends the name of a value to to.
func (d *decoder) value(name string, f field, to *[]graph.Value) error {
	b, err := f.message(name)
	*to = append(*to, graph.Value(d.name(b)))
	return err
}

// port reads a ValueInfoProto.
func (d *decoder) port(f field) (graph.Port, error) {
	var p graph.Port
	b, err := f.message("")
	if err != nil {
		return p, err
	}
	if err := d.item(); err != nil {
		return p, err
	}
	err = each(b, func(f field) error {
		switch f.num {
		case 1:
			b, err := f.message("name")
			p.Name = graph.Value(d.name(b))
			return err
		case 2:
			t, err := d.valueType(f)
			p.Type = t
			return at("type", err)
		}
		return nil
	})
	if err == nil && p.Name == "" {
		err = broken("a value without a name")
	}
	return p, err
}

// DecodeTensor reads a serialized TensorProto, as the ONNX backend tests keep their inputs and outputs. The tensor shares
// the memory of b. Errors are Decode's.
func DecodeTensor(b []byte) (*tensor.Tensor, error) {
	d, err := newDecoder(b, Limits{})
	if err != nil {
		return nil, err
	}
	t, _, err := d.tensor(field{wire: wireBytes, b: b})
	return t, err
}
