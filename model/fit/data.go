package fit

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/kernel"
)

// Check verifies what every estimator relies on: lengths that fit, at least one row and one column, class indices in
// range, finite targets and features, weights that are finite, not negative and not all zero. With missing, NaN is
// allowed in X. Errors: fault.Invalid; Field is the feature's name, "target" or "weight".
func (d Data) Check(missing bool) error {
	if d.Rows < 1 || d.Cols < 1 {
		return fault.New(fault.Invalid, "no data to learn from: "+strconv.Itoa(d.Rows)+" rows and "+strconv.Itoa(d.Cols)+" features").
			Try("at least one row and one feature that varies are needed")
	}
	if len(d.X) != d.Rows*d.Cols || (d.Names != nil && len(d.Names) != d.Cols) || (d.Weight != nil && len(d.Weight) != d.Rows) || (d.Group != nil && len(d.Group) != d.Rows) {
		return fault.New(fault.Internal, "training data whose parts have different lengths")
	}
	if err := d.checkTarget(); err != nil {
		return err
	}
	if err := d.checkWeight(); err != nil {
		return err
	}
	return d.checkFeatures(missing)
}

// checkFeatures looks for the first number that is not allowed. A sum that is finite had finite parts only, so that most
// data is done with at the pace of memory; others are looked at one by one.
func (d Data) checkFeatures(missing bool) error {
	const block = 1 << 14
	blocks := (len(d.X) + block - 1) / block
	suspect := make([]bool, blocks)
	Parallel(d.Workers(), blocks, func(b int) {
		s := kernel.Sum(d.X[b*block : min(len(d.X), (b+1)*block)])
		suspect[b] = s-s != 0
	})
	for b, s := range suspect {
		if !s {
			continue
		}
		for i := b * block; i < min(len(d.X), (b+1)*block); i++ {
			v := d.X[i]
			if v-v == 0 || (missing && v != v) { // v-v is NaN for an infinity or NaN
				continue
			}
			what, hint := "holds an infinite number", "replace it, or leave it empty to mean missing"
			if v != v {
				what, hint = "has a missing value", "impute missing values before, or use boosting, which takes them"
			}
			return fault.New(fault.Invalid, what+" in row "+strconv.Itoa(i/d.Cols)).At(d.Name(i % d.Cols)).Try(hint)
		}
	}
	return nil
}

func (d Data) checkTarget() error {
	switch d.Task {
	case Classification:
		if len(d.Class) != d.Rows {
			return fault.New(fault.Internal, "training data whose parts have different lengths")
		}
		if d.Classes < 2 {
			return fault.New(fault.Invalid, "only one class to learn").At("target").Try("a target needs two values at least")
		}
		for i, k := range d.Class {
			if k < 0 || int(k) >= d.Classes {
				return fault.New(fault.Invalid, "class index out of range in row "+strconv.Itoa(i)).At("target")
			}
		}
	case Regression:
		if len(d.Y) != d.Rows {
			return fault.New(fault.Internal, "training data whose parts have different lengths")
		}
		for i, v := range d.Y {
			if v-v != 0 {
				return fault.New(fault.Invalid, "missing or infinite target in row "+strconv.Itoa(i)).At("target").
					Try("leave out rows without a target")
			}
		}
	default:
		return fault.New(fault.Invalid, "unknown task "+strconv.Quote(string(d.Task))).At("task")
	}
	return nil
}

func (d Data) checkWeight() error {
	var total float64
	for i, w := range d.Weight {
		if !(w >= 0) || math.IsInf(float64(w), 1) {
			return fault.New(fault.Invalid, "negative or infinite weight in row "+strconv.Itoa(i)).At("weight")
		}
		total += float64(w)
	}
	if d.Weight != nil && total == 0 {
		return fault.New(fault.Invalid, "all weights are zero").At("weight")
	}
	return nil
}

// Name returns the name of feature j: its column's, or "feature 7".
func (d Data) Name(j int) string {
	if j < len(d.Names) {
		return d.Names[j]
	}
	return "feature " + strconv.Itoa(j)
}

// Row returns the features of row i, sharing memory.
func (d Data) Row(i int) []float32 { return d.X[i*d.Cols : (i+1)*d.Cols] }

// W returns the weight of row i, 1 where weights are equal.
func (d Data) W(i int) float64 {
	if d.Weight == nil {
		return 1
	}
	return float64(d.Weight[i])
}

// Workers is the number of goroutines to use at most.
func (d Data) Workers() int {
	if d.Threads > 0 {
		return d.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// Rand returns the random source of a purpose. Purposes have streams of their own, so that one more draw for the one
// does not change the other.
func (d Data) Rand(purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(d.Seed, purpose)) }

// Split draws a validation set of that fraction of the rows, the same for the same seed: of each class its share, but
// never the last row of a class; where rows have groups, whole groups and never the last one. valid is empty when there are too few rows, or where one part would hold rows without
// weight only. Both are in ascending order.
func (d Data) Split(fraction float64) (train, valid []int32) {
	held := make([]bool, d.Rows)
	if random := d.Rand(0x5b117); d.Group != nil {
		d.holdGroups(held, fraction, random)
	} else {
		d.hold(held, fraction, random)
	}
	var weights [2]float64
	for r, h := range held {
		if h {
			valid = append(valid, int32(r))
			weights[1] += d.W(r)
		} else {
			train = append(train, int32(r))
			weights[0] += d.W(r)
		}
	}
	if weights[0] == 0 || weights[1] == 0 {
		return everyRow(d.Rows), nil
	}
	return train, valid
}

// hold marks that share of the rows of each class.
func (d Data) hold(held []bool, fraction float64, random *rand.Rand) {
	for _, group := range d.groups() {
		take := min(int(math.Round(fraction*float64(len(group)))), len(group)-1)
		random.Shuffle(len(group), func(i, j int) { group[i], group[j] = group[j], group[i] })
		for _, r := range group[:max(0, take)] {
			held[r] = true
		}
	}
}

// holdGroups marks the rows of that share of the groups.
func (d Data) holdGroups(held []bool, fraction float64, random *rand.Rand) {
	chosen := map[int32]bool{} // false: seen, and left to learn from
	var groups []int32
	for _, g := range d.Group {
		if _, seen := chosen[g]; !seen {
			chosen[g] = false
			groups = append(groups, g)
		}
	}
	random.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	for _, g := range groups[:min(int(math.Round(fraction*float64(len(groups)))), len(groups)-1)] {
		chosen[g] = true
	}
	for r, g := range d.Group {
		held[r] = chosen[g]
	}
}

func everyRow(n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// Classed says how many classes there are, for messages.
func (d Data) Classed() string { return strconv.Itoa(d.Classes) + " classes" }

// groups are the rows of each class, or all rows as one group.
func (d Data) groups() [][]int32 {
	if d.Task != Classification {
		return [][]int32{everyRow(d.Rows)}
	}
	groups := make([][]int32, d.Classes)
	for i, k := range d.Class {
		groups[k] = append(groups[k], int32(i))
	}
	return groups
}

// Stopped returns nil while ctx lasts, and then ctx's error as a fault.Canceled.
func Stopped(ctx context.Context) error {
	return fault.Wrap(ctx.Err(), fault.Canceled, "training was stopped")
}
