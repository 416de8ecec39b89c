package op

import (
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// column reads a list attribute from front to end.
type column[T any] struct {
	n    int                      // elements in all
	list []T                      // those that have not been taken, of a list in memory
	fill func(at int, to []T) int // of a graph.List
	at   int
	room []T
}

// chunk is how many elements of each column are taken at once: a dozen columns stay in the first-level cache.
const chunk = 128

// take gives the next n elements, at most chunk; nobody asks for more than there are. They hold until the next call.
func (c *column[T]) take(n int) []T {
	if c.fill == nil {
		next := c.list[:n]
		c.list = c.list[n:]
		return next
	}
	if c.room == nil {
		c.room = make([]T, chunk)
	}
	c.at = c.fill(c.at, c.room[:n])
	return c.room[:n]
}

// intColumn, floatColumn and stringColumn open a list attribute; one that is not there has no elements.
func intColumn(n *graph.Node, name string) column[int64] {
	switch a := n.Attr(name); {
	case a == nil || a.Kind != graph.AttrInts:
		return column[int64]{}
	case a.List == nil:
		return column[int64]{n: len(a.Ints), list: a.Ints}
	default:
		return column[int64]{n: a.List.Len(), fill: a.List.Ints}
	}
}

func floatColumn(n *graph.Node, name string) column[float32] {
	switch a := n.Attr(name); {
	case a == nil || a.Kind != graph.AttrFloats:
		return column[float32]{}
	case a.List == nil:
		return column[float32]{n: len(a.Floats), list: a.Floats}
	default:
		return column[float32]{n: a.List.Len(), fill: a.List.Floats}
	}
}

func stringColumn(n *graph.Node, name string) column[string] {
	switch a := n.Attr(name); {
	case a == nil || a.Kind != graph.AttrStrings:
		return column[string]{}
	case a.List == nil:
		return column[string]{n: len(a.Strs), list: a.Strs}
	default:
		return column[string]{n: a.List.Len(), fill: a.List.Strs}
	}
}

// reals is a float attribute, or its tensor form: one of the two.
type reals struct {
	single column[float32]
	double column[float64]
	room   []float64
}

func (r *reals) len() int { return r.single.n + r.double.n }

// take is column.take.
func (r *reals) take(n int) []float64 {
	if r.double.n > 0 {
		return r.double.take(n)
	}
	if r.room == nil {
		r.room = make([]float64, chunk)
	}
	for i, v := range r.single.take(n) {
		r.room[i] = float64(v)
	}
	return r.room[:n]
}

// readReals opens a float attribute, or its tensor form.
func readReals(n *graph.Node, name string) (reals, error) {
	if c := floatColumn(n, name); c.n > 0 {
		return reals{single: c}, nil
	}
	a := n.Attr(name + "_as_tensor")
	if a == nil {
		return reals{}, nil
	}
	if a.Tensor == nil || a.Tensor.DType() != tensor.Float32 && a.Tensor.DType() != tensor.Float64 {
		return reals{}, bad(n, "attribute "+a.Name+" holds no floats")
	}
	wide := tensor.New(tensor.Float64, a.Tensor.Len())
	return reals{double: column[float64]{n: wide.Len(), list: tensor.Data[float64](wide)}}, castInto(wide, a.Tensor)
}

// treeSource is the nodes as the file gives them: parallel lists.
type treeSource struct {
	node   *graph.Node
	count  int // of nodes
	leaves int
	values reals
	index  nodeIndex
	marks  []mark  // by node
	place  []int32 // by node: where it is in the forest; nil when nobody asks
}

// mark is what is known of a node beside its kernel.TreeNode.
type mark uint8

const (
	markChild   mark = 1 << iota // it has a parent
	markLeaf                     // no branch
	markVoted                    // a leaf that has its weight
	markTracks                   // NaN goes where x <= value goes
	markEqual                    // asks whether x = value
	markUnequal                  // asks whether x != value
)

// newTreeSource finds the nodes, and checks that the lists are of one length.
func newTreeSource(n *graph.Node) (*treeSource, error) {
	values, err := readReals(n, "nodes_values")
	if err != nil {
		return nil, err
	}
	s := &treeSource{node: n, count: n.Attr("nodes_nodeids").Len(), values: values}
	if s.count == 0 || s.count > 1<<28 {
		return nil, bad(n, "no nodes, or too many")
	}
	fits := values.len() == s.count
	for _, name := range []string{"nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids"} {
		fits = fits && intColumn(n, name).n == s.count
	}
	modes, missing := stringColumn(n, "nodes_modes"), intColumn(n, "nodes_missing_value_tracks_true")
	if !fits || modes.n != s.count || missing.n != 0 && missing.n != s.count {
		return nil, bad(n, "attributes of the nodes have different lengths")
	}
	open := func() (trees, ids column[int64]) { return intColumn(n, "nodes_treeids"), intColumn(n, "nodes_nodeids") }
	if twice := s.index.build(open); twice >= 0 {
		return nil, bad(n, "tree "+itoa(n.Ints("nodes_treeids")[twice])+" has the node "+itoa(n.Ints("nodes_nodeids")[twice])+" twice")
	}
	s.marks = make([]mark, s.count)
	return s, nil
}

// ballots is the lists of weights as the file gives them.
type ballots struct {
	count                 int
	trees, nodes, targets column[int64]
	weights               reals
}

func newBallots(n *graph.Node, side string) (ballots, error) {
	weights, err := readReals(n, side+"_weights")
	if err != nil {
		return ballots{}, err
	}
	b := ballots{weights.len(), intColumn(n, side+"_treeids"), intColumn(n, side+"_nodeids"), intColumn(n, side+"_ids"), weights}
	if b.count == 0 || b.trees.n != b.count || b.nodes.n != b.count || b.targets.n != b.count {
		return b, bad(n, "attributes of the weights have different lengths, or none")
	}
	return b, nil
}

// nodeIndex finds a node by its tree and its id. Exporters write the nodes of a tree side by side with ids that rise by one,
// and then a node's place follows from its tree's; a map of every node, which takes ten times longer to build than the
// rest of the forest, is for files that are otherwise.
type nodeIndex struct {
	runs []nodeRun
	tree map[int64]int32 // by tree: its run
	by   map[[2]int64]int32

	last int64 // tree that was added or asked for last
	run  nodeRun
}

// nodeRun is the nodes of one tree: ids first, first+1, … at the places from, from+1, …
type nodeRun struct {
	first    int64
	from, to int32
}

// build takes the nodes in, and returns the place of one whose tree and id were there before, -1 for none. open gives the
// columns from their front.
func (x *nodeIndex) build(open func() (trees, ids column[int64])) (twice int) {
	trees, ids := open()
	x.tree = map[int64]int32{}
	for from := 0; from < ids.n; from += chunk {
		n := min(chunk, ids.n-from)
		t, d := trees.take(n), ids.take(n)
		for i := range n {
			if !x.add(t[i], d[i], int32(from+i)) {
				return x.buildMap(open())
			}
		}
	}
	return -1
}

// add takes in the node at a place. It reports false when its tree has been left before.
func (x *nodeIndex) add(tree, id int64, place int32) bool {
	if last := len(x.runs) - 1; last >= 0 && tree == x.last {
		if r := &x.runs[last]; uint64(id)-uint64(r.first) == uint64(place-r.from) && id >= r.first {
			r.to = place + 1
			return true
		}
	}
	if _, seen := x.tree[tree]; seen {
		return false
	}
	x.tree[tree] = int32(len(x.runs))
	x.runs = append(x.runs, nodeRun{first: id, from: place, to: place + 1})
	x.last = tree
	return true
}

func (x *nodeIndex) buildMap(trees, ids column[int64]) (twice int) {
	x.runs, x.tree, x.by = nil, nil, make(map[[2]int64]int32, ids.n)
	for from := 0; from < ids.n; from += chunk {
		n := min(chunk, ids.n-from)
		t, d := trees.take(n), ids.take(n)
		for i := range n {
			key := [2]int64{t[i], d[i]}
			if _, seen := x.by[key]; seen {
				return from + i
			}
			x.by[key] = int32(from + i)
		}
	}
	return -1
}

// find returns the place of a node.
func (x *nodeIndex) find(tree, id int64) (int32, bool) {
	if tree != x.last || x.run.to == 0 {
		if x.by != nil {
			i, ok := x.by[[2]int64{tree, id}]
			return i, ok
		}
		i, ok := x.tree[tree]
		if !ok {
			return 0, false
		}
		x.last, x.run = tree, x.runs[i]
	}
	if i := uint64(id) - uint64(x.run.first); i < uint64(x.run.to-x.run.from) {
		return x.run.from + int32(i), true
	}
	return 0, false
}

// parts are ranges of nodes that lead to no others: the trees, or all nodes where these are mixed.
func (x *nodeIndex) parts(count int) []nodeRun {
	if x.by != nil {
		return []nodeRun{{to: int32(count)}}
	}
	return x.runs
}
