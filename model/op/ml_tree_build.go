package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
)

// newForest reads an ensemble; side is "class" or "target", the prefix of the attributes that hold the weights.
//
// The lists are read from front to end, and every node is written once, to the array in which it stays: on a function's
// cold start, memory that is touched for the first time costs more than all the arithmetic.
func newForest[T float](n *graph.Node, side string, targets int) (*forest[T], error) {
	s, err := newTreeSource(n)
	if err != nil {
		return nil, err
	}
	f := &forest[T]{targets: targets, nodes: make([]kernel.TreeNode[T], s.count)}
	if err := f.read(s); err != nil {
		return nil, err
	}
	b, err := newBallots(n, side)
	if err != nil {
		return nil, err
	}
	if err := f.weighSingle(s, b); err != nil {
		return nil, err
	}
	grove, err := f.plan(s)
	if err != nil {
		return nil, err
	}
	if !grove {
		if err := f.layOut(s); err != nil {
			return nil, err
		}
	}
	if !f.single {
		if b, err = newBallots(n, side); err != nil { // from the front again
			return nil, err
		}
		f.weighMany(s, b)
	}
	if grove {
		f.plant(s)
	}
	return f, nil
}

// read makes the nodes, still in the order of the source.
func (f *forest[T]) read(s *treeSource) error {
	n := s.node
	trees, features, modes, values := intColumn(n, "nodes_treeids"), intColumn(n, "nodes_featureids"), stringColumn(n, "nodes_modes"), s.values
	yes, no, missing := intColumn(n, "nodes_truenodeids"), intColumn(n, "nodes_falsenodeids"), intColumn(n, "nodes_missing_value_tracks_true")
	tracks := make([]int64, chunk)
	for from := 0; from < s.count; from += chunk {
		k := min(chunk, s.count-from)
		if missing.n > 0 {
			tracks = missing.take(k)
		}
		r := rows{from, trees.take(k), features.take(k), no.take(k), yes.take(k), tracks, modes.take(k), values.take(k)}
		if err := f.readRows(s, &r); err != nil {
			return err
		}
	}
	return nil
}

// rows are up to chunk nodes of the source, from node from on.
type rows struct {
	from                              int
	trees, features, no, yes, missing []int64
	modes                             []string
	values                            []float64
}

func (f *forest[T]) readRows(s *treeSource, r *rows) error {
	nodes, marks := f.nodes[r.from:], s.marks[r.from:]
	for i, name := range r.modes {
		if r.features[i] < 0 || r.features[i] > 1<<30 {
			return bad(s.node, "a feature index out of range")
		}
		if name == "LEAF" {
			s.leaves++
			marks[i] |= markLeaf
			nodes[i].Next = [2]int32{int32(r.from + i), int32(r.from + i)}
			continue
		}
		node, m, ok := branch(name, T(r.values[i]), r.missing[i] != 0)
		if !ok {
			return refuseAttr(s.node, "nodes_modes", name)
		}
		if !s.adopt(r.trees[i], [2]int64{r.no[i], r.yes[i]}, &node.Next) {
			id := s.node.Ints("nodes_nodeids")[r.from+i]
			return bad(s.node, "node "+itoa(id)+" of tree "+itoa(r.trees[i])+" has a child that is missing or has another parent")
		}
		if name == "BRANCH_GT" || name == "BRANCH_GTE" {
			node.Next[0], node.Next[1] = node.Next[1], node.Next[0]
		}
		node.Feature = int32(r.features[i])
		f.features = max(f.features, int(node.Feature)+1)
		nodes[i] = node
		marks[i] |= m
	}
	return nil
}

// branch makes a node of a mode that is not LEAF; ok is false for one that is not known.
func branch[T float](name string, value T, tracks bool) (node kernel.TreeNode[T], m mark, ok bool) {
	switch name {
	case "BRANCH_LEQ":
	case "BRANCH_LT":
		value = before(value)
	case "BRANCH_GT": // exchanged: x <= v goes the false way, and NaN with it unless it tracks true
		tracks = !tracks
	case "BRANCH_GTE":
		value, tracks = before(value), !tracks
	case "BRANCH_EQ":
		m = markEqual
	case "BRANCH_NEQ":
		m = markUnequal
	default:
		return node, 0, false
	}
	if tracks {
		m |= markTracks
	}
	return kernel.TreeNode[T]{Value: value}, m, true
}

// adopt finds the children of a node by their ids. It reports false when one is not there or has a parent; both may be the same.
func (s *treeSource) adopt(tree int64, ids [2]int64, next *[2]int32) bool {
	for k, id := range ids {
		c, ok := s.index.find(tree, id)
		if !ok || s.marks[c]&markChild != 0 && (k == 0 || ids[0] != id) {
			return false
		}
		s.marks[c] |= markChild
		next[k] = c
	}
	return true
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

// weighSingle gives the leaves their weights where every leaf has one vote, for the same target, and no other node has
// any; single tells whether it is so.
func (f *forest[T]) weighSingle(s *treeSource, b ballots) error {
	f.single = b.count == s.leaves
	for from := 0; from < b.count; from += chunk {
		n := min(chunk, b.count-from)
		trees, nodes, targets, weights := b.trees.take(n), b.nodes.take(n), b.targets.take(n), b.weights.take(n)
		if from == 0 {
			f.only = int(targets[0])
		}
		for i, target := range targets {
			j, ok := s.index.find(trees[i], nodes[i])
			if !ok || target < 0 || target >= int64(f.targets) {
				return bad(s.node, "a weight of a node or for a target that does not exist")
			}
			if f.single = f.single && s.marks[j]&(markLeaf|markVoted) == markLeaf && int(target) == f.only; f.single {
				s.marks[j] |= markVoted
				f.nodes[j].Value = T(weights[i])
			}
		}
	}
	return nil
}

// layOut gives the nodes their order: tree after tree, parents before children, the branch of x <= value first.
func (f *forest[T]) layOut(s *treeSource) error {
	if !f.single {
		s.place = make([]int32, s.count)
	}
	parts := s.index.parts(s.count)
	f.trees = make([]kernel.Tree, 0, len(parts))
	var old treePart[T]
	for _, r := range parts {
		old.nodes, old.marks = append(old.nodes[:0], f.nodes[r.from:r.to]...), append(old.marks[:0], s.marks[r.from:r.to]...)
		if !f.sort(s, &old, r.from) {
			return errCycle(s)
		}
	}
	for i, m := range s.marks {
		if m&markTracks != 0 && f.missing == nil {
			f.missing = make([]bool, s.count)
		}
		if m&markTracks != 0 {
			f.missing[i] = true
		}
		if m&(markEqual|markUnequal) != 0 && f.modes == nil {
			f.modes = make([]mode, s.count)
		}
		switch {
		case m&markEqual != 0:
			f.modes[i] = equalMode
		case m&markUnequal != 0:
			f.modes[i] = unequalMode
		}
	}
	return nil
}

// errCycle is for nodes that no root leads to.
func errCycle(s *treeSource) error { return bad(s.node, "nodes that form a cycle") }

// treePart is nodes of the source that lie side by side and lead to no others, as they were before they got their order.
type treePart[T float] struct {
	nodes []kernel.TreeNode[T]
	marks []mark
	stack []step
}

// step is a node that has yet to be placed: node source of the part, which is branch 0, 1 or both (2) of a parent.
type step struct {
	source, parent int32
	depth, branch  int32
}

// sort places the trees of a part, which begins at node from. It reports whether all nodes were reached.
func (f *forest[T]) sort(s *treeSource, old *treePart[T], from int32) bool {
	here := from
	for root := range old.nodes {
		if old.marks[root]&markChild != 0 {
			continue
		}
		t := kernel.Tree{Root: here}
		old.stack = append(old.stack[:0], step{source: int32(root), parent: -1})
		for len(old.stack) > 0 {
			at := old.stack[len(old.stack)-1]
			old.stack = old.stack[:len(old.stack)-1]
			f.attach(at, here)
			node := old.nodes[at.source]
			s.marks[here] = old.marks[at.source]
			if s.place != nil {
				s.place[from+at.source] = here
			}
			switch no, yes := node.Next[0]-from, node.Next[1]-from; {
			case s.marks[here]&markLeaf != 0:
				t.Depth = max(t.Depth, at.depth)
				node.Next = [2]int32{here, here}
			case no == yes:
				old.stack = append(old.stack, step{yes, here, at.depth + 1, 2})
			default:
				old.stack = append(old.stack, step{no, here, at.depth + 1, 0}, step{yes, here, at.depth + 1, 1})
			}
			f.nodes[here] = node
			here++
		}
		f.trees = append(f.trees, t)
	}
	return int(here-from) == len(old.nodes)
}

// attach has the parent of a node lead to its place.
func (f *forest[T]) attach(at step, here int32) {
	if at.parent < 0 {
		return
	}
	next := &f.nodes[at.parent].Next
	if at.branch == 2 {
		*next = [2]int32{here, here}
		return
	}
	next[at.branch&1] = here
}

// weighMany gives the leaves any number of votes, in the order of the file. Weights of inner nodes are never reached and
// left out.
func (f *forest[T]) weighMany(s *treeSource, b ballots) {
	f.weights = make([]leaf, len(f.nodes)+1)
	at := make([]int32, b.count) // by vote: the node of its leaf, -1 for none
	for from := 0; from < b.count; from += chunk {
		n := min(chunk, b.count-from)
		trees, nodes := b.trees.take(n), b.nodes.take(n)
		for i := range n {
			j, _ := s.index.find(trees[i], nodes[i])
			if s.place != nil {
				j = s.place[j]
			}
			if at[from+i] = -1; s.marks[j]&markLeaf != 0 {
				at[from+i] = j
				f.weights[j].to++
			}
		}
	}
	var sum int32
	for i := range f.weights {
		w := &f.weights[i]
		w.from, w.to, sum = sum, sum, sum+w.to
	}
	f.votes = make([]vote[T], sum)
	for from := 0; from < b.count; from += chunk {
		n := min(chunk, b.count-from)
		targets, weights := b.targets.take(n), b.weights.take(n)
		for i, node := range at[from : from+n] {
			if node >= 0 {
				l := &f.weights[node]
				f.votes[l.to] = vote[T]{int32(targets[i]), T(weights[i])}
				l.to++
			}
		}
	}
}
