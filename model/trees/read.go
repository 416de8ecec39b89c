package trees

import (
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Find returns the tree operators of a graph, in its order; those in subgraphs are not looked for.
func Find(g *graph.Graph) []*graph.Node {
	var out []*graph.Node
	for _, n := range g.Nodes {
		if n.Domain == graph.ML && (n.Op == "TreeEnsembleRegressor" || n.Op == "TreeEnsembleClassifier" || n.Op == "TreeEnsemble") {
			out = append(out, n)
		}
	}
	return out
}

// Read takes the ensemble out of a tree operator (TreeEnsembleRegressor, TreeEnsembleClassifier, TreeEnsemble), as this package or any
// other exporter wrote it. Features are the columns of the node's input; the link is the node's own, without what may follow in the
// graph. Splits are for float32 features: a cut of more digits is rounded down, which changes nothing for them.
//
// Errors: fault.BadModel, with the node's name and the tree; fault.Unsupported for trees whose scores are no sums (MIN, MAX), and for
// post transforms SOFTMAX_ZERO and PROBIT; fault.TooLarge.
func Read(n *graph.Node) (*Ensemble, error) {
	r := reader{node: n, ensemble: &Ensemble{Task: fit.Regression}}
	var err error
	switch n.Op {
	case "TreeEnsembleRegressor":
		err = r.lists("target", int(n.Int("n_targets", 1)))
	case "TreeEnsembleClassifier":
		r.ensemble.Task = fit.Classification
		err = r.lists("class", max(n.Attr("classlabels_int64s").Len(), n.Attr("classlabels_strings").Len()))
	case "TreeEnsemble":
		err = r.readSets()
	default:
		err = fault.New(fault.Unsupported, n.Op+" is no tree operator")
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.CodeOf(err), "the trees of node "+strconv.Quote(n.Name)+" cannot be read")
	}
	e := r.ensemble
	for i := range e.Trees {
		for j := range e.Trees[i].Nodes {
			e.Features = max(e.Features, int(e.Trees[i].Nodes[j].Feature)+1)
		}
	}
	e.Features = max(e.Features, 1)
	if !e.Covered() {
		for i := range e.Trees {
			for j := range e.Trees[i].Nodes {
				e.Trees[i].Nodes[j].Cover = 0
			}
		}
	}
	return e, e.Check()
}

// reader takes one node apart.
type reader struct {
	node     *graph.Node
	ensemble *Ensemble
	scale    float64 // of leaves: 1/trees for an average
}

func bad(message string) *fault.Error { return fault.New(fault.BadModel, message) }

// reals are the numbers of a float attribute, or of its form as a tensor.
func (r *reader) reals(name string) ([]float64, error) {
	a := r.node.Attr(name)
	if a.Len() > 0 {
		c := *a
		c.Unpack()
		return widen(c.Floats), nil
	}
	if a == nil || a.Kind != graph.AttrTensor {
		a = r.node.Attr(name + "_as_tensor")
	}
	if a == nil {
		return nil, nil
	}
	if a.Tensor != nil {
		switch a.Tensor.DType() {
		case tensor.Float32:
			return widen(a.Tensor.F32()), nil
		case tensor.Float64:
			return tensor.Data[float64](a.Tensor), nil
		}
	}
	return nil, bad("not a tensor of float32 or float64").At(name)
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// post sets the link from the attribute post_transform.
func (r *reader) post(name string) error {
	e := r.ensemble
	switch {
	case name == "NONE":
	case name == "SOFTMAX" && e.Outputs > 1:
		e.Link = Softmax
	case name == "LOGISTIC" && e.Outputs == 1 && e.Task == fit.Classification:
		e.Link = Logistic
	case name == "LOGISTIC":
		e.Link = LogisticEach
	default:
		return fault.New(fault.Unsupported, "the post transform "+name+" of "+strconv.Itoa(e.Outputs)+" outputs").At("post_transform")
	}
	return nil
}

// lists reads the operators of ai.onnx.ml 1 to 3, whose nodes and votes are parallel lists.
func (r *reader) lists(side string, outputs int) error {
	e := r.ensemble
	if outputs < 1 || outputs > maxOutputs {
		return bad("there are " + strconv.Itoa(outputs) + " outputs").At("n_targets")
	}
	e.Outputs = outputs
	base, err := r.reals("base_values")
	if err != nil {
		return err
	}
	votes, err := r.votes(side)
	if err != nil {
		return err
	}
	if e.Task == fit.Classification && outputs == 2 && votes.single() { // one score stands for both classes
		e.Outputs = 1
		base = base[:min(len(base), 1)]
		for i := range votes.output {
			votes.output[i] = 0
		}
	}
	if e.Base = base; len(base) == 0 {
		e.Base = make([]float64, e.Outputs)
	} else if len(base) != e.Outputs {
		return bad("there are " + strconv.Itoa(len(base)) + " base values for " + strconv.Itoa(e.Outputs) + " outputs").At("base_values")
	}
	e.Base = slices.Clone(e.Base)
	trees, err := r.nodes()
	if err != nil {
		return err
	}
	if err := r.aggregate(r.node.Str("aggregate_function", "SUM"), len(trees)); err != nil {
		return err
	}
	if err := r.vote(trees, votes); err != nil {
		return err
	}
	return r.post(r.node.Str("post_transform", "NONE"))
}

func (r *reader) aggregate(how string, trees int) error {
	switch r.scale = 1; how {
	case "SUM":
	case "AVERAGE":
		r.scale = 1 / float64(max(trees, 1))
	default:
		return fault.New(fault.Unsupported, "the scores are no sums, but "+how).At("aggregate_function")
	}
	return nil
}
