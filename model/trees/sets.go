package trees

import (
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Modes of ai.onnx.ml 5 TreeEnsemble, as nodes_modes numbers them.
const (
	modeAtMost uint8 = iota
	modeBelow
	modeAtLeast
	modeAbove
	modeEqual
	modeUnequal
	modeMember
)

// plants are the attributes of ai.onnx.ml 5 TreeEnsemble: inner nodes in one list and leaves in another.
type plants struct {
	roots, feature, yes, yesLeaf, no, noLeaf, missing []int64
	mode                                              []uint8
	split, members                                    []float32
	leafOut                                           []int64
	leafValue                                         []float32
}

// emitSets appends the trees as one TreeEnsemble; the result are scores.
// A leaf of that operator has one value, so a tree with Every is there once for each output. It has no place for the covers of leaves.
func (e *Ensemble) emitSets(b *graph.Builder, x graph.Value) graph.Value {
	p := &plants{}
	trees := e.complete()
	for i := range trees {
		if k := trees[i].Output; k != Every {
			p.add(e, &trees[i], k)
			continue
		}
		for k := range e.Outputs {
			p.add(e, &trees[i], k)
		}
	}
	s := b.Node(graph.ML, "TreeEnsemble", []graph.Value{x}, 1, p.attrs(e.Outputs)...)[0]
	return b.Op("Add", s, b.Floats("base", fit.Narrow(e.Base)))
}

// add appends a tree with its leaves' values for output k.
func (p *plants) add(e *Ensemble, t *Tree, k int) {
	number := make([]int64, len(t.Nodes)) // of an inner node among all inner nodes, of a leaf among all leaves
	nodes, leaves := int64(len(p.mode)), int64(len(p.leafOut))
	if t.Nodes[0].Leaf() {
		nodes++ // the split that stands before it
	}
	for i := range t.Nodes {
		next := &nodes
		if t.Nodes[i].Leaf() {
			next = &leaves
		}
		number[i] = *next
		*next++
	}
	p.roots = append(p.roots, int64(len(p.mode)))
	if t.Nodes[0].Leaf() { // the operator has no tree of a leaf: both branches of a split lead to it
		p.branch(&Node{}, number[0], 1, number[0], 1)
	}
	bit := func(leaf bool) int64 {
		if leaf {
			return 1
		}
		return 0
	}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		switch {
		case !n.Leaf():
			p.branch(n, number[n.Left], bit(t.Nodes[n.Left].Leaf()), number[n.Right], bit(t.Nodes[n.Right].Leaf()))
			continue
		case t.Output == Every:
			p.leafValue = append(p.leafValue, t.Values[int(n.Row)*e.Outputs+k])
		default:
			p.leafValue = append(p.leafValue, float32(n.Value))
		}
		p.leafOut = append(p.leafOut, int64(k))
	}
}

func (p *plants) branch(n *Node, yes, yesLeaf, no, noLeaf int64) {
	var missing int64
	if n.MissingLeft {
		missing = 1
	}
	mode, cut := modeAtMost, n.Cut
	if n.Set != nil {
		mode, cut = modeMember, 0
		p.members = append(append(p.members, n.Set...), nan)
	}
	p.feature, p.missing = append(p.feature, int64(n.Feature)), append(p.missing, missing)
	p.mode, p.split = append(p.mode, mode), append(p.split, cut)
	p.yes, p.yesLeaf = append(p.yes, yes), append(p.yesLeaf, yesLeaf)
	p.no, p.noLeaf = append(p.no, no), append(p.noLeaf, noLeaf)
}

func (p *plants) attrs(outputs int) []graph.Attr {
	floats := func(name string, v []float32) graph.Attr { return graph.TensorAttr(name, tensor.Floats(v)) }
	return []graph.Attr{
		graph.IntsAttr("tree_roots", p.roots...), graph.IntsAttr("nodes_featureids", p.feature...), floats("nodes_splits", p.split),
		graph.TensorAttr("nodes_modes", tensor.FromSlice(tensor.Uint8, p.mode)), graph.IntsAttr("nodes_missing_value_tracks_true", p.missing...),
		graph.IntsAttr("nodes_truenodeids", p.yes...), graph.IntsAttr("nodes_trueleafs", p.yesLeaf...),
		graph.IntsAttr("nodes_falsenodeids", p.no...), graph.IntsAttr("nodes_falseleafs", p.noLeaf...),
		graph.IntsAttr("leaf_targetids", p.leafOut...), floats("leaf_weights", p.leafValue), floats("membership_values", p.members),
		graph.IntAttr("n_targets", int64(outputs)), graph.IntAttr("aggregate_function", 1), graph.IntAttr("post_transform", 0),
	}
}
