package boost

import (
	"math"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
)

// limits are the constraints of a training, by the numbers of features.
type limits struct {
	monotone []int8    // (cols) +1: scores must not fall as the feature grows, -1: not rise; nil: no constraints
	together [][]int32 // sets of features that may meet on a path, each ascending
	step     float64   // bound of leaves, before the learning rate; 0: none
}

// limits reads the constraints. Errors: fault.Invalid for a feature that is not there.
func (p *Boost) limits(d fit.Data) (limits, error) {
	l := limits{step: p.MaxDeltaStep}
	for name, direction := range p.MonotoneConstraints {
		f, err := find(d, name, "monotone_constraints")
		if err != nil {
			return l, err
		}
		if direction < -1 || direction > 1 {
			return l, fault.New(fault.Invalid, "a constraint of "+name+" must be 1 (rises), -1 (falls) or 0, not "+strconv.Itoa(direction)).At("monotone_constraints")
		}
		if l.monotone == nil {
			l.monotone = make([]int8, d.Cols)
		}
		l.monotone[f] = int8(direction)
	}
	for _, names := range p.InteractionConstraints {
		var set []int32
		for _, name := range names {
			f, err := find(d, name, "interaction_constraints")
			if err != nil {
				return l, err
			}
			set = append(set, int32(f))
		}
		slices.Sort(set)
		l.together = append(l.together, slices.Compact(set))
	}
	return l, nil
}

func find(d fit.Data, name, field string) (int, error) {
	for f := range d.Cols {
		if d.Name(f) == name {
			return f, nil
		}
	}
	return 0, fault.New(fault.Invalid, "there is no feature "+strconv.Quote(name)).At(field).Try("use the names of features as the summary of a training lists them")
}

// bounding reports whether leaves have bounds, so that gains depend on them.
func (l *limits) bounding() bool { return l.monotone != nil || l.step > 0 }

// whole are the bounds of a root.
func (l *limits) whole() bounds {
	if l.step > 0 {
		return bounds{-l.step, l.step}
	}
	return bounds{math.Inf(-1), math.Inf(1)}
}

// bounds of the values of a node and of all below it.
type bounds struct{ least, most float64 }

// within is v, or the bound that it is beyond.
func (b bounds) within(v float64) float64 { return min(max(v, b.least), b.most) }

// share gives each child of a node its bounds: between the two best values, so that no leaf on the one side passes one on the other (XGBoost's way).
func (b bounds) share(direction int8, left, right float64) (l, r bounds) {
	l, r = b, b
	middle := (left + right) / 2
	switch {
	case direction > 0:
		l.most, r.least = middle, middle
	case direction < 0:
		l.least, r.most = middle, middle
	}
	return l, r
}

// allowed are those of the features that a node may be split by: with those on its way from the root they must be in one of the sets, or be among them.
func (t *grower) allowed(features []int32, n *node) []int32 {
	if len(t.together) == 0 || len(n.path) == 0 {
		return features
	}
	may := make([]bool, t.bins.cols)
	for _, f := range n.path {
		may[f] = true
	}
	for _, set := range t.together {
		if all(set, n.path) {
			for _, f := range set {
				may[f] = true
			}
		}
	}
	var out []int32
	for _, f := range features {
		if may[f] {
			out = append(out, f)
		}
	}
	return out
}

// all reports whether a set has all of the features.
func all(set, features []int32) bool {
	for _, f := range features {
		if _, ok := slices.BinarySearch(set, f); !ok {
			return false
		}
	}
	return true
}
