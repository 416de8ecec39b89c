package exec

import (
	"testing"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestTake: a value gets the smallest slot that holds it, else the largest.
func TestTake(t *testing.T) {
	pl := &planner{p: new(Program), slots: map[place]int{}, size: map[place]int{}}
	var slots []place
	for _, n := range []int{100, 10, 50, 50} {
		slots = append(slots, pl.take(tensor.TypeOf(tensor.Float32, n), false))
	}
	for _, c := range []struct{ need, want int }{{20, 3}, {10, 1}, {100, 0}, {51, 0}, {200, 0}, {tensor.Free, 3}} {
		pl.size = map[place]int{slots[0]: 100, slots[1]: 10, slots[2]: 50, slots[3]: 50}
		pl.free[0] = append([]place(nil), slots...)
		if got := pl.take(tensor.TypeOf(tensor.Float32, c.need), false); got != slots[c.want] {
			t.Errorf("%d elements: slot %d, want %d", c.need, got, slots[c.want])
		}
		if len(pl.free[0]) != len(slots)-1 {
			t.Errorf("%d slots are free", len(pl.free[0]))
		}
	}
}
