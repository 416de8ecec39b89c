package tune

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// single reports whether a model was exported for one row at a time, and is now to take as many as there are.
func single(g *graph.Graph, o Options) bool {
	return slices.ContainsFunc(g.Inputs, func(in graph.Port) bool {
		was, now := in.Type.Type(), o.Types[string(in.Name)]
		return len(was.Dims) > 0 && was.Dims[0].Size == 1 && len(now.Dims) > 0 && now.Dims[0].Size == tensor.Free
	})
}

// unbind has a model that was exported for one row take any number of them: a Reshape to a shape that begins with 1 keeps the rows instead. What else depends
// on there being one row does not fit, and says so.
func unbind(g *graph.Graph) error {
	b := graph.Extend(g)
	types := exec.NewTypes(b)
	changed := false
	for _, n := range g.Nodes {
		shape := g.Initializers[n.In(1)]
		if n.Op != "Reshape" || shape == nil || shape.DType() != tensor.Int64 || shape.Len() == 0 || shape.I64()[0] != 1 || slices.Contains(shape.I64(), 0) && n.Int("allowzero", 0) != 0 {
			continue
		}
		x, err := types.Of(n.Inputs[0])
		if err != nil {
			return alone(err)
		}
		if x.Unranked || len(x.Dims) == 0 || x.Dims[0].Size != tensor.Free {
			continue
		}
		to := slices.Clone(shape.I64())
		to[0] = 0
		n.Inputs, n.Attrs = slices.Clone(n.Inputs), nil // without a 0 before, allowzero made no difference
		n.Inputs[1] = b.Ints(string(n.Inputs[1]), to)
		types, changed = exec.NewTypes(b), true // what follows has other types now
	}
	if _, err := types.Of(g.Outputs[0].Name); err != nil {
		return alone(err)
	}
	if changed {
		return exec.Settle(g)
	}
	return nil
}

func alone(err error) error {
	return fault.New(fault.Unsupported, "the model was exported for one row at a time, and cannot take several").Because(err).Try("export it with a free first dimension")
}
