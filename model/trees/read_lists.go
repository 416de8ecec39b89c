package trees

import (
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// rawTree is the nodes of a tree as a file gives them: leaves have Left -1, and Row is the place of a node among all.
type rawTree struct {
	id    int64
	nodes []Node
	ids   map[int64]int32 // by id: the place in nodes
}

// nodes reads the lists of nodes, tree by tree in the order of the file.
func (r *reader) nodes() ([]*rawTree, error) {
	n := r.node
	lists := make([][]int64, 5)
	for i, name := range []string{"nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids"} {
		lists[i] = n.Ints(name)
	}
	missing, modes := n.Ints("nodes_missing_value_tracks_true"), r.node.Strs("nodes_modes")
	values, err := r.reals("nodes_values")
	if err != nil {
		return nil, err
	}
	covers, err := r.reals("nodes_hitrates")
	if err != nil {
		return nil, err
	}
	count := len(modes)
	for _, l := range lists {
		if len(l) != count {
			return nil, bad("lists of nodes of different lengths")
		}
	}
	if len(values) != count || len(missing) != 0 && len(missing) != count || len(covers) != 0 && len(covers) != count {
		return nil, bad("lists of nodes of different lengths")
	}
	var trees []*rawTree
	known := map[int64]*rawTree{}
	for i := range modes {
		t := known[lists[0][i]]
		if t == nil {
			t = &rawTree{id: lists[0][i], ids: map[int64]int32{}}
			known[t.id] = t
			trees = append(trees, t)
		}
		if _, twice := t.ids[lists[1][i]]; twice {
			return nil, bad("node " + strconv.FormatInt(lists[1][i], 10) + " is there twice").At(t.name())
		}
		t.ids[lists[1][i]] = int32(len(t.nodes))
		node := Node{Row: int32(i), Left: -1}
		if covers != nil && finite(covers[i]) {
			node.Cover = max(covers[i], 0)
		}
		t.nodes = append(t.nodes, node)
	}
	for _, t := range trees {
		for k := range t.nodes {
			i := t.nodes[k].Row
			if err := t.branch(&t.nodes[k], modes[i], values[i], lists[2][i], lists[3][i], lists[4][i], len(missing) > 0 && missing[i] != 0); err != nil {
				return nil, err
			}
		}
	}
	return trees, nil
}

func (t *rawTree) name() string { return "tree " + strconv.FormatInt(t.id, 10) }

// branch makes a split of a node; a leaf stays as it is.
func (t *rawTree) branch(n *Node, mode string, value float64, feature, yes, no int64, tracks bool) error {
	if mode == "LEAF" {
		return nil
	}
	left, ok := t.ids[yes]
	right, found := t.ids[no]
	if !ok || !found || feature < 0 || feature >= maxFeatures {
		return bad("a node with a child or a feature that is not there").At(t.name())
	}
	n.Feature, n.Left, n.Right, n.MissingLeft = int32(feature), left, right, tracks
	if !n.compare(mode, value) {
		return fault.New(fault.Unsupported, "nodes of the mode "+mode+" and the value "+strconv.FormatFloat(value, 'g', -1, 64)).At(t.name())
	}
	return nil
}

// compare gives a split its condition, and swaps its children where the condition is the opposite of one that a Node has. It
// reports false for a mode that is not known, and for equality with what no float32 is.
func (n *Node) compare(mode string, value float64) bool {
	swap := func(missingLeft bool) { n.Left, n.Right, n.MissingLeft = n.Right, n.Left, missingLeft }
	n.Cut = Below(value)
	switch mode {
	case "BRANCH_LEQ":
	case "BRANCH_GT":
		swap(!n.MissingLeft)
	case "BRANCH_LT", "BRANCH_GTE":
		if float64(n.Cut) == value {
			n.Cut = Before(n.Cut)
		}
		if mode == "BRANCH_GTE" {
			swap(!n.MissingLeft)
		}
	case "BRANCH_EQ", "BRANCH_NEQ":
		n.Set = []float32{float32(value)}
		if float64(n.Set[0]) != value {
			return false
		}
		if mode == "BRANCH_NEQ" {
			swap(false) // NaN is not equal to anything
		}
	default:
		return false
	}
	return true
}

// votes are what leaves add to outputs, as lists.
type votes struct {
	tree, node, output []int64
	weight             []float64
}

func (r *reader) votes(side string) (votes, error) {
	weight, err := r.reals(side + "_weights")
	if err != nil {
		return votes{}, err
	}
	v := votes{r.node.Ints(side + "_treeids"), r.node.Ints(side + "_nodeids"), slices.Clone(r.node.Ints(side + "_ids")), weight}
	if len(v.tree) != len(weight) || len(v.node) != len(weight) || len(v.output) != len(weight) {
		return v, bad("lists of weights of different lengths").At(side + "_weights")
	}
	return v, nil
}

// single reports whether all votes are for the same output.
func (v votes) single() bool {
	return len(v.output) > 0 && !slices.ContainsFunc(v.output, func(k int64) bool { return k != v.output[0] })
}

// vote gives the leaves their values, and the trees their order.
func (r *reader) vote(trees []*rawTree, v votes) error {
	e := r.ensemble
	byTree, byID := make([][]int, len(trees)), map[int64]int{}
	for i, t := range trees {
		byID[t.id] = i
	}
	for i, id := range v.tree {
		t, ok := byID[id]
		if !ok || v.output[i] < 0 || v.output[i] >= int64(e.Outputs) {
			return bad("a weight of a tree or for an output that is not there").At("tree " + strconv.FormatInt(id, 10))
		}
		byTree[t] = append(byTree[t], i)
	}
	var total int
	for i, raw := range trees {
		out, err := raw.plant(e.Outputs, v, byTree[i], r.scale, &total)
		if err != nil {
			return err
		}
		e.Trees = append(e.Trees, out...)
	}
	return nil
}

// plant makes the trees that a raw tree is: one for each root. total counts values of leaves for several outputs.
func (t *rawTree) plant(outputs int, v votes, mine []int, scale float64, total *int) ([]Tree, error) {
	every, count := -1, make([]int32, len(t.nodes))
	for _, i := range mine {
		at, ok := t.ids[v.node[i]]
		if !ok {
			return nil, bad("a weight of a node that is not there").At(t.name())
		}
		if count[at]++; count[at] > 1 || v.output[i] != v.output[mine[0]] {
			every = 0
		}
	}
	tree, child := Tree{Output: Every}, make([]bool, len(t.nodes))
	for i := range t.nodes {
		if n := &t.nodes[i]; n.Left >= 0 {
			child[n.Left], child[n.Right] = true, true
		} else if n.Row = 0; every >= 0 {
			n.Row = int32(every)
			every++
		}
	}
	if every > 0 {
		if *total += every * outputs; *total > maxValues {
			return nil, fault.New(fault.TooLarge, "leaves have more values than "+strconv.Itoa(maxValues)).At(t.name())
		}
		tree.Values = make([]float32, every*outputs)
	} else if tree.Output = 0; len(mine) > 0 {
		tree.Output = int(v.output[mine[0]])
	}
	for _, i := range mine {
		switch n := &t.nodes[t.ids[v.node[i]]]; {
		case n.Left >= 0: // a weight that no row reaches
		case every > 0:
			tree.Values[int(n.Row)*outputs+int(v.output[i])] += float32(v.weight[i] * scale)
		default:
			n.Value = v.weight[i] * scale
		}
	}
	var out []Tree
	reached, seen := 0, make([]bool, len(t.nodes))
	for i := range t.nodes {
		if child[i] {
			continue
		}
		nodes, err := arrange(t.nodes, i, seen, nil)
		if err != nil {
			return nil, fault.Wrap(err, fault.BadModel, t.name())
		}
		reached += len(nodes)
		out = append(out, Tree{tree.Output, nodes, tree.Values})
	}
	if reached != len(t.nodes) {
		return nil, bad("nodes that form a circle").At(t.name())
	}
	return out, nil
}
