//go:build !lean

package op

import (
	"github.com/jarvis-ml/jarvis/model/kernel"
)

// grove is a forest in the form that is walked fast.
type grove struct {
	planted *kernel.Grove // nil for a forest that stays as it is
	ranks   scratch[uint32]
	places  scratch[int32]
}

// plan reports whether the forest can be a grove: in float32, where every node asks whether x <= value and no tree is deep or uneven. It then knows
// the trees, whose nodes stay in the order of the source, until plant.
func (f *forest[T]) plan(s *treeSource) (bool, error) {
	nodes, ok := any(f.nodes).([]kernel.TreeNode[float32])
	var all mark
	for _, m := range s.marks {
		all |= m
	}
	if !ok || all&(markEqual|markUnequal) != 0 {
		return false, nil
	}
	v := survey{nodes: nodes}
	for i := range nodes {
		if s.marks[i]&markChild != 0 {
			continue
		}
		if v.depth = 0; !v.down(int32(i), 0) {
			return false, nil
		}
		f.trees = append(f.trees, kernel.Tree{Root: int32(i), Depth: v.depth})
	}
	if v.reached < len(nodes) {
		return false, errCycle(s)
	}
	f.planted = kernel.NewGrove(f.trees, len(nodes), f.features, all&markTracks != 0)
	return f.planted != nil, nil
}

// survey counts the nodes of trees, and the levels of one.
type survey struct {
	nodes   []kernel.TreeNode[float32]
	reached int
	depth   int32
}

// down visits what is below a node. It reports false where that is too deep for a grove.
func (v *survey) down(at, level int32) bool {
	v.reached++
	next := v.nodes[at].Next
	if next[0] == at { // no node but a leaf is its own child: each has one parent, and roots have none
		v.depth = max(v.depth, level)
		return true
	}
	if level == kernel.GroveDepth {
		return false
	}
	return v.down(next[0], level+1) && (next[0] == next[1] || v.down(next[1], level+1))
}

// plant moves the nodes of a forest that can be a grove.
func (f *forest[T]) plant(s *treeSource) {
	nodes, _ := any(f.nodes).([]kernel.TreeNode[float32])
	tracks := func(node int32) bool { return s.marks[node]&markTracks != 0 }
	if f.single {
		f.values = make([]T, f.planted.Leaves())
		f.planted.Plant(nodes, tracks, f.trees, any(f.values).([]float32), nil)
	} else {
		weights := make([]leaf, f.planted.Leaves())
		f.planted.Plant(nodes, tracks, f.trees, nil, func(place int, node int32) { weights[place] = f.weights[node] })
		f.weights = weights
	}
	f.nodes = nil
}

// walkGrove adds up the scores s (rows, targets) of rows of x, of which there are at most block. It reports whether the forest is a grove.
func (e *ensemble[T]) walkGrove(s []score[T], x []T, features int) bool {
	g := e.planted
	if g == nil {
		return false
	}
	rows := len(s) / e.targets
	ranks := e.ranks.take(rows * g.Ranks())
	g.Rank(*ranks, any(x).([]float32), features)
	if e.single && !e.extreme {
		var sums [block]float32
		g.Sum(*ranks, any(e.values).([]float32), sums[:rows])
		for i, v := range sums[:rows] {
			s[i*e.targets+e.only] = score[T]{T(v), true}
		}
		e.ranks.put(ranks)
		return true
	}
	places := e.places.take(rows * kernel.GroveSide)
	for group := range g.Groups() {
		g.Find(group, *ranks, *places)
		trees := min(kernel.GroveSide, len(e.trees)-group*kernel.GroveSide)
		for i := range rows {
			e.voteRow(s[i*e.targets:][:e.targets], (*places)[i*kernel.GroveSide:][:trees])
		}
	}
	e.places.put(places)
	e.ranks.put(ranks)
	return true
}
