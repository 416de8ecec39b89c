package model

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Description is what can be told about a model without running it. It is plain data, made to be printed as JSON.
type Description struct {
	Bytes          int64            `json:"bytes"` // of the file; 0 for a model that comes from no file
	Producer       string           `json:"producer"`
	IRVersion      int64            `json:"ir_version"`
	Opsets         map[string]int64 `json:"opsets"` // by domain; "ai.onnx" is written out
	Inputs         []PortInfo       `json:"inputs"` // those that a run needs
	Outputs        []PortInfo       `json:"outputs"`
	Operators      []OperatorCount  `json:"operators"` // subgraphs and functions included; most frequent first
	Nodes          int              `json:"nodes"`
	Parameters     int64            `json:"parameters"`      // elements of initializers and of tensors in Constant nodes
	ParameterBytes int64            `json:"parameter_bytes"` // strings count their length
	Metadata       []string         `json:"metadata"`        // keys of metadata_props, sorted
	Functions      []string         `json:"functions"`       // model-local functions as DOMAIN.NAME
	Unsupported    []string         `json:"unsupported"`     // operators that this build does not have, as DOMAIN.NAME-OPSET
	Runs           bool             `json:"runs"`            // Load accepts the model
	Problem        string           `json:"problem"`         // why not
}

// PortInfo is an input or output.
type PortInfo struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`  // "tensor", "sequence", "map" or "optional"
	DType string `json:"dtype"` // "" for other kinds than tensors
	Shape []any  `json:"shape"` // an int, a symbolic name, or "?" a dimension; null when the rank is unknown
}

// OperatorCount tells how often an operator occurs.
type OperatorCount struct {
	Domain string `json:"domain"`
	Name   string `json:"name"`
	Count  int    `json:"count"`
}

// Inspect reads an ONNX file and describes it. An operator that is not supported is no error here: Unsupported and
// Problem tell it. Errors: those of onnx.Decode.
func Inspect(file []byte, opts ...Option) (*Description, error) {
	o := settle(opts)
	m, err := onnx.Decode(file, o.limits)
	if err != nil {
		return nil, err
	}
	d := Describe(m, opts...)
	d.Bytes = int64(len(file))
	return d, nil
}

// Describe describes a model that is in memory. It compiles the model, with opts, to find out whether it runs.
func Describe(m *graph.Model, opts ...Option) *Description {
	d := &Description{
		Producer: strings.TrimSpace(m.Producer + " " + m.ProducerVersion), IRVersion: m.IRVersion, Opsets: map[string]int64{},
		Metadata: slices.Sorted(maps.Keys(m.Metadata)), Inputs: []PortInfo{}, Outputs: []PortInfo{}, Functions: []string{}, Unsupported: []string{},
	}
	for domain, version := range m.Opsets {
		d.Opsets[longDomain(domain)] = version
	}
	if m.Graph != nil {
		for _, p := range m.Graph.Inputs {
			if _, ok := m.Graph.Initializers[p.Name]; !ok {
				d.Inputs = append(d.Inputs, portInfo(p))
			}
		}
		for _, p := range m.Graph.Outputs {
			d.Outputs = append(d.Outputs, portInfo(p))
		}
	}
	s := &survey{d: d, counts: map[[2]string]int{}, missing: map[string]bool{}, functions: map[[2]string]bool{}}
	s.model(m)
	if _, err := FromGraph(m, opts...); err != nil {
		d.Problem = err.Error()
		if hint := fault.HintOf(err); hint != "" {
			d.Problem += " (" + hint + ")"
		}
	} else {
		d.Runs, d.Unsupported = true, []string{} // what is left over in dead branches does not count
	}
	return d
}

// survey walks all graphs of a model.
type survey struct {
	d         *Description
	counts    map[[2]string]int // by domain and name
	missing   map[string]bool
	functions map[[2]string]bool
}

func (s *survey) model(m *graph.Model) {
	for _, f := range m.Functions {
		s.functions[[2]string{f.Domain, f.Name}] = true
		s.d.Functions = append(s.d.Functions, longDomain(f.Domain)+"."+f.Name)
	}
	s.graph(m.Graph, m.Opsets)
	for _, f := range m.Functions {
		opsets := maps.Clone(m.Opsets)
		maps.Copy(opsets, f.Opsets)
		s.nodes(f.Nodes, opsets)
	}
	for key, n := range s.counts {
		s.d.Operators = append(s.d.Operators, OperatorCount{Domain: longDomain(key[0]), Name: key[1], Count: n})
	}
	slices.SortFunc(s.d.Operators, func(a, b OperatorCount) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Domain+"."+a.Name, b.Domain+"."+b.Name)
	})
	s.d.Unsupported = append(s.d.Unsupported, slices.Sorted(maps.Keys(s.missing))...)
}

func (s *survey) graph(g *graph.Graph, opsets map[string]int64) {
	if g == nil {
		return
	}
	for _, t := range g.Initializers {
		s.parameters(t)
	}
	s.nodes(g.Nodes, opsets)
}

func (s *survey) nodes(nodes []*graph.Node, opsets map[string]int64) {
	for _, n := range nodes {
		s.d.Nodes++
		key := [2]string{n.Domain, n.Op}
		s.counts[key]++
		if !s.functions[key] && op.Lookup(n.Domain, n.Op, opsets[n.Domain]) == nil {
			s.missing[longDomain(n.Domain)+"."+n.Op+"-"+strconv.FormatInt(opsets[n.Domain], 10)] = true
		}
		for i := range n.Attrs {
			if n.Op == "Constant" {
				s.parameters(n.Attrs[i].Tensor)
			}
		}
		for _, g := range n.Subgraphs() {
			s.graph(g, opsets)
		}
	}
}

func (s *survey) parameters(t *tensor.Tensor) {
	if t == nil {
		return
	}
	s.d.Parameters += int64(t.Len())
	s.d.ParameterBytes += int64(len(t.Bytes()))
	for _, x := range t.Str() {
		s.d.ParameterBytes += int64(len(x))
	}
}

func longDomain(domain string) string {
	if domain == "" {
		return "ai.onnx"
	}
	return domain
}

func portInfo(p graph.Port) PortInfo {
	kinds := map[graph.Kind]string{graph.TensorKind: "tensor", graph.SequenceKind: "sequence", graph.MapKind: "map", graph.OptionalKind: "optional"}
	info := PortInfo{Name: string(p.Name), Kind: kinds[p.Type.Kind]}
	if p.Type.Kind != graph.TensorKind || !p.Type.Tensor.DType.Known() {
		return info
	}
	info.DType = p.Type.Tensor.DType.String()
	if p.Type.Tensor.Unranked {
		return info
	}
	info.Shape = []any{}
	for _, dim := range p.Type.Tensor.Dims {
		switch {
		case dim.Size != tensor.Free:
			info.Shape = append(info.Shape, dim.Size)
		case dim.Name != "":
			info.Shape = append(info.Shape, dim.Name)
		default:
			info.Shape = append(info.Shape, "?")
		}
	}
	return info
}
