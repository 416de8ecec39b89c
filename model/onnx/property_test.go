package onnx

import (
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// maker makes random models. They are well-formed as files, not as graphs.
type maker struct {
	*rand.Rand
	depth int
}

// TestRoundTrip holds that any model comes back from its file as it was.
func TestRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		k := &maker{Rand: rand.New(rand.NewPCG(seed, 1))}
		m := k.model()
		file, err := Encode(m)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		back, err := Decode(file, Limits{})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !reflect.DeepEqual(m, back) {
			t.Fatalf("seed %d: the model changed on its way", seed)
		}
	}
}

func (k *maker) word() string {
	return []string{"a", "b", "ä→", "long name with more than a hundred and twenty-seven bytes, so that the length takes two of them; it goes on and on, until it is enough", "x/y:0"}[k.IntN(5)]
}

func (k *maker) maybe() string {
	if k.IntN(2) == 0 {
		return ""
	}
	return k.word()
}

// many makes up to four, nil for none.
func many[T any](k *maker, one func(i int) T) []T {
	var out []T
	for i := range k.IntN(5) {
		out = append(out, one(i))
	}
	return out
}

func (k *maker) model() *graph.Model {
	m := &graph.Model{
		IRVersion: k.Int64N(12) + 3, Opsets: map[string]int64{"": k.Int64N(30), "test": -1}, Producer: k.maybe(), ProducerVersion: k.maybe(),
		Domain: k.maybe(), Version: int64(k.Uint64()), Doc: k.maybe(), Metadata: map[string]string{}, Graph: k.graph(),
	}
	for range k.IntN(4) {
		m.Metadata[k.maybe()] = k.maybe()
	}
	m.Functions = many(k, func(i int) *graph.Function {
		return &graph.Function{
			Domain: k.maybe(), Name: k.word(), Inputs: k.values(), Outputs: k.values(), Attributes: many(k, func(int) string { return k.word() }),
			Defaults: many(k, k.attr), Opsets: map[string]int64{"": 17}, Nodes: many(k, k.node),
		}
	})
	return m
}

func (k *maker) values() []graph.Value {
	return many(k, func(int) graph.Value { return graph.Value(k.maybe()) })
}

func (k *maker) graph() *graph.Graph {
	k.depth++
	defer func() { k.depth-- }()
	g := graph.New(k.maybe())
	g.Doc = k.maybe()
	g.Inputs, g.Outputs = many(k, k.port), many(k, k.port)
	g.Nodes = many(k, k.node)
	if g.Nodes == nil {
		g.Nodes = []*graph.Node{}
	}
	for i := range k.IntN(4) {
		g.Initializers[graph.Value("w"+strconv.Itoa(i))] = k.tensor()
		g.ValueInfo[graph.Value("v"+strconv.Itoa(i))] = k.valueType()
	}
	return g
}

func (k *maker) port(i int) graph.Port {
	return graph.Port{Name: graph.Value(k.word() + strconv.Itoa(i)), Type: k.valueType()}
}

func (k *maker) valueType() graph.ValueType {
	if kind := graph.Kind(k.IntN(8)); kind != graph.TensorKind && kind <= graph.OptionalKind {
		elem := k.valueType()
		t := graph.ValueType{Kind: kind, Elem: &elem}
		if kind == graph.MapKind {
			t.Tensor.DType = tensor.Int64
		}
		return t
	}
	if k.IntN(4) == 0 {
		return graph.TensorOf(tensor.Type{DType: tensor.DType(k.IntN(16) + 1), Unranked: true})
	}
	return graph.TensorOf(tensor.Type{DType: tensor.DType(k.IntN(16) + 1), Dims: many(k, func(i int) tensor.Dim {
		return []tensor.Dim{{Size: tensor.Free}, {Size: tensor.Free, Name: "n"}, {Size: i}, {Size: 1 << 20}}[k.IntN(4)]
	})})
}

func (k *maker) tensor() *tensor.Tensor {
	d := tensor.DType(k.IntN(16) + 1)
	shape := many(k, func(int) int { return k.IntN(4) })
	t := tensor.New(d, shape...)
	raw := t.Bytes()
	for i := range raw {
		if raw[i] = byte(k.IntN(256)); d == tensor.Bool {
			raw[i] &= 1
		}
	}
	for i := range t.Str() {
		t.Str()[i] = k.maybe()
	}
	return t
}

func (k *maker) node(int) *graph.Node {
	return &graph.Node{Name: k.maybe(), Domain: k.maybe(), Op: k.word(), Inputs: k.values(), Outputs: k.values(), Attrs: many(k, k.attr), Doc: k.maybe()}
}

func (k *maker) attr(i int) graph.Attr {
	a := graph.Attr{Name: k.word() + strconv.Itoa(i)}
	kinds := []graph.AttrKind{
		graph.AttrFloat, graph.AttrInt, graph.AttrString, graph.AttrTensor, graph.AttrFloats, graph.AttrInts, graph.AttrStrings,
		graph.AttrTensors, graph.AttrSparse, graph.AttrType, graph.AttrTypes, graph.AttrGraph, graph.AttrGraphs,
	}
	if k.depth > 2 {
		kinds = kinds[:len(kinds)-2]
	}
	a.Kind = kinds[k.IntN(len(kinds))]
	if k.IntN(8) == 0 {
		a.Ref = k.word()
		return a
	}
	typ := func(int) *graph.ValueType { t := k.valueType(); return &t }
	switch a.Kind {
	case graph.AttrFloat:
		a.Float = k.Float32() - 0.5
	case graph.AttrInt:
		a.Int = int64(k.Uint64() >> k.IntN(64))
	case graph.AttrString:
		a.Str = k.maybe()
	case graph.AttrTensor:
		a.Tensor = k.tensor()
	case graph.AttrFloats:
		a.Floats = many(k, func(int) float32 { return k.Float32() })
	case graph.AttrInts:
		a.Ints = many(k, func(int) int64 { return int64(k.Uint64() >> k.IntN(64)) })
	case graph.AttrStrings:
		a.Strs = many(k, func(int) string { return k.maybe() })
	case graph.AttrTensors:
		a.Tensors = many(k, func(int) *tensor.Tensor { return k.tensor() })
	case graph.AttrSparse:
		a.Sparse = &graph.Sparse{Values: k.tensor(), Indices: tensor.Ints([]int64{1, 2}), Dims: many(k, func(i int) int { return i })}
	case graph.AttrType:
		a.Type = typ(0)
	case graph.AttrTypes:
		a.Types = many(k, typ)
	case graph.AttrGraph:
		a.Graph = k.graph()
	case graph.AttrGraphs:
		a.Graphs = many(k, func(int) *graph.Graph { return k.graph() })
	}
	return a
}
