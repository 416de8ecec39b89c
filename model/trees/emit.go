package trees

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Model is a whole model of the ensemble: input "x", float32 (rows, features), output "y", float32 (rows, Width). Errors are Check's.
func (e *Ensemble) Model(name string) (*graph.Model, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	b := graph.NewBuilder(name)
	y := e.emit(b, b.Input("x", tensor.Rows(tensor.Float32, e.Features)))
	b.Output("y", y, tensor.Rows(tensor.Float32, e.Width()))
	return b.Model(), nil
}

// Emit appends the ensemble. x are the features, float32 (rows, features); what comes back are the predictions, float32 (rows,
// Width). Errors are Check's.
//
// Splits on numbers are a tree operator of ai.onnx.ml 3. Its nodes_hitrates hold the covers, where they are known, so that an Explainer
// needs nothing but the file. Splits on sets are an operator of ai.onnx.ml 5, which older runtimes do not know.
func (e *Ensemble) Emit(b *graph.Builder, x graph.Value) (graph.Value, error) {
	if err := e.Check(); err != nil {
		return "", err
	}
	return e.emit(b, x), nil
}

func (e *Ensemble) emit(b *graph.Builder, x graph.Value) graph.Value {
	x = e.prepare(b, x)
	switch {
	case e.sets():
		return e.link(b, e.emitSets(b, x))
	case e.Link == Softmax && e.Outputs > 2: // the classifier has a meaning of its own for two classes
		return e.classifier(b, x)
	}
	return e.link(b, e.regressor(b, x))
}

// sets reports whether a split asks for membership.
func (e *Ensemble) sets() bool {
	for i := range e.Trees {
		if slices.ContainsFunc(e.Trees[i].Nodes, func(n Node) bool { return !n.Leaf() && n.Set != nil }) {
			return true
		}
	}
	return false
}

// prepare appends what Inputs asks for.
func (e *Ensemble) prepare(b *graph.Builder, x graph.Value) graph.Value {
	mask := func(kind Input) *tensor.Tensor {
		t := tensor.New(tensor.Bool, e.Features)
		for i, v := range e.Inputs {
			tensor.Data[bool](t)[i] = v == kind
		}
		return t
	}
	if slices.Contains(e.Inputs, Whole) {
		x = b.Op("Where", b.Init("categories", mask(Whole)), b.Op("Floor", x), x)
	}
	if slices.Contains(e.Inputs, ZeroMissing) {
		zero := b.Op("And", b.Init("zero_missing", mask(ZeroMissing)), b.Op("LessOrEqual", b.Op("Abs", x), b.Scalar("tiny", tiny)))
		x = b.Op("Where", zero, b.Scalar("missing", nan), x)
	}
	return x
}

// link appends the link to scores (rows, outputs).
func (e *Ensemble) link(b *graph.Builder, s graph.Value) graph.Value {
	slope := float32(e.slope())
	switch e.Link {
	case Logistic: // (rows, 1) · (2) = (rows, 2)
		return b.Op("Sigmoid", b.Op("Mul", s, b.Floats("sign", []float32{-slope, slope})))
	case LogisticEach:
		if slope != 1 {
			s = b.Op("Mul", s, b.Scalar("slope", slope))
		}
		return b.Op("Sigmoid", s)
	case Softmax:
		return b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, s)
	case Exp:
		return b.Op("Exp", s)
	case Square:
		return b.Op("Mul", s, b.Op("Abs", s))
	case Softplus:
		return b.Op("Softplus", s)
	case Step:
		yes := b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", 1)}, b.Op("Greater", s, b.Scalar("zero", 0)))
		return b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 1)}, b.Op("Sub", b.Scalar("one", 1), yes), yes)
	}
	return s
}

func (e *Ensemble) classifier(b *graph.Builder, x graph.Value) graph.Value {
	labels := make([]int64, e.Outputs)
	for k := range labels {
		labels[k] = int64(k)
	}
	attrs := append(e.flatten().attrs("class"), graph.FloatsAttr("base_values", fit.Narrow(e.Base)),
		graph.StringAttr("post_transform", "SOFTMAX"), graph.IntsAttr("classlabels_int64s", labels...))
	return b.Node(graph.ML, "TreeEnsembleClassifier", []graph.Value{x}, 2, attrs...)[1]
}

func (e *Ensemble) regressor(b *graph.Builder, x graph.Value) graph.Value {
	attrs := append(e.flatten().attrs("target"), graph.FloatsAttr("base_values", fit.Narrow(e.Base)), graph.IntAttr("n_targets", int64(e.Outputs)))
	return b.Node(graph.ML, "TreeEnsembleRegressor", []graph.Value{x}, 1, attrs...)[0]
}
