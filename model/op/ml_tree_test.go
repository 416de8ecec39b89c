package op

import "testing"

// The nodes of a tree are found by position where ids rise by one, and by a map elsewhere: both must find the same.
func TestNodeIndex(t *testing.T) {
	for _, c := range []struct {
		name       string
		trees, ids []int64
		mapped     bool
		twice      int
	}{
		{"regular", []int64{0, 0, 0, 1, 1, -7, -7}, []int64{0, 1, 2, 0, 1, 5, 6}, false, -1},
		{"trees interleaved", []int64{0, 1, 0, 1}, []int64{0, 0, 1, 1}, true, -1},
		{"a gap", []int64{0, 0, 0}, []int64{0, 1, 3}, true, -1},
		{"falling", []int64{0, 0, 0}, []int64{2, 1, 0}, true, -1},
		{"twice", []int64{0, 0, 0}, []int64{0, 1, 1}, true, 2},
		{"twice, far away", []int64{0, 0, 1, 0}, []int64{0, 1, 0, 0}, true, 3},
		{"the largest ids", []int64{0, 0}, []int64{1<<63 - 1, -1 << 63}, true, -1},
	} {
		var x nodeIndex
		open := func() (trees, ids column[int64]) {
			return column[int64]{n: len(c.trees), list: c.trees}, column[int64]{n: len(c.ids), list: c.ids}
		}
		if twice := x.build(open); twice != c.twice {
			t.Errorf("%s: node %d is there twice, want %d", c.name, twice, c.twice)
		}
		if c.twice >= 0 {
			continue
		}
		if (x.by != nil) != c.mapped {
			t.Errorf("%s: a map: %v", c.name, x.by != nil)
		}
		for i := range c.ids {
			if at, ok := x.find(c.trees[i], c.ids[i]); !ok || int(at) != i {
				t.Errorf("%s: node %d is found at %d, %v", c.name, i, at, ok)
			}
		}
		for _, absent := range [][2]int64{{c.trees[0], 77}, {c.trees[0], -2}, {99, c.ids[0]}} {
			if _, ok := x.find(absent[0], absent[1]); ok {
				t.Errorf("%s: %v is found", c.name, absent)
			}
		}
	}
}
