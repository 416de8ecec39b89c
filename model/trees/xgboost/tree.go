package xgboost

import (
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/trees"
)

// treeReader reads one tree.
type treeReader struct {
	place
	model  *model
	weight float64 // on its leaves

	left, right, features, kinds       []int32
	conditions, missing, gains, covers []float64
	sets                               map[int32][]float32 // by node
}

// maxCategory is XGBoost's own bound of a category.
const maxCategory = 1 << 24

func (t *treeReader) read(output int) (trees.Tree, error) {
	n, err := t.field("tree_param").field("num_nodes").integer(-1)
	if err != nil {
		return trees.Tree{}, err
	}
	if err := t.lists(n); err != nil {
		return trees.Tree{}, err
	}
	vector, err := t.field("tree_param").field("size_leaf_vector").integer(1)
	if err != nil {
		return trees.Tree{}, err
	}
	tree := trees.Tree{Output: output}
	if vector > 1 {
		if vector != t.model.out.Outputs {
			return tree, t.bad("leaves have " + strconv.Itoa(vector) + " values for " + strconv.Itoa(t.model.out.Outputs) + " outputs")
		}
		tree.Output = trees.Every
	}
	nodes, err := t.nodes()
	if err != nil {
		return tree, err
	}
	if tree.Output == trees.Every {
		if tree.Values, err = t.values(nodes, vector); err != nil {
			return tree, err
		}
	}
	if tree.Nodes, err = trees.Arrange(nodes, 0); err != nil {
		return tree, fault.Wrap(err, fault.BadModel, t.name)
	}
	return tree, nil
}

// lists reads the lists that have an entry for each of n nodes.
func (t *treeReader) lists(n int) (err error) {
	for _, l := range []struct {
		name string
		to   *[]int32
	}{{"left_children", &t.left}, {"right_children", &t.right}, {"split_indices", &t.features}} {
		if *l.to, err = t.field(l.name).ints(n); err != nil {
			return err
		}
		n = len(*l.to)
	}
	for _, l := range []struct {
		name string
		to   *[]float64
		must bool
	}{{"split_conditions", &t.conditions, true}, {"default_left", &t.missing, true}, {"loss_changes", &t.gains, false}, {"sum_hessian", &t.covers, false}} {
		p := t.field(l.name)
		if !l.must && (p.value == nil || p.value.kind == numbers && len(p.value.numbers) == 0) {
			continue // 2.x leaves them out where leaves have several values
		}
		if *l.to, err = p.floats(n); err != nil {
			return err
		}
	}
	if t.field("split_type").value != nil { // since 1.3
		if t.kinds, err = t.field("split_type").ints(n); err != nil {
			return err
		}
		return t.categories(n)
	}
	t.kinds = make([]int32, n)
	return nil
}

// categories reads the sets of the nodes that have one: pieces of one list.
func (t *treeReader) categories(nodes int) error {
	all, err := t.field("categories").ints(-1)
	if err != nil {
		return err
	}
	at, err := t.field("categories_nodes").ints(-1)
	if err != nil {
		return err
	}
	starts, err := t.field("categories_segments").floats(len(at))
	if err != nil {
		return err
	}
	sizes, err := t.field("categories_sizes").floats(len(at))
	if err != nil {
		return err
	}
	t.sets = make(map[int32][]float32, len(at))
	total := 0
	for i, node := range at {
		from, n := starts[i], sizes[i]
		if !(from >= 0 && n >= 0 && from+n <= float64(len(all))) || node < 0 || int(node) >= nodes || t.sets[node] != nil {
			return t.field("categories_nodes").bad("set " + strconv.Itoa(i) + " is not there, or its node is not")
		}
		if total += int(n); total > len(all) {
			return t.field("categories").bad("sets that overlap")
		}
		set := make([]float32, int(n))
		for k, v := range all[int(from):][:int(n)] {
			if set[k] = float32(v); v < 0 || v >= maxCategory {
				return t.field("categories").bad("category " + strconv.Itoa(int(v)) + " is negative or too large")
			}
		}
		slices.Sort(set)
		t.sets[node] = slices.Compact(set)
	}
	return nil
}

// nodes makes the nodes. XGBoost sends x < cut to the left, and members of a set to the right.
func (t *treeReader) nodes() ([]trees.Node, error) {
	nodes := make([]trees.Node, len(t.left))
	for i := range nodes {
		n := &nodes[i]
		if n.Left, n.Right = t.left[i], t.right[i]; t.covers != nil {
			n.Cover = max(t.covers[i], 0)
		}
		if n.Left == -1 {
			n.Value = t.conditions[i] * t.weight
			continue
		}
		if t.features[i] < 0 || int(t.features[i]) >= t.model.out.Features {
			return nil, t.field("split_indices").bad("node " + strconv.Itoa(i) + " asks for a feature that does not exist")
		}
		if n.Feature, n.MissingLeft = t.features[i], t.missing[i] != 0; t.gains != nil {
			n.Gain = t.gains[i]
		}
		switch set := t.sets[int32(i)]; {
		case t.kinds[i] == 0:
			cut := float32(t.conditions[i])
			if n.Cut = trees.Before(cut); n.Cut == cut || n.Cut != n.Cut {
				return nil, t.field("split_conditions").bad("node " + strconv.Itoa(i) + " has a cut that nothing is below")
			}
		case len(set) == 0:
			return nil, t.field("categories_nodes").bad("node " + strconv.Itoa(i) + " has no set")
		default:
			n.Set, n.Left, n.Right, n.MissingLeft = set, n.Right, n.Left, !n.MissingLeft
		}
	}
	return nodes, nil
}

// values reads the values of leaves that have one for each output: in a list of their own, to which the right child of a leaf
// points, or (2.x) among those of all nodes.
func (t *treeReader) values(nodes []trees.Node, outputs int) ([]float32, error) {
	p := t.field("leaf_weights")
	old := p.value == nil
	if old {
		p = t.field("base_weights")
	}
	list, err := p.floats(-1)
	if err != nil {
		return nil, err
	}
	rows := len(list) / outputs
	if rows*outputs != len(list) {
		return nil, p.bad(strconv.Itoa(len(list)) + " values for " + strconv.Itoa(outputs) + " outputs")
	}
	out := make([]float32, len(list))
	for i, v := range list {
		out[i] = float32(v * t.weight)
	}
	for i := range nodes {
		n := &nodes[i]
		if n.Left != -1 {
			continue
		}
		if n.Value, n.Row = 0, n.Right; old {
			n.Row = int32(i)
		}
		if n.Row < 0 || int(n.Row) >= rows {
			return nil, p.bad("node " + strconv.Itoa(i) + " has no values")
		}
	}
	return out, nil
}
