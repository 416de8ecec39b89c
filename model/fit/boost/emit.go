package boost

import (
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// emit appends the ensemble, as tree operators of ai.onnx.ml 3. Three and more classes are a TreeEnsembleClassifier with
// a softmax. Two classes have one score s and are a TreeEnsembleRegressor, followed by σ(-s), σ(s): the classifier's
// LOGISTIC leaves scores as they are in onnxruntime when no leaf is negative.
func (e *ensemble) emit(b *graph.Builder, x graph.Value) graph.Value {
	a := e.flatten()
	base := graph.FloatsAttr("base_values", fit.Narrow(e.base))
	if classes := len(e.base); classes > 1 {
		labels := make([]int64, classes)
		for k := range labels {
			labels[k] = int64(k)
		}
		attrs := append(append(a.nodes(), a.weights("class")...), base,
			graph.StringAttr("post_transform", "SOFTMAX"), graph.IntsAttr("classlabels_int64s", labels...))
		return b.Node(graph.ML, "TreeEnsembleClassifier", []graph.Value{x}, 2, attrs...)[1]
	}
	attrs := append(append(a.nodes(), a.weights("target")...), base, graph.IntAttr("n_targets", 1))
	y := b.Node(graph.ML, "TreeEnsembleRegressor", []graph.Value{x}, 1, attrs...)[0]
	if e.task == fit.Regression {
		return e.objective.link(b, y)
	}
	return b.Op("Sigmoid", b.Op("Mul", y, b.Floats("sign", []float32{-1, 1}))) // (rows, 1) * (2) = (rows, 2)
}

// arrays are the attributes of a tree ensemble: one entry for each node, and one for each leaf.
type arrays struct {
	tree, node, feature, yes, no, missing []int64
	value                                 []float32
	mode                                  []string
	leafTree, leafNode, leafOut           []int64
	leafValue                             []float32
}

func (e *ensemble) flatten() *arrays {
	a := &arrays{}
	outs := len(e.base)
	for i, t := range e.trees {
		number := make(map[int]int64, len(t)) // pruned nodes get no number
		for _, at := range t.reached() {
			number[at] = int64(len(number))
		}
		for _, at := range t.reached() {
			n := &t[at]
			a.tree, a.node = append(a.tree, int64(i)), append(a.node, number[at])
			if n.left == 0 {
				a.add(0, 0, 0, 0, 0, "LEAF")
				a.leafTree, a.leafNode = append(a.leafTree, int64(i)), append(a.leafNode, number[at])
				a.leafOut, a.leafValue = append(a.leafOut, int64(i%outs)), append(a.leafValue, n.value)
				continue
			}
			var missing int64
			if n.missingLeft {
				missing = 1
			}
			a.add(int64(n.feature), n.cut, number[n.left], number[n.right], missing, "BRANCH_LEQ")
		}
	}
	return a
}

func (a *arrays) add(feature int64, cut float32, yes, no, missing int64, mode string) {
	a.feature, a.value = append(a.feature, feature), append(a.value, cut)
	a.yes, a.no = append(a.yes, yes), append(a.no, no)
	a.missing, a.mode = append(a.missing, missing), append(a.mode, mode)
}

// reached returns the indices of the nodes below the root, parents first.
func (t tree) reached() []int {
	out := []int{0}
	for i := 0; i < len(out); i++ {
		if n := t[out[i]]; n.left > 0 {
			out = append(out, n.left, n.right)
		}
	}
	return out
}

func (a *arrays) nodes() []graph.Attr {
	return []graph.Attr{
		graph.IntsAttr("nodes_treeids", a.tree...), graph.IntsAttr("nodes_nodeids", a.node...),
		graph.IntsAttr("nodes_featureids", a.feature...), graph.FloatsAttr("nodes_values", a.value),
		graph.StringsAttr("nodes_modes", a.mode), graph.IntsAttr("nodes_truenodeids", a.yes...),
		graph.IntsAttr("nodes_falsenodeids", a.no...), graph.IntsAttr("nodes_missing_value_tracks_true", a.missing...),
	}
}

// weights are the values of the leaves; what is "target" for a regressor and "class" for a classifier.
func (a *arrays) weights(what string) []graph.Attr {
	return []graph.Attr{
		graph.IntsAttr(what+"_treeids", a.leafTree...), graph.IntsAttr(what+"_nodeids", a.leafNode...),
		graph.IntsAttr(what+"_ids", a.leafOut...), graph.FloatsAttr(what+"_weights", a.leafValue),
	}
}
