package trees

import (
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

var modeNames = []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"}

// readSets reads ai.onnx.ml 5 TreeEnsemble.
func (r *reader) readSets() error {
	n, e := r.node, r.ensemble
	outputs := n.Int("n_targets", 1)
	if outputs < 1 || outputs > maxOutputs {
		return bad("there are " + strconv.FormatInt(outputs, 10) + " outputs").At("n_targets")
	}
	e.Outputs, e.Base = int(outputs), make([]float64, outputs)
	roots, targets := n.Ints("tree_roots"), n.Ints("leaf_targetids")
	if how := n.Int("aggregate_function", 1); how < 0 || how > 3 {
		return bad("not 0 … 3").At("aggregate_function")
	} else if err := r.aggregate([]string{"AVERAGE", "SUM", "MIN", "MAX"}[how], len(roots)); err != nil {
		return err
	}
	weights, err := r.reals("leaf_weights")
	if err != nil {
		return err
	}
	if len(targets) != len(weights) {
		return bad("lists of leaves of different lengths")
	}
	nodes, err := r.setNodes(len(weights))
	if err != nil {
		return err
	}
	inner := len(nodes) - len(weights)
	for i, v := range weights {
		if targets[i] < 0 || targets[i] >= outputs {
			return bad("a leaf of an output that is not there").At("leaf_targetids")
		}
		nodes[inner+i] = Node{Left: -1, Value: v * r.scale, Row: int32(targets[i])}
	}
	if err := r.cut(nodes, roots, inner); err != nil {
		return err
	}
	post := n.Int("post_transform", 0)
	if post < 0 || post > 4 {
		return bad("not 0 … 4").At("post_transform")
	}
	return r.post([]string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}[post])
}

// setNodes reads the inner nodes, and leaves room for that many leaves behind them.
func (r *reader) setNodes(leaves int) ([]Node, error) {
	n := r.node
	modes := n.Attr("nodes_modes")
	if modes == nil || modes.Tensor == nil || modes.Tensor.DType() != tensor.Uint8 {
		return nil, bad("not a tensor of uint8").At("nodes_modes")
	}
	kinds := tensor.Data[uint8](modes.Tensor)
	splits, err := r.reals("nodes_splits")
	if err != nil {
		return nil, err
	}
	members, err := r.reals("membership_values")
	if err != nil {
		return nil, err
	}
	lists := make([][]int64, 6)
	for i, name := range []string{"nodes_featureids", "nodes_truenodeids", "nodes_trueleafs", "nodes_falsenodeids", "nodes_falseleafs", "nodes_missing_value_tracks_true"} {
		if lists[i] = n.Ints(name); i == 5 && len(lists[i]) == 0 {
			lists[i] = make([]int64, len(kinds))
		}
		if len(lists[i]) != len(kinds) || len(splits) != len(kinds) {
			return nil, bad("lists of nodes of different lengths").At(name)
		}
	}
	nodes := make([]Node, len(kinds)+leaves)
	for i, kind := range kinds {
		node := &nodes[i]
		next := [2]int32{}
		for k := range next {
			at, leaf := lists[1+2*k][i], lists[2+2*k][i] != 0
			if at < 0 || leaf && at >= int64(leaves) || !leaf && at >= int64(len(kinds)) {
				return nil, bad("a child that is not there").At("node " + strconv.Itoa(i))
			}
			if next[k] = int32(at); leaf {
				next[k] += int32(len(kinds))
			}
		}
		if lists[0][i] < 0 || lists[0][i] >= maxFeatures || kind > modeMember {
			return nil, bad("a feature or a mode that is not there").At("node " + strconv.Itoa(i))
		}
		node.Feature, node.Left, node.Right, node.MissingLeft = int32(lists[0][i]), next[0], next[1], lists[5][i] != 0
		if kind != modeMember && !node.compare(modeNames[kind], splits[i]) {
			return nil, fault.New(fault.Unsupported, "equality with a number that is no float32").At("node " + strconv.Itoa(i))
		} else if kind == modeMember {
			members, err = node.join(members)
		}
		if err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// join takes a split's set from the front of all sets, which end at a NaN, and returns the rest.
func (n *Node) join(members []float64) ([]float64, error) {
	end := slices.IndexFunc(members, func(v float64) bool { return v != v })
	if end < 1 {
		return nil, bad("a set that is empty or has no end").At("membership_values")
	}
	for _, v := range members[:end] {
		if f := float32(v); float64(f) == v { // others no float32 is equal to
			n.Set = append(n.Set, f)
		}
	}
	slices.Sort(n.Set)
	if n.Set = slices.Compact(n.Set); len(n.Set) == 0 {
		return nil, fault.New(fault.Unsupported, "a set without a float32").At("membership_values")
	}
	return members[end+1:], nil
}

// cut takes the trees out of the common lists of nodes: inner nodes, then leaves whose Row is their output.
func (r *reader) cut(nodes []Node, roots []int64, inner int) error {
	owner := make([]int32, len(nodes)) // the tree that has the node, plus one
	for k, root := range roots {
		if root < 0 || root >= int64(inner) {
			return bad("a root that is not there").At("tree " + strconv.Itoa(k))
		}
		t := rawTree{id: int64(k)}
		if err := t.collect(nodes, int32(root), owner); err != nil {
			return err
		}
		trees, err := t.byOutput(r.ensemble.Outputs)
		if err != nil {
			return err
		}
		r.ensemble.Trees = append(r.ensemble.Trees, trees)
	}
	return nil
}

// collect copies the nodes of one tree. A split whose branches lead to the same leaf is that leaf.
func (t *rawTree) collect(nodes []Node, root int32, owner []int32) error {
	mine := func(i int32) bool {
		free := owner[i] == 0
		owner[i] = int32(t.id) + 1
		return free
	}
	type step struct{ source, parent, branch int32 }
	for stack := []step{{root, -1, 0}}; len(stack) > 0; {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if !mine(at.source) {
			return bad("a node that is reached twice").At(t.name())
		}
		here, n := int32(len(t.nodes)), nodes[at.source]
		if at.parent >= 0 && at.branch == 0 {
			t.nodes[at.parent].Left = here
		} else if at.parent >= 0 {
			t.nodes[at.parent].Right = here
		}
		if n.Left >= 0 && n.Left == n.Right && nodes[n.Left].Left < 0 {
			n = nodes[n.Left]
		} else if n.Left >= 0 {
			stack = append(stack, step{n.Right, here, 1}, step{n.Left, here, 0})
		}
		t.nodes = append(t.nodes, n)
	}
	return nil
}

// byOutput makes the tree, whose leaves know their outputs by Row.
func (t *rawTree) byOutput(outputs int) (Tree, error) {
	tree, leaves := Tree{Output: -1}, 0
	same := true
	for i := range t.nodes {
		if n := &t.nodes[i]; n.Left < 0 {
			same = same && (tree.Output < 0 || tree.Output == int(n.Row))
			tree.Output = int(n.Row)
			leaves++
		}
	}
	if !same {
		if leaves*outputs > maxValues {
			return tree, bad("leaves have more values than " + strconv.Itoa(maxValues)).At(t.name())
		}
		tree.Output, tree.Values = Every, make([]float32, 0, leaves*outputs)
	}
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.Left >= 0 {
			continue
		}
		row := int32(0)
		if !same {
			row = int32(len(tree.Values) / outputs)
			tree.Values = append(tree.Values, make([]float32, outputs)...)
			tree.Values[int(row)*outputs+int(n.Row)] = float32(n.Value)
			n.Value = 0
		}
		n.Row = row
	}
	var err error
	tree.Nodes, err = Arrange(t.nodes, 0)
	return tree, err
}
