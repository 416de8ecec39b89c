package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

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
	single   []T       // by node: its weight, where every leaf votes once and all for the same target; else nil
	only     int       // that target
	weights  []leaf    // by node: where its weights lie; nil where single is not
	votes    []vote[T] // weights of all leaves; nil where single is not
	targets  int
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
	leafMode
)

// reals is a list of floats as a file holds it: one of the two.
type reals struct {
	single []float32
	double []float64
}

func (r reals) len() int { return len(r.single) + len(r.double) }

func (r reals) at(i int) float64 {
	if r.double != nil {
		return r.double[i]
	}
	return float64(r.single[i])
}

// readReals reads a float attribute, or its tensor form.
func readReals(n *graph.Node, name string) (reals, error) {
	if v := n.Floats(name); v != nil {
		return reals{single: v}, nil
	}
	a := n.Attr(name + "_as_tensor")
	if a == nil {
		return reals{}, nil
	}
	if a.Tensor == nil || a.Tensor.DType() != tensor.Float32 && a.Tensor.DType() != tensor.Float64 {
		return reals{}, bad(n, "attribute "+a.Name+" holds no floats")
	}
	wide := tensor.New(tensor.Float64, a.Tensor.Len())
	return reals{double: tensor.Data[float64](wide)}, castInto(wide, a.Tensor)
}

// treeSource is the nodes as the file gives them: parallel lists.
type treeSource struct {
	trees, ids, features, yes, no, missing []int64
	values                                 reals
	modes                                  []string
	index                                  nodeIndex
}

// readTrees reads the lists of the attributes.
func readTrees(n *graph.Node) (*treeSource, error) {
	values, err := readReals(n, "nodes_values")
	if err != nil {
		return nil, err
	}
	s := &treeSource{
		trees: n.Ints("nodes_treeids"), ids: n.Ints("nodes_nodeids"), features: n.Ints("nodes_featureids"), values: values,
		yes: n.Ints("nodes_truenodeids"), no: n.Ints("nodes_falsenodeids"), modes: n.Strs("nodes_modes"), missing: n.Ints("nodes_missing_value_tracks_true"),
	}
	count := len(s.ids)
	if count == 0 || count > 1<<28 {
		return nil, bad(n, "no nodes, or too many")
	}
	if len(s.trees) != count || len(s.features) != count || len(s.yes) != count || len(s.no) != count || len(s.modes) != count || values.len() != count ||
		len(s.missing) != 0 && len(s.missing) != count {
		return nil, bad(n, "attributes of the nodes have different lengths")
	}
	for _, feature := range s.features {
		if feature < 0 || feature > 1<<30 {
			return nil, bad(n, "a feature index out of range")
		}
	}
	if twice := s.index.build(s.trees, s.ids); twice >= 0 {
		return nil, bad(n, "tree "+itoa(s.trees[twice])+" has the node "+itoa(s.ids[twice])+" twice")
	}
	return s, nil
}

func (s *treeSource) leaf(i int32) bool { return s.modes[i] == "LEAF" }

// tracks reports whether NaN goes to the true branch of node i.
func (s *treeSource) tracks(i int32) bool { return len(s.missing) > 0 && s.missing[i] != 0 }

// children are the places of the branches of node i, which newForest has found to be there.
func (s *treeSource) children(i int32) (yes, no int32) {
	yes, _ = s.index.find(s.trees[i], s.yes[i])
	no, _ = s.index.find(s.trees[i], s.no[i])
	return yes, no
}

// nodeIndex finds a node by its tree and its id. Exporters write the nodes of a tree side by side with ids that rise by one,
// and then a node's place follows from its tree's; a map of every node, which takes ten times longer to build than the
// rest of the forest, is for files that are otherwise.
type nodeIndex struct {
	runs map[int64]nodeRun // by tree
	by   map[[2]int64]int32

	tree int64 // that was asked for last
	run  nodeRun
}

// nodeRun is the nodes of one tree: ids first, first+1, … at the places from, from+1, …
type nodeRun struct {
	first    int64
	from, to int32
}

// build takes the nodes in, and returns the place of one whose tree and id were there before, -1 for none.
func (x *nodeIndex) build(trees, ids []int64) (twice int) {
	x.runs = map[int64]nodeRun{}
	for from := 0; from < len(ids); {
		to := from + 1
		for to < len(ids) && trees[to] == trees[from] && ids[to]-1 == ids[to-1] && ids[to] > ids[to-1] {
			to++
		}
		if _, seen := x.runs[trees[from]]; seen {
			return x.buildMap(trees, ids)
		}
		x.runs[trees[from]] = nodeRun{ids[from], int32(from), int32(to)}
		from = to
	}
	return -1
}

func (x *nodeIndex) buildMap(trees, ids []int64) (twice int) {
	x.runs, x.by = nil, make(map[[2]int64]int32, len(ids))
	for i := range ids {
		key := [2]int64{trees[i], ids[i]}
		if _, seen := x.by[key]; seen {
			return i
		}
		x.by[key] = int32(i)
	}
	return -1
}

// find returns the place of a node.
func (x *nodeIndex) find(tree, id int64) (int32, bool) {
	if x.by != nil {
		i, ok := x.by[[2]int64{tree, id}]
		return i, ok
	}
	if tree != x.tree || x.run.to == 0 {
		x.tree, x.run = tree, x.runs[tree]
	}
	if i := uint64(id) - uint64(x.run.first); i < uint64(x.run.to-x.run.from) {
		return x.run.from + int32(i), true
	}
	return 0, false
}

// newForest reads an ensemble; side is "class" or "target", the prefix of the attributes that hold the weights.
func newForest[T float](n *graph.Node, side string, targets int) (*forest[T], error) {
	s, err := readTrees(n)
	if err != nil {
		return nil, err
	}
	count := len(s.ids)
	child := make([]bool, count)
	for i := range child {
		if s.leaf(int32(i)) {
			continue
		}
		for k, id := range [2]int64{s.yes[i], s.no[i]} {
			c, ok := s.index.find(s.trees[i], id)
			if !ok || child[c] && (k == 0 || s.yes[i] != id) {
				return nil, bad(n, "node "+itoa(s.ids[i])+" of tree "+itoa(s.trees[i])+" has a child that is missing or has another parent")
			}
			child[c] = true
		}
	}
	f := &forest[T]{targets: targets, nodes: make([]kernel.TreeNode[T], 0, count)}
	place := make([]int32, count) // by source: its node, plus one
	for i := range child {
		if !child[i] {
			if err := f.plant(n, s, int32(i), place); err != nil {
				return nil, err
			}
		}
	}
	if len(f.nodes) != count { // nodes that no root leads to are a cycle
		return nil, bad(n, "nodes that form a cycle")
	}
	return f, f.weigh(n, side, s, place)
}

// plant lays out the tree under root, parents before children, the yes branch first.
func (f *forest[T]) plant(n *graph.Node, s *treeSource, root int32, place []int32) error {
	type todo struct{ source, depth int32 }
	t := kernel.Tree{Root: int32(len(f.nodes))}
	stack := []todo{{root, 0}}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if place[at.source] != 0 { // both branches of the parent are this node
			continue
		}
		here := int32(len(f.nodes))
		place[at.source] = here + 1
		if s.leaf(at.source) {
			t.Depth = max(t.Depth, at.depth)
			f.push(kernel.TreeNode[T]{Next: [2]int32{here, here}}, leafMode, false)
			continue
		}
		f.features = max(f.features, int(s.features[at.source])+1)
		if err := f.split(n, s, at.source); err != nil {
			return err
		}
		yes, no := s.children(at.source)
		stack = append(stack, todo{no, at.depth + 1}, todo{yes, at.depth + 1})
	}
	f.trees = append(f.trees, t)
	f.link(s, root, place)
	return nil
}

// link sets the branches of a tree whose nodes have their places.
func (f *forest[T]) link(s *treeSource, root int32, place []int32) {
	stack := []int32{root}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if s.leaf(i) {
			continue
		}
		yes, no := s.children(i)
		node := &f.nodes[place[i]-1]
		node.Next = [2]int32{place[no] - 1, place[yes] - 1}
		if s.modes[i] == "BRANCH_GT" || s.modes[i] == "BRANCH_GTE" {
			node.Next[0], node.Next[1] = node.Next[1], node.Next[0]
		}
		if stack = append(stack, yes); yes != no {
			stack = append(stack, no)
		}
	}
}

// split appends the node of branch i.
func (f *forest[T]) split(n *graph.Node, s *treeSource, i int32) error {
	node, tracks := kernel.TreeNode[T]{Value: T(s.values.at(int(i))), Feature: int32(s.features[i])}, s.tracks(i)
	switch s.modes[i] {
	case "BRANCH_LEQ":
		f.push(node, atMostMode, tracks)
	case "BRANCH_LT":
		node.Value = before(node.Value)
		f.push(node, atMostMode, tracks)
	case "BRANCH_GT": // exchanged: x <= v goes the false way, and NaN with it unless it tracks true
		f.push(node, atMostMode, !tracks)
	case "BRANCH_GTE":
		node.Value = before(node.Value)
		f.push(node, atMostMode, !tracks)
	case "BRANCH_EQ":
		f.push(node, equalMode, tracks)
	case "BRANCH_NEQ":
		f.push(node, unequalMode, tracks)
	default:
		return refuseAttr(n, "nodes_modes", s.modes[i])
	}
	return nil
}

// push appends a node; the lists of what is seldom begin when it is first needed.
func (f *forest[T]) push(node kernel.TreeNode[T], m mode, missing bool) {
	f.nodes = append(f.nodes, node)
	if missing && f.missing == nil {
		f.missing = make([]bool, len(f.nodes)-1, cap(f.nodes))
	}
	if f.missing != nil {
		f.missing = append(f.missing, missing)
	}
	if (m == equalMode || m == unequalMode) && f.modes == nil {
		f.modes = make([]mode, len(f.nodes)-1, cap(f.nodes))
	}
	if f.modes != nil {
		f.modes = append(f.modes, m)
	}
}

// before is the greatest number below v; NaN, which nothing is below or equal to, for -∞.
func before[T float](v T) T {
	if math.IsInf(float64(v), -1) {
		return T(math.NaN())
	}
	if _, single := any(v).(float32); single {
		return T(math.Nextafter32(float32(v), float32(math.Inf(-1))))
	}
	return T(math.Nextafter(float64(v), math.Inf(-1)))
}

// ballot is the lists of weights as the file gives them.
type ballot struct {
	trees, nodes, targets []int64
	weights               reals
}

// weigh gives the leaves their votes, in the order of the file.
func (f *forest[T]) weigh(n *graph.Node, side string, s *treeSource, place []int32) error {
	weights, err := readReals(n, side+"_weights")
	if err != nil {
		return err
	}
	b := ballot{n.Ints(side + "_treeids"), n.Ints(side + "_nodeids"), n.Ints(side + "_ids"), weights}
	if count := weights.len(); count == 0 || len(b.trees) != count || len(b.nodes) != count || len(b.targets) != count {
		return bad(n, "attributes of the weights have different lengths, or none")
	}
	for i := range b.trees {
		if _, ok := s.index.find(b.trees[i], b.nodes[i]); !ok || b.targets[i] < 0 || b.targets[i] >= int64(f.targets) {
			return bad(n, "a weight of a node or for a target that does not exist")
		}
	}
	if !f.weighSingle(b, s, place) {
		f.weighMany(b, s, place)
	}
	return nil
}

// weighSingle is weigh where every leaf has one vote, for the same target, and no other node has any. It reports whether
// it is so.
func (f *forest[T]) weighSingle(b ballot, s *treeSource, place []int32) bool {
	leaves := 0
	for i := range s.modes {
		if s.leaf(int32(i)) {
			leaves++
		}
	}
	if leaves != len(b.trees) {
		return false
	}
	single, voted := make([]T, len(f.nodes)), make([]bool, len(f.nodes))
	for i, target := range b.targets {
		j, _ := s.index.find(b.trees[i], b.nodes[i])
		at := place[j] - 1
		if !s.leaf(j) || voted[at] || target != b.targets[0] {
			return false
		}
		single[at], voted[at] = T(b.weights.at(i)), true
	}
	f.single, f.only = single, int(b.targets[0])
	return true
}

// weighMany is weigh for any number of votes of a leaf. Weights of inner nodes are never reached and left out.
func (f *forest[T]) weighMany(b ballot, s *treeSource, place []int32) {
	f.weights = make([]leaf, len(f.nodes)+1)
	at := make([]int32, len(b.trees)) // by vote: the node of its leaf, -1 for none
	for i := range b.trees {
		j, _ := s.index.find(b.trees[i], b.nodes[i])
		if at[i] = -1; s.leaf(j) {
			at[i] = place[j] - 1
			f.weights[at[i]].to++
		}
	}
	var sum int32
	for i := range f.weights {
		w := &f.weights[i]
		w.from, w.to, sum = sum, sum, sum+w.to
	}
	f.votes = make([]vote[T], sum)
	for i := range at {
		if at[i] >= 0 {
			l := &f.weights[at[i]]
			f.votes[l.to] = vote[T]{int32(b.targets[i]), T(b.weights.at(i))}
			l.to++
		}
	}
}

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
