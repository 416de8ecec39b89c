package exec

import (
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestNamesAreNotCopied: what an output only names again is written straight into the caller's tensor, once; an input and a second output are copied.
func TestNamesAreNotCopied(t *testing.T) {
	b := graph.NewBuilder("g")
	x := b.Input("x", tensor.TypeOf(tensor.Float32, 3))
	y := b.Op("Identity", b.Op("Identity", b.Op("Neg", x)))
	for _, v := range []graph.Value{y, y, b.Op("Identity", x)} {
		b.Graph().Outputs = append(b.Graph().Outputs, graph.Port{Name: v})
	}
	p, err := Compile(b.Model(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.copies) != 2 {
		t.Errorf("%d outputs are copied", len(p.copies))
	}
	in := tensor.Floats([]float32{1, 2, 3}, 3)
	out, err := p.Run(t.Context(), []*tensor.Tensor{in})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float32{-1, -1, 1} {
		if got := out[i].F32(); len(got) != 3 || got[0] != want {
			t.Errorf("output %d is %v", i, got)
		}
	}
	if &out[2].F32()[0] == &in.F32()[0] || &out[0].F32()[0] == &out[1].F32()[0] {
		t.Error("outputs share memory")
	}
}

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
