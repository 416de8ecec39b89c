package trees

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
)

var nan = float32(math.NaN())

// arrays are the attributes of a tree operator of ai.onnx.ml 3: one entry for each node, and one for each value of a leaf.
type arrays struct {
	tree, node, feature, yes, no, missing []int64
	value, cover                          []float32
	mode                                  []string
	leafTree, leafNode, leafOut           []int64
	leafValue                             []float32
}

func (e *Ensemble) flatten() *arrays {
	a, covered := &arrays{}, e.Covered()
	trees := e.complete()
	for i := range trees {
		t := &trees[i]
		for at := range t.Nodes {
			n := &t.Nodes[at]
			a.tree, a.node = append(a.tree, int64(i)), append(a.node, int64(at))
			if covered {
				a.cover = append(a.cover, float32(min(n.Cover, math.MaxFloat32)))
			}
			if n.Leaf() {
				a.branch(&Node{}, "LEAF")
				a.leaf(e, t, int64(i), int64(at))
				continue
			}
			a.branch(n, "BRANCH_LEQ")
		}
	}
	return a
}

// complete is the trees, and one of a single leaf of value 0 for each output that has none: a runtime gives an output that no
// leaf adds to the score 0, whatever its base.
func (e *Ensemble) complete() []Tree {
	has, all := make([]bool, e.Outputs), false
	for i := range e.Trees {
		if k := e.Trees[i].Output; k == Every {
			all = true
		} else {
			has[k] = true
		}
	}
	out := e.Trees[:len(e.Trees):len(e.Trees)]
	for k, ok := range has {
		if !ok && !all {
			out = append(out, Tree{Output: k, Nodes: []Node{{Cover: 1}}})
		}
	}
	return out
}

func (a *arrays) branch(n *Node, mode string) {
	var missing int64
	if n.MissingLeft {
		missing = 1
	}
	a.feature, a.value, a.mode = append(a.feature, int64(n.Feature)), append(a.value, n.Cut), append(a.mode, mode)
	a.yes, a.no, a.missing = append(a.yes, int64(n.Left)), append(a.no, int64(n.Right)), append(a.missing, missing)
}

// leaf adds the values of a leaf: one, or one for each output.
func (a *arrays) leaf(e *Ensemble, t *Tree, tree, node int64) {
	add := func(k int, v float32) {
		a.leafTree, a.leafNode = append(a.leafTree, tree), append(a.leafNode, node)
		a.leafOut, a.leafValue = append(a.leafOut, int64(k)), append(a.leafValue, v)
	}
	n := &t.Nodes[node]
	if t.Output != Every {
		add(t.Output, float32(n.Value))
		return
	}
	for k, v := range t.Values[int(n.Row)*e.Outputs:][:e.Outputs] {
		add(k, v)
	}
}

// attrs are the attributes; what is "target" for a regressor and "class" for a classifier.
func (a *arrays) attrs(what string) []graph.Attr {
	attrs := []graph.Attr{
		graph.IntsAttr("nodes_treeids", a.tree...), graph.IntsAttr("nodes_nodeids", a.node...),
		graph.IntsAttr("nodes_featureids", a.feature...), graph.FloatsAttr("nodes_values", a.value),
		graph.StringsAttr("nodes_modes", a.mode), graph.IntsAttr("nodes_truenodeids", a.yes...),
		graph.IntsAttr("nodes_falsenodeids", a.no...), graph.IntsAttr("nodes_missing_value_tracks_true", a.missing...),
		graph.IntsAttr(what+"_treeids", a.leafTree...), graph.IntsAttr(what+"_nodeids", a.leafNode...),
		graph.IntsAttr(what+"_ids", a.leafOut...), graph.FloatsAttr(what+"_weights", a.leafValue),
	}
	if a.cover != nil {
		attrs = append(attrs, graph.FloatsAttr("nodes_hitrates", a.cover))
	}
	return attrs
}
