package tune

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// fix makes constants of the inputs in o.Fix, and notes what o.Types knows of the others. Where a fixed input has a free dimension, such as a state
// (2, rows, 128), it gets that of an input which is not fixed: of the one with the same name, of the same place in an input of as many dimensions,
// or else the rows.
func fix(g *graph.Graph, o Options) error {
	var open, fixed []graph.Port
	for _, in := range g.Inputs {
		switch {
		case o.Fix[string(in.Name)] != nil:
			fixed = append(fixed, in)
		case g.Initializers[in.Name] == nil:
			if t, known := o.Types[string(in.Name)]; known {
				in.Type = graph.TensorOf(t)
			}
			open = append(open, in)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Fix)) {
		if !slices.ContainsFunc(fixed, func(p graph.Port) bool { return string(p.Name) == name }) {
			return fault.New(fault.Invalid, "the model has no input "+strconv.Quote(name)).At("fix").Try("its inputs are " + list(inputNames(g)))
		}
	}
	before := graph.NewBuilder("fixed")
	before.Reserve(every(g)...)
	for _, in := range fixed {
		if err := constant(before, in, open, o.Fix[string(in.Name)]); err != nil {
			return err
		}
	}
	g.Inputs = open
	g.Nodes = append(before.Graph().Nodes, g.Nodes...)
	maps.Copy(g.Initializers, before.Graph().Initializers)
	return nil
}

func inputNames(g *graph.Graph) []string {
	var names []string
	for _, in := range g.Inputs {
		if g.Initializers[in.Name] == nil {
			names = append(names, string(in.Name))
		}
	}
	return names
}

// every name of a graph, those in subgraphs too.
func every(g *graph.Graph) []string {
	var names []string
	for _, in := range g.Inputs {
		names = append(names, string(in.Name))
	}
	for v := range g.Initializers {
		names = append(names, string(v))
	}
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			names = append(names, string(v))
		}
		for _, inner := range n.Subgraphs() {
			names = append(names, every(inner)...)
		}
	}
	return names
}

// constant appends nodes that give an input a value that is always the same, in the input's type and shape.
func constant(b *graph.Builder, in graph.Port, open []graph.Port, v *tensor.Tensor) error {
	t := in.Type.Type()
	if in.Type.Kind != graph.TensorKind || !t.DType.Known() {
		return fault.New(fault.Unsupported, "only tensors can be fixed").At(string(in.Name))
	}
	if err := holds(in, v); err != nil {
		return err
	}
	x := b.Init(string(in.Name)+"_fixed", v)
	if t.DType != v.DType() {
		x = b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(t.DType))}, x)
	}
	op := &graph.Node{Op: "Identity", Inputs: []graph.Value{x}}
	if !t.Unranked {
		shape, err := sizes(b, in, t, open)
		if err != nil {
			return err
		}
		op.Op, op.Inputs = "Expand", []graph.Value{x, shape}
	}
	op.Outputs = []graph.Value{in.Name}
	b.Graph().Nodes = append(b.Graph().Nodes, op)
	for _, n := range b.Graph().Nodes {
		n.Opsets = map[string]int64{"": graph.OpsetVersion}
	}
	return nil
}

// holds refuses a value that the input's type cannot hold.
func holds(in graph.Port, v *tensor.Tensor) error {
	t := in.Type.Type()
	if (t.DType == tensor.String) != (v.DType() == tensor.String) {
		return fault.New(fault.Invalid, "the input "+string(in.Name)+" wants "+t.DType.String()).At("fix")
	}
	if !t.Unranked && v.Rank() > len(t.Dims) {
		return fault.New(fault.Invalid, "the input "+string(in.Name)+" is "+t.String()+", and the value has more dimensions").At("fix")
	}
	if !t.Unranked {
		for i, d := range v.Shape() {
			if want := t.Dims[len(t.Dims)-v.Rank()+i].Size; d != 1 && want != tensor.Free && want != d {
				return fault.New(fault.Invalid, "the input "+string(in.Name)+" is "+t.String()+", and the value has the length "+strconv.Itoa(d)).At("fix")
			}
		}
	}
	if v.DType() != tensor.Float64 || t.DType == tensor.Float32 || t.DType == tensor.Float16 || t.DType == tensor.BFloat16 {
		return nil
	}
	for _, x := range tensor.Data[float64](v) {
		if t.DType != tensor.Float64 && x != math.Trunc(x) {
			return fault.New(fault.Invalid, "the input "+string(in.Name)+" wants whole numbers").At("fix")
		}
	}
	return nil
}

// sizes appends the shape of an input, int64 (rank).
func sizes(b *graph.Builder, in graph.Port, t tensor.Type, open []graph.Port) (graph.Value, error) {
	if !slices.ContainsFunc(t.Dims, func(d tensor.Dim) bool { return d.Size == tensor.Free }) {
		shape := make([]int64, len(t.Dims))
		for i, d := range t.Dims {
			shape[i] = int64(d.Size)
		}
		return b.Ints("shape", shape, len(shape)), nil
	}
	var parts []graph.Value
	for i, d := range t.Dims {
		if d.Size != tensor.Free {
			parts = append(parts, b.Ints("size", []int64{int64(d.Size)}))
			continue
		}
		from, axis := like(d, i, len(t.Dims), open)
		if from == "" {
			return "", fault.New(fault.Invalid, "the input "+string(in.Name)+" has free dimensions, and every other input is fixed").At("fix")
		}
		parts = append(parts, b.Op("Gather", b.Op("Shape", from), b.Ints("axis", []int64{int64(axis)})))
	}
	return b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 0)}, parts...), nil
}

// like finds the input, and its dimension, that says how long a free dimension of a fixed input is.
func like(d tensor.Dim, place, rank int, open []graph.Port) (from graph.Value, axis int) {
	for _, p := range open {
		for i, other := range p.Type.Type().Dims {
			if d.Name != "" && other.Name == d.Name {
				return p.Name, i
			}
		}
	}
	for _, p := range open {
		if len(p.Type.Type().Dims) == rank {
			return p.Name, place
		}
	}
	for _, p := range open {
		if len(p.Type.Type().Dims) > 0 {
			return p.Name, 0
		}
	}
	return "", 0
}
