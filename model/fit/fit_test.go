package fit_test

import (
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// TestSplit: the same for a seed, of each class its share, no class left without a row to learn from.
func TestSplit(t *testing.T) {
	d := fit.Data{Task: fit.Classification, Rows: 101, Classes: 3, Class: make([]int32, 101), Seed: 9}
	for i := range d.Class {
		if i < 30 {
			d.Class[i] = 1
		}
	}
	d.Class[100] = 2 // alone
	train, valid := d.Split(.2)
	if again, _ := d.Split(.2); !slices.Equal(train, again) {
		t.Error("the same seed gave another split")
	}
	var held [3]int
	for _, r := range valid {
		held[d.Class[r]]++
	}
	if held != [3]int{14, 6, 0} {
		t.Errorf("held out of each class: %v", held)
	}
	all := slices.Sorted(slices.Values(append(slices.Clone(train), valid...)))
	for i, r := range all {
		if int(r) != i {
			t.Fatalf("rows of both parts are %v", all)
		}
	}
	if d.Seed = 10; slices.Equal(train, func() []int32 { a, _ := d.Split(.2); return a }()) {
		t.Error("another seed gave the same split")
	}
}

func TestSplitOfFewRows(t *testing.T) {
	for rows := 1; rows < 4; rows++ {
		train, _ := fit.Data{Task: fit.Regression, Rows: rows}.Split(.9)
		if len(train) == 0 {
			t.Errorf("%d rows: none left to learn from", rows)
		}
	}
}

func TestSplitNeedsWeightOnBothSides(t *testing.T) {
	d := fit.Data{Task: fit.Regression, Rows: 20, Weight: make([]float32, 20)}
	d.Weight[3] = 1
	if train, valid := d.Split(.5); len(train) != 20 || valid != nil {
		t.Errorf("%d rows to learn from, %d held out", len(train), len(valid))
	}
}

func TestStandardize(t *testing.T) {
	d := fit.Data{Rows: 4, Cols: 4, Weight: []float32{1, 1, 2, 0}, X: []float32{
		1, 5, 1e30, 2007,
		3, 5, -1e30, 2008,
		2, 5, 0, 2009,
		99, 99, 99, 99,
	}}
	s := fit.Standardize(d)
	if s.Mean[0] != 2 || s.Mean[1] != 5 || math.Abs(s.Scale[0]-math.Sqrt2) > 1e-12 {
		t.Errorf("%+v", s)
	}
	if s.Scale[1] != 0 {
		t.Errorf("a constant feature has the scale %v", s.Scale[1])
	}
	if math.Abs(s.Scale[2]*1e30-math.Sqrt2) > 1e-6 {
		t.Errorf("a huge feature has the scale %v", s.Scale[2])
	}
	if s.Foldable() {
		t.Error("years cannot go into float32 weights without loss")
	}
	if got := fit.Narrow([]float64{1e300, -1e300, .5}); got[0] != math.MaxFloat32 || got[1] != -math.MaxFloat32 || got[2] != .5 {
		t.Errorf("narrowed to %v", got)
	}
}

func TestParallel(t *testing.T) {
	for _, workers := range []int{0, 1, 3, 100} {
		var sum atomic.Int64
		fit.Parallel(workers, 10, func(part int) { sum.Add(1 << (4 * part)) })
		if sum.Load() != 0x1111111111 {
			t.Errorf("%d workers ran parts %x", workers, sum.Load())
		}
	}
}
