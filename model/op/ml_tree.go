package op

import "github.com/jarvis-ml/jarvis/model/kernel"

// treeAttrs are the attributes that TreeEnsembleClassifier and TreeEnsembleRegressor share.
var treeAttrs = []string{
	"aggregate_function", "base_values", "base_values_as_tensor", "nodes_falsenodeids", "nodes_featureids", "nodes_hitrates", "nodes_hitrates_as_tensor",
	"nodes_missing_value_tracks_true", "nodes_modes", "nodes_nodeids", "nodes_treeids", "nodes_truenodeids", "nodes_values", "nodes_values_as_tensor", "post_transform",
}

// forest is an ensemble of trees, flat. The modes of the standard become one, x <= value, with a place for NaN:
// x < v is x <= the number before v; > and >= are <= and < with the branches exchanged, where NaN must go the other way.
// Trees with BRANCH_EQ or BRANCH_NEQ keep their modes and are walked by a slower loop.
type forest[T float] struct {
	nodes    []kernel.TreeNode[T]
	missing  []bool // NaN goes where x <= value goes; nil when it nowhere does
	modes    []mode // nil when all are <=
	trees    []kernel.Tree
	features int       // the largest feature index, plus one
	single   bool      // every leaf votes once and all for the same target: the value of a leaf's node is its weight
	only     int       // that target
	weights  []leaf    // by node, or by place in the grove: where its weights lie; nil where single
	votes    []vote[T] // weights of all leaves; nil where single
	targets  int
	values   []T // of leaves, by place in the grove; nil where the nodes hold them
	grove
}

// leaf is the range of a node's votes.
type leaf struct{ from, to int32 }

// vote is a weight for one target (or class).
type vote[T float] struct {
	target int32
	weight T
}

type mode uint8

const (
	atMostMode mode = iota
	equalMode
	unequalMode
)

// walk finds the leaves of a tree for rows of x.
func (f *forest[T]) walk(t kernel.Tree, x []T, stride int, leaves []int32) {
	if f.modes == nil {
		kernel.Walk(f.nodes, f.missing, t, x, stride, leaves)
		return
	}
	for i := range leaves {
		leaves[i] = f.walkModes(t.Root, x[i*stride:])
	}
}

func (f *forest[T]) walkModes(at int32, x []T) int32 {
	for {
		n := &f.nodes[at]
		if n.Next[0] == at {
			return at
		}
		v := x[n.Feature]
		yes := v <= n.Value
		switch f.modes[at] {
		case equalMode:
			yes = v == n.Value
		case unequalMode:
			yes = v != n.Value
		}
		yes = yes || v != v && f.missing != nil && f.missing[at]
		if at = n.Next[0]; yes {
			at = n.Next[1]
		}
	}
}
