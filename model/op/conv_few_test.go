//go:build !lean

package op

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestConvFew holds convolutions of few pixels to the path of all others, bit by bit: over lines, planes and cubes, with strides, dilations, pads,
// images, residuals and activations.
func TestConvFew(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(list ...int) int { return list[r.IntN(len(list))] }
	ran, straight := 0, 0
	for range 400 {
		rank := 1 + r.IntN(spatial)
		x, w := []int{pick(1, 2, 5, 33), pick(1, 3, 17)}, []int{pick(16, 31, 64), 0}
		w[1] = x[1]
		win := window{op: "Conv"}
		before, after := []int64{}, []int64{}
		for range rank {
			k := 1 + r.IntN(3)
			x, w = append(x, k+r.IntN(5)), append(w, k)
			win.strides, win.dilations = append(win.strides, int64(1+r.IntN(3))), append(win.dilations, int64(pick(1, 1, 2)))
			before, after = append(before, int64(pick(0, 0, 2))), append(after, int64(pick(0, 2)))
		}
		if rank == 1 && r.IntN(2) == 0 { // long windows over one channel
			x[1], w[1], w[2], x[2] = 1, 1, 40, 40+r.IntN(30)
			win.dilations[0], win.strides[0] = 1, 7
		}
		win.pad = append(before, after...)
		c := conv[float32]{window: win, group: 1, threads: 2, act: activation{kind: []activationKind{actNone, actRelu, actSigmoid}[r.IntN(3)]}}
		v, s, err := c.shape(x, w)
		if err != nil {
			continue
		}
		random := func(shape ...int) *tensor.Tensor {
			y := tensor.New(tensor.Float32, shape...)
			for i := range y.F32() {
				y.F32()[i] = float32(r.NormFloat64())
			}
			return y
		}
		weights := random(w...)
		a := convArgs[float32]{x: random(x...).F32(), w: weights.F32(), bias: random(s.m).F32()}
		size := s.batch * s.m * volume(v.out)
		if r.IntN(2) == 0 {
			a.residual = random(size).F32()
		}
		c.fast(nil)
		f := newFew(&c, weights)
		got, want := make([]float32, size), make([]float32, size)
		a.y = got
		if size == 0 || f == nil || !f.run(context.Background(), &v, s, a) {
			continue
		}
		ran++
		if v.rows(s.cg) > 0 {
			straight++
		}
		a.y = want
		if err := c.quick(context.Background(), &v, s, a); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v by %v, %+v", x, w, win)
		}
	}
	if ran < 100 || straight < 20 {
		t.Errorf("%d were of few pixels, %d of them read x where it lies", ran, straight)
	}
}
