//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

// grove is a forest in the form that is walked fast.
type grove struct {
	planted *kernel.Grove // nil for a forest that stays as it is
	ranks   scratch[uint32]
	places  scratch[int32]
}

// transplant makes a grove of the forest, in place of its nodes, where that can be: in float32, and where every node asks whether x <= value.
func (f *forest[T]) transplant() {
	nodes, ok := any(f.nodes).([]kernel.TreeNode[float32])
	if !ok || f.modes != nil {
		return
	}
	g := kernel.NewGrove(f.trees, len(nodes), f.features, f.missing != nil)
	if g == nil {
		return
	}
	if f.single {
		f.values = make([]T, g.Leaves())
		g.Plant(nodes, f.missing, f.trees, func(place int, node int32) {
			v := T(math.Copysign(0, -1)) // adding it changes no number
			if node >= 0 {
				v = f.nodes[node].Value
			}
			f.values[place] = v
		})
	} else {
		weights := make([]leaf, g.Leaves())
		g.Plant(nodes, f.missing, f.trees, func(place int, node int32) {
			if node >= 0 {
				weights[place] = f.weights[node]
			}
		})
		f.weights = weights
	}
	f.planted, f.nodes, f.missing = g, nil, nil
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
